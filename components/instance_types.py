"""What is known of EC2's instance types: GPUs, network cards, local disks, processor.

Source: https://docs.aws.amazon.com/ec2/latest/instancetypes/ac.html; numbers and models of GPUs as Karpenter 1.14 finds
them (reference/instance-types.md of its documentation, label `karpenter.k8s.aws/instance-gpu-name`).
Types with a fraction of a GPU (g6f) are left out, and g7, whose driver the pinned node image does not have.
Preflight compares these with the account's own API.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """The GPUs of one instance type, all alike, and what comes with them."""

    model: str
    count: int
    mig: Mapping[str, int] = field(default_factory=dict[str, int])
    """Partitions that MIG makes of one GPU, by profile; empty for a GPU without MIG."""
    adapters: int = 0
    """Elastic Fabric Adapters (EFA) at most, one a network card."""
    first_adapter_card: int = 0
    """Network card of the first adapter."""
    arm: bool = False
    local_disks: bool = True
    """Has NVMe disks of its own."""

    @property
    def efa(self) -> bool:
        return self.adapters > 0


def _profiles(*names: str) -> Mapping[str, int]:
    """Seven sevenths of the processors and eight eighths of the memory, cut in the ways that every such GPU knows."""
    return dict(zip(names, (7, 4, 3, 2, 1, 1), strict=True))


# https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html, without those with media engines.
_A100_40 = _profiles("1g.5gb", "1g.10gb", "2g.10gb", "3g.20gb", "4g.20gb", "7g.40gb")
_80 = _profiles("1g.10gb", "1g.20gb", "2g.20gb", "3g.40gb", "4g.40gb", "7g.80gb")
_H200 = _profiles("1g.18gb", "1g.35gb", "2g.35gb", "3g.71gb", "4g.71gb", "7g.141gb")
_B200 = _profiles("1g.23gb", "1g.45gb", "2g.45gb", "3g.90gb", "4g.90gb", "7g.180gb")
_B300 = _profiles("1g.34gb", "1g.67gb", "2g.67gb", "3g.135gb", "4g.135gb", "7g.269gb")

_SINGLE = {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "16xlarge": 1}
_G5_LIKE = {**_SINGLE, "12xlarge": 4, "24xlarge": 4, "48xlarge": 8}
_LARGE = {"8xlarge": 1, "12xlarge": 1, "16xlarge": 1, "24xlarge": 1, "48xlarge": 1}


def _sizes(
    family: str,
    model: str,
    counts: Mapping[str, int],
    *,
    adapters: Mapping[str, int] | None = None,
    arm: bool = False,
    local_disks: bool = True,
) -> dict[str, Gpu]:
    known = adapters or {}
    return {
        f"{family}.{size}": Gpu(model=model, count=count, adapters=known.get(size, 0), arm=arm, local_disks=local_disks)
        for size, count in counts.items()
    }


GPU_TYPES: Mapping[str, Gpu] = {
    **_sizes("g4dn", "t4", {**_SINGLE, "12xlarge": 4, "metal": 8},
             adapters={"8xlarge": 1, "12xlarge": 1, "16xlarge": 1, "metal": 1}),
    **_sizes("g5", "a10g", _G5_LIKE, adapters=_LARGE),
    **_sizes("g5g", "t4g", {**_SINGLE, "16xlarge": 2, "metal": 2}, arm=True, local_disks=False),
    **_sizes("g6", "l4", _G5_LIKE, adapters=_LARGE),
    **_sizes("g6e", "l40s", _G5_LIKE, adapters={**_LARGE, "24xlarge": 2, "48xlarge": 4}),
    **_sizes("gr6", "l4", {"4xlarge": 1, "8xlarge": 1}, adapters=_LARGE),
    **_sizes("p3", "v100", {"2xlarge": 1, "8xlarge": 4, "16xlarge": 8}, local_disks=False),
    "p3dn.24xlarge": Gpu(model="v100", count=8, adapters=1),
    "p4d.24xlarge": Gpu(model="a100", count=8, mig=_A100_40, adapters=4),
    "p4de.24xlarge": Gpu(model="a100", count=8, mig=_80, adapters=4),
    "p5.4xlarge": Gpu(model="h100", count=1, mig=_80, adapters=1),
    "p5.48xlarge": Gpu(model="h100", count=8, mig=_80, adapters=32),
    "p5e.48xlarge": Gpu(model="h200", count=8, mig=_H200, adapters=32),
    "p5en.48xlarge": Gpu(model="h200", count=8, mig=_H200, adapters=16),
    "p6-b200.48xlarge": Gpu(model="b200", count=8, mig=_B200, adapters=8),
    # The first of its 17 cards has no adapter.
    "p6-b300.48xlarge": Gpu(model="b300", count=8, mig=_B300, adapters=16, first_adapter_card=1),
}  # fmt: skip

# Series, generation, options: https://docs.aws.amazon.com/ec2/latest/instancetypes/instance-type-names.html
_FAMILY = re.compile(r"(?P<series>[a-z]+)(?P<generation>\d+)(?P<options>[a-z]*)(-.+)?")
# Storage series, whose disks no letter announces; before the third generation they are not NVMe.
_STORAGE = frozenset({"d", "i", "im", "is"})
_FIRST_NVME_GENERATION = 3
# The node image has no driver for them, or a pool no use: Neuron, Gaudi, FPGA, Radeon, video, fractions of GPUs, Macs.
_OTHER_ACCELERATORS = re.compile(r"(inf|trn|dl|f|vt)\d|g4ad|gr?6f|mac")


def looks_like_gpu(instance_type: str) -> bool:
    """Whether a type belongs to EC2's graphics (g) or accelerated (p) families."""
    return re.match(r"[gp]r?\d", instance_type) is not None


def other_accelerator(instance_type: str) -> bool:
    """Whether a type has an accelerator that is no NVIDIA GPU, or no whole one."""
    return _OTHER_ACCELERATORS.match(instance_type) is not None


def is_arm(instance_type: str) -> bool:
    """Whether a type has Graviton processors (arm64); all others are x86-64."""
    if gpu := GPU_TYPES.get(instance_type):
        return gpu.arm
    family = instance_type.partition(".")[0]
    parts = _FAMILY.fullmatch(family)
    return family == "a1" or bool(parts and "g" in parts["options"])


def has_local_disks(instance_type: str) -> bool:
    """Whether a type has NVMe disks of its own, which are empty after every start."""
    if gpu := GPU_TYPES.get(instance_type):
        return gpu.local_disks
    parts = _FAMILY.fullmatch(instance_type.partition(".")[0])
    if not parts:
        return False
    storage = parts["series"] in _STORAGE and int(parts["generation"]) >= _FIRST_NVME_GENERATION
    return storage or "d" in parts["options"]


def architectures(instance_types: Iterable[str]) -> tuple[str, ...]:
    """Kubernetes' names of the types' architectures: `amd64`, `arm64`."""
    return tuple(sorted({"arm64" if is_arm(kind) else "amd64" for kind in instance_types}))
