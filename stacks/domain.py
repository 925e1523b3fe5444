"""Domain types of the settings: each one line, with one rule that names its reason."""

import ipaddress
import re
import unicodedata
from collections.abc import Callable
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, WithJsonSchema

from pipelines import cron
from stacks.problems import MISSING, refuse
from stacks.versions import KUBERNETES_VERSIONS, next_allowed

# https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutRetentionPolicy.html
LOG_RETENTION_DAYS = (
    1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653,
)  # fmt: skip

# https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html
SHORTEST_VPC_PREFIX, LONGEST_VPC_PREFIX = 16, 28
# Holds an environment of two or three zones (components/address_plan.py), so it may be suggested.
SMALLEST_USUAL_PREFIX = 22
PRIVATE_RANGES = tuple(map(ipaddress.IPv4Network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")))
# RFC 6598, routable inside a VPC: what AWS recommends for pods when private addresses are scarce.
SHARED_RANGE = ipaddress.IPv4Network("100.64.0.0/10")

# https://docs.aws.amazon.com/tag-editor/latest/userguide/best-practices-and-strats.html
TAG_KEY_LENGTH, TAG_VALUE_LENGTH = 128, 256
TAG_PUNCTUATION = "_.:/=+-@"
TAG_RULE = "letters, digits, spaces and _ . : / = + - @"

LONGEST_NAME = 30
"""Characters of a Name."""

PLACEHOLDER = re.compile(
    r"(?i)<[^<>]*>|change[-_ ]?me|replace[-_ ]?me|to[-_ ]?do|fix[-_ ]?me|tbd|your[-_ ][a-z0-9_ -]+|x{3,12}|\.{3}|\?+"
)
"""What people leave behind when they copy an example; matched against the whole value."""


def matching(pattern: str, rule: str, reason: str, example: str) -> Any:
    """Validator and editor schema of a text that must match `pattern`."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if not compiled.fullmatch(value):
            raise refuse(rule, reason, fallback=example)
        return value

    return _rule(check, {"type": "string", "pattern": f"^(?:{pattern})$"})


def _rule(check: Callable[[Any], Any], schema: dict[str, Any]) -> Any:
    return (AfterValidator(check), WithJsonSchema(schema))


def _private_network(value: str) -> str:
    network = _network(value, "10.20.0.0/16")
    if not any(network.subnet_of(private) for private in PRIVATE_RANGES):
        raise refuse(
            "must lie inside 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16",
            "addresses outside RFC 1918 belong to somebody else and become unreachable from the VPC",
            "10.20.0.0/16",
        )
    return _vpc_sized(value, network, "10.20.0.0/16")


def _pod_network(value: str) -> str:
    network = _network(value, "100.64.0.0/16")
    if not any(network.subnet_of(allowed) for allowed in (*PRIVATE_RANGES, SHARED_RANGE)):
        raise refuse(
            "must lie inside 100.64.0.0/10 or a private range",
            "other addresses belong to somebody else and become unreachable from the VPC",
            "100.64.0.0/16",
        )
    return _vpc_sized(value, network, "100.64.0.0/16")


def _vpc_sized(value: str, network: ipaddress.IPv4Network, example: str) -> str:
    if not SHORTEST_VPC_PREFIX <= network.prefixlen <= LONGEST_VPC_PREFIX:
        too_small = network.prefixlen > LONGEST_VPC_PREFIX
        raise refuse(
            f"must have a prefix from /{SHORTEST_VPC_PREFIX} to /{LONGEST_VPC_PREFIX}",
            "AWS creates no larger and no smaller ranges in a VPC",
            str(network.supernet(new_prefix=SHORTEST_VPC_PREFIX)) if too_small else example,
        )
    return value


def _any_network(value: str) -> str:
    _network(value, "203.0.113.0/24", of_vpc=False)
    return value


def _network(value: str, example: str, *, of_vpc: bool = True) -> ipaddress.IPv4Network:
    try:
        interface = ipaddress.IPv4Interface(value)
        # Python also reads /255.255.0.0 and /016; AWS gets the text as it stands and takes neither.
        if str(interface) != value:
            raise ValueError
    except ValueError:
        raise refuse(
            "must be an IPv4 network in CIDR notation",
            "the VPC and its rules are written in networks",
            MISSING if of_vpc else _one_address(value),
            fallback=example,
        ) from None
    if interface.ip != interface.network.network_address:
        raise refuse(
            "must start at the first address of its network",
            f"{interface.ip} lies inside {interface.network}, and AWS would silently use that one",
            example if of_vpc and interface.network.prefixlen > SMALLEST_USUAL_PREFIX else str(interface.network),
        )
    return interface.network


def _one_address(value: str) -> Any:
    """A single machine as a network; MISSING for what is none, or is the first address of a network."""
    try:
        address = ipaddress.IPv4Address(value)
    except ValueError:
        return MISSING
    return f"{address}/32" if int(address) % 256 else MISSING


def _account_id(value: str) -> str:
    if not re.fullmatch(r"[0-9]{12}", value):
        raise refuse(
            "must be 12 digits in quotes", "the provider refuses every other account than this one", "111122223333"
        )
    if len(set(value)) == 1:
        raise refuse("must be a real account's id", f"{value} stands for an id that was not filled in", "111122223333")
    return value


def _kubernetes_version(value: str) -> str:
    if value not in KUBERNETES_VERSIONS:
        reason, example = _version_meant(value)
        raise refuse(f"must be one of {', '.join(sorted(KUBERNETES_VERSIONS))}", reason, example)
    return value


def _version_meant(value: str) -> tuple[str, str]:
    """Why a version is refused, and the one to use instead."""
    written = re.fullmatch(r"[vV]?(\d{1,3}\.\d{1,3})(?:\.\d+)*", value.strip())
    if not written:
        return "add-ons and node image are pinned for each of these", max(KUBERNETES_VERSIONS)
    if written[1] in KUBERNETES_VERSIONS:
        return "a minor version is written as two numbers alone, and EKS chooses the patch", written[1]
    return next_allowed(written[1])


def _log_retention(value: int) -> int:
    if value not in LOG_RETENTION_DAYS:
        near = min(LOG_RETENTION_DAYS, key=lambda days: (abs(days - value), -days))
        raise refuse(
            f"must be one of {', '.join(map(str, LOG_RETENTION_DAYS))} days", "CloudWatch Logs knows no others", near
        )
    return value


def _day(value: str) -> str:
    try:
        if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", value):
            raise ValueError
        date.fromisoformat(value)
    except ValueError:
        raise refuse(
            "must be a day of the calendar, year-month-day in quotes", "it is compared with AWS's own", "2027-03-15"
        ) from None
    return value


def tag_problem(text: str, length: int, *, what: str, example: object = MISSING) -> Exception | None:
    """Why AWS would refuse a tag's key or value; None when it would not."""
    if not text.strip():
        return refuse(f"must not be empty as {what}", "an empty tag groups nothing in a cost report", example)
    if len(text) > length:
        return refuse(f"must have at most {length} characters as {what}", "AWS refuses longer ones", example)
    wrong = next(
        (c for c in text if not (c in TAG_PUNCTUATION or unicodedata.category(c)[0] in "LN" or c == " ")), None
    )
    if wrong is not None:
        name = "a line break" if wrong in "\r\n" else unicodedata.name(wrong, "a control character").lower()
        return refuse(f"must consist of {TAG_RULE} as {what}", f"AWS refuses {name} (U+{ord(wrong):04X})", example)
    if text.lower().startswith("aws:"):
        return refuse(f"must not start with aws: as {what}", "AWS keeps that prefix for itself", example)
    return None


def _tag_value(value: str) -> str:
    if error := tag_problem(value, TAG_VALUE_LENGTH, example="machine-learning", what="a tag's value"):
        raise error
    return value


def _tag_key(value: str) -> str:
    if error := tag_problem(value, TAG_KEY_LENGTH, what="a tag's key"):
        raise error
    return value


DIRECTIONS = "central|north|south|east|west|northeast|northwest|southeast|southwest"
REGION_PATTERN = rf"(?:af|ap|ca|cn|eu|il|me|mx|sa|us|us-gov)-(?:{DIRECTIONS})-[1-9]"

Name = Annotated[str, *matching(
    rf"(?=[a-z0-9-]{{1,{LONGEST_NAME}}}$)[a-z](?:-?[a-z0-9])*",
    "must be lower-case letters, digits and single hyphens, start with a letter, and have at most "
    f"{LONGEST_NAME} characters",
    "it becomes part of names in AWS and Kubernetes, which accept nothing else",
    "flights",
)]  # fmt: skip
EnvironmentName = Annotated[str, *matching(
    r"(?=[a-z0-9-]{2,15}$)[a-z](?:-?[a-z0-9])*",
    "must be 2 to 15 lower-case letters, digits and single hyphens, and start with a letter",
    "it is part of every bucket's name, which is limited to 63 characters",
    "dev",
)]  # fmt: skip
Prefix = Annotated[str, *matching(
    r"(?=[a-z0-9-]{2,12}$)(?!xn|sthree|amzn)[a-z](?:-?[a-z0-9])*",
    "must be 2 to 12 lower-case letters, digits and hyphens, start with a letter, and not with xn, sthree or amzn",
    "it starts every bucket's name, and S3 keeps those three for itself",
    "stackyard",
)]  # fmt: skip
AccountId = Annotated[str, *_rule(_account_id, {"type": "string", "pattern": "^[0-9]{12}$"})]
Region = Annotated[str, *matching(
    REGION_PATTERN, "must be the code of an AWS region", "the provider connects to its endpoints", "us-east-1"
)]  # fmt: skip
Zone = Annotated[str, *matching(
    REGION_PATTERN + "[a-z]",
    "must be the name of an availability zone",
    "EKS and RDS run in full zones only, and zone ids such as use1-az1 are written differently",
    "us-east-1a",
)]  # fmt: skip
PrivateCidr = Annotated[str, *_rule(_private_network, {"type": "string", "pattern": r"^[0-9.]+/[0-9]+$"})]
PodCidr = Annotated[str, *_rule(_pod_network, {"type": "string", "pattern": r"^[0-9.]+/[0-9]+$"})]
Cidr = Annotated[str, *_rule(_any_network, {"type": "string", "pattern": r"^[0-9.]+/[0-9]+$"})]
VpcId = Annotated[str, *matching(
    r"vpc-[0-9a-f]{8,17}", "must be a VPC's id", "the program makes no look-ups", "vpc-0123456789abcdef0"
)]  # fmt: skip
SubnetId = Annotated[str, *matching(
    r"subnet-[0-9a-f]{8,17}", "must be a subnet's id", "the program makes no look-ups", "subnet-0123456789abcdef0"
)]  # fmt: skip
ReservationId = Annotated[str, *matching(
    r"cr-[0-9a-f]{8,17}",
    "must be a capacity reservation's id",
    "Karpenter uses only reservations that are named",
    "cr-0123456789abcdef0",
)]  # fmt: skip
Email = Annotated[str, *matching(
    r"[^@\s]{1,64}@[^@\s.]+(?:\.[^@\s.]+)+",
    "must be an e-mail address",
    "AWS sends alarms and budget alerts there",
    "ml-oncall@example.com",
)]  # fmt: skip
RoleArn = Annotated[str, *matching(
    r"arn:aws(?:-cn|-us-gov)?:iam::[0-9]{12}:role/[\w+=,.@/-]{1,512}",
    "must be the ARN of an IAM role",
    "people reach the cluster through a role that they assume, never as IAM users",
    "arn:aws:iam::111122223333:role/ml-platform-admin",
)]  # fmt: skip
SecretArn = Annotated[str, *matching(
    r"arn:aws(?:-cn|-us-gov)?:secretsmanager:[a-z0-9-]+:[0-9]{12}:secret:[\w/+=.@-]{1,512}",
    "must be the ARN of a Secrets Manager secret",
    "settings hold no secret values: pods fetch them from there",
    "arn:aws:secretsmanager:us-east-1:111122223333:secret:github-app-AbCdEf",
)]  # fmt: skip
InstanceType = Annotated[str, *matching(
    r"[a-z][a-z0-9-]*\.[a-z0-9-]+",
    "must be an EC2 instance type",
    "nodes of the pool are of this type, written as family, dot, size",
    "m7i.large",
)]  # fmt: skip
DatabaseClass = Annotated[str, *matching(
    r"db\.[a-z][a-z0-9]*\.(?:micro|small|medium|large|[0-9]{0,2}xlarge)",
    "must be an RDS instance class",
    "the database runs on it",
    "db.t4g.micro",
)]  # fmt: skip
TrackingUri = Annotated[str, *matching(
    r"https?://[\w.:-]+(?:/[\w./-]*)?|sqlite:///[^?#\n]+",
    "must be an MLflow tracking URI without credentials",
    "pipelines register their models there; a password in it would stand in the state",
    "https://mlflow.example.com",
)]  # fmt: skip
BucketName = Annotated[str, *matching(
    r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]",
    "must be a bucket's full name",
    "CloudTrail records the access to its objects",
    "stackyard-prod-data-777788889999-us-east-1",
)]  # fmt: skip
Repository = Annotated[str, *matching(
    r"[A-Za-z0-9][A-Za-z0-9-]{0,38}/[A-Za-z0-9._-]{1,100}",
    "must be one GitHub repository, OWNER/NAME, without wildcards",
    "its workflows may assume roles, and a wildcard would let every repository of the owner in",
    "example-org/stackyard",
)]  # fmt: skip
StackName = Annotated[str, *matching(
    r"(?=[a-z0-9-]{2,24}$)[a-z](?:-?[a-z0-9])*",
    "must be a stack's name",
    "its GitHub environment is called the same, without wildcards",
    "prod-base",
)]  # fmt: skip
KubernetesVersion = Annotated[str, *_rule(_kubernetes_version, {"type": "string", "enum": sorted(KUBERNETES_VERSIONS)})]
LogRetentionDays = Annotated[int, *_rule(_log_retention, {"type": "integer", "enum": list(LOG_RETENTION_DAYS)})]
Day = Annotated[str, *_rule(_day, {"type": "string", "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"})]
TagKey = Annotated[str, AfterValidator(_tag_key)]
TagValue = Annotated[str, *_rule(_tag_value, {"type": "string", "minLength": 1, "maxLength": TAG_VALUE_LENGTH})]


def _cron(value: str) -> str:
    if reason := cron.why_refused(value):
        raise refuse(cron.RULE, reason, fallback="0 3 2 * *")
    return value


Cron = Annotated[str, *_rule(_cron, {"type": "string", "pattern": f"^(?:{cron.PATTERN})$"})]
