"""The platform layer: the cluster and everything in it. May be destroyed and rebuilt without losing data."""

import pulumi
import pulumi_aws as aws
from pulumi import ResourceOptions

from components.bucket_access import BucketAccess
from components.cluster import Cluster, ClusterArgs, ControlPlaneLog
from components.cluster_access import ClusterAccess, ClusterAccessArgs
from components.monitoring_crds import MonitoringCrds, MonitoringCrdsArgs
from components.namespaces import NamespaceQuota
from components.pipeline_deployment import PipelineDeployment, PipelineDeploymentArgs
from components.pipeline_engine import RUNS_QUOTA, PipelineEngine, PipelineEngineArgs
from components.secret_delivery import ADDON as SECRET_DELIVERY_ADDON
from components.secret_delivery import SecretDelivery, SecretDeliveryArgs
from components.system_nodes import SystemNodes
from pipelines.compile.compiled import package_asset_path, read_compiled, require_package
from pipelines.contract import Contract
from pipelines.declaration import declaration
from stacks.base_outputs import BaseOutputs
from stacks.images import image_of, missing_image, refuse_examples
from stacks.nodes import system_nodes
from stacks.pins import chart_of, pinned
from stacks.providers import location_of, role_boundary_of, stem_of
from stacks.settings import Settings, present
from stacks.versions import CHARTS
from stackyard.errors import UserError

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
    _secret_delivery(settings, cluster, nodes, opts)
    in_cluster = ResourceOptions(providers=[provider, cluster.kubernetes])
    MonitoringCrds("monitoring-crds", MonitoringCrdsArgs(chart=chart_of("prometheus-operator-crds")), in_cluster)
    engine = _pipeline_engine(settings, in_cluster)
    _pipelines(settings, base, engine, in_cluster)
    pulumi.export("clusterName", cluster.cluster_name)
    pulumi.export("kubeconfig", cluster.kubeconfig)


def refuse_undeployable(settings: Settings) -> None:
    """Raises pulumi.RunError, before anything is made, when a real deployment lacks an image or a code package."""
    if pulumi.runtime.is_dry_run():
        return
    try:
        if settings.environment.account_id != EMULATED_ACCOUNT_ID:
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
            # The first administrator applies the stack until the account layer brings a role for that.
            deployer_arn=section.admin_role_arns[0],
            public_access_cidrs=section.public_access_cidrs,
            log_types=[ControlPlaneLog(log) for log in settings.profile.cluster_log_types],
            log_retention_days=section.log_retention_days,
            deletion_protection=settings.profile.deletion_protection,
            permissions_boundary=role_boundary_of(settings),
        ),
        opts,
    )


def _cluster_access(settings: Settings, cluster: Cluster, opts: ResourceOptions) -> None:
    section = present(settings.cluster)
    # The first administrator is the deployer, whose entry comes with the cluster.
    admins, viewers = section.admin_role_arns[1:], section.viewer_role_arns
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


def _pipeline_engine(settings: Settings, opts: ResourceOptions) -> PipelineEngine:
    chart = CHARTS["argo-workflows"]
    return PipelineEngine(
        "pipeline-engine",
        PipelineEngineArgs(
            chart=chart_of("argo-workflows"),
            app_version=chart.app_version,
            namespaces=(NAMESPACE,),
            quota=_quota(settings),
            # Where nothing is protected, one controller is enough; it costs a pod.
            replicas=2 if settings.profile.deletion_protection else 1,
        ),
        opts,
    )


def _quota(settings: Settings) -> NamespaceQuota:
    """All teams together, since their pipelines share a namespace; the default for a team without a quota."""
    default = RUNS_QUOTA
    quotas = [team.quota for team in settings.teams]
    return NamespaceQuota(
        cpus=sum(quota.cpus if quota else default.cpus for quota in quotas) or default.cpus,
        memory_gb=sum(quota.memory_gb if quota else default.memory_gb for quota in quotas) or default.memory_gb,
        gpus=sum(quota.gpus for quota in quotas if quota),
        pods=default.pods,
    )


def _pipelines(settings: Settings, base: BaseOutputs, engine: PipelineEngine, opts: ResourceOptions) -> None:
    image = _image(settings)
    if image is None:
        pulumi.log.warn(missing_image(IMAGE, settings.environment.name))
        return
    contract = contract_of(settings, image)
    bucket = settings.physical_name(DATA_BUCKET)
    access = BucketAccess(
        bucket_arn=location_of(settings).bucket_arn(bucket), key_arn=base.bucket_key_arns[DATA_BUCKET]
    )
    for pipeline in settings.pipelines:
        compiled = read_compiled(pipeline.name)
        PipelineDeployment(
            pipeline.name,
            PipelineDeploymentArgs(
                declaration=declaration(pipeline.name),
                compiled=compiled,
                contract=contract,
                location=location_of(settings),
                cluster_name=stem_of(settings),
                engine=engine,
                data=access,
                artifacts=access,
                artifacts_bucket=bucket,
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
