"""The table of docs/cost.md: what each environment costs while nobody uses it, counted in the captures of its stacks.

`python -m tools.cost_page --write` puts it into the page; without it, status 1 when the page's is another. A resource
type that is neither priced nor known to be free when idle stops it, so that no new component is forgotten.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.generated_page import between_marks, write_or_check

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cost.md"
BEGIN, END = "<!-- floor: begin (python -m tools.cost_page --write) -->", "<!-- floor: end -->"
HOURS = 730
"""Of an average month, as AWS's own calculator counts."""
ENVIRONMENTS = ("dev", "staging", "prod", "account")
"""The last one is paid once per account that has such a stack, not per environment."""

_LISTED = "two listings of July and September 2026 that agree"
_QUOTED = "pages of third parties that quote AWS's price list"
_COMMON = "commonly quoted; not looked up again"


@dataclass(frozen=True)
class Price:
    """In US dollars, us-east-1, Linux, on demand."""

    usd: float
    unit: str
    source: str
    date: str
    """Month in which it was seen."""


PRICES: Mapping[str, Price] = {
    "NAT gateway": Price(0.045, "hour", _LISTED, "2026-09"),
    "public IPv4 address": Price(0.005, "hour", _LISTED, "2026-09"),
    "EKS control plane": Price(0.10, "hour", _LISTED, "2026-09"),
    "gp3 volume": Price(0.08, "GB and month", _LISTED, "2026-09"),
    "interface endpoint in a zone": Price(0.01, "hour", _QUOTED, "2026-01"),
    "KMS key": Price(1.00, "month", _QUOTED, "2026-03"),
    "secret": Price(0.40, "month", _QUOTED, "2026-04"),
    "RDS gp3 storage": Price(0.115, "GB and month", _QUOTED, "2026-06"),
    "db.t4g.micro": Price(0.016, "hour", _QUOTED, "2026-06"),
    "db.t4g.small": Price(0.032, "hour", _QUOTED, "2026-06"),
    "db.t4g.medium": Price(0.065, "hour", _QUOTED, "2026-06"),
    "db.m7g.large": Price(0.168, "hour", "a list of prices in a public repository", "2026-11"),
    "m7i.large": Price(0.1008, "hour", "lists of prices in several public repositories", "2026-11"),
    "CloudWatch alarm": Price(0.10, "month", _COMMON, "2026-11"),
}

# Free, or paid by use alone: by request, event, build minute, or by GB stored or moved. An analyzer of external access
# is free; one of unused access would not be.
FREE: Mapping[str, str] = {
    "accessanalyzer": "Analyzer",
    "budgets": "Budget",
    "cfg": "DeliveryChannel Recorder RecorderStatus",
    "cloudtrail": "Trail",
    "cloudwatch": "EventRule EventTarget LogGroup LogMetricFilter LogResourcePolicy QueryDefinition",
    "codebuild": "Project SourceCredential Webhook",
    "codeconnections": "Connection",
    "costexplorer": "AnomalyMonitor AnomalySubscription",
    "ebs": "DefaultKmsKey EncryptionByDefault",
    "ec2": (
        "DefaultSecurityGroup FlowLog InternetGateway LaunchTemplate PlacementGroup Route RouteTable "
        "RouteTableAssociation SecurityGroup SecurityGroupRule Subnet Vpc VpcIpv4CidrBlockAssociation"
    ),
    "ecr": (
        "LifecyclePolicy PullThroughCacheRule RegistryPolicy RegistryScanningConfiguration Repository "
        "RepositoryCreationTemplate RepositoryPolicy"
    ),
    "eks": "AccessEntry AccessPolicyAssociation Addon PodIdentityAssociation",
    "guardduty": "Detector DetectorFeature",
    "iam": "InstanceProfile OpenIdConnectProvider Policy Role RolePolicy RolePolicyAttachment ServiceLinkedRole",
    "kms": "Alias",
    "rds": "EventSubscription ParameterGroup SubnetGroup",
    "secretsmanager": "SecretPolicy SecretVersion",
    "sns": "Topic TopicPolicy TopicSubscription",
    "sqs": "Queue QueuePolicy",
    "vpc": "SecurityGroupEgressRule SecurityGroupIngressRule",
}
FREE_WHEN_IDLE = frozenset(
    f"aws:{module}/{name[0].lower()}{name[1:]}:{name}" for module, names in FREE.items() for name in names.split()
)
# Storage, paid by GB and request.
FREE_SERVICES = ("aws:s3/",)


@dataclass(frozen=True)
class Line:
    """One thing that is paid for by the hour or the month, whoever uses it."""

    what: str
    count: float
    usd: float
    """A month, of all of them together."""


def lines(resources: Iterable[Any]) -> list[Line]:
    """What these resources cost idle; lines of the same kind added up. Raises ValueError for an unjudged type."""
    found: dict[str, Line] = {}
    for resource in resources:
        for line in _lines_of(str(resource.type), resource.inputs):
            before = found.get(line.what, Line(line.what, 0, 0.0))
            found[line.what] = Line(line.what, before.count + line.count, before.usd + line.usd)
    return list(found.values())


def _lines_of(type_: str, inputs: Mapping[str, Any]) -> Iterator[Line]:
    match type_:
        case "aws:ec2/natGateway:NatGateway":
            yield _line("NAT gateways", 1, "NAT gateway")
        case "aws:ec2/eip:Eip":
            yield _line("public IPv4 addresses", 1, "public IPv4 address")
        case "aws:ec2/vpcEndpoint:VpcEndpoint":
            if inputs.get("vpcEndpointType") == "Interface":
                yield _line("interface endpoints × zones", len(inputs["subnetIds"]), "interface endpoint in a zone")
        case "aws:eks/cluster:Cluster":
            yield _line("EKS control plane", 1, "EKS control plane")
        case "aws:eks/nodeGroup:NodeGroup":
            yield from _node_lines(inputs)
        case "aws:rds/instance:Instance":
            yield from _database_lines(inputs)
        case "aws:kms/key:Key":
            yield _line("KMS keys", 1, "KMS key")
        case "aws:secretsmanager/secret:Secret":
            yield _line("secrets", 1, "secret")
        case "aws:cloudwatch/metricAlarm:MetricAlarm":
            yield _line("CloudWatch alarms", 1, "CloudWatch alarm")
        case _ if type_ in FREE_WHEN_IDLE or type_.startswith(FREE_SERVICES) or not type_.startswith("aws:"):
            return
        case _:
            raise ValueError(f"nobody has said whether {type_} costs something when idle: add it to FREE, or count it")


def _node_lines(inputs: Mapping[str, Any]) -> Iterator[Line]:
    nodes = int(inputs["scalingConfig"]["desiredSize"])
    yield _line("system nodes", nodes, str(inputs["instanceTypes"][0]))
    # The launch template's volume; components/system_nodes.py gives each node the same.
    yield _line("GB of the system nodes' volumes", nodes * _volume_gb(), "gp3 volume")


def _volume_gb() -> int:
    from components.system_nodes import SystemNodesArgs

    return int(SystemNodesArgs.__dataclass_fields__["volume_gb"].default)


def _database_lines(inputs: Mapping[str, Any]) -> Iterator[Line]:
    copies = 2 if inputs.get("multiAz") else 1
    yield _line("database instances", copies, str(inputs["instanceClass"]))
    yield _line("GB of the database", copies * int(inputs["allocatedStorage"]), "RDS gp3 storage")
    if inputs.get("manageMasterUserPassword"):
        yield _line("secrets", 1, "secret")


def _line(what: str, count: int, priced: str) -> Line:
    price = PRICES.get(priced)
    if price is None:
        raise ValueError(f"{what}: there is no price of {priced}: add it to PRICES, with its source and date")
    return Line(what, count, count * price.usd * (HOURS if price.unit == "hour" else 1))


def floor(environment: str) -> list[Line]:
    """What an environment costs idle: the resources of all its stacks, and the key of its state store."""
    from tests.stack_captures import STACKS, stack_capture

    stacks = [stack for stack in STACKS if stack == environment or stack.startswith(f"{environment}-")]
    resources = [r for stack in stacks for r in stack_capture(stack) if r.custom and not r.is_provider]
    return [*lines(resources), _line("KMS key of the state store", 1, "KMS key")]


def table() -> str:
    floors = {name: {line.what: line for line in floor(name)} for name in ENVIRONMENTS}
    kinds = sorted({kind for lines_ in floors.values() for kind in lines_}, key=lambda kind: -_most(floors, kind))
    rows = [f"| | {' | '.join(ENVIRONMENTS)} |", f"| --- |{' ---: |' * len(ENVIRONMENTS)}"]
    for kind in kinds:
        rows.append(f"| {kind} | {' | '.join(_cell(lines_.get(kind)) for lines_ in floors.values())} |")
    totals = (f"**{sum(line.usd for line in lines_.values()):,.0f} $**" for lines_ in floors.values())
    rows.append(f"| **a month, idle** | {' | '.join(totals)} |")
    prices = ["", "| price of | US dollars | source | seen |", "| --- | --- | --- | --- |"]
    prices += [f"| {name} | {p.usd:g} per {p.unit} | {p.source} | {p.date} |" for name, p in PRICES.items()]
    return "\n".join([*rows, *prices])


def _most(floors: Mapping[str, Mapping[str, Line]], kind: str) -> float:
    return max(lines_[kind].usd for lines_ in floors.values() if kind in lines_)


def _cell(line: Line | None) -> str:
    return "–" if line is None else f"{line.count:g}: {line.usd:,.2f} $"


def with_table(page: str) -> str:
    """The page with the table between its two marks. Raises ValueError when a mark is missing."""
    return between_marks(page, PAGE.name, BEGIN, END, table())


def main() -> int:
    return write_or_check(
        PAGE, with_table, what="the table of docs/cost.md", command="python -m tools.cost_page --write"
    )


if __name__ == "__main__":
    sys.exit(main())
