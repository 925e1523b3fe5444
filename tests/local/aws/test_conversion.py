"""Pulumi's properties become the API's members by botocore's shapes, and answers become what the SDK accepts."""

import datetime
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from stackyard.local.aws import cluster_handlers, convert, expressions, handlers, validate
from stackyard.local.aws.clients import Clients
from stackyard.local.aws.expressions import Pending
from stackyard.local.aws.rows import Op, Row, attributes, load
from stackyard.local.aws.shapes import input_of, members_of
from tests.local.aws.support import policy

CLIENTS = Clients("http://127.0.0.1:9")


def placed(service: str, operation: str, inputs: dict[str, Any], **row: Any) -> convert.Placed:
    made = Row(service=service, create=Op(name=operation), id="", read=None, delete=(), **row)
    return convert.place(CLIENTS.operation(service, operation), made, inputs, {})


def test_maps_become_lists_of_pairs_where_the_model_wants_them():
    assert placed("kms", "CreateKey", {"tags": {"team": "ml"}}).params == {
        "Tags": [{"TagKey": "team", "TagValue": "ml"}]
    }
    assert placed("iam", "CreateRole", {"tags": {"team": "ml"}}).params == {"Tags": [{"Key": "team", "Value": "ml"}]}
    assert placed("logs", "CreateLogGroup", {"tags": {"team": "ml"}}).params == {"tags": {"team": "ml"}}


def test_single_objects_and_lists_of_one_convert_both_ways():
    one = placed("ecr", "CreateRepository", {"encryptionConfiguration": [{"encryptionType": "KMS"}]}).params
    assert one == {"encryptionConfiguration": {"encryptionType": "KMS"}}
    rule = {"rule": {"objectOwnership": "BucketOwnerEnforced"}}
    many = placed("s3", "PutBucketOwnershipControls", rule, rename={"rule": "OwnershipControls.Rules"}).params
    assert many == {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}


def test_policies_given_as_objects_become_text_that_is_always_the_same():
    left, right = ({"b": 1, "a": [2]}, {"a": [2], "b": 1})
    texts = {
        placed("iam", "CreatePolicy", {"policyDocument": value}).params["PolicyDocument"] for value in (left, right)
    }
    assert texts == {'{"a":[2],"b":1}'}


def test_whole_floats_are_integers_and_others_are_refused():
    assert placed("iam", "CreateRole", {"maxSessionDuration": 3600.0}).params == {"MaxSessionDuration": 3600}
    (problem,) = placed("iam", "CreateRole", {"maxSessionDuration": 5.5}).problems
    assert str(problem) == "maxSessionDuration: must be a whole number, not 5.5"
    assert placed("iam", "CreateRole", {"maxSessionDuration": True}).problems, "true is not 1"


def test_attribute_maps_take_numbers_and_flags_as_text():
    rename = attributes("Attributes", "delaySeconds", "fifoQueue")
    found = placed("sqs", "CreateQueue", {"delaySeconds": 5, "fifoQueue": True}, rename=rename).params
    assert found == {"Attributes": {"DelaySeconds": "5", "FifoQueue": "true"}}


def test_placing_does_not_change_the_table():
    shared: dict[str, Any] = {"CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}
    row = Row(
        service="s3", create=Op(name="CreateBucket"), id="", read=None, delete=(), under="CreateBucketConfiguration"
    )
    convert.place(CLIENTS.operation("s3", "CreateBucket"), row, {"tags": {"a": "b"}}, shared)
    assert shared == {"CreateBucketConfiguration": {"LocationConstraint": "eu-central-1"}}


@pytest.mark.parametrize(
    ("expected", "value", "coerced"),
    [
        (str, {"a": 1}, '{"a":1}'),
        (str, 5, "5"),
        (int, "30", 30),
        (int, "", None),
        (int, 30.0, 30),
        (bool, "false", False),
        (float, "1.5", 1.5),
        (Sequence[int], ["1"], [1]),
        (Mapping[str, str], {"a": "b"}, {"a": "b"}),
        (str, None, None),
    ],
)
def test_answers_become_what_the_sdk_asserts(expected: Any, value: Any, coerced: Any):
    assert convert.coerce(expected, value) == coerced


def test_answers_become_plain_json():
    moment = datetime.datetime(2026, 1, 2, 3, 4, 5, tzinfo=datetime.UTC)
    answer = {"at": moment, "data": b"x", "list": ({"at": moment},)}
    assert json.dumps(convert.plain_json(answer)) == (
        '{"at": "2026-01-02T03:04:05Z", "data": "eA==", "list": [{"at": "2026-01-02T03:04:05Z"}]}'
    )


def test_expressions_leave_out_what_is_missing_and_keep_what_is_written():
    value = {"a": "=x", "b": {"c": "=y"}, "d": {}, "e": ["=y"], "f": "{x}-{x}", "g": "plain", "h": "{y}"}
    assert expressions.evaluate(value, {"x": "1"}) == {"a": "1", "d": {}, "f": "1-1", "g": "plain"}


def test_what_only_a_call_will_tell_is_not_validated():
    pending = expressions.evaluate("arn-{id}", {"id": Pending("pending")})
    shape = input_of(CLIENTS.operation("eks", "DescribeCluster"))
    assert isinstance(pending, Pending)
    assert validate.check(shape, {"name": Pending("not a name!")}, {}) == []
    assert validate.check(shape, {"name": 1}, {}), "what is known is"


def test_patterns_that_python_cannot_compile_are_few_and_known():
    # They are skipped; a botocore with more of them would weaken the validation unseen. Both are of the billing
    # services: a flag in the middle, and a range whose beginning is a class.
    known = {r"^(?![^:\\]*/action/|(?i).*<script>.*</script>.*)[^:\\]+$", r"^(?! )[\p{L}\p{N}\p{Z}-_]*(?<! )$"}
    skipped = {text for row in load().values() for text in _patterns(row) if validate.compiled(text) is None}
    assert skipped == known


def _patterns(row: Row) -> set[str]:
    found: set[str] = set()
    seen: set[str] = set()

    def visit(shape: Any) -> None:
        if shape is None or shape.name in seen:
            return
        seen.add(shape.name)
        if text := shape.metadata.get("pattern"):
            found.add(text)
        for inner in (
            *getattr(shape, "members", {}).values(),
            getattr(shape, "member", None),
            getattr(shape, "value", None),
        ):
            visit(inner)

    for op in (row.create, *row.then, *row.mod):
        visit(input_of(CLIENTS.operation(row.service, op.name)))
    return found


def test_every_operation_and_member_that_the_table_names_exists():
    for type_, row in load().items():
        tagging = (row.tagging.set, row.tagging.unset) if row.tagging else ()
        for op in (
            row.create,
            *row.then,
            *row.mod,
            *row.delete,
            *(op for op in tagging if op),
            *((row.read,) if row.read else ()),
        ):
            shape = input_of(CLIENTS.operation(row.service, op.name))
            assert shape is not None
            assert set(op.params) <= set(members_of(shape)), f"{type_}: {op.name}"


def test_every_row_is_for_a_type_of_the_sdk_and_its_outputs_exist():
    for type_, row in load().items():
        outputs = set(convert.output_types(type_))
        assert {*row.out, *row.fake, *row.keep} <= outputs, type_


TLS_ONLY = {
    "Effect": "Deny",
    "Principal": "*",
    "Action": "s3:*",
    "Resource": "*",
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
ALLOW_ALL = {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "*"}
DENY_OTHERS = TLS_ONLY | {"Condition": {"StringEquals": {"aws:SourceAccount": "1"}}}


def test_the_emulator_never_sees_denials_whose_conditions_it_ignores():
    sent = handlers.emulated_bucket_policy({"bucket": "b", "policy": policy(TLS_ONLY, ALLOW_ALL, DENY_OTHERS)})
    statements = json.loads(sent["policy"])["Statement"]
    assert [statement["Effect"] for statement in statements] == ["Allow", "Deny"]
    assert statements[0]["Principal"] == {"AWS": "*"}, "the text form crashes the emulator"
    assert "StringEquals" in statements[1]["Condition"]


def test_changing_one_inline_rule_touches_only_that_rule():
    old = {"ingress": [{"protocol": "tcp", "fromPort": 1, "toPort": 1, "cidrBlocks": ["10.0.0.0/8", "10.1.0.0/16"]}]}
    new = {"ingress": [{"protocol": "tcp", "fromPort": 1, "toPort": 1, "cidrBlocks": ["10.0.0.0/8", "10.2.0.0/16"]}]}
    revoke, authorize = handlers.inline_rules(old, new)
    assert (revoke.name, authorize.name) == ("RevokeSecurityGroupIngress", "AuthorizeSecurityGroupIngress")
    assert revoke.params["IpPermissions"] == [
        {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "IpRanges": [{"CidrIp": "10.1.0.0/16"}]}
    ]
    assert handlers.inline_rules(new, new) == []


def test_a_change_of_log_types_names_those_that_are_off():
    (op,) = cluster_handlers.cluster_changes({"enabledClusterLogTypes": ["api"]}, {"enabledClusterLogTypes": ["audit"]})
    on, off = op.params["logging"]["clusterLogging"]
    assert (on["types"], off["types"]) == (["audit"], ["api", "authenticator", "controllerManager", "scheduler"])
