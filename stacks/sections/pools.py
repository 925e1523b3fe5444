"""Pools of nodes. An entry with a `gpu` part is a pool for GPU training."""

import re
from collections.abc import Iterator
from typing import ClassVar

from components.capacity import RESERVED, Capacity
from components.gpu_sharing import GpuSharingMode
from components.instance_types import GPU_TYPES, architectures, looks_like_gpu, other_accelerator
from stacks.domain import Day, InstanceType, Name, ReservationId, Zone
from stacks.problems import MISSING, Problem, nearest, problem
from stacks.sections.section import Section, setting

SIZE = re.compile(r"nano|micro|small|medium|large|xlarge|\d{1,3}xlarge|metal(-\d{1,3}xl)?")
RESERVED_REASON = "Karpenter takes capacity only from reservations that the pool names"


class GpuPart(Section):
    """What makes a pool a GPU pool."""

    max_gpus: int = setting("Most GPUs of the pool at once, over all its nodes.", 1, ge=1, le=10_000)
    sharing: GpuSharingMode = setting("How pods share a GPU.", "none", default=GpuSharingMode.NONE)
    slices: int | None = setting(
        "Pods that share a GPU by time slicing; only with that. Default: not shared.", 4, default=None, ge=2, le=48
    )
    mig_profile: str | None = setting(
        "Partition of each GPU, only with mig. Default: none.", "1g.10gb", default=None, min_length=1, max_length=20
    )
    efa: bool = setting("Fast network between nodes (EFA), in one placement group.", False, default=False)

    def problems(self, path: str) -> Iterator[Problem]:
        pairs = (
            ("slices", self.slices, GpuSharingMode.TIME_SLICING, 4),
            ("migProfile", self.mig_profile, GpuSharingMode.MIG, "1g.10gb"),
        )
        for name, value, sharing, example in pairs:
            if value is None and self.sharing == sharing:
                rule, reason = (
                    f"is missing and must be given with sharing {sharing}",
                    "it says how small the shares are",
                )
                yield Problem(
                    path=f"{path}.{name}", value="", rule=rule, reason=reason, example=f"{path}.{name}: {example}"
                )
            if value is not None and self.sharing != sharing:
                yield problem(
                    f"{path}.{name}",
                    value,
                    f"must only be given with sharing {sharing}",
                    f"sharing is {self.sharing}, which does not read it",
                )


class NodePool(Section):
    """Pools of nodes; an entry with a `gpu` part is a pool for GPU training."""

    read_by: ClassVar = "`NodePool`, `GpuNodePool`"

    name: Name = setting("Name of the pool, and of its nodes' label `karpenter.sh/nodepool`.", "general")
    instance_types: tuple[InstanceType, ...] = setting(
        "EC2 instance types, any of which may be chosen.", ["m7i.large", "m7i.xlarge"], min_length=1, max_length=60
    )
    capacity: Capacity = setting("Where nodes come from.", "spot_then_on_demand")
    max_nodes: int = setting("Most nodes at once; with their price the most that the pool can cost.", 6, ge=1, le=5000)
    zones: tuple[Zone, ...] | None = setting(
        "Zones of the pool. Default: all of the network.", ["us-east-1a"], default=None, min_length=1
    )
    disk_size_gb: int = setting("Size of each node's root volume in GB.", 100, default=100, ge=20, le=16_384)
    idle_minutes: int = setting("Minutes that an empty node is kept.", 10, default=10, ge=1, le=1440)
    reservation_ids: tuple[ReservationId, ...] = setting(
        "Capacity reservations or capacity blocks; only with these capacities.", ["cr-0123456789abcdef0"], default=()
    )
    capacity_block_ends: Day | None = setting(
        "Last day of the capacity block (AWS's EndDate, in UTC), on which its nodes go; with it alone. Default: none.",
        "2027-03-15",
        default=None,
    )
    gpu: GpuPart | None = setting("Makes it a GPU pool. Default: none.", {"maxGpus": 1}, default=None)

    def problems(self, path: str) -> Iterator[Problem]:
        yield from self._type_problems(path)
        yield from self._architecture_problems(path)
        yield from self._reservation_problems(path)
        yield from self._block_problems(path)
        if self.gpu:
            yield from self.gpu.problems(f"{path}.gpu")
            yield from self._gpu_problems(path, self.gpu)

    def _type_problems(self, path: str) -> Iterator[Problem]:
        for index, kind in enumerate(self.instance_types):
            here = f"{path}.instanceTypes[{index}]"
            if self.gpu and kind not in GPU_TYPES:
                near = nearest(kind, GPU_TYPES) if looks_like_gpu(kind) else None
                yield problem(
                    here,
                    kind,
                    "must be an instance type with NVIDIA GPUs" + (f", did you mean {near}?" if near else ""),
                    f"the pool has a gpu part, and {kind} is not known to have a GPU",
                    near or "g5.xlarge",
                )
            if not self.gpu and not SIZE.fullmatch(kind.partition(".")[2]):
                rule, reason = "must be an EC2 instance type", f"EC2 has no size {kind.partition('.')[2]}"
                yield problem(here, kind, rule, reason, "m7i.large")
            if not self.gpu and kind in GPU_TYPES:
                yield problem(
                    here,
                    kind,
                    f"must have no GPU, or the pool {self.name} must have a gpu part",
                    "without it nodes get no taint, and CPU pods would fill expensive GPU nodes",
                    "m7i.large",
                )
            if not self.gpu and kind not in GPU_TYPES and other_accelerator(kind):
                rule, reason = "must have no accelerator", "the node image has a driver for NVIDIA's GPUs alone"
                yield problem(here, kind, rule, reason, "m7i.large")

    def _architecture_problems(self, path: str) -> Iterator[Problem]:
        # Of the known ones: what is none of EC2's types is told by itself.
        known = [kind for kind in self.instance_types if not self.gpu or kind in GPU_TYPES]
        if len(architectures(known)) > 1:
            yield problem(
                f"{path}.instanceTypes",
                list(self.instance_types),
                "must have one processor architecture",
                "an image runs on arm64 or on x86-64, and the pool may choose either",
                ["g5.xlarge"] if self.gpu else ["m7i.large"],
            )

    def _reservation_problems(self, path: str) -> Iterator[Problem]:
        reserved = self.capacity in RESERVED
        if reserved and not self.reservation_ids:
            rule = f"is missing and must be given with capacity {self.capacity}"
            example = f"{path}.reservationIds: [cr-0123456789abcdef0]"
            yield Problem(path=f"{path}.reservationIds", value="", rule=rule, reason=RESERVED_REASON, example=example)
        if self.reservation_ids and not reserved:
            yield problem(
                f"{path}.reservationIds",
                self.reservation_ids,
                "must only be given with capacity reservation or capacity_block",
                f"capacity {self.capacity} would pay for the reservation and not use it",
            )

    def _block_problems(self, path: str) -> Iterator[Problem]:
        if self.capacity != Capacity.CAPACITY_BLOCK:
            if self.capacity_block_ends:
                yield problem(
                    f"{path}.capacityBlockEnds",
                    self.capacity_block_ends,
                    "must only be given with capacity capacity_block",
                    f"capacity {self.capacity} has no end",
                )
            return
        if not self.gpu:
            reason = "AWS sells capacity blocks for GPUs alone, and the pool has no gpu part"
            yield problem(f"{path}.capacity", str(self.capacity), "must be another one", reason, "on_demand")
        if not self.capacity_block_ends:
            yield Problem(
                path=f"{path}.capacityBlockEnds",
                value="",
                rule="is missing and must be given with capacity capacity_block",
                reason="AWS takes the nodes on that day, whatever runs on them",
                example=f'{path}.capacityBlockEnds: "2027-03-15"',
            )
        if len(self.zones or ()) != 1:
            yield problem(
                f"{path}.zones",
                list(self.zones) if self.zones else MISSING,
                "must be the one zone of the capacity block",
                "a capacity block lies in one zone, and nodes elsewhere never start",
                ["us-east-1a"],
            )

    def _gpu_problems(self, path: str, gpu: GpuPart) -> Iterator[Problem]:
        known = [kind for kind in self.instance_types if kind in GPU_TYPES]
        if gpu.efa and len(self.zones or ()) != 1:
            yield problem(
                f"{path}.zones",
                list(self.zones) if self.zones else MISSING,
                "must be one zone with gpu.efa",
                "EFA works inside one placement group, and that lies in one zone",
                ["us-east-1a"],
            )
        for kind in known:
            if gpu.efa and not GPU_TYPES[kind].efa:
                yield problem(
                    f"{path}.gpu.efa", True, f"must be false with {kind}", f"{kind} has no EFA interfaces", False
                )
            if gpu.sharing == GpuSharingMode.MIG and not GPU_TYPES[kind].mig:
                model = GPU_TYPES[kind].model
                yield problem(
                    f"{path}.gpu.sharing", "mig", f"must not be mig with {kind}", f"the {model} has no MIG", "none"
                )
            if GPU_TYPES[kind].count > gpu.max_gpus:
                yield problem(
                    f"{path}.gpu.maxGpus",
                    gpu.max_gpus,
                    f"must be at least {GPU_TYPES[kind].count}",
                    f"a single {kind} has {GPU_TYPES[kind].count} GPUs and would never start",
                    GPU_TYPES[kind].count,
                )
        if gpu.efa and len({(GPU_TYPES[kind].adapters, GPU_TYPES[kind].first_adapter_card) for kind in known}) > 1:
            counts = ", ".join(f"{kind} {GPU_TYPES[kind].adapters}" for kind in known)
            yield problem(
                f"{path}.instanceTypes",
                list(self.instance_types),
                "must have the same number of EFA interfaces with gpu.efa",
                f"nodes of a pool all get the same ones, and these have {counts}",
                known[:1],
            )
        yield from _partition_problems(path, gpu, known)


def _partition_problems(path: str, gpu: GpuPart, known: list[str]) -> Iterator[Problem]:
    """What MIG cannot do. A type without MIG is told by itself."""
    if gpu.sharing != GpuSharingMode.MIG or not gpu.mig_profile:
        return
    cut = [kind for kind in known if GPU_TYPES[kind].mig]
    for kind in cut:
        profiles = GPU_TYPES[kind].mig
        if gpu.mig_profile not in profiles:
            yield problem(
                f"{path}.gpu.migProfile",
                gpu.mig_profile,
                f"must be one of {', '.join(profiles)}",
                f"the {GPU_TYPES[kind].model} of {kind} has no other partitions",
                next(iter(profiles)),
            )
            return
    if len({GPU_TYPES[kind].mig[gpu.mig_profile] for kind in cut}) > 1:
        yield problem(
            f"{path}.instanceTypes",
            known,
            f"must have GPUs that MIG cuts into the same number of {gpu.mig_profile}",
            "the autoscaler must know how many partitions a GPU has",
            cut[:1],
        )
