"""What watches an AWS account and what everything in it inherits: once per account, applied by an administrator."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
from pulumi import Input, Output, ResourceOptions

from components.account_alarms import create_alarms
from components.audit_bucket import AuditBucket, AuditBucketArgs
from components.aws_location import AwsLocation
from components.encryption_keys import encryption_key, key_policy, used_by_log_group
from components.iam_policies import Statement, identity_policy, service_trust_policy
from components.log_bucket import LogBucket
from components.log_groups import check_retention_days
from components.notifications import Severity
from components.retention import PROTECTED, Retention
from components.tagging import child_tags

CLOUDTRAIL, CONFIG = "cloudtrail.amazonaws.com", "config.amazonaws.com"
# Roles of AWS's services that start nodes, and so must use the key of their disks:
# https://docs.aws.amazon.com/autoscaling/ec2/userguide/key-policy-requirements-EBS-encryption.html
DISK_SERVICES = {"autoscaling": "autoscaling.amazonaws.com", "spot": "spot.amazonaws.com"}
DISK_KEY_ACTIONS = ("kms:Decrypt", "kms:DescribeKey", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*")

# AWS has one recorder a region and calls it so.
RECORDER_NAME = "default"
GUARDDUTY_FEATURES = ("EKS_AUDIT_LOGS", "S3_DATA_EVENTS")
ROLE_SESSION_SECONDS = 3600


@dataclass(frozen=True, kw_only=True)
class AccountGuardArgs:
    location: AwsLocation
    """The account, and the region whose defaults are set."""

    stem: str
    """Stem of fixed names, `<prefix>-<environment>`: the trail is `<stem>-trail`."""

    disk_key_alias: str
    """Alias of the key of disks, `alias/…`: by it Karpenter's role (`using_disk_key`) finds the key."""

    trail_bucket: str
    """Physical name of the bucket that CloudTrail writes into."""

    config_bucket: str
    """Physical name of the bucket that Config writes into."""

    access_logs: LogBucket
    """Receives the accesses to both; must accept their names."""

    data_buckets: Sequence[str] = ()
    """Full names of the buckets whose object accesses CloudTrail records (**0.10 $ per 100,000**). Default: none."""

    topic_arns: Mapping[Severity, Input[str]]
    """Topics of `Notifications`, by severity: where the alarms go."""

    lock_days: int = 365
    """Days in which nobody can delete CloudTrail's files. Default: a year."""

    log_retention_days: int = 365
    """Days that CloudTrail's events stay in CloudWatch Logs; one of those that it knows. Default: a year."""

    retention: Retention = PROTECTED
    """What a destroy does to the records and their keys. Default: protected."""


class AccountGuard(pulumi.ComponentResource):
    """Creates, always:

    - a trail over all regions with validated files, encrypted, into a locked bucket and a log group; it records every
      call, and every access to an object in `data_buckets`;
    - GuardDuty with its features for S3 and for EKS audit logs (**priced by events, 30 days free**);
    - Access Analyzer for this account (free);
    - Config: a recorder of all resources with AWS's own role, into a bucket (**0.003 $ a recorded change**);
    - encryption of new disks by default, with a key of its own; the account's public access block;
    - 15 metric filters and alarms of the CIS benchmark (**about 1.50 $ a month**).

    Three keys cost 3 $ a month. Roles that AWS's services bring (Auto Scaling, Spot, Config) are created too: where an
    account has one already, it is imported first (docs/components/account_guard.md).
    """

    trail_arn: Output[str]
    disk_key_arn: Output[str]
    """Key of disks."""
    detector_id: Output[str]

    def __init__(self, name: str, args: AccountGuardArgs, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:AccountGuard", name, None, opts)
        self._name, self._args = name, args
        self._child = ResourceOptions(parent=self)
        self._kept = args.retention.options(self)
        check_retention_days(args.log_retention_days)

        events = self._create_log_group()
        trail = self._create_trail(events)
        create_alarms(name, events.name, args.topic_arns, self._child)
        detector = self._create_detector()
        self._create_analyzer()
        self._create_recorder()
        disk_key = self._encrypt_disks()
        self._block_public_access()

        self.trail_arn, self.disk_key_arn, self.detector_id = trail.arn, disk_key.arn, detector.id
        self.register_outputs(
            {"trailArn": self.trail_arn, "diskKeyArn": self.disk_key_arn, "detectorId": self.detector_id}
        )

    @property
    def _trail_name(self) -> str:
        return f"{self._args.stem}-trail"

    @property
    def _trail_arn(self) -> str:
        return self._args.location.arn("cloudtrail", f"trail/{self._trail_name}")

    @property
    def _group_name(self) -> str:
        return f"/stackyard/{self._args.stem}/trail"

    def _tags(self, child: str, *, kept: bool = False) -> dict[str, str]:
        return child_tags(self._name, child) | (self._args.retention.tags() if kept else {})

    def _key(self, noun: str, description: str, statements: Sequence[Statement]) -> aws.kms.Key:
        name = f"{self._name}-{noun}-key"
        return encryption_key(
            name,
            description=description,
            policy=key_policy(self._args.location, statements),
            tags=self._tags(name, kept=True),
            opts=self._kept,
        )

    def _create_log_group(self) -> aws.cloudwatch.LogGroup:
        name, location = f"{self._name}-trail-log-group", self._args.location
        self._trail_key = self._key(
            "trail",
            "CloudTrail",
            [used_by_log_group(location, self._group_name), used_by_trail(self._trail_arn)],
        )
        return aws.cloudwatch.LogGroup(
            name,
            name=self._group_name,
            retention_in_days=self._args.log_retention_days,
            kms_key_id=self._trail_key.arn,
            tags=self._tags(name, kept=True),
            opts=self._kept,
        )

    def _create_trail(self, events: aws.cloudwatch.LogGroup) -> aws.cloudtrail.Trail:
        name = f"{self._name}-trail"
        bucket = self._bucket("trail-files", self._args.trail_bucket, self._trail_key, CLOUDTRAIL, self._trail_arn)
        return aws.cloudtrail.Trail(
            name,
            name=self._trail_name,
            s3_bucket_name=bucket.bucket_name,
            kms_key_id=self._trail_key.arn,
            is_multi_region_trail=True,
            include_global_service_events=True,
            enable_log_file_validation=True,
            enable_logging=True,
            cloud_watch_logs_group_arn=Output.concat(events.arn, ":*"),
            cloud_watch_logs_role_arn=self._create_trail_role(events),
            event_selectors=[event_selector(self._args.location, self._args.data_buckets)],
            tags=self._tags(name),
            opts=self._child,
        )

    def _create_trail_role(self, events: aws.cloudwatch.LogGroup) -> Output[str]:
        """ARN of the role, known once it may write."""
        name = f"{self._name}-trail-role"
        role = aws.iam.Role(
            name,
            assume_role_policy=service_trust_policy(CLOUDTRAIL, self._args.location, self._trail_arn),
            max_session_duration=ROLE_SESSION_SECONDS,
            tags=self._tags(name),
            opts=self._child,
        )
        policy = aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.name,
            policy=identity_policy(
                [
                    Statement(
                        actions=["logs:CreateLogStream", "logs:PutLogEvents"],
                        resources=[Output.concat(events.arn, ":log-stream:*")],
                    )
                ]
            ),
            opts=self._child,
        )
        return Output.all(role.arn, policy.id).apply(lambda known: known[0])

    def _bucket(self, noun: str, bucket_name: str, key: aws.kms.Key, service: str, source_arn: str = "") -> AuditBucket:
        return AuditBucket(
            f"{self._name}-{noun}",
            AuditBucketArgs(
                location=self._args.location,
                bucket_name=bucket_name,
                key_arn=key.arn,
                access_logs=self._args.access_logs,
                service=service,
                source_arn=source_arn,
                # Config refuses buckets that lock by default.
                lock_days=self._args.lock_days if service == CLOUDTRAIL else 0,
                retention=self._args.retention,
            ),
            self._child,
        )

    def _create_detector(self) -> aws.guardduty.Detector:
        name = f"{self._name}-detector"
        detector = aws.guardduty.Detector(
            name,
            enable=True,
            finding_publishing_frequency="FIFTEEN_MINUTES",
            tags=self._tags(name),
            opts=self._child,
        )
        for feature in GUARDDUTY_FEATURES:
            aws.guardduty.DetectorFeature(
                f"{name}-{feature.lower().replace('_', '-')}",
                detector_id=detector.id,
                name=feature,
                status="ENABLED",
                opts=self._child,
            )
        return detector

    def _create_analyzer(self) -> None:
        name = f"{self._name}-analyzer"
        aws.accessanalyzer.Analyzer(
            name, analyzer_name=self._args.stem, type="ACCOUNT", tags=self._tags(name), opts=self._child
        )

    def _create_recorder(self) -> None:
        name, location = f"{self._name}-recorder", self._args.location
        key = self._key("config", "AWS Config", [used_by_config(location)])
        # Config names no resource of its own when it writes, but always the account.
        bucket = self._bucket("config-history", self._args.config_bucket, key, CONFIG)
        recorder = aws.cfg.Recorder(
            name,
            name=RECORDER_NAME,
            role_arn=self._linked_role("config", CONFIG).arn,
            recording_group=aws.cfg.RecorderRecordingGroupArgs(all_supported=True, include_global_resource_types=True),
            opts=self._child,
        )
        channel = aws.cfg.DeliveryChannel(
            f"{self._name}-delivery-channel",
            name=recorder.name,
            s3_bucket_name=bucket.bucket_name,
            s3_kms_key_arn=key.arn,
            snapshot_delivery_properties=aws.cfg.DeliveryChannelSnapshotDeliveryPropertiesArgs(
                delivery_frequency="TwentyFour_Hours"
            ),
            opts=self._child,
        )
        # By way of the channel: AWS starts no recorder that has nowhere to write.
        aws.cfg.RecorderStatus(f"{name}-status", name=channel.name, is_enabled=True, opts=self._child)

    def _linked_role(self, noun: str, service: str) -> aws.iam.ServiceLinkedRole:
        name = f"{self._name}-{noun}-linked-role"
        # AWS deletes such a role only once nothing uses it, and other stacks may.
        kept = ResourceOptions.merge(self._child, ResourceOptions(retain_on_delete=True))
        return aws.iam.ServiceLinkedRole(name, aws_service_name=service, tags=self._tags(name), opts=kept)

    def _encrypt_disks(self) -> aws.kms.Key:
        roles = [self._linked_role(noun, service).arn for noun, service in DISK_SERVICES.items()]
        key = self._key("disk", "Disks of instances", used_by_disk_services(roles))
        # Who starts nodes knows no key of another stack's: it finds this one by name.
        aws.kms.Alias(
            f"{self._name}-disk-key-alias", name=self._args.disk_key_alias, target_key_id=key.key_id, opts=self._child
        )
        default = aws.ebs.DefaultKmsKey(f"{self._name}-disk-default-key", key_arn=key.arn, opts=self._child)
        after = ResourceOptions.merge(self._child, ResourceOptions(depends_on=[default]))
        aws.ebs.EncryptionByDefault(f"{self._name}-disk-encryption", enabled=True, opts=after)
        return key

    def _block_public_access(self) -> None:
        aws.s3.AccountPublicAccessBlock(
            f"{self._name}-public-access-block",
            account_id=self._args.location.account_id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=self._child,
        )


def event_selector(location: AwsLocation, data_buckets: Sequence[str]) -> aws.cloudtrail.TrailEventSelectorArgs:
    """Every call, and every access to an object of `data_buckets` (control 14)."""
    objects = aws.cloudtrail.TrailEventSelectorDataResourceArgs(
        type="AWS::S3::Object", values=[f"{location.bucket_arn(bucket)}/" for bucket in sorted(data_buckets)]
    )
    return aws.cloudtrail.TrailEventSelectorArgs(
        read_write_type="All", include_management_events=True, data_resources=[objects] if data_buckets else None
    )


def used_by_trail(trail_arn: str) -> Statement:
    """CloudTrail encrypts the files of this one trail.

    Source: https://docs.aws.amazon.com/awscloudtrail/latest/userguide/create-kms-key-policy-for-cloudtrail.html
    """
    return Statement(
        sid="EncryptTrail",
        actions=["kms:DescribeKey", "kms:GenerateDataKey*"],
        resources=["*"],
        principals={"Service": [CLOUDTRAIL]},
        # The ARN holds the account.
        conditions={"StringEquals": {"aws:SourceArn": trail_arn}},
    )


def used_by_config(location: AwsLocation) -> Statement:
    """Config encrypts what it delivers, for this account alone.

    Source: https://docs.aws.amazon.com/config/latest/developerguide/s3-kms-key-policy.html
    """
    return Statement(
        sid="EncryptHistory",
        actions=["kms:Decrypt", "kms:GenerateDataKey*"],
        resources=["*"],
        principals={"Service": [CONFIG]},
        conditions={"StringEquals": {"aws:SourceAccount": location.account_id}},
    )


def used_by_disk_services(role_arns: Sequence[Input[str]]) -> list[Statement]:
    """The services that start nodes encrypt their disks, and hand the key to EC2 by grants for its own use alone."""
    principals = {"AWS": role_arns}
    return [
        Statement(sid="EncryptDisks", actions=DISK_KEY_ACTIONS, resources=["*"], principals=principals),
        Statement(
            sid="GrantToEc2",
            actions=["kms:CreateGrant"],
            resources=["*"],
            principals=principals,
            conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}},
        ),
    ]


def using_disk_key(alias: str, location: AwsLocation) -> list[Statement]:
    """What a role needs that starts instances itself: the key of disks, found by its alias, through EC2 alone.

    Grants nothing in an account without such a key. Source:
    https://docs.aws.amazon.com/kms/latest/developerguide/alias-authorization.html
    """
    keys = [location.arn("kms", "key/*")]
    through = {"kms:ViaService": f"ec2.{location.region}.{location.dns_suffix}"}
    named = {"kms:ResourceAliases": alias}
    return [
        Statement(
            sid="EncryptDisks",
            actions=DISK_KEY_ACTIONS,
            resources=keys,
            conditions={"StringEquals": through, "ForAnyValue:StringEquals": named},
        ),
        Statement(
            sid="GrantDisks",
            actions=["kms:CreateGrant"],
            resources=keys,
            conditions={
                "StringEquals": through,
                "ForAnyValue:StringEquals": named,
                "Bool": {"kms:GrantIsForAWSResource": "true"},
            },
        ),
    ]
