"""What a person reads when AWS refuses: whose credentials, which permission, what to do. Nothing is called for real."""

import re
from pathlib import Path

import boto3
import pytest

from stackyard.bootstrap import identity
from stackyard.bootstrap.buckets import Bucket, log_bucket
from stackyard.bootstrap.calls import Aws, AwsRefusal, connection_error, permission, permissions
from stackyard.bootstrap.command import own_session
from stackyard.bootstrap.store import state_store
from stackyard.errors import UserError
from stackyard.local import safety
from tests.bootstrap.replies import LOOPBACK, REGION, denied_json, error_xml, session
from tests.bootstrap.replies import identity as answers_for

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def store():
    return state_store(ROOT, "prod")


def aws(replies, **options):
    return Aws(session(replies), REGION, endpoint=LOOPBACK, **options)


@pytest.mark.parametrize(
    ("service", "method", "action"),
    [
        ("kms", "create_key", "kms:CreateKey"),
        ("s3", "put_bucket_policy", "s3:PutBucketPolicy"),
        ("s3", "put_bucket_encryption", "s3:PutEncryptionConfiguration"),
        ("s3", "head_bucket", "s3:ListBucket"),
        ("s3", "put_public_access_block", "s3:PutBucketPublicAccessBlock"),
        ("s3", "put_bucket_lifecycle_configuration", "s3:PutLifecycleConfiguration"),
    ],
)
def test_a_call_is_known_by_the_permission_that_it_needs(service, method, action):
    assert permission(service, method) == action


def test_a_refused_call_names_permission_thing_caller_and_way_out():
    """faults 38."""
    account = aws({"PutBucketPolicy": error_xml("AccessDenied", "Access Denied")})
    account.caller = "arn:aws:iam::1:user/anna"
    with pytest.raises(AwsRefusal) as error:
        account.call("s3", "put_bucket_policy", on="the bucket b", Bucket="b", Policy="{}")
    assert str(error.value) == (
        "the permission s3:PutBucketPolicy is missing for the bucket b: arn:aws:iam::1:user/anna may not do that. Let "
        "an administrator grant it (docs/first-deployment.md lists all that bootstrap needs), then run the command "
        "again: it goes on from what exists"
    )


def test_a_key_that_may_be_created_but_not_tagged_names_the_tagging():
    """faults 38: AWS checks the tags of a create by a permission of their own, and its message says which."""
    said = "User: anna is not authorized to perform: kms:TagResource on resource: * because no policy allows it"
    with pytest.raises(AwsRefusal, match=r"the permission kms:TagResource is missing.*no policy allows it"):
        aws({"CreateKey": denied_json(said)}).call("kms", "create_key")


@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidClientTokenId", "SignatureDoesNotMatch"])
def test_credentials_that_aws_does_not_accept_are_to_be_renewed(code):
    reply = 403, f"<ErrorResponse><Error><Code>{code}</Code><Message>no</Message></Error></ErrorResponse>"
    with pytest.raises(UserError, match=f"does not accept the credentials .{code}.*aws sso login"):
        aws({"GetCallerIdentity": reply}).call("sts", "get_caller_identity")


def test_without_credentials_the_ways_to_give_them_are_named():
    nobody = boto3.Session(region_name=REGION, botocore_session=safety.bare_session())
    nobody._session.register_component("credential_provider", Nothing())
    with pytest.raises(UserError) as error:
        Aws(nobody, REGION, endpoint=LOOPBACK).call("sts", "get_caller_identity")
    for way in ("aws sso login", "AWS_PROFILE", "aws configure", "AWS_ACCESS_KEY_ID"):
        assert way in str(error.value)


class Nothing:
    def load_credentials(self):
        return None


def test_a_profile_that_is_not_there_is_a_sentence(monkeypatch, tmp_path):
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_PROFILE", "nowhere")
    with pytest.raises(UserError, match=r"incomplete: The config profile .nowhere. could not be found"):
        own_session(REGION)


def test_a_network_that_does_not_answer_is_a_sentence(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    with pytest.raises(UserError, match=r"AWS in us-east-1 does not answer.*run the command again"):
        aws({}).call("sts", "get_caller_identity")


def test_an_error_that_nobody_expected_shows_what_aws_said():
    from botocore.exceptions import BotoCoreError

    assert "could not be asked: An unspecified error" in str(connection_error(BotoCoreError(), REGION))
    with pytest.raises(AwsRefusal, match="AWS refused s3:CreateBucket for b: TooManyBuckets, 100 are enough"):
        aws({"CreateBucket": error_xml("TooManyBuckets", "100 are enough", 400)}).call(
            "s3", "create_bucket", on="b", Bucket="b"
        )


def test_a_change_waits_for_aws_to_know_a_new_bucket_but_not_for_ever():
    replies = iter([error_xml("NoSuchBucket", status=404), error_xml("OperationAborted", status=409), (200, "")])
    pauses = []
    account = aws({"PutBucketPolicy": lambda: next(replies)}, sleep=pauses.append)
    account.call("s3", "put_bucket_policy", settle=True, Bucket="b", Policy="{}")
    assert pauses == [2.0, 2.0]
    heads = iter([(404, ""), (200, "")])
    aws({"HeadBucket": lambda: next(heads)}, sleep=pauses.append).call("s3", "head_bucket", settle=True, Bucket="b")
    assert len(pauses) == 3
    never = aws({"PutBucketPolicy": error_xml("NoSuchBucket", status=404)}, sleep=pauses.append)
    with pytest.raises(AwsRefusal, match="NoSuchBucket"):
        never.call("s3", "put_bucket_policy", settle=True, Bucket="b", Policy="{}")


def test_a_call_that_the_docs_do_not_name_is_not_made():
    with pytest.raises(LookupError, match="delete_bucket"):
        aws({}).call("s3", "delete_bucket", Bucket="b")


def test_nothing_of_bootstrap_deletes():
    assert [name for name in permissions() if re.search(r":(Delete|Schedule|Disable|Untag)", name)] == []


def test_no_configured_endpoint_is_taken_for_aws(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", LOOPBACK)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", LOOPBACK)
    account = Aws(boto3.Session("k", "s", region_name=REGION), REGION)
    for service in ("sts", "s3", "kms"):
        assert account._client(service).meta.endpoint_url.endswith("amazonaws.com"), service


def test_another_accounts_credentials_are_told_with_the_file_that_names_the_right_one(store):
    with pytest.raises(UserError) as error:
        identity.check(aws({"GetCallerIdentity": answers_for("123123123123")}), store)
    assert "belong to account 123123123123 (arn:aws:iam::123123123123:user/anna)" in str(error.value)
    assert "stacks/Pulumi.prod-base.yaml, stacks/Pulumi.prod-platform.yaml names account 777788889999" in str(
        error.value
    )


def test_credentials_of_another_partition_are_told(store):
    reply = answers_for(store.account_id, partition="aws-us-gov")
    with pytest.raises(UserError, match=r"partition aws-us-gov .* us-east-1 .* lies in aws. "):
        identity.check(aws({"GetCallerIdentity": reply}), store)


def bucket_list(*names):
    entries = "".join(f"<Bucket><Name>{name}</Name></Bucket>" for name in names)
    return 200, f"<ListAllMyBucketsResult><Buckets>{entries}</Buckets></ListAllMyBucketsResult>"


def log_changes(store, replies, seen=None):
    account = Aws(session(replies, seen), REGION, endpoint=LOOPBACK, sleep=lambda seconds: None)
    return list(Bucket(account, store, log_bucket(store)).changes())


def test_a_bucket_name_that_another_account_has_is_told_before_anything_is_written(store):
    seen = []
    with pytest.raises(UserError, match=f"{store.log_bucket} is taken by another AWS account.*environment.prefix"):
        log_changes(store, {"HeadBucket": (403, ""), "ListBuckets": bucket_list("mine")}, seen)
    assert seen == ["HeadBucket", "ListBuckets"]


def test_a_bucket_of_ours_that_may_not_be_looked_at_is_not_taken_for_somebody_elses(store):
    with pytest.raises(AwsRefusal, match="the permission s3:ListBucket is missing"):
        log_changes(store, {"HeadBucket": (403, ""), "ListBuckets": bucket_list(store.log_bucket)})


def test_a_bucket_name_that_is_taken_between_looking_and_creating_is_told(store):
    replies = {"HeadBucket": (404, ""), "CreateBucket": error_xml("BucketAlreadyExists", status=409)}
    (change,) = log_changes(store, replies)
    with pytest.raises(UserError, match="taken by another AWS account"):
        change.apply()


def test_a_bucket_in_another_region_is_told(store):
    with pytest.raises(UserError, match="lies in eu-west-1, not in us-east-1"):
        log_changes(store, {"HeadBucket": (200, "", {"x-amz-bucket-region": "eu-west-1"})})


def test_every_write_names_the_account_that_must_own_the_bucket(store):
    made = session({"PutBucketPolicy": (200, "")})
    headers = []
    made.events.register("before-send.s3", lambda request, **_: headers.append(request.headers) or None)
    bucket = Bucket(Aws(made, REGION, endpoint=LOOPBACK), store, log_bucket(store))
    bucket._call("put_bucket_policy", Policy="{}")
    assert headers[0]["x-amz-expected-bucket-owner"] in (store.account_id, store.account_id.encode())


def test_outside_the_first_region_the_bucket_says_where_it_is_to_be(store):
    from dataclasses import replace

    bodies = []
    made = session({"HeadBucket": (404, ""), "CreateBucket": error_xml("BucketAlreadyExists", status=409)})
    made.events.register("before-send.s3.CreateBucket", lambda request, **_: bodies.append(request.body) or None)
    frankfurt = replace(store, region="eu-central-1")
    account = Aws(made, "eu-central-1", endpoint=LOOPBACK)
    (change,) = Bucket(account, frankfurt, log_bucket(frankfurt)).changes()
    with pytest.raises(UserError):
        change.apply()
    assert b"<LocationConstraint>eu-central-1</LocationConstraint>" in bodies[0]
