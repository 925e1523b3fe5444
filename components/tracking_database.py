"""The model registry's database: PostgreSQL on RDS."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components import database_parts as parts
from components.aws_location import AwsLocation
from components.encryption_keys import encryption_key, key_policy, used_by_log_group
from components.iam_policies import Statement, service_trust_policy
from components.log_groups import check_retention_days
from components.retention import PROTECTED, Retention, RetentionMode
from components.role_names import KEEPS_ITS_NAME, role_name
from components.tagging import child_tags

MONITORING_SERVICE = "monitoring.rds.amazonaws.com"
# Expires in 2061: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.SSL.html
CERTIFICATE_AUTHORITY = "rds-ca-rsa2048-g1"
MONITORING_POLICY = "service-role/AmazonRDSEnhancedMonitoringRole"
ROLE_SESSION_SECONDS = 3600
GROUP_ID_PREFIX = 8


@dataclass(frozen=True, kw_only=True)
class TrackingDatabaseArgs:
    location: AwsLocation
    """Account and region of the database."""

    identifier: str
    """Physical name, at most 63 characters, unique in account and region:
    `<prefix>-<environment>-tracking-<account>-<region>`.
    """

    vpc_id: Input[str]
    """Network of the database and its clients."""

    subnet_ids: Input[Sequence[str]]
    """Private subnets in at least two zones."""

    topic_arn: Input[str]
    """ARN of the topic that is told about failures, maintenance and changes. RDS must be allowed to publish there."""

    engine_version: str
    """Major version of PostgreSQL, `17`: RDS keeps its newest minor version."""

    instance_class: str
    """RDS instance class, for example `db.t4g.micro` (**about 12 $ a month**, twice that with `multi_az`)."""

    storage_gb: int
    """gp3 storage in GB, 20 to 65536; RDS lets it grow to twice as much and never shrinks it."""

    multi_az: bool = True
    """A standby in a second zone takes over within about a minute; doubles the price. Default: yes."""

    backup_retention_days: int = 30
    """Days that every moment can be restored, 7 to 35. Default: 30."""

    deletion_protection: bool = True
    """AWS itself refuses to delete the database. Default: yes."""

    log_retention_days: int = 365
    """Days that logs are kept; one of those that CloudWatch Logs knows. Default: a year."""

    clients: Mapping[str, Input[str]] = field(default_factory=dict[str, Input[str]])
    """Security groups whose members may connect, by a name for each. Default: nobody."""

    port: int = 5433
    """TCP port, 1150 to 65535, not PostgreSQL's own. Default: 5433."""

    admin_name: str = "tracking_owner"
    """Database user that owns everything; not one that everybody guesses. Default: `tracking_owner`."""

    database_name: str = "tracking"
    """Database inside the instance. Default: `tracking`."""

    permissions_boundary: Input[str] | None = None
    """ARN of the policy that bounds the monitoring role. Default: unbounded."""

    retention: Retention = PROTECTED
    """What a destroy does to the data. Default: protected.

    An instance cannot stay without its network: loosened, it goes and leaves its final snapshot, which the key reads;
    the key stays when `retained` and goes when `disposable`.
    """


class TrackingDatabase(pulumi.ComponentResource):
    """Creates, always:

    - a PostgreSQL instance in private subnets, encrypted, with IAM authentication (**its class costs by the hour**);
    - a rotating KMS key for storage, snapshots, logs and the administrator's password (**1 $ a month**);
    - the password in Secrets Manager, made and rotated by RDS (**0.40 $ a month**): none is in the state;
    - a subnet group; a security group that is open to `clients` alone; a parameter group that refuses plain text;
    - log groups for the PostgreSQL and the upgrade log, with a retention and that key;
    - the role of the enhanced monitoring, every 60 s;
    - subscriptions to the events of instance, parameter groups and security groups.

    A deleted instance leaves a final snapshot. Its name ends with the start of the security group's id: rebuilt, the
    database has another group, and its own final snapshot another name.
    """

    address: Output[str]
    """Host name, resolved inside the VPC."""
    port: Output[int]
    resource_id: Output[str]
    """AWS's id of the instance, `db-…`: what `rds-db:connect` is granted on, see `connecting_as`."""
    security_group_id: Output[str]
    secret_arn: Output[str]
    """ARN of the secret with the administrator's password."""
    key_arn: Output[str]

    def __init__(self, name: str, args: TrackingDatabaseArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:TrackingDatabase", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        # What stands in the network, and what has a name that the next deployment needs, cannot just be left behind.
        self._goes = _protected_or_disposable(args.retention)
        _check(args)

        key = self._create_key()
        group = self._create_security_group()
        for client, group_id in args.clients.items():
            self._admit(client, group_id, group)
        logs = [self._create_log_group(log, key) for log in parts.LOGS]
        parameters = self._create_parameter_group()
        instance = self._create_instance(key, group, parameters, logs)
        self._subscribe_to_events(instance, parameters)

        self.address = instance.address
        self.port = instance.port
        self.resource_id = instance.resource_id
        self.security_group_id = group.id
        self.secret_arn = instance.master_user_secrets.apply(lambda secrets: str(secrets[0].secret_arn))
        self.key_arn = key.arn
        self.register_outputs(
            {
                "address": self.address,
                "port": self.port,
                "resourceId": self.resource_id,
                "securityGroupId": self.security_group_id,
                "secretArn": self.secret_arn,
                "keyArn": self.key_arn,
            }
        )

    def _tags(self, child: str) -> dict[str, str]:
        return child_tags(self._name, child)

    def _create_key(self) -> aws.kms.Key:
        name, args = f"{self._name}-key", self._args
        logs = used_by_log_group(args.location, parts.log_group_name(args.identifier, "*"))
        key = encryption_key(
            name,
            description=f"Database {args.identifier}",
            # RDS and Secrets Manager work with grants of those who create: the account's statement is all they need.
            policy=key_policy(args.location, [logs]),
            tags=self._tags(name) | args.retention.tags(),
            opts=args.retention.options(self),
        )
        aws.kms.Alias(f"{name}-alias", name=f"alias/{args.identifier}-key", target_key_id=key.key_id, opts=self._child)
        return key

    def _create_security_group(self) -> aws.ec2.SecurityGroup:
        name = f"{self._name}-security-group"
        # Without rules of its own: a database opens no connections.
        return aws.ec2.SecurityGroup(
            name,
            description=f"Clients of {self._args.identifier}",
            vpc_id=self._args.vpc_id,
            tags=self._tags(name),
            opts=self._child,
        )

    def _admit(self, client: str, group_id: Input[str], group: aws.ec2.SecurityGroup) -> None:
        name = f"{self._name}-from-{client}"
        aws.vpc.SecurityGroupIngressRule(
            name,
            security_group_id=group.id,
            referenced_security_group_id=group_id,
            ip_protocol="tcp",
            from_port=self._args.port,
            to_port=self._args.port,
            description=f"PostgreSQL from {client}",
            tags=self._tags(name),
            opts=self._child,
        )

    def _create_log_group(self, log: str, key: aws.kms.Key) -> aws.cloudwatch.LogGroup:
        name = f"{self._name}-{log}-log"
        return aws.cloudwatch.LogGroup(
            name,
            name=parts.log_group_name(self._args.identifier, log),
            kms_key_id=key.arn,
            retention_in_days=self._args.log_retention_days,
            tags=self._tags(name) | self._goes.tags(),
            opts=self._goes.options(self),
        )

    def _create_parameter_group(self) -> aws.rds.ParameterGroup:
        name = f"{self._name}-parameters"
        return aws.rds.ParameterGroup(
            name,
            family=parts.parameter_family(self._args.engine_version),
            description=f"TLS only, for {self._args.identifier}",
            parameters=[
                aws.rds.ParameterGroupParameterArgs(name=parameter, value=value)
                for parameter, value in parts.PARAMETERS.items()
            ],
            tags=self._tags(name),
            opts=self._child,
        )

    def _create_subnet_group(self) -> aws.rds.SubnetGroup:
        name = f"{self._name}-subnets"
        return aws.rds.SubnetGroup(
            name,
            description=f"Private subnets of {self._args.identifier}",
            subnet_ids=self._args.subnet_ids,
            tags=self._tags(name),
            opts=self._child,
        )

    def _create_instance(
        self,
        key: aws.kms.Key,
        group: aws.ec2.SecurityGroup,
        parameters: aws.rds.ParameterGroup,
        logs: Sequence[aws.cloudwatch.LogGroup],
    ) -> aws.rds.Instance:
        name, args = f"{self._name}-instance", self._args
        return aws.rds.Instance(
            name,
            identifier=args.identifier,
            engine="postgres",
            engine_version=args.engine_version,
            auto_minor_version_upgrade=True,
            instance_class=args.instance_class,
            storage_type="gp3",
            allocated_storage=args.storage_gb,
            max_allocated_storage=parts.largest_storage_gb(args.storage_gb),
            # AWS's default for years to come; stated, since the ones before it have expired.
            ca_cert_identifier=CERTIFICATE_AUTHORITY,
            storage_encrypted=True,
            kms_key_id=key.arn,
            db_name=args.database_name,
            port=args.port,
            username=args.admin_name,
            manage_master_user_password=True,
            master_user_secret_kms_key_id=key.arn,
            iam_database_authentication_enabled=True,
            parameter_group_name=parameters.name,
            db_subnet_group_name=self._create_subnet_group().name,
            vpc_security_group_ids=[group.id],
            publicly_accessible=False,
            multi_az=args.multi_az,
            backup_retention_period=args.backup_retention_days,
            backup_window=parts.BACKUP_WINDOW,
            maintenance_window=parts.MAINTENANCE_WINDOW,
            copy_tags_to_snapshot=True,
            skip_final_snapshot=False,
            final_snapshot_identifier=final_snapshot_identifier(args.identifier, group.id),
            deletion_protection=args.deletion_protection,
            enabled_cloudwatch_logs_exports=list(parts.LOGS),
            monitoring_interval=parts.MONITORING_SECONDS,
            monitoring_role_arn=self._create_monitoring_role().arn,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=key.arn,
            performance_insights_retention_period=parts.INSIGHTS_DAYS,
            tags=self._tags(name) | self._goes.tags(),
            # After the log groups: RDS would make its own, without a key and kept for ever.
            opts=ResourceOptions.merge(self._goes.options(self), ResourceOptions(depends_on=list(logs))),
        )

    def _create_monitoring_role(self) -> aws.iam.Role:
        name, location = f"{self._name}-monitoring-role", self._args.location
        role = aws.iam.Role(
            name,
            name=role_name(self._args.identifier, "monitoring"),
            description=f"Writes the enhanced monitoring of {self._args.identifier}",
            assume_role_policy=service_trust_policy(
                MONITORING_SERVICE, location, location.arn("rds", f"db:{self._args.identifier}")
            ),
            max_session_duration=ROLE_SESSION_SECONDS,
            permissions_boundary=self._args.permissions_boundary,
            tags=self._tags(name),
            opts=ResourceOptions.merge(self._child, KEEPS_ITS_NAME),
        )
        aws.iam.RolePolicyAttachment(
            f"{name}-policy",
            role=role.name,
            policy_arn=location.managed_policy_arn(MONITORING_POLICY),
            opts=self._child,
        )
        return role

    def _subscribe_to_events(self, instance: aws.rds.Instance, parameters: aws.rds.ParameterGroup) -> None:
        # RDS knows no events of a single security group: there it is all of the account.
        sources: Mapping[str, Input[str]] = {"instance": instance.identifier, "parameter-group": parameters.name}
        for noun, events in parts.EVENTS.items():
            name = f"{self._name}-{noun}-events"
            aws.rds.EventSubscription(
                name,
                sns_topic=self._args.topic_arn,
                source_type=events.source_type,
                source_ids=[sources[noun]] if noun in sources else None,
                event_categories=list(events.categories),
                tags=self._tags(name),
                opts=self._child,
            )


def final_snapshot_identifier(identifier: str, group_id: Input[str]) -> Output[str]:
    """Name of the snapshot that a deleted instance leaves: the same for a security group, another after a rebuild.

    A name that stayed would stop the second destroy; the key may outlive both, so it tells nothing apart.
    """
    suffix = Output.from_input(group_id).apply(lambda id_: id_.removeprefix("sg-")[:GROUP_ID_PREFIX])
    return Output.format("{0}-final-{1}", identifier, suffix)


def connecting_as(location: AwsLocation, resource_id: Input[str], user: str) -> Statement:
    """Lets a role connect as one database user, with a token instead of a password.

    Source: https://docs.aws.amazon.com/AmazonRDS/latest/UserGuide/UsingWithRDS.IAMDBAuth.IAMPolicy.html
    """
    parts.check_name("database user", user, "mlflow")
    arn = Output.from_input(resource_id).apply(lambda id_: location.arn("rds-db", f"dbuser:{id_}/{user}"))
    return Statement(sid="Connect", actions=["rds-db:connect"], resources=[arn])


def _protected_or_disposable(retention: Retention) -> Retention:
    if retention.mode is RetentionMode.PROTECTED:
        return retention
    return Retention(mode=RetentionMode.DISPOSABLE, reason=retention.reason)


def _check(args: TrackingDatabaseArgs) -> None:
    parts.check_identifier(args.identifier)
    parts.check_port(args.port)
    parts.check_name("administrator's name", args.admin_name, "tracking_owner")
    parts.check_name("database name", args.database_name, "tracking")
    parts.check_backups(args.backup_retention_days)
    check_retention_days(args.log_retention_days)
