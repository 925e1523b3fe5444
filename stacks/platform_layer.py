"""The platform layer: the cluster and everything in it. May be destroyed and rebuilt without losing data."""

import os
from collections.abc import Sequence

import pulumi
import pulumi_aws as aws
from pulumi import Resource, ResourceOptions

from components.bucket_access import BucketAccess
from components.cluster import Cluster, ClusterArgs, ControlPlaneLog
from components.cluster_access import ClusterAccess, ClusterAccessArgs
from components.image_cache_access import ImageCacheAccess, ImageCacheAccessArgs
from components.job_queue import JobQueue
from components.model_registry import ModelRegistry, ModelRegistryArgs, RegistryDatabase
from components.monitoring_crds import MonitoringCrds, MonitoringCrdsArgs
from components.node_autoscaler import NodeAutoscaler
from components.pipeline_deployment import PipelineDeployment, PipelineDeploymentArgs
from components.pipeline_engine import PipelineEngine, PipelineEngineArgs
from components.secret_delivery import ADDON as SECRET_DELIVERY_ADDON
from components.secret_delivery import SecretDelivery, SecretDeliveryArgs
from components.system_nodes import SystemNodes
from pipelines.compile.compiled import package_asset_path, read_compiled, require_package
from pipelines.contract import Contract
from pipelines.declaration import declaration
from stacks.base_outputs import BaseOutputs
from stacks.images import image_of, missing_image, refuse_examples
from stacks.nodes import (
    cluster_addons,
    gpu_runtime,
    node_autoscaler,
    node_pools,
    pool_ceilings,
    pool_roles,
    system_nodes,
)
from stacks.pins import chart_of, pinned
from stacks.providers import deploy_role_of, location_of, role_boundary_of, stem_of
from stacks.queues import job_queue, local_queues, runs_quota
from stacks.settings import Settings, present
from stacks.versions import CACHED_UPSTREAMS, CHARTS
from stackyard.errors import UserError
from stackyard.evaluated import EVALUATED

NAMESPACE = "pipelines"
# Name of the model registry's service in the cluster; an environment without one names its own in tracking.uri.
TRACKING_URI = "http://tracking.tracking.svc.cluster.local:5000"
IMAGE = "pipelines"
# AWS's own example number: the local stack's, where no image is ever pulled.
EMULATED_ACCOUNT_ID = "123456789012"
DATA_BUCKET = "data"


def platform_layer(settings: Settings, base: BaseOutputs, provider: aws.Provider) -> None:
    opts = ResourceOptions(providers=[provider])
    cluster = _cluster(settings, base, opts)
    _cluster_access(settings, cluster, opts)
    nodes = system_nodes(settings, base, cluster, opts)
    addons = cluster_addons(settings, cluster, nodes, opts)
    _secret_delivery(settings, cluster, nodes, opts)
    _model_registry(settings, base, cluster, opts)
    in_cluster = ResourceOptions(providers=[provider, cluster.kubernetes])
    crds = MonitoringCrds("monitoring-crds", MonitoringCrdsArgs(chart=chart_of("prometheus-operator-crds")), in_cluster)
    autoscaler = node_autoscaler(settings, cluster, after=[nodes, addons, crds], opts=in_cluster)
    gpu_runtime(settings, after=[nodes, addons, crds], opts=in_cluster)
    cpu_pools = node_pools(settings, base, cluster, autoscaler, in_cluster)
    _image_cache_access(settings, nodes, autoscaler, opts)
    queue = job_queue(settings, [NAMESPACE], after=cpu_pools, opts=in_cluster)
    engine = _pipeline_engine(settings, queue, cpu_pools, in_cluster)
    _pipelines(settings, base, engine, queue, in_cluster)
    pulumi.export("clusterName", cluster.cluster_name)
    pulumi.export("kubeconfig", cluster.kubeconfig)
    pulumi.export("nodePools", pool_ceilings(settings))


def refuse_undeployable(settings: Settings) -> None:
    """Raises pulumi.RunError, before anything is made, when a real deployment lacks an image or a code package."""
    preview = pulumi.runtime.is_dry_run()
    # The CLI's preview opens the packages too; Stackyard's own takes their hashes from the compiled pipelines.
    if preview and EVALUATED in os.environ:
        return
    try:
        if not preview and settings.environment.account_id != EMULATED_ACCOUNT_ID:
            refuse_examples(settings.environment.name)
        for pipeline in settings.pipelines:
            require_package(read_compiled(pipeline.name))
    except UserError as error:
        raise pulumi.RunError(str(error)) from None


def _cluster(settings: Settings, base: BaseOutputs, opts: ResourceOptions) -> Cluster:
    section = present(settings.cluster)
    return Cluster(
        "cluster",
        ClusterArgs(
            location=location_of(settings),
            cluster_name=stem_of(settings),
            kubernetes_version=section.kubernetes_version,
            subnet_ids=base.private_subnet_ids,
            # The first administrator: who applies the stack the first time, and when CI cannot.
            deployer_arn=section.admin_role_arns[0],
            ci_role_arn=_ci_role(settings),
            admitted_groups={"runner": base.runner_security_group_id} if base.runner_security_group_id else {},
            public_access_cidrs=section.public_access_cidrs,
            log_types=[ControlPlaneLog(log) for log in settings.profile.cluster_log_types],
            log_retention_days=section.log_retention_days,
            deletion_protection=settings.profile.deletion_protection,
            permissions_boundary=role_boundary_of(settings),
        ),
        opts,
    )


def _ci_role(settings: Settings) -> str | None:
    """CI's deploy role, unless it is the first administrator: EKS keeps one access entry per role."""
    role = deploy_role_of(settings)
    return None if role == present(settings.cluster).admin_role_arns[0] else role


def _cluster_access(settings: Settings, cluster: Cluster, opts: ResourceOptions) -> None:
    section = present(settings.cluster)
    # The first administrator is the deployer, whose entry comes with the cluster; so does that of CI's role.
    admins = [arn for arn in section.admin_role_arns[1:] if arn != deploy_role_of(settings)]
    viewers = section.viewer_role_arns
    if admins or viewers:
        args = ClusterAccessArgs(
            location=location_of(settings), cluster=cluster, admin_arns=admins, viewer_arns=viewers
        )
        ClusterAccess("cluster-access", args, opts)


def _secret_delivery(settings: Settings, cluster: Cluster, nodes: SystemNodes, opts: ResourceOptions) -> None:
    addon = pinned(settings).addons.get(SECRET_DELIVERY_ADDON)
    if addon is None:
        # Nothing that needs it can be deployed on such a version; nothing else is in its way.
        pulumi.log.warn(
            f"no secrets as files in pods: stacks/versions.py has no version of {SECRET_DELIVERY_ADDON} for Kubernetes "
            f"{present(settings.cluster).kubernetes_version}"
        )
        return
    SecretDelivery(
        "secret-delivery",
        SecretDeliveryArgs(cluster=cluster, addon_version=addon.version, after=[nodes]),
        opts,
    )


def _image_cache_access(
    settings: Settings, nodes: SystemNodes, autoscaler: NodeAutoscaler, opts: ResourceOptions
) -> None:
    ImageCacheAccess(
        "image-cache-access",
        ImageCacheAccessArgs(
            location=location_of(settings),
            stem=stem_of(settings),
            caches=tuple(CACHED_UPSTREAMS),
            role_arns={"system-nodes": nodes.role_arn, "pools": autoscaler.node_role_arn},
        ),
        opts,
    )


def _model_registry(settings: Settings, base: BaseOutputs, cluster: Cluster, opts: ResourceOptions) -> None:
    database = base.tracking_database
    if database is None:
        return
    ModelRegistry(
        "model-registry",
        ModelRegistryArgs(
            location=location_of(settings),
            cluster=cluster,
            database=RegistryDatabase(
                resource_id=database.resource_id, port=database.port, security_group_id=database.security_group_id
            ),
            artifacts=_data_access(settings, base),
            permissions_boundary=role_boundary_of(settings),
        ),
        opts,
    )


def _data_access(settings: Settings, base: BaseOutputs) -> BucketAccess:
    bucket = location_of(settings).bucket_arn(settings.physical_name(DATA_BUCKET))
    return BucketAccess(bucket_arn=bucket, key_arn=base.bucket_key_arns[DATA_BUCKET])


def _pipeline_engine(
    settings: Settings, queue: JobQueue | None, cpu_pools: Sequence[Resource], opts: ResourceOptions
) -> PipelineEngine:
    chart = CHARTS["argo-workflows"]
    return PipelineEngine(
        "pipeline-engine",
        PipelineEngineArgs(
            chart=chart_of("argo-workflows"),
            app_version=chart.app_version,
            namespaces=(NAMESPACE,),
            quota=runs_quota(settings, queue),
            # Its controllers run on the pool `general`, for which the queue waits too.
            after=[queue] if queue else cpu_pools,
            # Where nothing is protected, one controller is enough; it costs a pod.
            replicas=2 if settings.profile.deletion_protection else 1,
        ),
        opts,
    )


def _pipelines(
    settings: Settings, base: BaseOutputs, engine: PipelineEngine, queue: JobQueue | None, opts: ResourceOptions
) -> None:
    queues = local_queues(queue, [NAMESPACE], engine, opts)
    image = _image(settings)
    if image is None:
        pulumi.log.warn(missing_image(IMAGE, settings.environment.name))
        return
    contract = contract_of(settings, image)
    access = _data_access(settings, base)
    for pipeline in settings.pipelines:
        compiled = read_compiled(pipeline.name)
        PipelineDeployment(
            pipeline.name,
            PipelineDeploymentArgs(
                declaration=declaration(pipeline.name),
                compiled=compiled,
                # A pipeline waits in the queue of its team.
                contract=contract.model_copy(update={"queue": pipeline.team if queue else None}),
                location=location_of(settings),
                cluster_name=stem_of(settings),
                engine=engine,
                after=queues,
                data=access,
                artifacts=access,
                artifacts_bucket=contract.bucket,
                package_path=package_asset_path(compiled),
                permissions_boundary=role_boundary_of(settings),
                schedule=pipeline.schedule,
                suspended=pipeline.suspended,
            ),
            opts,
        )
    pulumi.export("contract", contract.model_dump(mode="json"))


def contract_of(settings: Settings, image: str) -> Contract:
    """What the stack promises to its pipelines; all of it follows from settings, so a first preview shows it."""
    bucket = settings.physical_name(DATA_BUCKET)
    return Contract(
        bucket=bucket,
        data_bucket=bucket,
        kms_key=f"alias/{bucket}",
        region=settings.environment.region,
        namespace=NAMESPACE,
        pools=pool_roles(settings),
        tracking_uri=(settings.tracking and settings.tracking.uri) or TRACKING_URI,
        image=image,
        service_accounts={pipeline.name: f"pipeline-{pipeline.name}" for pipeline in settings.pipelines},
    )


def _image(settings: Settings) -> str | None:
    """The pipelines' image by digest; None before it is built."""
    environment, location = settings.environment, location_of(settings)
    registry = f"{location.account_id}.dkr.ecr.{location.region}.{location.dns_suffix}"
    try:
        return image_of(IMAGE, environment=environment.name, repository_url=f"{registry}/{stem_of(settings)}/{IMAGE}")
    except UserError as error:
        raise pulumi.RunError(str(error)) from None
