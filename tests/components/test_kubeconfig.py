"""The kubeconfig: stable text, no credential, the right call for a token."""

import json

from components.kubeconfig import kubeconfig

ARGS = {
    "cluster_name": "acme-dev",
    "endpoint": "https://example.eks.amazonaws.com",
    "certificate_authority": "Y2E=",
    "region": "eu-central-1",
}


def test_it_gets_a_token_from_the_aws_cli_for_this_cluster_and_region():
    document = json.loads(kubeconfig(**ARGS))
    (user,) = document["users"]
    assert set(user["user"]) == {"exec"}, "no token, no password, no client certificate"
    call = user["user"]["exec"]
    assert " ".join([call["command"], *call["args"]]) == (
        "aws --region eu-central-1 eks get-token --cluster-name acme-dev --output json"
    )
    assert call["apiVersion"] == "client.authentication.k8s.io/v1beta1", "what the AWS CLI answers with"
    assert "env" not in call, "a profile or key would make the text another one on every machine"


def test_the_current_context_joins_cluster_and_user():
    document = json.loads(kubeconfig(**ARGS))
    (cluster,), (context,) = document["clusters"], document["contexts"]
    assert cluster["cluster"] == {"server": ARGS["endpoint"], "certificate-authority-data": "Y2E="}
    assert document["current-context"] == context["name"]
    assert context["context"] == {"cluster": cluster["name"], "user": document["users"][0]["name"]}


def test_the_text_is_canonical():
    text = kubeconfig(**ARGS)
    assert text == json.dumps(json.loads(text), sort_keys=True)
