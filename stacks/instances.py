"""GPU instance types: model and number of GPUs. Preflight compares these with the account's own API.

Source: https://docs.aws.amazon.com/ec2/latest/instancetypes/ac.html; model names as Karpenter's label
`karpenter.k8s.aws/instance-gpu-name`. Types with a fraction of a GPU (g6f) are left out.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Gpu:
    model: str
    count: int
    mig: bool = False
    """Can be partitioned by MIG."""
    efa: bool = False
    """Has Elastic Fabric Adapter interfaces."""
    arm: bool = False


def _sizes(
    family: str, model: str, counts: Mapping[str, int], *, efa_from: int = 99, arm: bool = False
) -> dict[str, Gpu]:
    return {f"{family}.{size}": Gpu(model, count, efa=count >= efa_from, arm=arm) for size, count in counts.items()}


_SINGLE = {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "16xlarge": 1}
_G5_LIKE = {**_SINGLE, "12xlarge": 4, "24xlarge": 4, "48xlarge": 8}

GPU_TYPES: Mapping[str, Gpu] = {
    **_sizes("g4dn", "t4", {**_SINGLE, "12xlarge": 4, "metal": 8}),
    **_sizes("g5", "a10g", _G5_LIKE, efa_from=8),
    **_sizes(
        "g5g", "t4g", {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "16xlarge": 2, "metal": 2}, arm=True
    ),
    **_sizes("g6", "l4", _G5_LIKE, efa_from=4),
    **_sizes("g6e", "l40s", _G5_LIKE, efa_from=4),
    **_sizes("p3", "v100", {"2xlarge": 1, "8xlarge": 4, "16xlarge": 8}),
    "p3dn.24xlarge": Gpu("v100", 8, efa=True),
    "p4d.24xlarge": Gpu("a100", 8, mig=True, efa=True),
    "p4de.24xlarge": Gpu("a100", 8, mig=True, efa=True),
    "p5.4xlarge": Gpu("h100", 1, mig=True, efa=True),
    "p5.48xlarge": Gpu("h100", 8, mig=True, efa=True),
    "p5e.48xlarge": Gpu("h200", 8, mig=True, efa=True),
    "p5en.48xlarge": Gpu("h200", 8, mig=True, efa=True),
    "p6-b200.48xlarge": Gpu("b200", 8, mig=True, efa=True),
    "p6-b300.48xlarge": Gpu("b300", 8, mig=True, efa=True),
}


def looks_like_gpu(instance_type: str) -> bool:
    """Whether a type belongs to EC2's graphics (g) or accelerated (p) families."""
    family = instance_type.partition(".")[0]
    return family[0] in "gp" and len(family) > 1 and family[1].isdigit()
