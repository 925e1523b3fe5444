"""The evaluator of policies decides as IAM documents it; what it does not know, it refuses to guess."""

import pytest

from tests.tools.policies import account, allow, deny, parsed, role, role_arn
from tools.policy_evaluator import UnknownOperator, decide, matches

BUCKET = "arn:aws:s3:::data"
OBJECT = f"{BUCKET}/flights/a.parquet"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/1"
ROOT = {"AWS": "arn:aws:iam::123456789012:root"}


def may(made, action=None, thing=OBJECT, context=None, policies=None) -> bool:
    return decide(account(made, policies=policies), made, action or "s3:GetObject", thing, context).allowed


def test_nothing_is_allowed_by_default():
    assert not may(role("r", allow("s3:PutObject", on=f"{BUCKET}/*")))


def test_an_allow_reaches_what_its_pattern_matches_and_no_further():
    reader = role("r", allow("s3:Get*", on=f"{BUCKET}/flights/*"))
    assert may(reader) and may(reader, "S3:getobject")
    assert not may(reader, thing=f"{BUCKET}/rides/a.parquet")
    assert not may(reader, "s3:PutObject")


def test_an_explicit_deny_wins():
    assert not may(role("r", allow("s3:*"), deny("s3:GetObject", on=f"{BUCKET}/flights/*")))


def test_a_boundary_takes_away_and_gives_nothing():
    inside = parsed(allow("s3:GetObject"))
    assert may(role("r", allow("s3:*"), boundary=inside))
    assert not may(role("r", allow("s3:*"), boundary=inside), "s3:PutObject")
    assert not may(role("r", allow("s3:PutObject"), boundary=inside)), "a boundary alone allows nothing"


def test_not_action_and_not_resource_turn_the_meaning_round():
    others = {"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}
    assert may(role("r", others)) and not may(role("r", others), "iam:CreateRole", "*")
    elsewhere = {"Effect": "Deny", "Action": "s3:*", "NotResource": f"{BUCKET}/flights/*"}
    assert may(role("r", allow("s3:*"), elsewhere))
    assert not may(role("r", allow("s3:*"), elsewhere), thing=f"{BUCKET}/rides/a")


@pytest.mark.parametrize(
    ("condition", "context", "held"),
    [
        ({"StringEquals": {"s3:prefix": "a"}}, {"s3:prefix": "a"}, True),
        ({"StringEquals": {"s3:prefix": "a"}}, {"S3:Prefix": "b"}, False),
        ({"StringEquals": {"s3:prefix": "a"}}, {}, False),
        ({"StringEquals": {"s3:prefix": ["a", "b"]}}, {"s3:prefix": "b"}, True),
        ({"StringNotEquals": {"s3:prefix": ["a", "b"]}}, {"s3:prefix": "b"}, False),
        ({"StringNotEquals": {"s3:prefix": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"s3:prefix": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"s3:prefix": "a"}}, {"s3:prefix": "b"}, False),
        ({"StringNotEqualsIfExists": {"s3:prefix": "a"}}, {"s3:prefix": "a"}, False),
        ({"StringNotEqualsIfExists": {"s3:prefix": "a"}}, {}, True),
        ({"StringNotEquals": {"s3:prefix": "a"}, "Null": {"s3:prefix": "false"}}, {}, False),
        ({"StringLike": {"s3:prefix": "a/*"}}, {"s3:prefix": "a/b/c"}, True),
        ({"StringLike": {"s3:prefix": "a/*"}}, {"s3:prefix": "ab"}, False),
        ({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::*"}}, {"aws:SourceArn": BUCKET}, True),
        ({"Bool": {"aws:SecureTransport": "true"}}, {"aws:SecureTransport": "false"}, False),
        ({"Null": {"aws:TokenIssueTime": "true"}}, {}, True),
        ({"Null": {"aws:TokenIssueTime": "true"}}, {"aws:TokenIssueTime": "now"}, False),
        ({"NumericLessThanEquals": {"s3:max-keys": "10"}}, {"s3:max-keys": "10"}, True),
        ({"NumericLessThan": {"s3:max-keys": "10"}}, {"s3:max-keys": "10"}, False),
        ({"StringEquals": {"a": "1"}, "Bool": {"b": "true"}}, {"a": "1", "b": "false"}, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": "a"}}, {}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": "a"}}, {}, False),
    ],
)
def test_a_condition_holds(condition, context, held):
    assert may(role("r", allow("s3:GetObject", Condition=condition)), context=context) is held
    assert may(role("r", allow("s3:*"), deny("s3:*", Condition=condition)), context=context) is not held


def test_without_a_context_the_question_is_whether_it_could_be():
    condition = {"StringEquals": {"s3:prefix": "a"}}
    assert may(role("r", allow("s3:*", Condition=condition)))
    assert may(role("r", allow("s3:*"), deny("s3:*", Condition=condition)))


def test_an_operator_that_nobody_implemented_is_refused():
    dated = role("r", allow("s3:*", Condition={"DateGreaterThan": {"aws:CurrentTime": "2026-01-01"}}))
    with pytest.raises(UnknownOperator, match="DateGreaterThan"):
        may(dated)


def test_a_buckets_policy_denies_what_the_role_may():
    tls = deny("s3:*", on=[BUCKET, f"{BUCKET}/*"], Principal="*", Condition={"Bool": {"aws:SecureTransport": "false"}})
    reader = role("r", allow("s3:GetObject", on=f"{BUCKET}/*"))
    assert may(reader, context={"aws:SecureTransport": "true"}, policies={BUCKET: parsed(tls)})
    assert not may(reader, context={"aws:SecureTransport": "false"}, policies={BUCKET: parsed(tls)})


def test_a_resources_policy_that_names_the_role_suffices_and_one_that_names_the_account_does_not():
    named = allow("s3:GetObject", on=f"{BUCKET}/*", Principal={"AWS": role_arn("r")})
    whole = allow("s3:GetObject", on=f"{BUCKET}/*", Principal=ROOT)
    assert may(role("r"), policies={BUCKET: parsed(named)})
    assert not may(role("r"), policies={BUCKET: parsed(whole)})
    assert not may(role("other"), policies={BUCKET: parsed(named)})


def test_a_key_is_used_only_where_its_own_policy_agrees():  # controls 18, 19
    user = role("r", allow("kms:Decrypt", on=KEY))
    assert not may(user, "kms:Decrypt", KEY, context={}), "no policy of the key: nobody"
    assert may(user, "kms:Decrypt", KEY), "a key of another stack may agree"
    assert may(user, "kms:Decrypt", KEY, policies={KEY: parsed(allow("kms:*", Principal=ROOT))})
    assert not may(role("r"), "kms:Decrypt", KEY, policies={KEY: parsed(allow("kms:*", Principal=ROOT))})
    through_s3 = deny("kms:Decrypt", Principal=ROOT, Condition={"StringNotEquals": {"kms:ViaService": "s3"}})
    guarded = {KEY: parsed(allow("kms:*", Principal=ROOT), through_s3)}
    assert not may(user, "kms:Decrypt", KEY, context={}, policies=guarded)
    assert may(user, "kms:Decrypt", KEY, context={"kms:ViaService": "s3"}, policies=guarded)


def test_wildcards_are_those_of_iam():
    assert matches("a?c*", "abcdef") and not matches("a?c", "ac") and not matches("a.c", "abc")


def test_facts_about_the_resource_count_while_the_rest_stays_open():
    condition = {"StringEquals": {"iam:ResourceTag/environment": "prod", "iam:PassedToService": "ec2.amazonaws.com"}}
    passes = role("r", allow("iam:PassRole", Condition=condition))

    def may_pass(facts: dict[str, str] | None) -> bool:
        return decide(account(passes), passes, "iam:PassRole", role_arn("other"), facts=facts).allowed

    assert may_pass(None), "nothing is known, so it could be"
    assert may_pass({"iam:ResourceTag/environment": "prod"})
    assert not may_pass({"iam:ResourceTag/environment": "dev"})
    assert not may_pass({}), "a role without the tag"


def test_a_role_is_changed_only_where_it_has_the_boundary_that_is_asked_for():
    bounded = role("ci", allow("iam:PutRolePolicy", Condition={"StringEquals": {"iam:PermissionsBoundary": "b"}}))

    def may_change(facts: dict[str, str]) -> bool:
        return decide(account(bounded), bounded, "iam:PutRolePolicy", role_arn("other"), facts=facts).allowed

    assert may_change({"iam:PermissionsBoundary": "b"}) and not may_change({})


def test_making_a_key_or_a_name_for_one_asks_no_key():
    maker = role("maker", allow("kms:CreateKey", "kms:CreateAlias", "kms:DescribeKey"))
    key = "arn:aws:kms:eu-central-1:123456789012:key/1"
    for action, thing in (("kms:CreateKey", "*"), ("kms:CreateAlias", key.replace("key/1", "alias/a"))):
        assert decide(account(maker), maker, action, thing, {}).allowed, action
    verdict = decide(account(maker), maker, "kms:DescribeKey", key, {})
    assert (verdict.allowed, verdict.why) == (False, "the key's policy does not allow it")
