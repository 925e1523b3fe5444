"""How to reach an EKS cluster: its endpoint, the authority that vouches for it, and tokens of the caller.

The token is that of `aws eks get-token`: a presigned GetCallerIdentity that names the cluster in a signed header.
https://docs.aws.amazon.com/eks/latest/best-practices/identity-and-access-management.html#_controlling_access_to_eks_clusters
https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster
"""

import base64
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from stackyard.drain.api import Api
from stackyard.errors import UserError
from stackyard.local.kubernetes.kubeconfig import Access
from stackyard.preflight.account import Account, Clients
from stackyard.preflight.target import Target

TOKEN_PREFIX = "k8s-aws-v1."
CLUSTER_HEADER = "x-k8s-aws-id"
SIGNED_SECONDS = 60
# EKS takes a token for a quarter of an hour after it was signed.
RENEWED_SECONDS = 600.0
_SIGNING = "before-sign.sts.GetCallerIdentity"


def cluster_api(account: Account, target: Target, clients: Clients) -> Api | None:
    """The environment's cluster, with the caller's credentials; None where it does not exist. Raises UserError."""
    found = account.call("eks", "describe_cluster", missing=frozenset({"ResourceNotFoundException"}), name=target.stem)
    if found is None:
        return None
    cluster = found["cluster"]
    authority = cluster.get("certificateAuthority", {}).get("data", "")
    if not cluster.get("endpoint") or not authority:
        raise UserError(
            f"the cluster {target.stem} is {cluster.get('status', 'not ready')} and has no endpoint yet: run the "
            "command again when it is ACTIVE, or gone"
        )
    tls = ssl.create_default_context(cadata=base64.b64decode(authority).decode())
    return Api(
        Access(path=Path("eks"), server=str(cluster["endpoint"]), tls=tls),
        token=Tokens(lambda: clients("sts", target.region), target.stem, target.region),
    )


class Tokens:
    """A valid token, whenever one is asked for."""

    def __init__(
        self,
        client: Callable[[], Any],
        cluster_name: str,
        region: str,
        clock: Callable[[], float] = time.monotonic,
    ):
        self._client, self._cluster, self._region, self._clock = client, cluster_name, region, clock
        self._token, self._signed = "", 0.0

    def __call__(self) -> str:
        if not self._token or self._clock() - self._signed > RENEWED_SECONDS:
            self._token, self._signed = self._made(), self._clock()
        return self._token

    def _made(self) -> str:
        # It has no type stubs.
        from botocore.exceptions import BotoCoreError  # pyright: ignore[reportMissingTypeStubs]

        from stackyard.bootstrap.calls import connection_error

        try:
            return token(self._client(), self._cluster)
        except BotoCoreError as error:
            raise connection_error(error, self._region) from None


def token(client: Any, cluster_name: str) -> str:
    """A bearer token of the caller for the cluster, made by an STS client without asking anybody."""

    def name_cluster(request: Any, **_: Any) -> None:
        request.headers[CLUSTER_HEADER] = cluster_name

    client.meta.events.register(_SIGNING, name_cluster)
    try:
        url = client.generate_presigned_url("get_caller_identity", ExpiresIn=SIGNED_SECONDS, HttpMethod="GET")
    finally:
        client.meta.events.unregister(_SIGNING, name_cluster)
    return TOKEN_PREFIX + base64.urlsafe_b64encode(url.encode()).decode().rstrip("=")
