"""How pods share the GPUs of a pool: what the device plugin is told, and what pods then ask for."""

import re
from dataclasses import dataclass
from enum import StrEnum

from components.invalid_argument import InvalidArgument

# https://github.com/NVIDIA/k8s-device-plugin/tree/v0.20.0#configuration-option-details: nodes choose an entry by label.
CONFIG_LABEL = "nvidia.com/device-plugin.config"
# Device plugin and DCGM exporter run where it stands; Node Feature Discovery would set it, but only after the node is
# there, and then nobody tells the autoscaler.
GPU_PRESENT_LABEL = "nvidia.com/gpu.present"
GPU_TAINT = "nvidia.com/gpu"

WHOLE_GPU = "nvidia.com/gpu"
# What the plugin calls a share of a GPU with renameByDefault.
SHARED_GPU = "nvidia.com/gpu.shared"
FEWEST_SLICES, MOST_SLICES = 2, 48
# https://docs.nvidia.com/datacenter/tesla/mig-user-guide/supported-mig-profiles.html. Profiles with a suffix (+me) have
# a sign that neither a label nor the name of a resource can hold.
MIG_PROFILE = re.compile(r"([1-7])g\.(\d{1,3})gb")


class GpuSharingMode(StrEnum):
    NONE = "none"
    """A pod has its GPUs for itself."""
    TIME_SLICING = "time_slicing"
    """Pods take turns on a GPU and share its memory, with no protection from each other."""
    MIG = "mig"
    """Each GPU is cut into partitions with memory of their own; one partition is one device."""


@dataclass(frozen=True, kw_only=True)
class GpuSharing:
    """One way to share, for all GPUs of a node. A share has a name of its own as a resource: who asks for a whole GPU
    never gets a share, and Karpenter, which knows whole GPUs only, learns the number of shares from a NodeOverlay."""

    mode: GpuSharingMode = GpuSharingMode.NONE
    """Default: not shared."""

    slices: int | None = None
    """Pods that share a GPU, 2 to 48; with time slicing alone."""

    mig_profile: str | None = None
    """Partition that each GPU is cut into, for example `1g.10gb`; with MIG alone."""

    def __post_init__(self) -> None:
        _check_given("slices", self.slices, self.mode, GpuSharingMode.TIME_SLICING, "4")
        _check_given("mig_profile", self.mig_profile, self.mode, GpuSharingMode.MIG, "'1g.10gb'")
        if self.slices is not None and not FEWEST_SLICES <= self.slices <= MOST_SLICES:
            raise InvalidArgument(
                f"{self.slices} slices are not possible: a GPU is shared by {FEWEST_SLICES} to {MOST_SLICES} pods, "
                "for example 4"
            )
        if self.mig_profile is not None and not MIG_PROFILE.fullmatch(self.mig_profile):
            raise InvalidArgument(
                f"MIG profile {self.mig_profile!r} is not possible: slices and memory without a suffix, "
                "for example '1g.10gb'"
            )

    @property
    def config_name(self) -> str:
        """Entry of the device plugin's configuration: `default`, `timeslice-4`, `mig-1g.10gb`. Nodes of a pool carry it
        as the value of the label `nvidia.com/device-plugin.config`."""
        match self.mode:
            case GpuSharingMode.NONE:
                return "default"
            case GpuSharingMode.TIME_SLICING:
                return f"timeslice-{self.slices}"
            case GpuSharingMode.MIG:
                return f"mig-{self.mig_profile}"

    @property
    def resource_name(self) -> str:
        """What a pod asks for, and what a pool's ceiling counts: `nvidia.com/gpu`, `nvidia.com/gpu.shared`,
        `nvidia.com/mig-1g.10gb`. A node whose GPUs are shared has no `nvidia.com/gpu` once the plugin runs."""
        match self.mode:
            case GpuSharingMode.NONE:
                return WHOLE_GPU
            case GpuSharingMode.TIME_SLICING:
                return SHARED_GPU
            case GpuSharingMode.MIG:
                return f"nvidia.com/mig-{self.mig_profile}"

    @property
    def needs_overlay(self) -> bool:
        """Whether Karpenter starts nodes for these pods only with a NodeOverlay (feature gate `nodeOverlay`)."""
        return self.mode is not GpuSharingMode.NONE


def _check_given(name: str, value: object, mode: GpuSharingMode, wanted: GpuSharingMode, example: str) -> None:
    if mode is wanted and value is None:
        raise InvalidArgument(f"{name} is missing: sharing {wanted} needs it, for example {example}")
    if mode is not wanted and value is not None:
        raise InvalidArgument(
            f"{name} {value!r} is given with sharing {mode}, which does not read it: only {wanted} does"
        )


NOT_SHARED = GpuSharing()
