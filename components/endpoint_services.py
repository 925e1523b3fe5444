"""Which AWS services a VPC reaches over its own endpoints, why each, and what their policies let through."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from pulumi import Output

from components.aws_location import AwsLocation
from components.iam_policies import Conditions, Statement, endpoint_policy
from components.invalid_argument import InvalidArgument

# https://aws.amazon.com/privatelink/pricing/, us-east-1: for each endpoint and zone; data beyond that 0.01 $ per GB.
INTERFACE_USD_PER_HOUR = 0.01
HOURS_PER_MONTH = 730


class EndpointSet(StrEnum):
    S3_ONLY = "s3_only"
    """The gateway endpoint for S3: free."""
    STANDARD = "standard"
    """And interface endpoints for what every node asks for all the time (FSBP EC2.10)."""
    ALL = "all"
    """And those of everything that the components call: what runs needs NAT for the internet alone."""


@dataclass(frozen=True, kw_only=True)
class EndpointService:
    """A service with an interface endpoint."""

    name: str
    """As in its service name, `com.amazonaws.<region>.<name>`."""

    prefix: str
    """First part of its IAM actions."""

    reason: str
    """Who calls it from inside the VPC."""


# Names: https://docs.aws.amazon.com/vpc/latest/privatelink/aws-services-privatelink-support.html;
# for a cluster: https://docs.aws.amazon.com/eks/latest/userguide/private-clusters.html.
STANDARD_SERVICES = (
    EndpointService(name="ec2", prefix="ec2", reason="the CNI attaches interfaces, the EBS driver volumes"),
    EndpointService(name="ecr.api", prefix="ecr", reason="nodes ask for the right to pull images"),
    EndpointService(name="ecr.dkr", prefix="ecr", reason="nodes pull images; their layers come over the S3 endpoint"),
    EndpointService(name="logs", prefix="logs", reason="builds and agents write logs"),
    EndpointService(name="sts", prefix="sts", reason="whoever assumes a role gets its credentials there"),
)
MORE_SERVICES = (
    EndpointService(name="autoscaling", prefix="autoscaling", reason="the group of the system nodes"),
    EndpointService(name="codebuild", prefix="codebuild", reason="the runner that deploys starts image builds"),
    EndpointService(name="ec2messages", prefix="ec2messages", reason="older SSM agents fetch their work there"),
    EndpointService(
        name="eks", prefix="eks", reason="nodes and Karpenter look their cluster up; the runner deploys it"
    ),
    EndpointService(name="eks-auth", prefix="eks-auth", reason="Pod Identity: every pod's credentials come from it"),
    EndpointService(name="elasticloadbalancing", prefix="elasticloadbalancing", reason="Services of type LoadBalancer"),
    EndpointService(name="kms", prefix="kms", reason="the runner decrypts the secrets of Pulumi's state"),
    EndpointService(name="monitoring", prefix="cloudwatch", reason="CloudWatch metrics, written and shown in Grafana"),
    EndpointService(name="rds", prefix="rds", reason="who restores or inspects the database from inside the VPC"),
    EndpointService(name="secretsmanager", prefix="secretsmanager", reason="secrets are delivered to pods as files"),
    EndpointService(name="sns", prefix="sns", reason="Alertmanager sends its alarms to Notifications"),
    EndpointService(name="sqs", prefix="sqs", reason="Karpenter hears of interrupted nodes from its queue"),
    EndpointService(name="ssm", prefix="ssm", reason="sessions through a system node; Karpenter resolves images"),
    EndpointService(name="ssmmessages", prefix="ssmmessages", reason="the data of those sessions"),
)

# Who owns the images of EKS's add-ons: https://docs.aws.amazon.com/eks/latest/userguide/add-ons-images.html
EKS_IMAGE_ACCOUNT = "602401143452"
EKS_IMAGE_ACCOUNTS = {
    "af-south-1": "877085696533",
    "ap-east-1": "800184023465",
    "ap-east-2": "533267051163",
    "ap-south-2": "900889452093",
    "ap-southeast-3": "296578399912",
    "ap-southeast-4": "491585149902",
    "ap-southeast-5": "151610086707",
    "ap-southeast-6": "333609536671",
    "ap-southeast-7": "121268973566",
    "ca-west-1": "761377655185",
    "eu-central-2": "900612956339",
    "eu-south-1": "590381155156",
    "eu-south-2": "455263428931",
    "il-central-1": "066635153087",
    "me-central-1": "759879836304",
    "me-south-1": "558608220178",
    "mx-central-1": "730335286997",
    "us-gov-east-1": "151742754352",
    "us-gov-west-1": "013241004608",
}

PULL_ACTIONS = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
LAUNCH_ACTIONS = ("ec2:CreateFleet", "ec2:RunInstances")
READ_PARAMETER_ACTIONS = ("ssm:GetParameter", "ssm:GetParameters", "ssm:GetParametersByPath")
READ_DOCUMENT_ACTIONS = ("ssm:DescribeDocument", "ssm:GetDocument")
FEDERATED_ACTIONS = ("sts:AssumeRoleWithSAML", "sts:AssumeRoleWithWebIdentity")


def services_of(endpoints: EndpointSet) -> tuple[EndpointService, ...]:
    """The services with interface endpoints, sorted by name; none for `s3_only`."""
    chosen = {
        EndpointSet.S3_ONLY: (),
        EndpointSet.STANDARD: STANDARD_SERVICES,
        EndpointSet.ALL: STANDARD_SERVICES + MORE_SERVICES,
    }[endpoints]
    return tuple(sorted(chosen, key=lambda service: service.name))


def monthly_usd(endpoints: EndpointSet, zones: int) -> float:
    """What the interface endpoints cost a month over `zones` zones, in US dollars, without the data."""
    return round(len(services_of(endpoints)) * zones * INTERFACE_USD_PER_HOUR * HOURS_PER_MONTH, 2)


def check_endpoints_known(endpoints: EndpointSet, location: AwsLocation) -> None:
    """Raises ValueError in a partition whose services are called otherwise."""
    if services_of(endpoints) and location.partition == "aws-cn":
        raise InvalidArgument(
            f"endpoints {endpoints} are not possible in {location.region}: China names its endpoint services "
            "differently, and this version does not know them. Use 's3_only'"
        )


def interface_policy(service: EndpointService, location: AwsLocation) -> Output[str]:
    """This account's principals and this account's resources, and what AWS owns and everybody needs.

    Nobody else's credentials work through the endpoint, and nothing leaves to another account. Pattern and exceptions:
    https://github.com/aws-samples/data-perimeter-policy-examples (vpc_endpoint_policies, service_owned_resources.md).
    """
    own = Statement(sid="ThisAccountOnly", actions=[f"{service.prefix}:*"], resources=["*"], conditions=_both(location))
    return endpoint_policy([own, *_owned_by_aws(service, location)])


def _owned_by_aws(service: EndpointService, location: AwsLocation) -> list[Statement]:
    partition, region = location.partition, location.region
    match service.prefix:
        case "ec2":
            # Nodes start from images of Amazon, which belong to no account by their ARN.
            return [
                Statement(
                    sid="LaunchImagesOfAmazon",
                    actions=LAUNCH_ACTIONS,
                    resources=[f"arn:{partition}:ec2:{region}::{kind}/*" for kind in ("image", "snapshot")],
                    conditions={"StringEquals": {"aws:PrincipalAccount": location.account_id, "ec2:Owner": "amazon"}},
                ),
                # Those that another account shares with this one belong to that.
                _allowed(
                    location,
                    "LaunchIntoReservations",
                    LAUNCH_ACTIONS,
                    [f"arn:{partition}:ec2:{region}:*:capacity-reservation/*"],
                ),
            ]
        case "ecr":
            owner = EKS_IMAGE_ACCOUNTS.get(region, EKS_IMAGE_ACCOUNT)
            repositories = f"arn:{partition}:ecr:{region}:{owner}:repository/*"
            return [_allowed(location, "PullImagesOfEks", PULL_ACTIONS, [repositories])]
        case "ssm":
            parameters = f"arn:{partition}:ssm:{region}::parameter/aws/service/*"
            documents = f"arn:{partition}:ssm:{region}::document/*"
            return [
                _allowed(location, "ReadPublicParameters", READ_PARAMETER_ACTIONS, [parameters]),
                _allowed(location, "ReadDocumentsOfAmazon", READ_DOCUMENT_ACTIONS, [documents]),
            ]
        case "sts":
            # Whoever comes with a token has no account yet; the role must be ours.
            return [
                Statement(
                    sid="OwnRolesByToken",
                    actions=FEDERATED_ACTIONS,
                    resources=["*"],
                    conditions={"StringEquals": {"aws:ResourceAccount": location.account_id}},
                )
            ]
        case _:
            return []


def _allowed(location: AwsLocation, sid: str, actions: Sequence[str], resources: Sequence[str]) -> Statement:
    own: Conditions = {"StringEquals": {"aws:PrincipalAccount": location.account_id}}
    return Statement(sid=sid, actions=actions, resources=resources, conditions=own)


def _both(location: AwsLocation) -> Conditions:
    account = location.account_id
    return {"StringEquals": {"aws:PrincipalAccount": account, "aws:ResourceAccount": account}}


def s3_endpoint_policy(location: AwsLocation, outside_buckets: Sequence[str] = ()) -> Output[str]:
    """Nothing leaves through the endpoint to another account's bucket, and nobody else's credentials work through it.

    Reading is allowed from ECR's bucket of image layers
    (https://docs.aws.amazon.com/AmazonECR/latest/userguide/vpc-endpoints.html) and from `outside_buckets`.
    """
    readable = [f"prod-{location.region}-starport-layer-bucket", *sorted(outside_buckets)]
    return endpoint_policy(
        [
            Statement(sid="ThisAccountOnly", actions=["s3:*"], resources=["*"], conditions=_both(location)),
            Statement(
                # Image layers come by presigned address, from a principal that is not ours.
                sid="ReadOutside",
                actions=["s3:GetObject", "s3:ListBucket"],
                resources=[arn for name in readable for arn in _bucket_and_objects(location, name)],
            ),
        ]
    )


def _bucket_and_objects(location: AwsLocation, bucket_name: str) -> tuple[str, str]:
    arn = location.bucket_arn(bucket_name)
    return arn, f"{arn}/*"
