"""What EKS makes by itself and moto does not: the security group of a cluster's control plane, nodes and pods."""

from functools import wraps
from typing import Any

from moto.ec2.exceptions import InvalidSubnetIdError
from moto.ec2.models import EC2Backend, ec2_backends
from moto.eks.models import Cluster, EKSBackend

GROUP_ID, VPC_ID = "clusterSecurityGroupId", "vpcId"


def give_clusters_their_security_group() -> None:
    """Makes moto's clusters have the group that rules of other groups name, as long as the cluster is there.

    Source: https://docs.aws.amazon.com/eks/latest/userguide/sec-group-reqs.html
    """
    create, update, delete = EKSBackend.create_cluster, EKSBackend.update_cluster_config, EKSBackend.delete_cluster

    @wraps(create)
    def create_with_group(self: EKSBackend, *args: Any, **kwargs: Any) -> Cluster:
        cluster = create(self, *args, **kwargs)
        cluster.resources_vpc_config |= _made(_network_of(self), cluster)
        return cluster

    @wraps(update)
    def update_and_keep_group(self: EKSBackend, name: str, *args: Any, **kwargs: Any) -> Cluster:
        before = self.clusters[name].resources_vpc_config if name in self.clusters else {}
        cluster = update(self, name, *args, **kwargs)
        kept = {key: before[key] for key in (GROUP_ID, VPC_ID) if key in before}
        cluster.resources_vpc_config = kept | cluster.resources_vpc_config
        return cluster

    @wraps(delete)
    def delete_with_group(self: EKSBackend, name: str) -> Cluster:
        cluster = delete(self, name)
        if group_id := cluster.resources_vpc_config.get(GROUP_ID):
            _network_of(self).delete_security_group(group_id=group_id)
        return cluster

    EKSBackend.create_cluster = create_with_group
    EKSBackend.update_cluster_config = update_and_keep_group
    EKSBackend.delete_cluster = delete_with_group


def _network_of(backend: EKSBackend) -> EC2Backend:
    return ec2_backends[backend.account_id][backend.region_name]


def _made(network: EC2Backend, cluster: Cluster) -> dict[str, str]:
    """The group's and the network's ids. Nothing for subnets that are not there, which moto takes and EKS refuses."""
    try:
        vpc_id = network.get_subnet(cluster.resources_vpc_config["subnetIds"][0]).vpc_id
    except (InvalidSubnetIdError, KeyError, IndexError):
        return {}
    name = f"eks-cluster-sg-{cluster.name}"
    group = network.create_security_group(name, f"Made by EKS for {cluster.name}", vpc_id=vpc_id)
    return {GROUP_ID: group.id, VPC_ID: vpc_id}
