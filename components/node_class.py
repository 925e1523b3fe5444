"""What EC2 starts for a pool: the spec of Karpenter's EC2NodeClass (karpenter.k8s.aws/v1), as plain functions.

Fields as in the definition of aws/karpenter-provider-aws at tag v1.14.1.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pulumi import Input, Output

from components.gpu_sharing import GpuSharing, GpuSharingMode
from components.instance_types import GPU_TYPES, has_local_disks
from components.invalid_argument import InvalidArgument
from components.system_nodes import ROOT_DEVICE, SMALLEST_VOLUME_GB

# By these tags everything is found that Karpenter started: instances, volumes, network interfaces.
POOL_TAG = "stackyard:pool"
CLUSTER_TAG = "stackyard:cluster"

# `al2023@v` and a day: one release of the image, never the latest.
IMAGE_ALIAS = re.compile(r"al2023@v\d{8}")
# https://docs.aws.amazon.com/ebs/latest/userguide/general-purpose.html
LARGEST_VOLUME_GB = 16_384
# https://docs.aws.amazon.com/eks/latest/userguide/choosing-instance-type.html: for small types. The network add-on
# hands out addresses by prefixes (components/cluster_addons.py), of which every type has enough for that.
PODS_PER_NODE = 110


def node_class_spec(
    *,
    image_alias: str,
    role_name: Input[str],
    subnet_ids: Input[Sequence[str]],
    security_group_ids: Sequence[Input[str]],
    instance_types: Sequence[str],
    disk_size_gb: int,
    tags: Mapping[str, str],
    disk_key_arn: Input[str] | None = None,
    reservation_ids: Sequence[str] = (),
) -> dict[str, Any]:
    """What the nodes of every pool have. Raises InvalidArgument for an image that is not pinned or a disk too small."""
    _check(image_alias, disk_size_gb)
    spec: dict[str, Any] = {
        "amiSelectorTerms": [{"alias": image_alias}],
        "role": role_name,
        "subnetSelectorTerms": Output.from_input(subnet_ids).apply(lambda ids: [{"id": id} for id in sorted(ids)]),
        "securityGroupSelectorTerms": [{"id": group} for group in security_group_ids],
        "blockDeviceMappings": [_root_volume(disk_size_gb, disk_key_arn)],
        "kubelet": {"maxPods": PODS_PER_NODE},
        "metadataOptions": {
            "httpEndpoint": "enabled",
            "httpProtocolIPv6": "disabled",
            # One hop ends at the node: a pod cannot take on the node's role.
            "httpPutResponseHopLimit": 1,
            "httpTokens": "required",
        },
        "tags": dict(sorted(tags.items())),
    }
    if reservation_ids:
        spec["capacityReservationSelectorTerms"] = [{"id": id} for id in sorted(reservation_ids)]
    if all(map(has_local_disks, instance_types)):
        # Images and pods' scratch lie on the local disks, which go with the node.
        spec["instanceStorePolicy"] = "RAID0"
    return spec


def pool_tags(cluster_name: str, pool_name: str, component: str, tags: Mapping[str, str]) -> dict[str, str]:
    """Tags of all that Karpenter starts: the provider's default tags do not reach it."""
    return {**tags, "component": component, CLUSTER_TAG: cluster_name, POOL_TAG: pool_name}


def efa_interfaces(instance_types: Sequence[str]) -> list[dict[str, Any]]:
    """One interface with an address, and an adapter without on every card that takes one.

    Raises InvalidArgument when the types differ in that, since an EC2NodeClass has one layout.

    Source: https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/efa-acc-inst-types.html
    """
    layouts = {(GPU_TYPES[kind].first_adapter_card, GPU_TYPES[kind].adapters): kind for kind in instance_types}
    if len(layouts) > 1:
        counts = ", ".join(f"{kind} {GPU_TYPES[kind].adapters}" for kind in sorted(layouts.values()))
        raise InvalidArgument(
            f"types with different numbers of EFA interfaces ({counts}) in one pool: its nodes all get the same "
            "interfaces, give a pool for each, for example ['p5.48xlarge']"
        )
    ((first, count),) = layouts
    return [
        {"networkCardIndex": 0, "deviceIndex": 0, "interfaceType": "interface"},
        *(
            # The first device of the first card is the interface above.
            {"networkCardIndex": card, "deviceIndex": 0 if card else 1, "interfaceType": "efa-only"}
            for card in range(first, first + count)
        ),
    ]


def sharing_user_data(sharing: GpuSharing, shares: int) -> str | None:
    """What a node runs before it joins: MIG's partitions, which the device plugin exposes, but does not make.

    `shares`: partitions of one GPU. None where there is nothing to run.

    Source: https://docs.nvidia.com/datacenter/tesla/mig-user-guide/getting-started-with-mig.html
    """
    if sharing.mode is not GpuSharingMode.MIG:
        return None
    partitions = ",".join([str(sharing.mig_profile)] * shares)
    return f"#!/bin/bash\nset -euo pipefail\nnvidia-smi --multi-instance-gpu=1\nnvidia-smi mig -cgi {partitions} -C\n"


def _root_volume(size_gb: int, key_arn: Input[str] | None) -> dict[str, Any]:
    key = {"kmsKeyID": key_arn} if key_arn is not None else {}
    return {
        "deviceName": ROOT_DEVICE,
        "ebs": {
            "deleteOnTermination": True,
            "encrypted": True,
            "volumeSize": f"{size_gb}Gi",
            "volumeType": "gp3",
            **key,
        },
    }


def _check(image_alias: str, disk_size_gb: int) -> None:
    if not IMAGE_ALIAS.fullmatch(image_alias):
        raise InvalidArgument(
            f"image {image_alias!r} is not one release of Amazon Linux 2023: the latest moves under running pools, and "
            "other families lack what pools rely on, write for example 'al2023@v20260724'"
        )
    if not SMALLEST_VOLUME_GB <= disk_size_gb <= LARGEST_VOLUME_GB:
        raise InvalidArgument(
            f"a root volume of {disk_size_gb} GB is not possible: the image needs {SMALLEST_VOLUME_GB} GB, and gp3 has "
            f"at most {LARGEST_VOLUME_GB}, for example 100"
        )
