"""What exists in an emulator, service by service, apart from what every new account has.

Default resources are told by their own attributes (IsDefault, a reserved name, AWS as the owner), not by recorded ids.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stackyard.local import emulator, safety

Item = Any
"""One entry of a list answer: a structure, or a name."""
Answers = Mapping[str, list[Item]]
"""The entries per label that were listed before: which VPC is the default one, for instance."""


@dataclass(frozen=True)
class Listing:
    """One list operation and how its answer reads."""

    service: str
    label: str
    """What is listed, in the words of AWS: `vpc`."""
    operation: str
    entries: str
    """JMESPath of the entries in the answer."""
    name: str
    """Member of an entry that names it in the inventory; empty where the entry is a name itself."""
    keep: Callable[[Item, Answers], bool] = lambda item, answers: True
    """False for what a new account has, and for what is gone but still listed."""
    parameters: Mapping[str, Any] = field(default_factory=dict[str, Any])


def _not(name: str, *values: Any) -> Callable[[Item, Answers], bool]:
    return lambda item, answers: item.get(name) not in values


def _not_below(name: str, *prefixes: str) -> Callable[[Item, Answers], bool]:
    return lambda item, answers: not item[name].startswith(prefixes)


def _not_terminated(item: Item, _: Answers) -> bool:
    return item["State"]["Name"] != "terminated"


def _outside_default_vpc(item: Item, answers: Answers) -> bool:
    return item["VpcId"] not in {vpc["VpcId"] for vpc in answers["vpc"] if vpc["IsDefault"]}


def _in_living_vpc(item: Item, answers: Answers) -> bool:
    # moto forgets a NAT gateway's interface and a VPC's default ACL when those go; on AWS neither can outlive the VPC.
    return item["VpcId"] in {vpc["VpcId"] for vpc in answers["vpc"] if not vpc["IsDefault"]}


def _not_attached_to_default_vpc(item: Item, answers: Answers) -> bool:
    default = {vpc["VpcId"] for vpc in answers["vpc"] if vpc["IsDefault"]}
    attached = {attachment["VpcId"] for attachment in item["Attachments"]}
    return not attached or bool(attached - default)


LISTINGS = (
    # The VPCs first: the entries below ask which is the default one.
    Listing("ec2", "vpc", "describe_vpcs", "Vpcs", "VpcId", _not("IsDefault", True)),
    Listing("ec2", "subnet", "describe_subnets", "Subnets", "SubnetId", _outside_default_vpc),
    Listing(
        "ec2",
        "internet gateway",
        "describe_internet_gateways",
        "InternetGateways",
        "InternetGatewayId",
        _not_attached_to_default_vpc,
    ),
    Listing("ec2", "NAT gateway", "describe_nat_gateways", "NatGateways", "NatGatewayId", _not("State", "deleted")),
    Listing("ec2", "elastic IP", "describe_addresses", "Addresses", "AllocationId"),
    Listing("ec2", "route table", "describe_route_tables", "RouteTables", "RouteTableId", _outside_default_vpc),
    Listing("ec2", "network ACL", "describe_network_acls", "NetworkAcls", "NetworkAclId", _in_living_vpc),
    Listing("ec2", "security group", "describe_security_groups", "SecurityGroups", "GroupId", _outside_default_vpc),
    Listing("ec2", "VPC endpoint", "describe_vpc_endpoints", "VpcEndpoints", "VpcEndpointId", _not("State", "deleted")),
    Listing("ec2", "flow log", "describe_flow_logs", "FlowLogs", "FlowLogId"),
    Listing(
        "ec2",
        "network interface",
        "describe_network_interfaces",
        "NetworkInterfaces",
        "NetworkInterfaceId",
        _in_living_vpc,
    ),
    Listing("ec2", "launch template", "describe_launch_templates", "LaunchTemplates", "LaunchTemplateName"),
    Listing("ec2", "instance", "describe_instances", "Reservations[].Instances[]", "InstanceId", _not_terminated),
    Listing("ec2", "volume", "describe_volumes", "Volumes", "VolumeId"),
    Listing("s3", "bucket", "list_buckets", "Buckets", "Name"),
    Listing("kms", "key", "list_keys", "Keys", "KeyId"),
    Listing("kms", "alias", "list_aliases", "Aliases", "AliasName", _not_below("AliasName", "alias/aws/")),
    Listing("iam", "role", "list_roles", "Roles", "RoleName", _not_below("Path", "/aws-service-role/")),
    Listing("iam", "policy", "list_policies", "Policies", "PolicyName", parameters={"Scope": "Local"}),
    Listing("iam", "instance profile", "list_instance_profiles", "InstanceProfiles", "InstanceProfileName"),
    Listing("iam", "user", "list_users", "Users", "UserName"),
    Listing("iam", "group", "list_groups", "Groups", "GroupName"),
    Listing("iam", "OIDC provider", "list_open_id_connect_providers", "OpenIDConnectProviderList", "Arn"),
    Listing("logs", "log group", "describe_log_groups", "logGroups", "logGroupName"),
    Listing("logs", "metric filter", "describe_metric_filters", "metricFilters", "filterName"),
    Listing("ecr", "repository", "describe_repositories", "repositories", "repositoryName"),
    Listing("eks", "cluster", "list_clusters", "clusters", ""),
    Listing("rds", "database", "describe_db_instances", "DBInstances", "DBInstanceIdentifier"),
    Listing("rds", "database snapshot", "describe_db_snapshots", "DBSnapshots", "DBSnapshotIdentifier"),
    Listing("rds", "database cluster", "describe_db_clusters", "DBClusters", "DBClusterIdentifier"),
    Listing("rds", "subnet group", "describe_db_subnet_groups", "DBSubnetGroups", "DBSubnetGroupName"),
    Listing(
        "rds",
        "parameter group",
        "describe_db_parameter_groups",
        "DBParameterGroups",
        "DBParameterGroupName",
        _not_below("DBParameterGroupName", "default."),
    ),
    Listing(
        "rds", "event subscription", "describe_event_subscriptions", "EventSubscriptionsList", "CustSubscriptionId"
    ),
    Listing("sns", "topic", "list_topics", "Topics", "TopicArn"),
    Listing("sns", "subscription", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
    Listing("sqs", "queue", "list_queues", "QueueUrls", ""),
    Listing("secretsmanager", "secret", "list_secrets", "SecretList", "Name"),
    Listing(
        "ssm",
        "parameter",
        "describe_parameters",
        "Parameters",
        "Name",
        _not_below("Name", emulator.MARKER_PREFIX, "/aws/"),
    ),
    Listing("events", "rule", "list_rules", "Rules", "Name"),
    Listing("events", "event bus", "list_event_buses", "EventBuses", "Name", _not("Name", "default")),
    Listing("cloudwatch", "alarm", "describe_alarms", "MetricAlarms", "AlarmName"),
    Listing("cloudwatch", "dashboard", "list_dashboards", "DashboardEntries", "DashboardName"),
    Listing(
        "budgets",
        "budget",
        "describe_budgets",
        "Budgets",
        "BudgetName",
        parameters={"AccountId": safety.EMULATED_ACCOUNT_ID},
    ),
    Listing("cloudtrail", "trail", "list_trails", "Trails", "Name"),
    Listing("guardduty", "detector", "list_detectors", "DetectorIds", ""),
    Listing("config", "configuration recorder", "describe_configuration_recorders", "ConfigurationRecorders", "name"),
    Listing("config", "delivery channel", "describe_delivery_channels", "DeliveryChannels", "name"),
    Listing("codebuild", "project", "list_projects", "projects", ""),
    Listing("lambda", "function", "list_functions", "Functions", "FunctionName"),
    Listing("dynamodb", "table", "list_tables", "TableNames", ""),
    Listing("efs", "file system", "describe_file_systems", "FileSystems", "FileSystemId"),
    Listing("fsx", "file system", "describe_file_systems", "FileSystems", "FileSystemId"),
    Listing("elbv2", "load balancer", "describe_load_balancers", "LoadBalancers", "LoadBalancerName"),
    Listing("autoscaling", "group", "describe_auto_scaling_groups", "AutoScalingGroups", "AutoScalingGroupName"),
    Listing("amp", "workspace", "list_workspaces", "workspaces", "workspaceId"),
)


_OF_REPLICAS = frozenset({"kms", "logs", "sns", "sqs"})
"""Services of what a bucket's copy in another region has beside it; moto lacks others in some regions."""


def inventory(endpoint: str, *, region: str = "us-east-1", others: Iterable[str] = ()) -> dict[str, list[str]]:
    """What exists in `region` (and in the global services): sorted names per `service label`; empty if all is gone.

    What replicas have in `others`, further regions, stands under `service label in REGION`. Leaves out what a new
    account has, our own notes, and what `pending_deletion` lists. Reads only.
    """
    found = _listed(LISTINGS, endpoint, region)
    regional = [listing for listing in LISTINGS if listing.service in _OF_REPLICAS]
    for other in sorted(set(others) - {region}):
        found |= {f"{label} in {other}": names for label, names in _listed(regional, endpoint, other).items()}
    return found


def _listed(listings: Iterable[Listing], endpoint: str, region: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    answers: dict[str, list[Item]] = {}
    for listing in listings:
        entries = answers[listing.label] = _entries(listing, endpoint, region)
        kept = [entry for entry in entries if listing.keep(entry, answers)]
        names = [str(entry[listing.name] if listing.name else entry) for entry in kept]
        if listing.service == "kms" and listing.label == "key":
            names = _keys(endpoint, region, names, pending=False)
        if names:
            found[f"{listing.service} {listing.label}"] = sorted(names)
    return found


def pending_deletion(endpoint: str, *, region: str = "us-east-1") -> dict[str, list[str]]:
    """What is deleted but waits out its period, as on AWS: KMS keys, and secrets, whose names stay taken."""
    keys = [key["KeyId"] for key in _pages("kms", "list_keys", "Keys", endpoint, region)]
    secrets = _pages("secretsmanager", "list_secrets", "SecretList", endpoint, region, IncludePlannedDeletion=True)
    waiting = {
        "kms key": _keys(endpoint, region, keys, pending=True),
        "secretsmanager secret": [secret["Name"] for secret in secrets if "DeletedDate" in secret],
    }
    return {label: sorted(names) for label, names in waiting.items() if names}


def _entries(listing: Listing, endpoint: str, region: str) -> list[Item]:
    return _pages(listing.service, listing.operation, listing.entries, endpoint, region, **listing.parameters)


def _pages(service: str, operation: str, entries: str, endpoint: str, region: str, **parameters: Any) -> list[Item]:
    client = safety.client(service, endpoint=endpoint, region=region)
    if client.can_paginate(operation):
        return list(client.get_paginator(operation).paginate(**parameters).search(f"{entries} || `[]`"))
    import jmespath

    return jmespath.search(entries, getattr(client, operation)(**parameters)) or []


def _keys(endpoint: str, region: str, key_ids: list[str], *, pending: bool) -> list[str]:
    kms = safety.client("kms", endpoint=endpoint, region=region)
    described = [kms.describe_key(KeyId=key_id)["KeyMetadata"] for key_id in key_ids]
    # Keys that AWS made for a service (aws/s3, aws/ebs) belong to the account.
    return [
        key["KeyId"]
        for key in described
        if key["KeyManager"] == "CUSTOMER" and (key["KeyState"] == "PendingDeletion") is pending
    ]
