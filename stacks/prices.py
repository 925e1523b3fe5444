"""Prices, collected by hand: no package ships AWS's price list. Each has its source and the month in which it was seen.

US dollars, us-east-1, Linux, on demand, without free tier, discounts, tax and support.
"""

from collections.abc import Mapping
from dataclasses import dataclass

REGION = "us-east-1"


@dataclass(frozen=True)
class Price:
    usd: float
    unit: str
    source: str
    date: str
    """Month in which it was seen."""


_LISTED = "two listings of July and September 2026 that agree"
_QUOTED = "pages of third parties that quote AWS's price list"
_COMMON = "commonly quoted; not looked up again"

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
    "CloudWatch alarm": Price(0.10, "month", _COMMON, "2026-11"),
}

# Agrees with two listings of July and September 2026 wherever those have a type.
INSTANCE_SOURCE = "AWS's price list as aws/karpenter-provider-aws carries it at tag v1.14.1, made on 2026-07-06"
INSTANCE_DATE = "2026-07"
# By family and size. p5e is missing on purpose: it is sold in capacity blocks alone.
_INSTANCES: Mapping[str, Mapping[str, float]] = {
    "m7g": {"large": 0.0816, "xlarge": 0.1632, "2xlarge": 0.3264, "4xlarge": 0.6528, "8xlarge": 1.3056},
    "m7i": {
        "large": 0.1008, "xlarge": 0.2016, "2xlarge": 0.4032, "4xlarge": 0.8064, "8xlarge": 1.6128,
        "12xlarge": 2.4192, "16xlarge": 3.2256, "24xlarge": 4.8384, "48xlarge": 9.6768,
    },
    "g4dn": {
        "xlarge": 0.526, "2xlarge": 0.752, "4xlarge": 1.204, "8xlarge": 2.176, "12xlarge": 3.912, "16xlarge": 4.352,
        "metal": 7.824,
    },
    "g5": {
        "xlarge": 1.006, "2xlarge": 1.212, "4xlarge": 1.624, "8xlarge": 2.448, "12xlarge": 5.672, "16xlarge": 4.096,
        "24xlarge": 8.144, "48xlarge": 16.288,
    },
    "g5g": {
        "xlarge": 0.42, "2xlarge": 0.556, "4xlarge": 0.828, "8xlarge": 1.372, "16xlarge": 2.744, "metal": 2.744,
    },
    "g6": {
        "xlarge": 0.8048, "2xlarge": 0.9776, "4xlarge": 1.3232, "8xlarge": 2.0144, "12xlarge": 4.6016,
        "16xlarge": 3.3968, "24xlarge": 6.6752, "48xlarge": 13.3504,
    },
    "g6e": {
        "xlarge": 1.861, "2xlarge": 2.24208, "4xlarge": 3.00424, "8xlarge": 4.52856, "12xlarge": 10.49264,
        "16xlarge": 7.57719, "24xlarge": 15.06559, "48xlarge": 30.13118,
    },
    "gr6": {"4xlarge": 1.5392, "8xlarge": 2.4464},
    "p3": {"2xlarge": 3.06, "8xlarge": 12.24, "16xlarge": 24.48},
    "p3dn": {"24xlarge": 31.212},
    "p4d": {"24xlarge": 21.957642},
    "p4de": {"24xlarge": 27.44705},
    "p5": {"4xlarge": 6.88, "48xlarge": 55.04},
    "p5en": {"48xlarge": 63.296},
    "p6-b200": {"48xlarge": 113.9328},
    "p6-b300": {"48xlarge": 142.416},
}  # fmt: skip
INSTANCES: Mapping[str, Price] = {
    f"{family}.{size}": Price(usd, "hour", INSTANCE_SOURCE, INSTANCE_DATE)
    for family, sizes in _INSTANCES.items()
    for size, usd in sizes.items()
}


def instance_prices(region: str) -> Mapping[str, float]:
    """Dollars an hour by instance type; none for another region than that of the table, rather than wrong ones."""
    return {kind: price.usd for kind, price in INSTANCES.items()} if region == REGION else {}
