"""The model registry's side of AWS: it connects to its database with a token, and keeps artifacts below one prefix."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.aws_location import AwsLocation
from components.bucket_access import BucketAccess
from components.cluster import Cluster
from components.iam_policies import Statement, identity_policy
from components.pod_identity import pod_role
from components.tagging import child_tags
from components.tracking_database import connecting_as

NAMESPACE = "tracking"
SERVICE_ACCOUNT = "tracking"
# Where pipelines' experiments put their artifacts (pipelines/training/register.py).
ARTIFACTS_PREFIX = "mlflow/"


@dataclass(frozen=True, kw_only=True)
class RegistryDatabase:
    """The database, as the stack that made it (`TrackingDatabase`) exports it."""

    resource_id: Input[str]
    """AWS's id of the instance, `db-…`."""

    port: Input[int]

    security_group_id: Input[str]
    """Security group of the instance, which lets nobody in by itself."""


@dataclass(frozen=True, kw_only=True)
class ModelRegistryArgs:
    location: AwsLocation
    """Account and region of cluster, database and bucket."""

    cluster: Cluster
    """Cluster whose pods run the server."""

    database: RegistryDatabase
    """Where experiments, registered models and aliases are kept."""

    artifacts: BucketAccess
    """Grants on the bucket of artifacts."""

    artifacts_prefix: str = ARTIFACTS_PREFIX
    """Folder of that bucket that the server serves. Default: `mlflow/`, where pipelines' experiments put theirs."""

    database_user: str = "mlflow"
    """Database user that the server connects as; in PostgreSQL it has the role `rds_iam`. Default: `mlflow`."""

    permissions_boundary: Input[str] | None = None
    """ARN of the policy that bounds the server's role. Default: unbounded."""


class ModelRegistry(pulumi.ComponentResource):
    """Creates, always:

    - the server's IAM role: it connects to the database as one user, with a token that lasts 15 minutes, and reads and
      writes artifacts below one prefix; no password, no key, no deleting;
    - the Pod Identity association that hands it to the service account `tracking` of the namespace `tracking` alone;
    - the rule that lets the cluster's pods reach the database's port.

    Costs nothing by itself.
    """

    role_arn: Output[str]
    database_user: Output[str]
    """Database user that the role may connect as."""

    def __init__(self, name: str, args: ModelRegistryArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:ModelRegistry", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)

        role = self._create_role()
        self._create_permissions(role)
        self._create_association(role)
        self._let_pods_reach_the_database()

        self.role_arn = role.arn
        self.database_user = Output.from_input(args.database_user)
        self.register_outputs({"roleArn": self.role_arn, "databaseUser": self.database_user})

    def _create_role(self) -> aws.iam.Role:
        return pod_role(
            f"{self._name}-role",
            component=self._name,
            description="Server of the model registry",
            location=self._args.location,
            cluster_arn=self._args.cluster.cluster_arn,
            permissions_boundary=self._args.permissions_boundary,
            opts=self._child,
        )

    def _create_permissions(self, role: aws.iam.Role) -> None:
        aws.iam.RolePolicy(
            f"{self._name}-permissions",
            role=role.id,
            policy=identity_policy(statements_of(self._args)),
            opts=self._child,
        )

    def _create_association(self, role: aws.iam.Role) -> None:
        name = f"{self._name}-identity"
        # EKS takes associations of accounts that are not there yet.
        aws.eks.PodIdentityAssociation(
            name,
            cluster_name=self._args.cluster.cluster_name,
            namespace=NAMESPACE,
            service_account=SERVICE_ACCOUNT,
            role_arn=role.arn,
            tags=child_tags(self._name, name),
            opts=self._child,
        )

    def _let_pods_reach_the_database(self) -> None:
        name, database = f"{self._name}-database-access", self._args.database
        aws.vpc.SecurityGroupIngressRule(
            name,
            security_group_id=database.security_group_id,
            # Pods have the security group of their node, and nodes the cluster's: network policies tell pods apart.
            referenced_security_group_id=self._args.cluster.security_group_id,
            ip_protocol="tcp",
            from_port=database.port,
            to_port=database.port,
            description="PostgreSQL from pods of the cluster",
            tags=child_tags(self._name, name),
            opts=self._child,
        )


def statements_of(args: ModelRegistryArgs) -> list[Statement]:
    """What the server may do. It cannot delete: artifacts of deleted runs are removed by a person."""
    prefix, artifacts = args.artifacts_prefix, args.artifacts
    return [
        connecting_as(args.location, args.database.resource_id, args.database_user),
        *artifacts.read(prefix),
        *artifacts.write(prefix),
    ]
