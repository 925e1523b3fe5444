"""Calls to AWS: what is asked, what a refusal says, and that silence is never taken for an answer."""

import json
import re

import boto3
import pytest

from stackyard.errors import UserError
from stackyard.local import safety
from stackyard.preflight.account import OPERATIONS, Account, own_clients, permission, permissions
from stackyard.preflight.finding import Unanswered
from tests.bootstrap.replies import LOOPBACK, denied_json, session
from tests.preflight.targets import REGION, ROOT, Script

DOC = ROOT / "docs" / "preflight.md"


def wired(replies, **options) -> Account:
    """An account whose answers are put in at the wire, so that botocore's own retries count."""
    made = session(replies)
    return Account(lambda service, region: made.client(service, endpoint_url=LOOPBACK), REGION, **options)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)


def test_every_operation_only_reads():
    methods = [method for methods in OPERATIONS.values() for method in methods]
    assert [name for name in methods if not re.match(r"(describe|get|head|list|simulate)_", name)] == []


def test_an_operation_that_the_docs_do_not_name_is_not_called():
    with pytest.raises(LookupError, match="delete_bucket"):
        Script().account().call("s3", "delete_bucket", Bucket="b")


@pytest.mark.parametrize(
    ("service", "method", "action"),
    [
        ("service-quotas", "get_service_quota", "servicequotas:GetServiceQuota"),
        ("service-quotas", "get_aws_default_service_quota", "servicequotas:GetAWSDefaultServiceQuota"),
        ("s3", "head_bucket", "s3:ListBucket"),
        ("ec2", "describe_vpcs", "ec2:DescribeVpcs"),
        ("iam", "simulate_principal_policy", "iam:SimulatePrincipalPolicy"),
    ],
)
def test_a_call_is_known_by_the_permission_that_it_needs(service, method, action):
    assert permission(service, method) == action


def test_every_operation_exists_in_botocore_and_its_permission_is_its_name():
    for service, methods in OPERATIONS.items():
        client = Script()(service, REGION)
        for method in methods:
            operation = client.meta.method_to_api_mapping[method]
            known = {"HeadBucket": "ListBucket", "ListBuckets": "ListAllMyBuckets"}
            assert permission(service, method).partition(":")[2] == known.get(operation, operation)


def test_the_page_lists_exactly_the_permissions_that_preflight_may_need():
    section = DOC.read_text(encoding="utf-8").partition("## Permissions")[2]
    document = json.loads(section.partition("```json")[2].partition("```")[0])
    listed = {action for statement in document["Statement"] for action in statement["Action"]}
    # What reading an encrypted state needs beside the operation's own; the identity needs no permission.
    assert listed == (set(permissions()) | {"kms:Decrypt"}) - {"sts:GetCallerIdentity"}


def test_throttling_is_waited_for():
    """faults 16."""
    busy = (400, '{"__type": "TooManyRequestsException", "Message": "slow down"}')
    quota = (200, '{"Quota": {"Value": 64.0}}')
    replies = iter([busy, (503, "{}"), busy, quota])
    # The real clients, for their retries; every request is answered before it is sent.
    account = Account(own_clients(lambda: session({"GetServiceQuota": lambda: next(replies)})), REGION)
    answer = account.call("service-quotas", "get_service_quota", ServiceCode="ec2", QuotaCode="L-1216C47A")
    assert answer["Quota"]["Value"] == 64.0
    assert next(replies, None) is None


def test_the_real_clients_retry_and_give_up_on_a_network_that_does_not_answer():
    made = own_clients(lambda: boto3.Session("k", "s", botocore_session=safety.bare_session()))("ec2", REGION)
    config = made.meta.config
    assert (config.retries["mode"], config.retries["total_max_attempts"]) == ("standard", 5)
    assert config.connect_timeout <= 10 and config.read_timeout <= 30, "an unreachable network is told soon"


def test_no_configured_endpoint_is_taken_for_aws(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", LOOPBACK)
    made = own_clients(lambda: boto3.Session("k", "s", region_name=REGION))("ec2", REGION)
    assert made.meta.endpoint_url == "https://ec2.us-east-1.amazonaws.com"


def test_a_missing_permission_is_named_with_the_way_out():
    said = "User: anna is not authorized to perform: servicequotas:GetServiceQuota because no policy allows it"
    with pytest.raises(Unanswered, match="the permission servicequotas:GetServiceQuota is missing") as error:
        wired({"GetServiceQuota": denied_json(said)}).call(
            "service-quotas", "get_service_quota", ServiceCode="ec2", QuotaCode="x"
        )
    assert error.value.denied and "docs/preflight.md" in error.value.remedy


def test_a_network_that_does_not_answer_is_a_sentence():
    with pytest.raises(Unanswered, match="AWS in us-east-1 does not answer") as error:
        wired({}).call("ec2", "describe_vpcs")
    assert not error.value.credentials and "HTTPS_PROXY" in error.value.remedy


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "AuthFailure"])
def test_credentials_that_aws_does_not_accept_are_known_as_such(code):
    account = Script().refuse("ec2", "describe_vpcs", code).account()
    with pytest.raises(Unanswered, match=f"does not accept the credentials .{code}") as error:
        account.call("ec2", "describe_vpcs")
    assert error.value.credentials


def test_no_credentials_and_a_profile_that_is_not_there_are_known_as_such():
    nobody = boto3.Session(region_name=REGION, botocore_session=safety.bare_session())
    nobody._session.register_component("credential_provider", _Nothing())
    with pytest.raises(Unanswered, match=r"^no AWS credentials were found$") as error:
        Account(own_clients(lambda: nobody), REGION).call("sts", "get_caller_identity")
    assert error.value.credentials and "aws sso login" in error.value.remedy

    def without_profile():
        raise UserError("the AWS credentials are incomplete: no profile x. Give them in one of the ways")

    with pytest.raises(Unanswered, match="incomplete") as error:
        Account(own_clients(without_profile), REGION).call("sts", "get_caller_identity")
    assert error.value.credentials


class _Nothing:
    def load_credentials(self):
        return None


@pytest.mark.parametrize(("code", "status"), [("404", 404), ("500", 500), ("NotYetImplemented", 501)])
def test_what_the_emulator_lacks_is_told_as_such_and_only_there(code, status):
    """faults 35."""
    script = Script().refuse("eks", "list_clusters", code, "<!doctype html>", status)
    with pytest.raises(Unanswered, match="the emulator does not know eks:ListClusters"):
        script.account(emulated=True).call("eks", "list_clusters")
    with pytest.raises(Unanswered, match="AWS refused eks:ListClusters"):
        Script().refuse("eks", "list_clusters", code, "", status).account().call("eks", "list_clusters")


def test_an_answer_that_is_no_answer_is_told():
    html = (200, "<!doctype html><h1>Sign in")
    with pytest.raises(Unanswered, match="the emulator does not know ec2:DescribeVpcs"):
        wired({"DescribeVpcs": html}, emulated=True).call("ec2", "describe_vpcs")
    with pytest.raises(Unanswered, match="could not be read") as error:
        wired({"DescribeVpcs": html}).call("ec2", "describe_vpcs")
    assert "proxy" in error.value.remedy


def test_answers_and_refusals_are_remembered():
    script = Script().answer("ec2", "describe_vpcs", {"Vpcs": []}).refuse("ec2", "describe_addresses", "Unavailable")
    account = script.account()
    assert account.call("ec2", "describe_vpcs") is account.call("ec2", "describe_vpcs")
    for _ in range(2):
        with pytest.raises(Unanswered, match="Unavailable"):
            account.call("ec2", "describe_addresses")


def test_all_pages_of_an_answer_are_taken():
    script = (
        Script()
        .answer("ec2", "describe_vpcs", {"Vpcs": [{"VpcId": "vpc-1"}], "NextToken": "t"})
        .answer("ec2", "describe_vpcs", {"Vpcs": [{"VpcId": "vpc-2"}]}, {"NextToken": "t"})
    )
    assert [vpc["VpcId"] for vpc in script.account().call("ec2", "describe_vpcs")["Vpcs"]] == ["vpc-1", "vpc-2"]
