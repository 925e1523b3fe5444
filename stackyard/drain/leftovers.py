"""What Karpenter's nodes have left in the account, found by the tags that all of it carries from its beginning."""

import shlex
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import Any

from components.autoscaler_policies import cluster_tag
from components.node_pool_spec import POOL_NAME_LABEL
from stackyard.preflight.account import Account
from stackyard.preflight.target import tags_of

# The network add-on makes interfaces of its own, which carry none of Karpenter's tags. One that its node has left
# behind keeps the subnets and security groups from going. aws/amazon-vpc-cni-k8s, pkg/awsutils/awsutils.go.
CNI_TAG = "cluster.k8s.amazonaws.com/name"
# What is shutting down is on its way already.
STARTED = ("pending", "running", "stopping", "stopped")
UNUSED = ("available", "error")

Filters = list[dict[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Leftover:
    kind: str
    """For example `instance`."""
    id: str
    about: str
    """What a person knows it by."""
    command: str
    """Removes it."""


def leftovers(
    account: Account, cluster_name: str, region: str, *, kept: Collection[str] = (), cluster_gone: bool = False
) -> list[Leftover]:
    """What is left, in an order in which it can be removed. Raises Unanswered.

    `kept`: instances that may stay. `cluster_gone`: also what Karpenter itself takes away with its node classes.
    """
    own = [
        {"Name": f"tag:{cluster_tag(cluster_name)}", "Values": ["owned"]},
        {"Name": "tag-key", "Values": [POOL_NAME_LABEL]},
    ]
    found = [*_instances(account, own, region, kept), *_volumes(account, own, region)]
    found += _interfaces(account, own, cluster_name, region)
    if cluster_gone:
        found += [*_templates(account, own, region), *_profiles(account, cluster_name, region)]
    return found


def _instances(account: Account, own: Filters, region: str, kept: Collection[str]) -> Iterator[Leftover]:
    states = {"Name": "instance-state-name", "Values": list(STARTED)}
    reservations = account.call("ec2", "describe_instances", Filters=[*own, states])["Reservations"]
    for instance in (instance for reservation in reservations for instance in reservation["Instances"]):
        if (id := str(instance["InstanceId"])) not in kept:
            about = (
                f"{instance['InstanceType']}, {instance['State']['Name']}, pool {tags_of(instance)[POOL_NAME_LABEL]}"
            )
            command = f"aws ec2 terminate-instances --region {region} --instance-ids {id}"
            yield Leftover(kind="instance", id=id, about=about, command=command)


def _volumes(account: Account, own: Filters, region: str) -> Iterator[Leftover]:
    unused = {"Name": "status", "Values": list(UNUSED)}
    for volume in account.call("ec2", "describe_volumes", Filters=[*own, unused])["Volumes"]:
        id, about = str(volume["VolumeId"]), f"{volume['Size']} GB, pool {tags_of(volume)[POOL_NAME_LABEL]}"
        command = f"aws ec2 delete-volume --region {region} --volume-id {id}"
        yield Leftover(kind="volume", id=id, about=about, command=command)


def _interfaces(account: Account, own: Filters, cluster_name: str, region: str) -> Iterator[Leftover]:
    unused = {"Name": "status", "Values": ["available"]}
    of_network = [{"Name": f"tag:{CNI_TAG}", "Values": [cluster_name]}]
    seen: set[str] = set()
    for filters in (own, of_network):
        answer = account.call("ec2", "describe_network_interfaces", Filters=[*filters, unused])
        for interface in answer["NetworkInterfaces"]:
            id = str(interface["NetworkInterfaceId"])
            if id not in seen:
                seen.add(id)
                about = f"in {interface['SubnetId']}, {interface.get('Description') or 'no description'}"
                command = f"aws ec2 delete-network-interface --region {region} --network-interface-id {id}"
                yield Leftover(kind="network interface", id=id, about=about, command=command)


def _templates(account: Account, own: Filters, region: str) -> Iterator[Leftover]:
    for template in account.call("ec2", "describe_launch_templates", Filters=own)["LaunchTemplates"]:
        id, about = str(template["LaunchTemplateId"]), str(template["LaunchTemplateName"])
        command = f"aws ec2 delete-launch-template --region {region} --launch-template-id {id}"
        yield Leftover(kind="launch template", id=id, about=about, command=command)


def _profiles(account: Account, cluster_name: str, region: str) -> Iterator[Leftover]:
    # Where Karpenter puts them: aws/karpenter-provider-aws at v1.14.1, pkg/controllers/nodeclass/instanceprofile.go.
    path = f"/karpenter/{region}/{cluster_name}/"
    for profile in account.call("iam", "list_instance_profiles", PathPrefix=path)["InstanceProfiles"]:
        name = shlex.quote(str(profile["InstanceProfileName"]))
        options = f"--instance-profile-name {name}"
        steps = [
            f"aws iam remove-role-from-instance-profile {options} --role-name {shlex.quote(role['RoleName'])}"
            for role in profile["Roles"]
        ]
        command = " && ".join([*steps, f"aws iam delete-instance-profile {options}"])
        yield Leftover(kind="instance profile", id=name, about=str(profile["Path"]), command=command)


def settled(
    find: Callable[[], list[Leftover]], *, wait: Callable[[], None], monotonic: Callable[[], float], for_s: float
) -> list[Leftover]:
    """What is still left after a while: volumes and interfaces go a moment after their instance."""
    end = monotonic() + for_s
    while found := find():
        if monotonic() > end:
            return found
        wait()
    return []
