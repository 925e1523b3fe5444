"""What a table row cannot say: calls for the difference between two lists, and what must be listed before a deletion.

Functions named in a row's `steps` are pure: (inputs before, inputs now) to API calls.
"""

import base64
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from stackyard.errors import InvalidInput, UserError
from stackyard.local.aws.rows import Op
from stackyard.program.values import Asset

Inputs = Mapping[str, Any]

ROUTE_TARGETS = {
    "carrierGatewayId": "CarrierGatewayId",
    "coreNetworkArn": "CoreNetworkArn",
    "egressOnlyGatewayId": "EgressOnlyInternetGatewayId",
    "gatewayId": "GatewayId",
    "localGatewayId": "LocalGatewayId",
    "natGatewayId": "NatGatewayId",
    "networkInterfaceId": "NetworkInterfaceId",
    "transitGatewayId": "TransitGatewayId",
    "vpcEndpointId": "VpcEndpointId",
    "vpcPeeringConnectionId": "VpcPeeringConnectionId",
}
INLINE_DESTINATIONS = {
    "cidrBlock": "DestinationCidrBlock",
    "ipv6CidrBlock": "DestinationIpv6CidrBlock",
    "destinationPrefixListId": "DestinationPrefixListId",
}
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
POLICY_VERSIONS = 5
ALL_TRAFFIC = {"protocol": "-1", "fromPort": 0, "toPort": 0, "cidrBlocks": ["0.0.0.0/0"]}


# EC2


def inline_routes(old: Inputs, new: Inputs) -> list[Op]:
    """Calls for a route table's inline routes."""
    before, now = routes(old), routes(new)
    ops = [Op(name="DeleteRoute", params={"RouteTableId": "=id", **dict(key)}) for key in before if key not in now]
    for key, targets in now.items():
        if before.get(key) != targets:
            name = "ReplaceRoute" if key in before else "CreateRoute"
            ops.append(Op(name=name, params={"RouteTableId": "=id", **dict(key), **targets}))
    return ops


def routes(inputs: Inputs) -> dict[tuple[tuple[str, str], ...], dict[str, str]]:
    names = INLINE_DESTINATIONS | ROUTE_TARGETS
    found: dict[tuple[tuple[str, str], ...], dict[str, str]] = {}
    for route in inputs.get("routes") or []:
        _refuse_unknown("routes", route, names)
        given = {names[name]: value for name, value in route.items() if value}
        key = tuple(sorted((name, value) for name, value in given.items() if name in INLINE_DESTINATIONS.values()))
        found[key] = {name: value for name, value in given.items() if name in ROUTE_TARGETS.values()}
    return found


def inline_rules(old: Inputs, new: Inputs) -> list[Op]:
    """Calls for a security group's inline rules, which are all that it has: AWS's default egress goes at create."""
    if not old:
        default = {"egress": [ALL_TRAFFIC]}
        return _rule_changes("Ingress", {}, new) + _rule_changes("Egress", default, new)
    return _rule_changes("Ingress", old, new) + _rule_changes("Egress", old, new)


def inline_rules_of_emptied(old: Inputs, new: Inputs) -> list[Op]:
    """The same for a group that was emptied before."""
    return _rule_changes("Ingress", old, new) + _rule_changes("Egress", old, new)


def _rule_changes(direction: str, old: Inputs, new: Inputs) -> list[Op]:
    before, now = (permissions(direction.lower(), inputs) for inputs in (old, new))
    removed = [permission for permission in before if permission not in now]
    added = [permission for permission in now if permission not in before]
    ops = [("Revoke", removed), ("Authorize", added)]
    return [
        Op(name=f"{verb}SecurityGroup{direction}", params={"GroupId": "=id", "IpPermissions": permissions})
        for verb, permissions in ops
        if permissions
    ]


RULE_NAMES = {
    "cidrBlocks",
    "description",
    "fromPort",
    "ipv6CidrBlocks",
    "prefixListIds",
    "protocol",
    "securityGroups",
    "self",
    "toPort",
}


def permissions(direction: str, inputs: Inputs) -> list[dict[str, Any]]:
    """One permission for each source of each rule, so that a change touches only what changed."""
    found: list[dict[str, Any]] = []
    for rule in inputs.get(direction) or []:
        _refuse_unknown(direction, rule, RULE_NAMES)
        protocol = str(rule.get("protocol", "")).lower()
        protocol = {"all": "-1", "6": "tcp", "17": "udp", "1": "icmp"}.get(protocol, protocol)
        base: dict[str, Any] = {"IpProtocol": protocol}
        if protocol != "-1":
            base |= {"FromPort": rule.get("fromPort"), "ToPort": rule.get("toPort")}
        found += [{**base, member: [entry]} for member, entry in _sources(rule)]
    return found


def _sources(rule: Inputs) -> list[tuple[str, dict[str, str]]]:
    about = {"Description": rule["description"]} if rule.get("description") else {}
    sources = [("IpRanges", {"CidrIp": cidr, **about}) for cidr in rule.get("cidrBlocks") or []]
    sources += [("Ipv6Ranges", {"CidrIpv6": cidr, **about}) for cidr in rule.get("ipv6CidrBlocks") or []]
    sources += [("PrefixListIds", {"PrefixListId": entry, **about}) for entry in rule.get("prefixListIds") or []]
    groups = [*(rule.get("securityGroups") or []), *(["=id"] if rule.get("self") else [])]
    return sources + [("UserIdGroupPairs", {"GroupId": group, **about}) for group in groups]


def endpoint_changes(old: Inputs, new: Inputs) -> list[Op]:
    """One ModifyVpcEndpoint with what was added and removed."""
    if not old:
        return []
    params: dict[str, Any] = {"VpcEndpointId": "=id"}
    for name in ("routeTableIds", "subnetIds", "securityGroupIds"):
        before, now = set(old.get(name) or ()), set(new.get(name) or ())
        member = name[0].upper() + name[1:]
        params |= {f"Add{member}": sorted(now - before)} if now - before else {}
        params |= {f"Remove{member}": sorted(before - now)} if before - now else {}
    for name, member in (("privateDnsEnabled", "PrivateDnsEnabled"), ("ipAddressType", "IpAddressType")):
        if old.get(name) != new.get(name) and name in new:
            params[member] = new[name]
    if old.get("policy") != new.get("policy"):
        params |= {"PolicyDocument": new["policy"]} if new.get("policy") else {"ResetPolicy": True}
    if old.get("dnsOptions") != new.get("dnsOptions"):
        params["DnsOptions"] = {
            name[0].upper() + name[1:]: value for name, value in (new.get("dnsOptions") or {}).items()
        }
    return [Op(name="ModifyVpcEndpoint", params=params)]


def _refuse_unknown(name: str, entry: Inputs, known: Any) -> None:
    if unknown := sorted(set(entry) - set(known)):
        raise InvalidInput(
            f"{name}: the local stack's AWS provider does not know {', '.join(unknown)} of an inline entry."
        )


# S3


def emulated_bucket_policy(inputs: dict[str, Any]) -> dict[str, Any]:
    """The policy that the emulator may see: without Deny statements that have conditions other than StringEquals.

    It ignores other conditions on such statements: «deny without TLS» would deny everything, the pipelines included.
    """
    policy = inputs.get("policy")
    document = json.loads(policy) if isinstance(policy, str) else policy
    if not isinstance(document, Mapping):
        return inputs
    statements = document.get("Statement", [])
    statements = [statements] if isinstance(statements, Mapping) else statements
    kept = [_with_principal_object(statement) for statement in statements if not _denies_under_condition(statement)]
    return {**inputs, "policy": json.dumps({**document, "Statement": kept}, sort_keys=True)}


def _denies_under_condition(statement: Inputs) -> bool:
    return statement.get("Effect") == "Deny" and bool(set(statement.get("Condition") or ()) - {"StringEquals"})


def _with_principal_object(statement: Inputs) -> dict[str, Any]:
    # The emulator dies on the text "*" when a bucket with such a policy becomes a log target.
    return {**statement, **({"Principal": {"AWS": "*"}} if statement.get("Principal") == "*" else {})}


def notification_filters(inputs: dict[str, Any]) -> dict[str, Any]:
    """`filterPrefix` and `filterSuffix` as the API's filter rules."""
    kinds = ("queues", "topics", "lambdaFunctions")
    return inputs | {kind: [_with_filter(entry) for entry in inputs[kind]] for kind in kinds if kind in inputs}


def _with_filter(entry: Inputs) -> dict[str, Any]:
    rest = {name: value for name, value in entry.items() if name not in ("filterPrefix", "filterSuffix")}
    names = (("prefix", "filterPrefix"), ("suffix", "filterSuffix"))
    rules = [{"name": name, "value": entry[source]} for name, source in names if entry.get(source)]
    return rest | ({"filter": {"key": {"filterRules": rules}}} if rules else {})


def object_body(inputs: dict[str, Any]) -> dict[str, Any]:
    """`content`, `contentBase64` or `source` as the `body` of a PutObject."""
    given = [name for name in ("content", "contentBase64", "source") if inputs.get(name) is not None]
    if len(given) > 1:
        raise InvalidInput(f"an object takes one of content, contentBase64 and source, not {' and '.join(given)}.")
    rest = {name: value for name, value in inputs.items() if name not in given}
    if not given:
        return rest | {"body": b""}
    value = inputs[given[0]]
    match given[0]:
        case "content":
            return rest | {"body": str(value).encode()}
        case "contentBase64":
            return rest | {"body": base64.b64decode(value, validate=True)}
        case _:
            return rest | {"body": _asset_content(value)}


def _asset_content(source: Any) -> bytes:
    path, text = (source.path, source.text) if isinstance(source, Asset) else (str(source), None)
    if text is not None:
        return text.encode()
    if path is None:
        raise InvalidInput(
            "the local stack uploads assets made of text or of a local file, not of a URI or of other assets."
        )
    if not Path(path).is_file():
        raise UserError(f"the file {Path(path).name} that an object is uploaded from does not exist.")
    return Path(path).read_bytes()


def object_content_now(inputs: Inputs, scope: Inputs) -> dict[str, Any]:
    """Content that somebody replaced is known by its ETag alone: it counts as gone, so that it is written again."""
    before, now = (str(tag or "").strip('"') for tag in (scope.get("etag"), scope["d"].get("ETag")))
    same = before == now
    return {name: inputs[name] if same else None for name in ("content", "contentBase64", "source") if name in inputs}


Call = Callable[..., Any]


def empty_bucket(call: Call, scope: Inputs) -> None:
    """Deletes every version and upload, only with `forceDestroy`; AWS refuses to delete a bucket that holds objects."""
    if not scope.get("forceDestroy"):
        return
    _delete_versions(call, Bucket=scope["id"])
    for upload in call("ListMultipartUploads", Bucket=scope["id"]).get("Uploads", []):
        call("AbortMultipartUpload", Bucket=scope["id"], Key=upload["Key"], UploadId=upload["UploadId"])


def delete_object_versions(call: Call, scope: Inputs) -> None:
    """All versions of one object: with only a delete marker on top the bucket would stay non-empty."""
    _delete_versions(call, only=scope["key"], Bucket=scope["bucket"], Prefix=scope["key"])


def _delete_versions(call: Call, *, only: str = "", **where: str) -> None:
    while True:
        page = call("ListObjectVersions", **where)
        found = [entry for kind in ("Versions", "DeleteMarkers") for entry in page.get(kind, [])]
        found = [entry for entry in found if not only or entry["Key"] == only]
        if not found:
            return
        objects = [{"Key": entry["Key"], "VersionId": entry["VersionId"]} for entry in found]
        answer = call(
            "DeleteObjects",
            Bucket=where["Bucket"],
            Delete={"Objects": objects, "Quiet": True},
            BypassGovernanceRetention=True,
        )
        if errors := answer.get("Errors"):
            raise UserError(
                f"{len(errors)} objects of {where['Bucket']} cannot be deleted; the first: {errors[0].get('Message')}"
            )


# IAM


def delete_policy_versions(call: Call, scope: Inputs) -> None:
    """A policy can only be deleted when its default version is the last one."""
    for version in call("ListPolicyVersions", PolicyArn=scope["id"])["Versions"]:
        if not version["IsDefaultVersion"]:
            call("DeletePolicyVersion", PolicyArn=scope["id"], VersionId=version["VersionId"])


def prune_policy_versions(call: Call, scope: Inputs) -> None:
    """A policy holds five versions; the oldest goes to make room for the next."""
    versions = call("ListPolicyVersions", PolicyArn=scope["id"])["Versions"]
    if len(versions) >= POLICY_VERSIONS:
        oldest = min(
            (v for v in versions if not v["IsDefaultVersion"]), key=lambda v: int(v["VersionId"].removeprefix("v"))
        )
        call("DeletePolicyVersion", PolicyArn=scope["id"], VersionId=oldest["VersionId"])


def oidc_client_ids(old: Inputs, new: Inputs) -> list[Op]:
    if not old:
        return []
    before, now = (set(inputs.get("clientIdLists") or ()) for inputs in (old, new))
    calls = [
        ("RemoveClientIDFromOpenIDConnectProvider", before - now),
        ("AddClientIDToOpenIDConnectProvider", now - before),
    ]
    return [
        Op(name=name, params={"OpenIDConnectProviderArn": "=id", "ClientID": client_id})
        for name, client_ids in calls
        for client_id in sorted(client_ids)
    ]


# SNS and SQS


def attribute_changes(
    operation: str, member: str, attributes: Mapping[str, str]
) -> Callable[[Inputs, Inputs], list[Op]]:
    """Steps that set one attribute a call; an attribute that was taken back is set to nothing."""

    def steps(old: Inputs, new: Inputs) -> list[Op]:
        changed = [name for name in attributes if old.get(name) != new.get(name)] if old else []
        return [
            Op(
                name=operation,
                params={
                    member: "=id",
                    "AttributeName": attributes[name].split(".")[1],
                    "AttributeValue": f"={name} || ''",
                },
            )
            for name in changed
        ]

    return steps


def attribute_map_changes(
    operation: str, member: str, attributes: Mapping[str, str], defaults: Mapping[str, str]
) -> Callable[[Inputs, Inputs], list[Op]]:
    """Steps that set all changed attributes in one call; one that was taken back gets AWS's default, else nothing."""

    def steps(old: Inputs, new: Inputs) -> list[Op]:
        changed = [name for name in attributes if old.get(name) != new.get(name)] if old else []
        keys = {name: attributes[name].split(".")[1] for name in changed}
        values = {keys[name]: f"={name}" if name in new else defaults.get(keys[name], "") for name in changed}
        return [Op(name=operation, params={member: "=id", "Attributes": values})] if changed else []

    return steps
