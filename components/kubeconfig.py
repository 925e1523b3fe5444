"""The kubeconfig of a cluster: stable text without a credential in it."""

import json


def kubeconfig(*, cluster_name: str, endpoint: str, certificate_authority: str, region: str) -> str:
    """A kubeconfig that gets its token from the AWS CLI each time.

    JSON, which is YAML, with sorted keys: same cluster, same bytes, so the provider never seems changed.
    `certificate_authority` is base64, as EKS returns it. Whoever uses it needs `aws` on PATH and AWS credentials.
    Source: https://docs.aws.amazon.com/eks/latest/userguide/create-kubeconfig.html
    """
    get_token = ["--region", region, "eks", "get-token", "--cluster-name", cluster_name, "--output", "json"]
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": cluster_name,
                "cluster": {"server": endpoint, "certificate-authority-data": certificate_authority},
            }
        ],
        "users": [
            {
                "name": cluster_name,
                "user": {
                    "exec": {
                        "apiVersion": "client.authentication.k8s.io/v1beta1",
                        "command": "aws",
                        "args": get_token,
                        "interactiveMode": "Never",
                    }
                },
            }
        ],
        "contexts": [{"name": cluster_name, "context": {"cluster": cluster_name, "user": cluster_name}}],
        "current-context": cluster_name,
    }
    return json.dumps(document, sort_keys=True)
