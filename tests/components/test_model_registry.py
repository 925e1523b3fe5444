"""ModelRegistry on AWS: one database user, one prefix, one service account, one port."""

import json

import pulumi
import pytest

from components.bucket_access import BucketAccess
from components.model_registry import (
    ARTIFACTS_PREFIX,
    NAMESPACE,
    SERVICE_ACCOUNT,
    ModelRegistry,
    ModelRegistryArgs,
    RegistryDatabase,
)
from pipelines.declaration import Bucket, declarations
from stacks.platform_layer import TRACKING_URI
from tests.components.statements import resources_allowed
from tests.components.test_cluster import LOCATION, cluster

BUCKET = "arn:aws:s3:::acme-dev-data-123456789012-eu-central-1"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
RESOURCE_ID = "db-ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def registry(**args):
    defaults = {
        "location": LOCATION,
        "cluster": cluster(),
        "database": RegistryDatabase(
            resource_id=pulumi.Output.from_input(RESOURCE_ID), port=5433, security_group_id="sg-0123456789abcdef0"
        ),
        "artifacts": BucketAccess(bucket_arn=BUCKET, key_arn=KEY),
    }
    return ModelRegistry("registry", ModelRegistryArgs(**(defaults | args)))


@pytest.fixture
def deployment(capture):
    return capture(registry)


def statements(deployment):
    return json.loads(deployment.named("registry-permissions").inputs["policy"])["Statement"]


def allowed(deployment, action):
    return resources_allowed(statements(deployment), action)


def test_the_server_connects_as_one_user_of_one_database(deployment):
    connect = f"arn:aws:rds-db:eu-central-1:123456789012:dbuser:{RESOURCE_ID}/mlflow"
    assert allowed(deployment, "rds-db:connect") == {connect}, "another user, the administrator say, owns the tables"


def test_another_database_user_is_granted_by_its_name_and_the_administrators_is_refused(capture):
    named = capture(registry, database_user="tracking_server")
    assert {arn.rsplit("/", 1)[1] for arn in allowed(named, "rds-db:connect")} == {"tracking_server"}
    assert named.only("stackyard:index:ModelRegistry").outputs["databaseUser"] == "tracking_server"
    with pytest.raises(ValueError, match="database user '\\*' is not possible"):
        capture(registry, database_user="*")


def test_the_server_reads_and_writes_its_prefix_and_deletes_nothing(deployment):
    assert allowed(deployment, "s3:GetObject") == allowed(deployment, "s3:PutObject") == {f"{BUCKET}/mlflow/*"}
    (listing,) = [s for s in statements(deployment) if s["Action"] == "s3:ListBucket"]
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "mlflow/*"}}
    actions = {
        a for s in statements(deployment) for a in ([s["Action"]] if isinstance(s["Action"], str) else s["Action"])
    }
    assert not [action for action in actions if "Delete" in action]


def test_of_keys_the_server_uses_the_buckets_alone(deployment):
    assert allowed(deployment, "kms:Decrypt") == allowed(deployment, "kms:GenerateDataKey") == {KEY}


def test_pipelines_put_their_artifacts_where_the_server_serves_them():
    outputs = {name: each.outputs for name, each in declarations().items()}
    written = [name for name, prefixes in outputs.items() if any(p.path == ARTIFACTS_PREFIX for p in prefixes)]
    assert written, "no pipeline writes below the prefix that the server serves"
    buckets = {p.bucket for prefixes in outputs.values() for p in prefixes if p.path == ARTIFACTS_PREFIX}
    assert buckets == {Bucket.ARTIFACTS}


def test_only_the_servers_account_of_this_cluster_gets_the_role(deployment):
    association = deployment.only("aws:eks/podIdentityAssociation:PodIdentityAssociation").inputs
    assert (association["namespace"], association["serviceAccount"]) == (NAMESPACE, SERVICE_ACCOUNT)
    assert association["clusterName"] == "acme-dev"
    assert association["roleArn"] == deployment.named("registry-role").outputs["arn"]
    (trust,) = json.loads(deployment.named("registry-role").inputs["assumeRolePolicy"])["Statement"]
    assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
    assert trust["Condition"] == {
        "ArnEquals": {"aws:SourceArn": deployment.only("aws:eks/cluster:Cluster").outputs["arn"]},
        "StringEquals": {"aws:SourceAccount": "123456789012"},
    }


def test_the_server_stands_where_pipelines_look_for_it():
    assert TRACKING_URI.startswith(f"http://{SERVICE_ACCOUNT}.{NAMESPACE}.svc.")


def test_pods_reach_the_databases_port_and_nobody_else_does(deployment):
    rule = deployment.only("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule").inputs
    group = deployment.only("aws:eks/cluster:Cluster").outputs["vpcConfig"]["clusterSecurityGroupId"]
    assert (rule["securityGroupId"], rule["referencedSecurityGroupId"]) == ("sg-0123456789abcdef0", group)
    assert (rule["ipProtocol"], rule["fromPort"], rule["toPort"]) == ("tcp", 5433, 5433)
    assert not {"cidrIpv4", "cidrIpv6", "prefixListId"} & set(rule)


def test_the_role_is_bounded_and_lasts_an_hour(capture):
    boundary = "arn:aws:iam::123456789012:policy/boundary"
    role = capture(registry, permissions_boundary=boundary).named("registry-role").inputs
    assert (role["permissionsBoundary"], role["maxSessionDuration"]) == (boundary, 3600)


def test_no_password_and_no_secret_is_named(deployment):
    own = [r for r in deployment if r.name.startswith("registry")]
    assert {r.type for r in own} == {
        "stackyard:index:ModelRegistry",
        "aws:iam/role:Role",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:eks/podIdentityAssociation:PodIdentityAssociation",
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
    }
    assert "secretsmanager" not in json.dumps(statements(deployment))
