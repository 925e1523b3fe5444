"""Captures of stacks with every option on that their stack files leave off: what a deployment may ever have to make."""

from functools import cache

from stackyard.program.deployment import Deployment
from tests.stack_captures import with_sections

EVERYTHING = {
    "prod-base": {
        "dataBuckets": [
            {"name": "data", "lockDays": 30, "tieringDays": 0, "inventory": "weekly", "replicaRegion": "us-west-2"}
        ],
        "network": {
            "cidr": "10.48.0.0/24",
            "podCidr": "100.64.0.0/16",
            "zones": ["us-east-1a", "us-east-1b"],
            "endpoints": "all",
        },
        "buildRunner": {"connection": "confirmed"},
    },
    "prod-platform": {
        "cluster": {
            "kubernetesVersion": "1.35",
            "publicAccessCidrs": ["203.0.113.0/24"],
            "adminRoleArns": ["arn:aws:iam::777788889999:role/first", "arn:aws:iam::777788889999:role/second"],
            "viewerRoleArns": ["arn:aws:iam::777788889999:role/viewer"],
        },
        "nodePools": [
            {"name": "general", "instanceTypes": ["m7i.xlarge"], "capacity": "on_demand", "maxNodes": 20},
            {
                "name": "gpu-efa",
                "instanceTypes": ["p5.48xlarge"],
                "capacity": "reservation",
                "reservationIds": ["cr-0123456789abcdef0"],
                "zones": ["us-east-1b"],
                "maxNodes": 2,
                "gpu": {"maxGpus": 16, "efa": True},
            },
        ],
    },
}


@cache
def full_capture(stack: str) -> Deployment:
    """`prod-base` or `prod-platform` with all options."""
    return with_sections(stack, **EVERYTHING[stack])
