"""Instance types as EC2 itself describes them, and the most vCPUs that a node pool can come to."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from components.capacity import most_at_once
from stacks.sections.pools import NodePool
from stackyard.preflight.account import Account
from stackyard.preflight.target import Target

# https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_Filter.html: at most 200 values.
_MOST_VALUES = 200


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One instance type."""

    name: str
    vcpus: int
    arm: bool = False
    gpu_model: str = ""
    """In small letters, for example `a10g`; empty without an NVIDIA GPU."""
    gpus: int = 0
    adapters: int = 0
    """Elastic Fabric Adapters at most."""
    local_disks: bool = False
    """Has NVMe disks of its own."""


def system_nodes() -> tuple[tuple[str, ...], int]:
    """Instance types of the system nodes, and their most."""
    from components.system_nodes import SystemNodesArgs

    fields = SystemNodesArgs.__dataclass_fields__
    return tuple(fields["instance_types"].default), int(fields["max_nodes"].default)


def wanted_types(target: Target) -> set[str]:
    """Instance types that the environment may start."""
    pools = {kind for pool in target.pools for kind in pool.instance_types}
    return pools | set(system_nodes()[0])


def read_machines(account: Account, names: Collection[str]) -> dict[str, Machine]:
    """What EC2 says of these types, by name; a type that the region does not have is absent."""
    ordered = sorted(names)
    found: dict[str, Machine] = {}
    for start in range(0, len(ordered), _MOST_VALUES):
        # A filter, since asking for the types by name fails as a whole for one wrong name.
        filters = [{"Name": "instance-type", "Values": ordered[start : start + _MOST_VALUES]}]
        described = account.call("ec2", "describe_instance_types", Filters=filters)["InstanceTypes"]
        found |= {machine.name: machine for machine in map(machine_of, described)}
    return found


def machine_of(described: Any) -> Machine:
    gpus = [gpu for gpu in described.get("GpuInfo", {}).get("Gpus", []) if gpu.get("Manufacturer") == "NVIDIA"]
    return Machine(
        name=str(described["InstanceType"]),
        vcpus=int(described["VCpuInfo"]["DefaultVCpus"]),
        arm="arm64" in described["ProcessorInfo"]["SupportedArchitectures"],
        gpu_model=str(gpus[0]["Name"]).lower() if gpus else "",
        gpus=sum(int(gpu["Count"]) for gpu in gpus),
        adapters=int(described.get("NetworkInfo", {}).get("EfaInfo", {}).get("MaximumEfaInterfaces", 0)),
        local_disks=described.get("InstanceStorageInfo", {}).get("NvmeSupport") in ("required", "supported"),
    )


def most_vcpus(pool: NodePool, machines: Mapping[str, Machine]) -> int:
    """Most vCPUs of the pool's nodes of these types together, under its ceilings of nodes and GPUs."""
    vcpus = {name: machine.vcpus for name, machine in machines.items()}
    return int(most_at_once(vcpus, pool.max_nodes, pool.gpu.max_gpus if pool.gpu else None))
