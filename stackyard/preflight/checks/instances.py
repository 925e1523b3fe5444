"""Instance types: offered in the zones, and as the settings' rules and the pools take them to be."""

from collections.abc import Iterator, Mapping
from typing import Any

from components.instance_types import GPU_TYPES, has_local_disks, is_arm
from stacks.sections.pools import NodePool
from stackyard.preflight.account import Account
from stackyard.preflight.check import PLATFORM, Check
from stackyard.preflight.finding import Finding, failed, listed, passed
from stackyard.preflight.machines import Machine, read_machines, system_nodes, wanted_types
from stackyard.preflight.target import Target

TABLE = "components/instance_types.py"


def fetch_offerings(account: Account, target: Target) -> Mapping[str, frozenset[str]]:
    """Zones of the region that offer a type, by type."""
    filters = [{"Name": "instance-type", "Values": sorted(wanted_types(target))}]
    offered = account.call(
        "ec2", "describe_instance_type_offerings", LocationType="availability-zone", Filters=filters
    )["InstanceTypeOfferings"]
    zones: dict[str, set[str]] = {kind: set() for kind in wanted_types(target)}
    for offering in offered:
        zones[str(offering["InstanceType"])].add(str(offering["Location"]))
    return {kind: frozenset(found) for kind, found in zones.items()}


def judge_offerings(offered: Mapping[str, frozenset[str]], target: Target) -> Iterator[Finding]:
    yield from _offered("system nodes", system_nodes()[0], target.zones, offered, target)
    for pool in target.pools:
        yield from _offered(f"pool {pool.name}", pool.instance_types, target.zones_of(pool), offered, target)
        yield from _empty_zones(pool, offered, target)


def _offered(
    who: str,
    types: tuple[str, ...],
    zones: tuple[str, ...],
    offered: Mapping[str, frozenset[str]],
    target: Target,
) -> Iterator[Finding]:
    """A type that no zone of the pool has never starts; where some have it, nodes start in those."""
    nowhere = [kind for kind in types if not offered[kind] & set(zones)]
    for kind in nowhere:
        elsewhere = (
            f"but in {', '.join(sorted(offered[kind]))}" if offered[kind] else f"nor elsewhere in {target.region}"
        )
        yield failed(
            f"{who}: {kind} is not offered in {' or '.join(zones)}, {elsewhere}",
            f"choose another type, or other zones, in {target.files}",
            _offerings_command(kind, target),
        )
    if not nowhere:
        partly = [f"{kind} not in {', '.join(sorted(set(zones) - offered[kind]))}" for kind in types
                  if set(zones) - offered[kind]]  # fmt: skip
        note = f"; {'; '.join(partly)}" if partly else ""
        yield passed(f"{who}: {listed(list(types))} in {', '.join(zones)}{note}")


def _empty_zones(pool: NodePool, offered: Mapping[str, frozenset[str]], target: Target) -> Iterator[Finding]:
    for zone in pool.zones or ():
        if not any(zone in offered[kind] for kind in pool.instance_types) and len(pool.zones or ()) > 1:
            yield failed(
                f"pool {pool.name}: none of its types is offered in {zone}, which it names",
                f"remove {zone} from the pool's zones in {target.files}, or add a type that it has",
            )


def _offerings_command(kind: str, target: Target) -> str:
    return (
        "aws ec2 describe-instance-type-offerings --location-type availability-zone "
        f"--filters Name=instance-type,Values={kind} --region {target.region}"
    )


def fetch_machines(account: Account, target: Target) -> Mapping[str, Machine]:
    return read_machines(account, wanted_types(target))


def judge_machines(machines: Mapping[str, Machine], target: Target) -> Iterator[Finding]:
    problems = [
        finding for kind in sorted(wanted_types(target)) for finding in _type_problems(kind, machines.get(kind), target)
    ]
    yield from problems
    if not problems:
        yield passed(f"{listed(sorted(machines), limit=12)}: processor, disks, GPUs and EFA as {TABLE} says")


def _type_problems(kind: str, machine: Machine | None, target: Target) -> Iterator[Finding]:
    look = f"aws ec2 describe-instance-types --instance-types {kind} --region {target.region}"
    if machine is None:
        yield failed(f"{target.region} has no instance type {kind}", f"choose another one in {target.files}", look)
        return
    for noun, found, stated in compared(kind, machine):
        if found != stated:
            yield failed(
                f"{kind}: EC2 says {found} for {noun}, {TABLE} says {stated}",
                f"correct {TABLE}: taints, images, ceilings and interfaces follow from it",
                look,
            )


def compared(kind: str, machine: Machine) -> Iterator[tuple[str, str, str]]:
    """What is compared: noun, EC2's value, ours."""
    gpu = GPU_TYPES.get(kind)
    yield "NVIDIA GPUs", _gpus(machine.gpus, machine.gpu_model), _gpus(gpu.count, gpu.model) if gpu else "none"
    yield "the processor", _processor(machine.arm), _processor(is_arm(kind))
    yield "NVMe disks of its own", _yes(machine.local_disks), _yes(has_local_disks(kind))
    if gpu:
        yield "EFA interfaces", str(machine.adapters), str(gpu.adapters)


def _processor(arm: bool) -> str:
    return "arm64" if arm else "x86_64"


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _gpus(count: int, model: str) -> str:
    return f"{count} {model}" if count else "none"


CHECKS: tuple[Check[Any], ...] = (
    Check(name="zones of instance types", layers=PLATFORM, fetch=fetch_offerings, judge=judge_offerings),
    Check(name="instance types", layers=PLATFORM, fetch=fetch_machines, judge=judge_machines),
)
