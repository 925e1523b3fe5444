"""Instance types for Karpenter's simulated cloud: shapes as EC2 tells them, prices as the kit's own table has them."""

import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from stacks.prices import INSTANCES

# About what AWS has asked for lately. Karpenter compares spot prices with each other and with those on demand; that
# spot is cheaper is all that counts here.
SPOT_SHARE = 0.35
# A reservation is paid for whether used or not: nothing is cheaper.
RESERVED_PRICE = 0.0
CAPACITIES = ("spot", "on-demand")
PODS = "110"
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}


@cache
def _shapes() -> Mapping[str, Any]:
    """EC2's own answer to DescribeInstanceTypes, as moto carries it."""
    resource = files("moto") / "ec2/resources/instance_types.json.gz"
    return json.loads(gzip.decompress(resource.read_bytes()))


def instance_types(
    names: Iterable[str], zones: Sequence[str], capacities: Sequence[str] = CAPACITIES
) -> list[dict[str, Any]]:
    """Karpenter's list of types, each offered in every zone and for every capacity.

    Raises KeyError for a type that EC2 or the price table does not know.
    """
    return [_instance_type(name, zones, capacities) for name in sorted(set(names))]


def _instance_type(name: str, zones: Sequence[str], capacities: Sequence[str]) -> dict[str, Any]:
    shape = _shapes()[name]
    architectures = shape["ProcessorInfo"]["SupportedArchitectures"]
    (architecture,) = (_ARCHITECTURES[entry] for entry in architectures if entry in _ARCHITECTURES)
    gpus = gpu_count(name)
    return {
        "name": name,
        "architecture": architecture,
        "operatingSystems": ["linux"],
        "resources": {
            "cpu": str(shape["VCpuInfo"]["DefaultVCpus"]),
            "memory": f"{shape['MemoryInfo']['SizeInMiB']}Mi",
            "ephemeral-storage": "100Gi",
            "pods": PODS,
            **({"nvidia.com/gpu": str(gpus)} if gpus else {}),
        },
        "offerings": [_offering(name, zone, capacity) for zone in zones for capacity in capacities],
    }


def gpu_count(name: str) -> int:
    found = _shapes()[name].get("GpuInfo", {}).get("Gpus", [])
    return sum(gpu["Count"] for gpu in found if gpu["Manufacturer"] == "NVIDIA")


def price(name: str, capacity: str) -> float:
    """Dollars an hour in the simulated cloud."""
    on_demand = INSTANCES[name].usd
    return {"on-demand": on_demand, "spot": on_demand * SPOT_SHARE, "reserved": RESERVED_PRICE}[capacity]


def _offering(name: str, zone: str, capacity: str) -> dict[str, Any]:
    labels = {"karpenter.sh/capacity-type": capacity, "topology.kubernetes.io/zone": zone}
    return {
        "Price": round(price(name, capacity), 6),
        "Available": True,
        "Requirements": [{"key": key, "operator": "In", "values": [value]} for key, value in labels.items()],
    }
