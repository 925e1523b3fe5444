"""The platform layer: the cluster and everything in it. May be destroyed and rebuilt without losing data."""

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from components.cluster import Cluster, ClusterArgs, ControlPlaneLog
from stacks.base_outputs import BaseOutputs
from stacks.providers import location_of, stem_of
from stacks.settings import Settings, present


def platform_layer(settings: Settings, base: BaseOutputs, provider: aws.Provider) -> None:
    cluster = _cluster(settings, base, ResourceOptions(providers=[provider]))
    pulumi.export("clusterName", cluster.cluster_name)
    pulumi.export("kubeconfig", cluster.kubeconfig)


def _cluster(settings: Settings, base: BaseOutputs, opts: ResourceOptions) -> Cluster:
    section = present(settings.cluster)
    return Cluster(
        "cluster",
        ClusterArgs(
            location=location_of(settings),
            cluster_name=stem_of(settings),
            kubernetes_version=section.kubernetes_version,
            subnet_ids=base.private_subnet_ids,
            # The first administrator applies the stack until the account layer brings a role for that.
            deployer_arn=section.admin_role_arns[0],
            public_access_cidrs=section.public_access_cidrs,
            log_types=[ControlPlaneLog(log) for log in settings.profile.cluster_log_types],
            log_retention_days=section.log_retention_days,
            deletion_protection=settings.profile.deletion_protection,
        ),
        opts,
    )
