"""What AWS refuses so that nothing is lost, and the sentence that the user sees: faults 4, 22, 33, 34, 38."""

import json
from collections.abc import Iterator

import pytest
from botocore.exceptions import ClientError

from stackyard.local.aws.errors import ProviderError
from tests.local.aws.conftest import emulator
from tests.local.aws.support import Cloud, Made

pytestmark = pytest.mark.local

TRUST = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Principal": {"Service": "eks.amazonaws.com"}, "Action": "sts:AssumeRole"}],
    }
)


@pytest.fixture(scope="module")
def network(cloud: Cloud) -> Iterator[tuple[Made, list[Made]]]:
    vpc = cloud.make("aws:ec2/vpc:Vpc", "refused", cidrBlock="10.77.0.0/16")
    subnets = [
        cloud.make(
            "aws:ec2/subnet:Subnet",
            f"refused-{zone}",
            vpcId=vpc.id,
            cidrBlock=f"10.77.{index}.0/24",
            availabilityZone=f"eu-central-1{zone}",
        )
        for index, zone in enumerate("ab")
    ]
    yield vpc, subnets
    for made in (*subnets, vpc):
        cloud.remove(made)


@pytest.fixture(scope="module")
def cluster(cloud: Cloud, network: tuple[Made, list[Made]]) -> Iterator[Made]:
    role = cloud.make("aws:iam/role:Role", "refused", name="refused", assumeRolePolicy=TRUST)
    made = cloud.make(
        "aws:eks/cluster:Cluster",
        "refused",
        name="refused",
        roleArn=role.outputs["arn"],
        version="1.34",
        vpcConfig={"subnetIds": [subnet.id for subnet in network[1]]},
    )
    yield made
    cloud.remove(made)
    cloud.remove(role)


def test_a_network_that_something_else_uses_is_kept_and_the_way_out_is_named(
    cloud: Cloud, network: tuple[Made, list[Made]]
):
    _, (subnet, _) = network
    interface = cloud.boto("ec2").create_network_interface(SubnetId=subnet.id)["NetworkInterface"]
    try:
        with pytest.raises(ProviderError, match=r"DependencyViolation.*did not make still needs it: remove that first"):
            cloud.remove(network[0])
        assert cloud.read(subnet), "nothing of it is gone"
    finally:
        cloud.boto("ec2").delete_network_interface(NetworkInterfaceId=interface["NetworkInterfaceId"])


def test_a_bucket_with_objects_is_kept_with_them(cloud: Cloud):
    bucket = cloud.make("aws:s3/bucket:Bucket", "refused-data", bucket="refused-data")
    s3 = cloud.boto("s3")
    s3.put_object(Bucket=bucket.id, Key="k", Body=b"data")
    with pytest.raises(ProviderError, match=r"BucketNotEmpty.*Its objects are kept: if nobody needs them, empty"):
        cloud.remove(bucket)
    assert s3.get_object(Bucket=bucket.id, Key="k")["Body"].read() == b"data"
    s3.delete_object(Bucket=bucket.id, Key="k")
    cloud.remove(bucket)


def test_a_cluster_with_node_groups_is_kept_and_the_way_out_is_named(
    cloud: Cloud, cluster: Made, network: tuple[Made, list[Made]]
):
    eks = cloud.boto("eks")
    role = cluster.outputs["roleArn"]
    subnets = [subnet.id for subnet in network[1]]
    eks.create_nodegroup(clusterName="refused", nodegroupName="by-hand", subnets=subnets, nodeRole=role)
    try:
        with pytest.raises(ProviderError, match=r"ResourceInUse.*did not make still needs it: remove that first"):
            cloud.remove(cluster)
        assert cloud.read(cluster)
    finally:
        eks.delete_nodegroup(clusterName="refused", nodegroupName="by-hand")


def test_a_database_that_somebody_protected_is_kept_and_the_way_out_is_named(cloud: Cloud):
    database = cloud.make(
        "aws:rds/instance:Instance",
        "refused",
        identifier="refused",
        engine="postgres",
        instanceClass="db.t4g.micro",
        allocatedStorage=20,
        username="tracking_owner",
        manageMasterUserPassword=True,
        skipFinalSnapshot=True,
    )
    rds = cloud.boto("rds")
    rds.modify_db_instance(DBInstanceIdentifier="refused", DeletionProtection=True)
    with pytest.raises(ProviderError, match=r"InvalidParameterCombination.*turn it off on purpose first"):
        cloud.remove(database)
    assert cloud.read(database)
    rds.modify_db_instance(DBInstanceIdentifier="refused", DeletionProtection=False)
    cloud.remove(database)


@pytest.mark.parametrize(
    ("version", "sentence"),
    [
        (
            "1.36",
            "version is 1.36, but the control plane runs 1.34.*the next allowed version is 1.35; apply that first",
        ),
        ("1.33", "version is 1.33, but the control plane runs 1.34, and EKS never goes back: give 1.34 or newer"),
    ],
)
def test_a_skipped_or_an_older_kubernetes_version_is_refused_before_any_call(
    cloud: Cloud, cluster: Made, version: str, sentence: str
):
    with pytest.raises(ProviderError, match=f"^refused .*{sentence}"):
        cloud.change(cluster, version=version)


def test_the_next_kubernetes_version_is_taken(cloud: Cloud, cluster: Made):
    assert cloud.change(cluster, version="1.35").applied.recorded


def test_a_tag_that_an_image_has_is_never_given_to_another(cloud: Cloud):
    repository = cloud.make(
        "aws:ecr/repository:Repository", "refused", name="refused-images", imageTagMutability="IMMUTABLE"
    )
    ecr = cloud.boto("ecr")

    def push(config: str) -> None:
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.docker.distribution.manifest.v2+json",
            "config": {"mediaType": "application/vnd.docker.container.image.v1+json", "size": 1, "digest": config},
            "layers": [{"mediaType": "application/vnd.docker.image.rootfs.diff.tar.gzip", "size": 1, "digest": config}],
        }
        ecr.put_image(repositoryName=repository.id, imageManifest=json.dumps(manifest), imageTag="v1")

    push(f"sha256:{'a' * 64}")
    with pytest.raises(ClientError, match=r"Image(Tag)?AlreadyExistsException"):
        push(f"sha256:{'b' * 64}")
    ecr.batch_delete_image(repositoryName=repository.id, imageIds=[{"imageTag": "v1"}])
    cloud.remove(repository)


def test_a_secrets_name_in_its_recovery_window_is_refused_with_the_way_to_restore_it(cloud: Cloud):
    first = cloud.make("aws:secretsmanager/secret:Secret", "refused", name="refused", recoveryWindowInDays=7)
    cloud.remove(first)
    with pytest.raises(
        ProviderError, match=r"keeps its name for its recovery window: .*restore-secret --secret-id NAME"
    ):
        cloud.make("aws:secretsmanager/secret:Secret", "again", name="refused")
    cloud.boto("secretsmanager").restore_secret(SecretId="refused")
    cloud.boto("secretsmanager").delete_secret(SecretId="refused", ForceDeleteWithoutRecovery=True)


def test_a_role_that_may_create_but_not_tag_is_told_which_permission_is_missing(monkeypatch: pytest.MonkeyPatch):
    """The emulator checks what a user may do after so many free calls: the three that make the user."""
    with emulator(INITIAL_NO_AUTH_ACTION_COUNT="3") as url:
        iam = Cloud(url).boto("iam")
        iam.create_user(UserName="deployer")
        statements = [
            {"Effect": "Allow", "Action": "s3:*", "Resource": "*"},
            {"Effect": "Deny", "Action": "s3:PutBucketTagging", "Resource": "*"},
        ]
        policy = {"Version": "2012-10-17", "Statement": statements}
        iam.put_user_policy(UserName="deployer", PolicyName="creates", PolicyDocument=json.dumps(policy))
        key = iam.create_access_key(UserName="deployer")["AccessKey"]
        monkeypatch.setattr("stackyard.local.aws.clients.DUMMY_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setattr("stackyard.local.aws.clients.DUMMY_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        with pytest.raises(
            ProviderError, match=r"refused PutBucketTagging \(s3, .*AccessDenied.*lacks this permission"
        ):
            Cloud(url).make("aws:s3/bucket:Bucket", "tagged", bucket="tagged", tags={"owner": "ml"})
        assert Cloud(url).make("aws:s3/bucket:Bucket", "plain", bucket="plain").id == "plain", "it may create one"
