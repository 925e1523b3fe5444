"""The way into an EKS cluster: endpoint, authority, and a token as `aws eks get-token` makes it."""

import base64
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.exceptions import NoCredentialsError

from stackyard.drain.access import Tokens, cluster_api, token
from stackyard.drain.command import OPERATIONS
from stackyard.errors import UserError
from stackyard.local import safety
from stackyard.preflight.account import Account, own_clients
from tests.drain.authority import AUTHORITY
from tests.preflight.targets import REGION, Script, target


def sts(region=REGION):
    return own_clients(lambda: boto3.Session("AKID", "secret", botocore_session=safety.bare_session()))("sts", region)


def signed(made):
    prefix, _, encoded = made.partition(".")
    assert prefix == "k8s-aws-v1" and "=" not in encoded
    url = base64.urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)).decode()
    parts = urlsplit(url)
    return parts, {name: values[0] for name, values in parse_qs(parts.query).items()}


def test_a_token_is_a_signed_question_who_the_caller_is_for_one_cluster():
    parts, query = signed(token(sts("eu-west-1"), "acme-dev"))
    assert (parts.scheme, parts.hostname) == ("https", "sts.eu-west-1.amazonaws.com")
    assert query["Action"] == "GetCallerIdentity" and query["Version"] == "2011-06-15"
    assert query["X-Amz-SignedHeaders"] == "host;x-k8s-aws-id" and query["X-Amz-Expires"] == "60"
    assert query["X-Amz-Credential"].startswith("AKID/")


def test_the_cluster_is_part_of_what_is_signed():
    client = sts()
    one, same, other = (signed(token(client, name))[1] for name in ("acme-dev", "acme-dev", "acme-prod"))
    # Signatures of another second differ too.
    assert one["X-Amz-Date"] != same["X-Amz-Date"] or one["X-Amz-Signature"] == same["X-Amz-Signature"]
    assert one["X-Amz-Signature"] != other["X-Amz-Signature"]


def test_a_token_is_used_for_ten_minutes_and_then_made_anew():
    now, made = [0.0], []

    def client():
        made.append(now[0])
        return sts()

    tokens = Tokens(client, "acme-dev", REGION, clock=lambda: now[0])
    for now[0] in (0.0, 300.0, 599.0, 601.0, 700.0):
        assert tokens().startswith("k8s-aws-v1.")
    assert made == [0.0, 601.0]


def test_credentials_that_are_gone_are_a_sentence():
    def client():
        raise NoCredentialsError

    with pytest.raises(UserError, match="no AWS credentials were found"):
        Tokens(client, "acme-dev", REGION)()


def reach(cluster):
    script = Script().answer("eks", "describe_cluster", {"cluster": cluster}, {"name": "stackyard-dev"})
    return cluster_api(Account(script, REGION, operations=OPERATIONS), target(), script)


def test_the_cluster_is_that_of_the_environment_and_its_own_authority_vouches_for_it():
    data = base64.b64encode(AUTHORITY.encode()).decode()
    endpoint = "https://0123.gr7.us-east-1.eks.amazonaws.com"
    api = reach({"endpoint": endpoint, "certificateAuthority": {"data": data}})
    assert api and api.server == endpoint
    context = api._pool.conn_kw["ssl_context"]
    assert context.check_hostname and len(context.get_ca_certs()) == 1, "no other authority of the machine counts"


def test_a_cluster_that_is_still_made_is_told():
    with pytest.raises(UserError, match="stackyard-dev is CREATING and has no endpoint yet"):
        reach({"status": "CREATING"})


def test_a_cluster_that_does_not_exist_is_none():
    script = Script().refuse("eks", "describe_cluster", "ResourceNotFoundException", "No cluster found")
    assert cluster_api(Account(script, REGION, operations=OPERATIONS), target(), script) is None
