"""What the API shows, in the form of the inputs: the same, spelt otherwise, is no difference."""

from typing import Any

import pytest

from stackyard.local.aws import inline
from stackyard.local.aws.live import as_given


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (True, "true"),
        (300, "300"),
        (300, 300.0),
        ("true", True),
        ('{"Action": ["b", "a"], "Effect": "Deny"}', {"Effect": "Deny", "Action": ["a", "b"]}),
        ('{"Action": ["a"]}', '{"Action":"a"}'),
        (["b", "a"], ["a", "b"]),
        ({"days": 30}, {"Days": 30, "Prefix": "", "Flag": False, "More": []}),
        ({"prefix": ""}, {}),
        ({"kmsKeyId": "k"}, [{"KMSKeyID": "k"}]),
        ({"team": "ml"}, [{"Key": "team", "Value": "ml"}]),
        ([{"id": 1, "tags": {"a": "b"}}, {"id": 2}], [{"ID": 2}, {"ID": 1, "Tags": [{"Key": "a", "Value": "b"}]}]),
        ([], None),
        ("", None),
    ],
)
def test_the_same_in_another_spelling_is_what_was_given(given: Any, found: Any):
    rename = {"it.kmsKeyId": "KMSKeyID"}
    assert as_given(given, found, "it", rename=rename) == given


@pytest.mark.parametrize(
    ("given", "found", "now"),
    [
        (True, "false", False),
        (30, None, None),
        (["a"], ["a", "b"], ["a", "b"]),
        (["a", "b"], ["b"], ["b"]),
        ({"days": 30}, {"Days": 60, "StorageClass": "GLACIER"}, {"days": 60, "storageClass": "GLACIER"}),
        ({"days": 30, "id": "x"}, {"ID": "x"}, {"id": "x"}),
        ([{"id": 1, "on": True}, {"id": 2}], [{"ID": 2}, {"ID": 1, "On": False}], [{"id": 2}, {"id": 1, "on": False}]),
        (None, {"RetryPolicy": {"Tries": 3}}, {"retryPolicy": {"tries": 3}}),
        (None, [], None),
    ],
)
def test_what_is_different_is_told_in_the_form_of_the_input(given: Any, found: Any, now: Any):
    assert as_given(given, found, "it") == now


def test_a_policy_with_another_effect_is_different():
    assert as_given('{"Effect": "Deny"}', {"Effect": "Allow"}, "policy") == '{"Effect": "Allow"}'


def test_what_the_api_fills_in_is_no_difference():
    assert as_given({"id": "lt-1"}, {"id": "lt-1", "name": "x"}, "template", fills=("template.name",)) == {"id": "lt-1"}


HTTPS = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "10.0.0.0/8"}]}
SSH = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
GIVEN = {"ingress": [{"protocol": "tcp", "fromPort": 443, "toPort": 443, "cidrBlocks": ["10.0.0.0/8"]}]}


def group(*permissions: dict[str, Any]) -> dict[str, Any]:
    return {"id": "sg-1", "d": {"IpPermissions": list(permissions), "IpPermissionsEgress": []}}


def test_a_rule_that_somebody_added_is_among_the_inline_rules():
    assert inline.given_rules_now(GIVEN, group(HTTPS)) == GIVEN
    opened = inline.given_rules_now(GIVEN, group(HTTPS, SSH))["ingress"]
    assert {"protocol": "tcp", "fromPort": 22, "toPort": 22, "cidrBlocks": ["0.0.0.0/0"]} in opened
    assert len(opened) == 2


def test_rules_that_are_resources_of_their_own_are_not_the_groups():
    assert inline.given_rules_now({}, group(HTTPS, SSH)) == {}
    assert inline.all_rules_now({}, group())["ingress"] is None
    assert inline.all_rules_now({}, group(SSH))["ingress"], "a group that is owned whole has no rule of others"


def test_a_rule_from_the_group_itself_stays_one():
    inside = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": "sg-1"}]}
    given = {"ingress": [{"protocol": "-1", "fromPort": 0, "toPort": 0, "self": True}]}
    # "=id" stands for the group's own id where calls are made.
    assert inline.given_rules_now(given, group(inside)) == given


def test_inline_routes_leave_out_what_nobody_gave():
    local = {"DestinationCidrBlock": "10.0.0.0/16", "GatewayId": "local"}
    endpoint = {"DestinationPrefixListId": "pl-1", "GatewayId": "vpce-1"}
    out = {"DestinationCidrBlock": "0.0.0.0/0", "GatewayId": "igw-1"}
    given = {"routes": [{"cidrBlock": "0.0.0.0/0", "gatewayId": "igw-1"}]}
    assert inline.routes_now(given, {"d": {"Routes": [local, endpoint, out]}}) == given
    assert inline.routes_now(given, {"d": {"Routes": [local, {**out, "GatewayId": "igw-2"}]}})["routes"] == [
        {"cidrBlock": "0.0.0.0/0", "gatewayId": "igw-2"}
    ]
    assert inline.routes_now({}, {"d": {"Routes": [out]}}) == {}
