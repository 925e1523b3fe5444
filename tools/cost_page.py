"""The tables of docs/cost.md: what each environment costs while nobody uses it, and the most that its pools can cost.

Both are counted in the captures of its stacks. `python -m tools.cost_page --write` puts them into the page; without it,
status 1 when the page's are others. A resource type that is neither priced nor known to be free when idle stops it, so
that no new component is forgotten.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stacks.prices import INSTANCES, PRICES
from tools.generated_page import between_marks, write_or_check

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "cost.md"
BEGIN, END = "<!-- floor: begin (python -m tools.cost_page --write) -->", "<!-- floor: end -->"
POOLS_BEGIN = "<!-- pools: begin (python -m tools.cost_page --write) -->"
POOLS_END = "<!-- pools: end -->"
HOURS = 730
"""Of an average month, as AWS's own calculator counts."""
ENVIRONMENTS = ("dev", "staging", "prod", "account")
"""The last one is paid once per account that has such a stack, not per environment."""

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


def controller_lines(resources: Iterable[Any]) -> Iterator[Line]:
    """The node that the controllers of Argo and Kueue keep, which tolerate no taint: the cheapest of any pool.

    On demand, and one: a pool that may use spot pays less, one that spreads over zones keeps more. Where a stack has
    such controllers and no such pool, they wait, and cost nothing.
    """
    held = tuple(resources)
    pools = [r.inputs["spec"]["template"]["spec"] for r in held if r.type.endswith(":NodePool") and r.custom]
    open_pools = [pool for pool in pools if not pool.get("taints")]
    if not open_pools or not any(r.type.endswith((":PipelineEngine", ":JobQueue")) for r in held):
        return
    kinds = [(INSTANCES[kind].usd, kind, pool) for pool in open_pools for kind in _types_of(pool)]
    _, kind, pool = min(kinds, key=lambda found: found[:2])
    yield _line("controller nodes", 1, kind)
    classes = {r.inputs["metadata"]["name"]: r.inputs["spec"] for r in held if r.type.endswith(":EC2NodeClass")}
    volume: Any = classes[pool["nodeClassRef"]["name"]]["blockDeviceMappings"][0]["ebs"]["volumeSize"]
    yield _line("GB of the controller nodes' volumes", int(str(volume).removesuffix("Gi")), "gp3 volume")


def _types_of(pool: Mapping[str, Any]) -> list[str]:
    allowed = (r["values"] for r in pool["requirements"] if r["key"] == "node.kubernetes.io/instance-type")
    return [str(kind) for values in allowed for kind in values]


def _database_lines(inputs: Mapping[str, Any]) -> Iterator[Line]:
    copies = 2 if inputs.get("multiAz") else 1
    yield _line("database instances", copies, str(inputs["instanceClass"]))
    yield _line("GB of the database", copies * int(inputs["allocatedStorage"]), "RDS gp3 storage")
    if inputs.get("manageMasterUserPassword"):
        yield _line("secrets", 1, "secret")


def _line(what: str, count: int, priced: str) -> Line:
    price = PRICES.get(priced) or INSTANCES.get(priced)
    if price is None:
        raise ValueError(f"{what}: there is no price of {priced}: add it to stacks/prices.py, with its source and date")
    return Line(what, count, count * price.usd * (HOURS if price.unit == "hour" else 1))


def floor(environment: str) -> list[Line]:
    """What an environment costs idle: the resources of all its stacks, and the key of its state store."""
    from tests.stack_captures import stack_capture

    resources = [r for stack in _stacks(environment) for r in stack_capture(stack)]
    idle = lines(r for r in resources if r.custom and not r.is_provider)
    return [*idle, *controller_lines(resources), _line("KMS key of the state store", 1, "KMS key")]


def _stacks(environment: str) -> list[str]:
    from tests.stack_captures import STACKS

    return [stack for stack in STACKS if stack == environment or stack.startswith(f"{environment}-")]


def table() -> str:
    floors = {name: {line.what: line for line in floor(name)} for name in ENVIRONMENTS}
    kinds = sorted(
        {kind for lines_ in floors.values() for kind in lines_}, key=lambda kind: (-_most(floors, kind), kind)
    )
    rows = [f"| | {' | '.join(ENVIRONMENTS)} |", f"| --- |{' ---: |' * len(ENVIRONMENTS)}"]
    for kind in kinds:
        rows.append(f"| {kind} | {' | '.join(_cell(lines_.get(kind)) for lines_ in floors.values())} |")
    totals = (f"**{sum(line.usd for line in lines_.values()):,.0f} $**" for lines_ in floors.values())
    rows.append(f"| **a month, idle** | {' | '.join(totals)} |")
    prices = ["", "| price of | US dollars | source | seen |", "| --- | --- | --- | --- |"]
    shown = {**PRICES, **{kind: INSTANCES[kind] for kind in _instance_types() if kind in INSTANCES}}
    prices += [f"| {name} | {p.usd:g} per {p.unit} | {p.source} | {p.date} |" for name, p in shown.items()]
    return "\n".join([*rows, *prices])


def pools_table() -> str:
    """The ceilings of every pool, and what it costs an hour at them, as the stacks' own outputs say."""
    rows = ["| environment | pool | capacity | nodes | GPUs | $ an hour |", "| --- | --- | --- | ---: | ---: | ---: |"]
    for environment in ENVIRONMENTS:
        for pool in _pools(environment):
            rows.append(pool_row(environment, pool))
    return "\n".join(rows)


def pool_row(environment: str, pool: Mapping[str, Any]) -> str:
    usd, gpus = pool["ceilingUsdPerHour"], int(pool["maxGpus"])
    cost = "not known" if usd is None else f"{usd:,.2f}"
    return f"| {environment} | {pool['name']} | {pool['capacity']} | {int(pool['maxNodes'])} | {gpus or '–'} | {cost} |"


def _pools(environment: str) -> Iterable[Mapping[str, Any]]:
    from tests.stack_captures import stack_capture

    for stack in _stacks(environment):
        yield from stack_capture(stack).outputs.get("nodePools", ())


def _instance_types() -> list[str]:
    """Types of system nodes and pools, of all environments."""
    from tests.stack_captures import stack_capture

    resources = [r for name in ENVIRONMENTS for stack in _stacks(name) for r in stack_capture(stack)]
    found = {str(kind) for r in resources if r.type.endswith(":NodeGroup") for kind in r.inputs["instanceTypes"]}
    for resource in (r for r in resources if r.type.endswith(":NodePool") and r.custom):
        found |= set(_types_of(resource.inputs["spec"]["template"]["spec"]))
    return sorted(found)


def _most(floors: Mapping[str, Mapping[str, Line]], kind: str) -> float:
    return max(lines_[kind].usd for lines_ in floors.values() if kind in lines_)


def _cell(line: Line | None) -> str:
    return "–" if line is None else f"{line.count:g}: {line.usd:,.2f} $"


def with_table(page: str) -> str:
    """The page with the tables between their marks. Raises ValueError when a mark is missing."""
    page = between_marks(page, PAGE.name, BEGIN, END, table())
    return between_marks(page, PAGE.name, POOLS_BEGIN, POOLS_END, pools_table())


def main() -> int:
    return write_or_check(PAGE, with_table, what="a table of docs/cost.md", command="python -m tools.cost_page --write")


if __name__ == "__main__":
    sys.exit(main())
