"""Bucket names: free, ours and in the state, ours and left by a destroy, or somebody else's."""

import gzip
import io
import json

import pytest
from botocore.response import StreamingBody

from stackyard.local.places import Places
from stackyard.preflight.checks import buckets
from stackyard.preflight.checks.buckets import BUCKET_TYPE, BucketFacts, Owner
from stackyard.preflight.finding import Level, Unanswered
from tests.preflight.targets import ACCOUNT, Script, levels, only, target

DATA, LOGS, STATE = (f"stackyard-dev-{noun}-{ACCOUNT}-us-east-1" for noun in ("data", "access-logs", "state"))


def facts(owner: Owner | Unanswered, known: bool | Unanswered = False) -> BucketFacts:
    return BucketFacts(name=DATA, stack="dev", owner=owner, known=known)


def judged(one: BucketFacts, **options):
    return only(buckets.judge_buckets([one], target(**options)))


def test_the_names_are_those_that_the_stacks_make():
    (settings,) = target().stacks.values()
    assert buckets.bucket_names(settings) == [LOGS, DATA]
    (copied,) = target({"dataBuckets[0].replicaRegion": "us-west-2"}).stacks.values()
    west = [name.replace("us-east-1", "us-west-2") for name in (LOGS, DATA)]
    assert buckets.bucket_names(copied) == [LOGS, DATA, *west]


def test_a_free_name_and_one_of_ours_in_the_state_pass():
    assert (judged(facts(Owner.NOBODY)).level, judged(facts(Owner.US, True)).level) == (Level.PASS, Level.PASS)


def test_a_name_of_another_account_fails():
    found = judged(facts(Owner.OTHERS))
    assert found.level is Level.FAIL and "taken by another AWS account" in found.sentence
    assert "environment.prefix" in found.remedy


def test_a_bucket_that_a_destroy_kept_fails_with_the_command_that_takes_it_up(tmp_path):
    found = judged(facts(Owner.US), root=tmp_path)
    assert found.level is Level.FAIL and "a destroy kept it" in found.sentence
    assert found.command == "pulumi import --file retained.json --protect=false --stack dev"
    path = Places(tmp_path, "dev").retained("dev")
    path.parent.mkdir(parents=True)
    path.write_text("{}")
    assert "--file .stackyard/dev/state/dev.retained.json " in judged(facts(Owner.US), root=tmp_path).command


def test_the_local_stack_takes_up_by_itself_what_a_destroy_kept():
    assert judged(facts(Owner.US), emulated=True).level is Level.PASS


@pytest.mark.parametrize("one", [facts(Unanswered("x")), facts(Owner.US, Unanswered("x"))])
def test_what_is_not_told_is_unknown(one):
    assert judged(one).level is Level.UNKNOWN


def test_s3s_answer_tells_whose_a_name_is():
    own = {"Bucket": DATA, "ExpectedBucketOwner": ACCOUNT}

    def owner(script: Script):
        return buckets._owner(script.account(), target(), DATA)

    assert owner(Script().refuse("s3", "head_bucket", "404", status=404)) is Owner.NOBODY
    assert owner(Script().answer("s3", "head_bucket", {}, own)) is Owner.US
    refused = Script().refuse("s3", "head_bucket", "403", status=403)
    assert owner(refused.answer("s3", "list_buckets", {"Buckets": []}, {"Prefix": DATA})) is Owner.OTHERS
    closed = Script().refuse("s3", "head_bucket", "403", status=403)
    found = owner(closed.answer("s3", "list_buckets", {"Buckets": [{"Name": DATA}]}))
    assert isinstance(found, Unanswered) and "s3:ListBucket is missing" in str(found)
    assert isinstance(owner(Script().refuse("s3", "head_bucket", "503", status=503)), Unanswered)


CHECKPOINT = {"version": 3, "checkpoint": {"latest": {"resources": [{"type": BUCKET_TYPE, "id": DATA}, {"type": "x"}]}}}


def body(content: bytes) -> dict:
    return {"Body": StreamingBody(io.BytesIO(content), len(content))}


def test_whether_the_state_holds_a_bucket_is_read_in_the_state_store():
    key = ".pulumi/stacks/stackyard/dev.json"
    text = json.dumps(CHECKPOINT).encode()
    plain = Script().answer("s3", "get_object", body(text), {"Bucket": STATE, "Key": key}).account()
    assert buckets._is_known(plain, target(), "dev", DATA) is True
    assert buckets._is_known(plain, target(), "dev", LOGS) is False, "the object is read once for all buckets"
    packed = Script().refuse("s3", "get_object", "NoSuchKey", status=404)
    packed.answer("s3", "get_object", body(gzip.compress(text)), {"Bucket": STATE, "Key": f"{key}.gz"})
    assert buckets._is_known(packed.account(), target(), "dev", DATA) is True


def test_without_a_state_no_bucket_is_known_and_a_closed_or_broken_one_tells_nothing():
    none = Script().refuse("s3", "get_object", "NoSuchBucket", status=404).refuse("s3", "get_object", "NoSuchKey")
    assert buckets._is_known(none.account(), target(), "dev", DATA) is False
    denied = Script().refuse("s3", "get_object", "AccessDenied", status=403)
    assert "s3:GetObject is missing" in str(buckets._is_known(denied.account(), target(), "dev", DATA))
    broken = Script().answer("s3", "get_object", body(b"{"))
    assert isinstance(buckets._is_known(broken.account(), target(), "dev", DATA), Unanswered)


def test_the_local_state_is_read_on_this_machine(tmp_path):
    asked = target(root=tmp_path, emulated=True)
    account = Script().account(emulated=True)
    assert buckets._is_known(account, asked, "dev", DATA) is False
    path = Places(tmp_path, "dev").state("dev")
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps({"deployment": CHECKPOINT["checkpoint"]["latest"]}))
    assert buckets._is_known(account, asked, "dev", DATA) is True


def test_each_bucket_is_asked_for_and_only_ours_are_looked_up():
    script = Script().refuse("s3", "head_bucket", "404", status=404).answer("s3", "head_bucket", {})
    script.answer("s3", "get_object", body(json.dumps(CHECKPOINT).encode()))
    found = buckets.fetch_buckets(script.account(), target())
    assert [(one.name, one.owner, one.known) for one in found] == [(LOGS, Owner.NOBODY, False), (DATA, Owner.US, True)]
    assert levels(buckets.judge_buckets(found, target())) == [Level.PASS, Level.PASS]
