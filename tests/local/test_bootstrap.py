"""Bootstrap against an emulated account: made once, then left alone; completed if half done, repaired if changed."""

import json

import pytest

from stackyard.errors import UserError
from stackyard.local import emulator, safety
from tests.local.accounts import ACCOUNT, DECLARED, REGION, Account, Killed, Mortal

pytestmark = pytest.mark.local


@pytest.fixture
def account(endpoint, tmp_path):
    return Account(endpoint, tmp_path)


@pytest.fixture
def made(account):
    """The account after a first bootstrap."""
    account.bootstrap()
    emulator.reset_requests(account.endpoint)
    return account


def statements(policy) -> dict[str, dict]:
    return {statement["Sid"]: statement for statement in policy["Statement"]}


def test_the_state_bucket_is_closed_versioned_locked_encrypted_with_the_stores_key_and_logged(made):
    """controls 1 to 11, 16 and 18, on what the account then holds."""
    inventory = made.inventory()
    state = inventory["buckets"]["state"]
    assert set(state["block"].values()) == {True}
    assert state["ownership"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert state["versioning"] == "Enabled"
    assert state["lock"]["Rule"]["DefaultRetention"].items() >= {"Mode": "GOVERNANCE", "Days": 14}.items()
    (rule,) = state["encryption"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "aws:kms"
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"].endswith(":key/KEY")
    assert rule["BucketKeyEnabled"] is True
    assert state["logging"]["TargetBucket"] == made.logs.replace(made.env, "prod")
    assert state["events"] is True
    (lifecycle,) = state["lifecycle"]
    assert lifecycle["NoncurrentVersionExpiration"]["NoncurrentDays"] == 365, "prod's protection says a year"
    assert "Days" not in lifecycle["Expiration"], "a current state never expires"
    found = statements(state["policy"])
    assert set(found) == {"TlsOnly", "OwnAccountConfigures", "KmsOnly", "OwnKeyOnly", "NoCustomerKey"}
    assert {statement["Effect"] for statement in found.values()} == {"Deny"}


def test_the_log_bucket_takes_the_state_buckets_access_logs_and_nothing_else(made):
    logs = made.inventory()["buckets"]["logs"]
    found = statements(logs["policy"])
    assert set(found) == {"TlsOnly", "OwnAccountConfigures", "ReceiveAccessLogs"}
    delivery = found["ReceiveAccessLogs"]
    assert delivery["Principal"] == {"Service": "logging.s3.amazonaws.com"}
    assert delivery["Condition"]["ArnLike"]["aws:SourceArn"] == f"arn:aws:s3:::{made.state}".replace(made.env, "prod")
    assert logs["logging"] is None, "it would write about itself without end"
    assert logs["lifecycle"][0]["Expiration"]["Days"] == 365


def test_the_key_rotates_and_the_account_administers_it(made):
    """controls 16 and 18."""
    inventory = made.inventory()
    assert inventory["rotates"] is True
    (statement,) = inventory["policy"]["Statement"]
    assert statement["Principal"] == {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
    assert inventory["keys"] == 1


def test_the_printed_names_are_those_of_what_was_made(account):
    _, printed = account.bootstrap()
    assert f"pulumi login 's3://{account.state}?region={REGION}'" in printed
    assert f"--secrets-provider='awskms://{account.alias}?region={REGION}'" in printed
    assert account.key()
    assert account.buckets() == {account.state, account.logs}


def test_a_second_run_finds_nothing_to_do_and_writes_nothing(made):
    before = made.inventory()
    changes, printed = made.bootstrap(confirm=lambda question: pytest.fail("there is nothing to ask about"))
    assert (changes, made.writes()) == ([], 0)
    assert "Everything is as it should be" in printed
    assert made.inventory() == before


def test_a_dry_run_shows_all_and_writes_nothing(account):
    emulator.reset_requests(account.endpoint)
    changes, printed = account.bootstrap(dry_run=True, confirm=lambda question: pytest.fail("it asks nobody"))
    assert [words.split(" ")[0] for words in changes] == ["KMS", "bucket", "bucket"]
    assert account.writes() == 0
    assert account.buckets() == set()
    assert "Nothing was changed" in printed and f"pulumi up --stack {account.env}-base" in printed


def test_a_no_changes_nothing(account):
    emulator.reset_requests(account.endpoint)
    with pytest.raises(UserError, match="nothing was changed"):
        account.bootstrap(answer=False)
    assert account.writes() == 0


def test_a_run_that_is_killed_before_any_of_its_calls_is_completed_by_the_next(endpoint, tmp_path):
    (clean_root := tmp_path / "clean").mkdir()
    clean = Account(endpoint, clean_root)
    emulator.reset_requests(endpoint)
    clean.bootstrap()
    wanted, calls = clean.inventory(), clean.writes()
    assert calls > 15
    session = Mortal()
    for number in range(1, calls + 1):
        (root := tmp_path / str(number)).mkdir()
        account = Account(endpoint, root)
        session.before = number
        with pytest.raises(Killed):
            account.bootstrap(session=session)
        account.bootstrap()
        assert account.inventory() == wanted, f"killed before call {number}"


ANYONE = {"Version": "2012-10-17", "Statement": [{"Sid": "All", "Effect": "Allow", "Principal": "*", "Action": "s3:*"}]}
DELETE_STATES = {"ID": "x", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}}
DRIFTS = {
    "public access block": lambda a: a.s3.delete_public_access_block(Bucket=a.state),
    "objects owned by the account": lambda a: a.s3.delete_bucket_ownership_controls(Bucket=a.state),
    "versioning": lambda a: a.s3.put_bucket_versioning(Bucket=a.logs, VersioningConfiguration={"Status": "Suspended"}),
    "encryption with the store's own key": lambda a: a.s3.put_bucket_encryption(
        Bucket=a.state,
        ServerSideEncryptionConfiguration={
            "Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]
        },
    ),
    "object lock": lambda a: a.s3.put_object_lock_configuration(
        Bucket=a.state, ObjectLockConfiguration={"ObjectLockEnabled": "Enabled"}
    ),
    "access logs to": lambda a: a.s3.put_bucket_logging(Bucket=a.state, BucketLoggingStatus={}),
    "lifecycle": lambda a: a.s3.put_bucket_lifecycle_configuration(
        Bucket=a.state,
        LifecycleConfiguration={
            "Rules": [*a.s3.get_bucket_lifecycle_configuration(Bucket=a.state)["Rules"], DELETE_STATES]
        },
    ),
    "adds TlsOnly": lambda a: a.s3.delete_bucket_policy(Bucket=a.state),
    "removes All": lambda a: a.s3.put_bucket_policy(
        Bucket=a.logs,
        Policy=json.dumps(
            {**ANYONE, "Statement": [{**ANYONE["Statement"][0], "Resource": f"arn:aws:s3:::{a.logs}/*"}]}
        ),
    ),
    "tags cost-centre": lambda a: a.s3.put_bucket_tagging(
        Bucket=a.state,
        Tagging={"TagSet": [t for t in a.s3.get_bucket_tagging(Bucket=a.state)["TagSet"] if t["Key"] != "cost-centre"]},
    ),
    "rotation": lambda a: a.kms.disable_key_rotation(KeyId=a.key()["KeyId"]),
    "enable it": lambda a: a.kms.disable_key(KeyId=a.key()["KeyId"]),
    "sets back Administer": lambda a: a.kms.put_key_policy(
        KeyId=a.key()["KeyId"],
        PolicyName="default",
        Policy=json.dumps(
            {
                "Version": "2012-10-17",
                "Statement": [
                    {
                        "Sid": "Administer",
                        "Effect": "Allow",
                        "Action": "kms:*",
                        "Resource": "*",
                        "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:user/moto"},
                    }
                ],
            }
        ),
    ),
    "tags state-store": lambda a: a.kms.untag_resource(KeyId=a.key()["KeyId"], TagKeys=["state-store"]),
    "alias": lambda a: a.kms.delete_alias(AliasName=a.alias),
}


@pytest.mark.parametrize("sentence", DRIFTS)
def test_what_was_changed_behind_its_back_is_named_and_set_back(made, sentence):
    before = made.inventory()
    DRIFTS[sentence](made)
    changes, _ = made.bootstrap()
    assert len(changes) == 1 and sentence in changes[0], changes
    assert made.inventory() == before
    assert made.bootstrap()[0] == []


def test_a_tag_of_the_organisation_stays(made):
    tags = made.s3.get_bucket_tagging(Bucket=made.state)["TagSet"]
    more = [{"Key": "backup", "Value": "yes"}]
    made.s3.put_bucket_tagging(Bucket=made.state, Tagging={"TagSet": more + [t for t in tags if t["Key"] != "owner"]})
    assert len(made.bootstrap()[0]) == 1
    assert {"Key": "backup", "Value": "yes"} in made.s3.get_bucket_tagging(Bucket=made.state)["TagSet"]


def test_events_that_somebody_switched_off_are_switched_on_and_other_notices_stay(made):
    queue = {"Id": "mine", "QueueArn": f"arn:aws:sqs:{REGION}:{ACCOUNT}:mine", "Events": ["s3:ObjectRemoved:*"]}
    sqs = safety.client("sqs", endpoint=made.endpoint, region=REGION)
    sqs.create_queue(QueueName="mine")
    only = {"QueueConfigurations": [queue]}
    made.s3.put_bucket_notification_configuration(Bucket=made.state, NotificationConfiguration=only)
    changes, _ = made.bootstrap()
    assert changes == [f"bucket {made.state}: events to EventBridge"]
    found = made.s3.get_bucket_notification_configuration(Bucket=made.state)
    assert found["EventBridgeConfiguration"] == {}
    assert [entry["Id"] for entry in found["QueueConfigurations"]] == ["mine"]


def test_a_key_that_is_gone_is_replaced_and_the_bucket_follows(made):
    key_id = made.key()["KeyId"]
    made.kms.delete_alias(AliasName=made.alias)
    made.kms.schedule_key_deletion(KeyId=key_id, PendingWindowInDays=7)
    changes, _ = made.bootstrap()
    assert changes[0].startswith("KMS key")
    (rule,) = made.settings(made.state)["encryption"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == made.key()["Arn"]
    assert statements(made.settings(made.state)["policy"])["OwnKeyOnly"]["Condition"]["StringNotEquals"] == {
        "s3:x-amz-server-side-encryption-aws-kms-key-id": made.key()["Arn"]
    }


def test_a_key_that_is_about_to_be_deleted_stops_everything_until_somebody_says_restore(made):
    made.kms.schedule_key_deletion(KeyId=made.key()["KeyId"], PendingWindowInDays=7)
    emulator.reset_requests(made.endpoint)
    with pytest.raises(UserError, match="--restore-key") as error:
        made.bootstrap()
    assert f"no state of {made.env} can be read afterwards" in str(error.value)
    assert made.writes() == 0
    (change,) = made.bootstrap(restore_key=True)[0]
    assert "cancel its deletion" in change
    assert made.key()["KeyState"] == "Enabled"


def test_an_alias_that_names_a_key_for_signatures_is_not_taken_over(account):
    key = account.kms.create_key(KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]
    account.kms.create_alias(AliasName=account.alias, TargetKeyId=key["KeyId"])
    with pytest.raises(UserError, match="RSA_2048 SIGN_VERIFY, but S3 and Pulumi need a symmetric key"):
        account.bootstrap()
    assert account.buckets() == set()


def test_credentials_of_another_account_change_nothing(account):
    for path in (account.root / "stacks").glob("Pulumi.*.yaml"):
        path.write_text(path.read_text().replace(ACCOUNT, DECLARED))
    emulator.reset_requests(account.endpoint)
    with pytest.raises(UserError) as error:
        account.bootstrap()
    assert f"belong to account {ACCOUNT}" in str(error.value) and DECLARED in str(error.value)
    assert f"stacks/Pulumi.{account.env}-base.yaml" in str(error.value)
    assert account.writes() == 0


def test_a_deployer_without_a_permission_reads_its_name(account):
    """faults 38: may create, may not do the rest."""
    # The emulator asks for the permission s3:HeadBucket, which AWS does not know, and asks for none for the two writes
    # before versioning.
    allowed = ("sts:*", "kms:*", "s3:List*", "s3:Get*", "s3:HeadBucket", "s3:CreateBucket")
    with account.permissions(*allowed) as session, pytest.raises(UserError) as error:
        account.bootstrap(session=session)
    assert "the permission s3:PutBucketVersioning is missing" in str(error.value)
    assert "user/deployer may not do that" in str(error.value)
    assert account.bootstrap()[0], "an administrator's run goes on from there"
    assert account.bootstrap()[0] == []


def test_an_endpoint_that_is_not_on_this_machine_is_refused(account):
    with pytest.raises(UserError, match="not an http address on this machine"):
        account.bootstrap(endpoint="https://s3.amazonaws.com")
