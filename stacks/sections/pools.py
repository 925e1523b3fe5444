"""Pools of nodes. An entry with a `gpu` part is a pool for GPU training."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, ClassVar

from pydantic.alias_generators import to_camel

from components.capacity import RESERVED, Capacity
from components.gpu_sharing import GpuSharingMode
from components.instance_types import GPU_TYPES, Gpu, architectures, is_arm, looks_like_gpu, other_accelerator
from stacks.domain import Day, InstanceType, Name, ReservationId, Zone
from stacks.problems import MISSING, Problem, nearest, problem
from stacks.sections.section import Section, Unreadable, setting

SIZE = re.compile(r"nano|micro|small|medium|large|xlarge|\d{1,3}xlarge|metal(-\d{1,3}xl)?")
USUAL_SIZES = ("large", "xlarge", "2xlarge", "4xlarge", "8xlarge", "12xlarge", "16xlarge")
TAINT_REASON = "without it nodes get no taint, and CPU pods would fill expensive GPU nodes"
GENERAL_POOL = "general"
"""The CPU pool where runs what is neither system nor GPU work."""

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

    @property
    def unshared(self) -> Any:
        """The part without shares, as it stands in YAML; MISSING where that cannot be read."""
        try:
            return {"maxGpus": self.max_gpus} | ({"efa": True} if self.efa else {})
        except Unreadable:
            return MISSING

    def rules(self, path: str) -> Iterable[Iterator[Problem]]:
        pairs = (("slices", GpuSharingMode.TIME_SLICING, 4), ("mig_profile", GpuSharingMode.MIG, "1g.10gb"))
        return [self._share_problems(path, *pair) for pair in pairs]

    def _share_problems(self, path: str, name: str, sharing: GpuSharingMode, example: Any) -> Iterator[Problem]:
        at, value = f"{path}.{to_camel(name)}", getattr(self, name)
        if value is None and self.sharing == sharing:
            rule = f"is missing and must be given with sharing {sharing}"
            yield problem(at, MISSING, rule, "it says how small the shares are", example)
        if value is not None and self.sharing != sharing:
            rule, reason = (
                f"must only be given with sharing {sharing}",
                f"sharing is {self.sharing}, which does not read it",
            )
            yield problem(at, value, rule, reason)


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

    def rules(self, path: str) -> Iterable[Iterator[Problem]]:
        return (
            self._type_problems(path),
            self._repeated(path, "instance_types"),
            self._repeated(path, "zones"),
            self._architecture_problems(path),
            self._reservation_problems(path),
            self._block_end_problems(path),
            self._block_gpu_problems(path),
            self._block_zone_problems(path),
            self._part_problems(path),
            self._efa_zone_problems(path),
            self._efa_type_problems(path),
            self._efa_adapter_problems(path),
            self._mig_type_problems(path),
            self._mig_profile_problems(path),
            self._mig_share_problems(path),
            self._count_problems(path),
        )

    def _part_problems(self, path: str) -> Iterator[Problem]:
        if self.gpu:
            yield from self.gpu.problems(f"{path}.gpu")

    def _repeated(self, path: str, name: str) -> Iterator[Problem]:
        seen = set[str]()
        for index, entry in self.entries(name):
            if entry in seen:
                reason = "an earlier entry says the same, so one of the two is mistyped or superfluous"
                yield problem(f"{path}.{to_camel(name)}[{index}]", entry, "must not be given twice", reason)
            seen.add(entry)

    def _type_problems(self, path: str) -> Iterator[Problem]:
        kinds = dict(self.entries("instance_types"))
        if self._lacks_gpu_part(kinds.values()):
            rule = f"is missing and must be given with {', '.join(self.instance_types)}"
            example = {"maxGpus": max(GPU_TYPES[kind].count for kind in kinds.values())}
            yield problem(f"{path}.gpu", MISSING, rule, TAINT_REASON, example)
            return
        wrong = {index: why for index, kind in kinds.items() if (why := self._why_not(path, kind))}
        others = [kind for index, kind in kinds.items() if index not in wrong]
        for index, (rule, reason) in wrong.items():
            near = nearest(kinds[index], GPU_TYPES) if self.gpu and looks_like_gpu(kinds[index]) else None
            near = None if near in others else near
            example = near or fitting_type(self.gpu, others)
            rule += f" (did you mean {near}?)" if near else ""
            yield problem(f"{path}.instanceTypes[{index}]", kinds[index], rule, reason, example)
            others.append(example)

    def _why_not(self, path: str, kind: str) -> tuple[str, str] | None:
        """Rule and reason for which the pool cannot have nodes of a type."""
        size = kind.partition(".")[2]
        if self.gpu:
            reason = f"the pool has a gpu part, and {kind} is not known to have a GPU"
            fits = kind in GPU_TYPES or self._is_general
            return None if fits else ("must be an instance type with NVIDIA GPUs", reason)
        if kind in GPU_TYPES:
            return f"must have no GPU, or {path} must have a gpu part", TAINT_REASON
        if not SIZE.fullmatch(size):
            return "must be an EC2 instance type", f"EC2 has no size {size}"
        if other_accelerator(kind):
            return "must have no accelerator", "the node image has a driver for NVIDIA's GPUs alone"
        return None

    @property
    def _is_general(self) -> bool:
        """Whether the gpu part itself must go, so that types without GPUs may stay."""
        return self.readable("name") and self.name == GENERAL_POOL

    def _lacks_gpu_part(self, kinds: Collection[str]) -> bool:
        """Whether it is the gpu part that is missing, and not the types that are wrong."""
        only_gpus = not self.gpu and all(kind in GPU_TYPES for kind in kinds)
        return only_gpus and self.readable("name") and self.name != GENERAL_POOL

    def _architecture_problems(self, path: str) -> Iterator[Problem]:
        # Of the known ones: what is none of EC2's types is told by itself.
        known = [kind for kind in self.instance_types if not self.gpu or kind in GPU_TYPES]
        if len(architectures(known)) > 1:
            yield problem(
                f"{path}.instanceTypes",
                list(self.instance_types),
                "must have one processor architecture",
                "an image runs on arm64 or on x86-64, and the pool may choose either",
                [kind for kind in known if is_arm(kind) == is_arm(known[0])],
            )

    def _reservation_problems(self, path: str) -> Iterator[Problem]:
        reserved = self.capacity in RESERVED
        if reserved and not self.reservation_ids and not self._is_moot_block:
            rule, example = f"is missing and must be given with capacity {self.capacity}", ["cr-0123456789abcdef0"]
            yield problem(f"{path}.reservationIds", MISSING, rule, RESERVED_REASON, example)
        if self.reservation_ids and not reserved:
            yield problem(
                f"{path}.reservationIds",
                self.reservation_ids,
                "must only be given with capacity reservation or capacity_block",
                f"capacity {self.capacity} would pay for the reservation and not use it",
            )

    @property
    def _is_block(self) -> bool:
        return self.capacity == Capacity.CAPACITY_BLOCK

    @property
    def _is_moot_block(self) -> bool:
        """Whether capacity itself must change, so that nothing of what a block needs must be given."""
        return self._is_block and not self.gpu

    def _block_end_problems(self, path: str) -> Iterator[Problem]:
        at = f"{path}.capacityBlockEnds"
        if self._is_block and not self.capacity_block_ends and not self._is_moot_block:
            rule = "is missing and must be given with capacity capacity_block"
            yield problem(at, MISSING, rule, "AWS takes the nodes on that day, whatever runs on them", "2027-03-15")
        if self.capacity_block_ends and not self._is_block:
            rule, reason = "must only be given with capacity capacity_block", f"capacity {self.capacity} has no end"
            yield problem(at, self.capacity_block_ends, rule, reason)

    def _block_gpu_problems(self, path: str) -> Iterator[Problem]:
        if self._is_moot_block:
            reason = "AWS sells capacity blocks for GPUs alone, and the pool has no gpu part"
            example = "reservation" if self.reservation_ids else "on_demand"
            yield problem(f"{path}.capacity", str(self.capacity), "must be another one", reason, example)

    def _block_zone_problems(self, path: str) -> Iterator[Problem]:
        if self._is_block and len(set(self.zones or ())) != 1 and not self._is_moot_block:
            yield self._zone_problem(
                path,
                "must be the one zone of the capacity block",
                "a capacity block lies in one zone, and nodes elsewhere never start",
            )

    def _efa_zone_problems(self, path: str) -> Iterator[Problem]:
        if self.gpu and self.gpu.efa and len(set(self.zones or ())) != 1:
            yield self._zone_problem(
                path,
                "must be one zone with gpu.efa",
                "EFA works inside one placement group, and that lies in one zone",
            )

    def _zone_problem(self, path: str, rule: str, reason: str) -> Problem:
        given = list(self.zones or ())
        return problem(f"{path}.zones", given or MISSING, rule, reason, given[:1] or ["us-east-1a"])

    @property
    def _known(self) -> list[str]:
        """The types that have GPUs; each other one is told by itself."""
        return [kind for kind in self.instance_types if kind in GPU_TYPES]

    def _efa_type_problems(self, path: str) -> Iterator[Problem]:
        if self.gpu and self.gpu.efa and (slow := [kind for kind in self._known if not GPU_TYPES[kind].efa]):
            kinds = ", ".join(slow)
            have = "has" if len(slow) == 1 else "have"
            yield problem(
                f"{path}.gpu.efa", True, f"must be false with {kinds}", f"{kinds} {have} no EFA interfaces", False
            )

    def _efa_adapter_problems(self, path: str) -> Iterator[Problem]:
        known = self._known
        if (
            self.gpu
            and self.gpu.efa
            and len({(GPU_TYPES[kind].adapters, GPU_TYPES[kind].first_adapter_card) for kind in known}) > 1
        ):
            counts = ", ".join(f"{kind} {GPU_TYPES[kind].adapters}" for kind in known)
            yield problem(
                f"{path}.instanceTypes",
                list(self.instance_types),
                "must have the same number of EFA interfaces with gpu.efa",
                f"nodes of a pool all get the same ones, and these have {counts}",
                known[:1],
            )

    def _count_problems(self, path: str) -> Iterator[Problem]:
        largest = max(self._known, key=lambda kind: GPU_TYPES[kind].count, default="")
        if self.gpu and largest and GPU_TYPES[largest].count > self.gpu.max_gpus:
            count = GPU_TYPES[largest].count
            reason = f"a single {largest} has {count} GPUs and would never start"
            yield problem(f"{path}.gpu.maxGpus", self.gpu.max_gpus, f"must be at least {count}", reason, count)

    def _mig_type_problems(self, path: str) -> Iterator[Problem]:
        if self.gpu and self.gpu.sharing == GpuSharingMode.MIG:
            whole = next((kind for kind in self._known if not GPU_TYPES[kind].mig), None)
            if whole:
                reason = f"the {GPU_TYPES[whole].model} has no MIG"
                rule, example, at = f"must not be mig with {whole}", self.gpu.unshared, f"{path}.gpu"
                yield problem(f"{at}.sharing", "mig", rule, reason, example, at=at)

    def _mig_profile_problems(self, path: str) -> Iterator[Problem]:
        cut, profile = self._cut
        kind = next((kind for kind in cut if profile not in GPU_TYPES[kind].mig), None)
        if not kind:
            return
        model, own = GPU_TYPES[kind].model, list(GPU_TYPES[kind].mig)
        having = [other for other in cut if profile in GPU_TYPES[other].mig]
        shared = shared_profiles([GPU_TYPES[other] for other in cut])
        if having and not shared:
            rule = f"must have GPUs that MIG cuts into {profile}"
            reason = f"the {model} of {kind} has no {profile}"
            yield problem(f"{path}.instanceTypes", list(self.instance_types), rule, reason, having)
        else:
            profiles = shared or own
            rule = f"must be one of {', '.join(profiles)}"
            reason = f"the {model} of {kind} has no " + ("other partitions" if profiles == own else profile)
            yield problem(f"{path}.gpu.migProfile", profile, rule, reason, profiles[0])

    def _mig_share_problems(self, path: str) -> Iterator[Problem]:
        cut, profile = self._cut
        counts = [GPU_TYPES[kind].mig.get(profile) for kind in cut]
        if None not in counts and len(set(counts)) > 1:
            yield problem(
                f"{path}.instanceTypes",
                self._known,
                f"must have GPUs that MIG cuts into the same number of {profile}",
                "the autoscaler must know how many partitions a GPU has",
                cut[:1],
            )

    @property
    def _cut(self) -> tuple[list[str], str]:
        """The types that MIG cuts, and into what. A type without MIG is told by itself."""
        if not self.gpu or self.gpu.sharing != GpuSharingMode.MIG or not self.gpu.mig_profile:
            return [], ""
        return [kind for kind in self._known if GPU_TYPES[kind].mig], self.gpu.mig_profile


def shared_profiles(kinds: Sequence[Gpu]) -> list[str]:
    """The partitions that MIG makes of all these GPUs in the same number."""
    cut = [kind.mig for kind in kinds if kind.mig]
    return [name for name in next(iter(cut), dict[str, int]()) if len({mig.get(name) for mig in cut}) == 1]


def fitting_type(gpu: GpuPart | None, others: Sequence[str]) -> str:
    """An instance type for a pool with this gpu part, or none, that goes with its other types."""
    arm = any(map(is_arm, others))
    if gpu is None:
        kinds = [f"{'m7g' if arm else 'm7i'}.{size}" for size in USUAL_SIZES]
        return next((kind for kind in kinds if kind not in others), kinds[0])
    peers = [GPU_TYPES[kind] for kind in others if kind in GPU_TYPES]
    usual = dict.fromkeys(("g5.xlarge", *GPU_TYPES))
    free = [kind for kind in usual if kind not in others and is_arm(kind) == arm] or ["g5.xlarge"]
    with suppress(Unreadable):
        fitting = (kind for kind in free if _takes(GPU_TYPES[kind], gpu, peers))
        # Where the others fit the gpu part no better, it must change and not the types.
        return next(fitting, None) or next((kind for kind in free if GPU_TYPES[kind].count <= gpu.max_gpus), free[0])
    return free[0]


def _takes(kind: Gpu, gpu: GpuPart, peers: Sequence[Gpu]) -> bool:
    cards = {(one.adapters, one.first_adapter_card) for one in (kind, *peers)}
    cuts = {one.mig.get(gpu.mig_profile or "") for one in (kind, *peers)}
    return (
        kind.count <= gpu.max_gpus
        and (not gpu.efa or (kind.efa and len(cards) == 1))
        and (gpu.sharing != GpuSharingMode.MIG or (None not in cuts and len(cuts) == 1))
    )
