"""How CI gets in: who becomes which role, what a preview cannot read, what no role of CI can change."""

import fnmatch
import json

import pytest

from components.aws_location import AwsLocation
from components.ci_access import CiAccess, CiAccessArgs, check_length
from components.ci_boundary import boundary_statements
from components.ci_changes import changes_of, groups_of
from components.ci_permissions import LONGEST_MANAGED_POLICY
from components.ci_stacks import CiLayer, CiNames, CiPurpose, CiStack, layers_of
from components.iam_policies import Effect
from components.invalid_argument import InvalidArgument

LOCATION = AwsLocation(account_id="123456789012", region="us-east-1")
NAMES = CiNames(prefix="stackyard", project="stackyard", location=LOCATION)


def ci_stack(name, environment="prod"):
    return CiStack(
        name=name,
        environment=environment,
        layers=layers_of(name)[1],
        state_bucket=f"stackyard-{environment}-state-123456789012-us-east-1",
        state_log_bucket=f"stackyard-{environment}-state-logs-123456789012-us-east-1",
        data_bucket=f"stackyard-{environment}-data-123456789012-us-east-1",
    )


BASE, PLATFORM = ci_stack("prod-base"), ci_stack("prod-platform")
BOTH = (BASE, PLATFORM)


def access(stacks=BOTH, repository="example-org/stackyard"):
    return CiAccess(
        "ci",
        CiAccessArgs(
            location=LOCATION, prefix="stackyard", project="stackyard", repository=repository, stacks=list(stacks)
        ),
    )


def trust_of(deployment, role):
    (statement,) = json.loads(deployment.named(role).inputs["assumeRolePolicy"])["Statement"]
    return statement


def many(value):
    return [value] if isinstance(value, str) else list(value)


def statements_of(deployment, stack, purpose):
    """Statements of all managed policies of a role."""
    prefix = f"ci-{stack}-{purpose}-"
    documents = [r.inputs["policy"] for r in deployment.of_type("aws:iam/policy:Policy") if r.name.startswith(prefix)]
    assert documents
    return [statement for document in documents for statement in json.loads(document)["Statement"]]


def grants(statements, action, resource):
    """Whether an Allow reaches action and resource, conditions left aside."""
    return any(
        statement["Effect"] == "Allow"
        and any(fnmatch.fnmatchcase(action, pattern) for pattern in many(statement["Action"]))
        and any(fnmatch.fnmatchcase(resource, pattern) for pattern in many(statement["Resource"]))
        for statement in statements
    )


# Who may become CI: controls 28 and 29, faults 9


@pytest.mark.parametrize("stack", ["prod-base", "prod-platform"])
@pytest.mark.parametrize(("purpose", "suffix"), [("deploy", ""), ("preview", "-preview")])
def test_a_role_is_bound_to_one_environment_of_one_repository(capture, stack, purpose, suffix):
    deployment = capture(access)
    statement = trust_of(deployment, f"ci-{stack}-{purpose}-role")
    assert statement["Condition"] == {
        "StringEquals": {
            "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
            "token.actions.githubusercontent.com:sub": f"repo:example-org/stackyard:environment:{stack}{suffix}",
        }
    }
    assert statement["Principal"] == {"Federated": deployment.named("ci-github").outputs["arn"]}
    assert statement["Action"] == "sts:AssumeRoleWithWebIdentity"


def test_each_stack_has_a_preview_role_and_another_deploy_role(capture):
    roles = capture(access).of_type("aws:iam/role:Role")
    assert {role.inputs["name"] for role in roles} == {
        f"stackyard-ci-prod-{layer}-{purpose}" for layer in ("base", "platform") for purpose in ("preview", "deploy")
    }


def test_the_provider_trusts_github_and_the_audience_of_aws_alone(capture):
    provider = capture(access).only("aws:iam/openIdConnectProvider:OpenIdConnectProvider")
    assert provider.inputs["url"] == "https://token.actions.githubusercontent.com"
    assert provider.inputs["clientIdLists"] == ["sts.amazonaws.com"]


def test_a_repository_with_a_wildcard_never_becomes_a_role(capture):
    with pytest.raises(Exception, match="wildcard"):
        capture(access, repository="example-org/*")


# Sessions and boundary: control 26


def test_every_role_lasts_an_hour_and_has_the_boundary(capture):
    deployment = capture(access)
    boundary = deployment.named("ci-boundary")
    assert boundary.outputs["arn"] == NAMES.boundary_arn, "conditions name the boundary that is there"
    for role in deployment.of_type("aws:iam/role:Role"):
        assert role.inputs["maxSessionDuration"] == 3600
        assert role.inputs["permissionsBoundary"] == boundary.outputs["arn"]


def denies(action, resource, statements=None):
    return any(
        statement.effect is Effect.DENY
        and not statement.conditions
        and any(fnmatch.fnmatchcase(action, pattern) for pattern in statement.actions)
        and any(fnmatch.fnmatchcase(resource, str(pattern)) for pattern in statement.resources)
        for statement in statements or boundary_statements(NAMES, BOTH)
    )


IAM = "arn:aws:iam::123456789012:"
STATE = "arn:aws:s3:::stackyard-prod-state-123456789012-us-east-1"


@pytest.mark.parametrize(
    ("action", "resource"),
    [
        ("iam:PutRolePolicy", f"{IAM}role/stackyard-ci-prod-base-deploy"),
        ("iam:AttachRolePolicy", f"{IAM}role/stackyard-ci-prod-base-preview"),
        ("iam:UpdateAssumeRolePolicy", f"{IAM}role/stackyard-ci-prod-platform-deploy"),
        ("iam:PassRole", f"{IAM}role/stackyard-ci-prod-base-deploy"),
        ("iam:CreatePolicyVersion", f"{IAM}policy/stackyard-ci-boundary"),
        ("iam:SetDefaultPolicyVersion", f"{IAM}policy/stackyard-ci-prod-base-deploy-base-data"),
        ("iam:DeletePolicy", f"{IAM}policy/stackyard-ci-boundary"),
        ("iam:AddClientIDToOpenIDConnectProvider", f"{IAM}oidc-provider/token.actions.githubusercontent.com"),
        ("iam:DeleteRolePermissionsBoundary", f"{IAM}role/anything"),
        ("s3:PutBucketPolicy", STATE),
        ("s3:DeleteBucketPolicy", STATE),
        ("s3:DeleteBucket", STATE),
        ("s3:DeleteObjectVersion", f"{STATE}/.pulumi/stacks/stackyard/prod-base.json"),
        ("s3:BypassGovernanceRetention", f"{STATE}/.pulumi/stacks/stackyard/prod-base.json"),
        ("s3:PutBucketPolicy", STATE.replace("state", "state-logs")),
        ("kms:DeleteAlias", "arn:aws:kms:us-east-1:123456789012:alias/stackyard-prod-state-123456789012-us-east-1"),
        ("kms:UpdateAlias", "arn:aws:kms:us-east-1:123456789012:alias/stackyard-prod-state-123456789012-us-east-1"),
    ],
)
def test_ci_cannot_change_its_own_permissions_or_the_state_store(action, resource):
    assert denies(action, resource)


def test_the_boundary_leaves_the_work_itself_alone():
    assert not denies("iam:PutRolePolicy", f"{IAM}role/stackyard-prod-network-flow-log-role")
    assert not denies("s3:PutBucketPolicy", "arn:aws:s3:::stackyard-prod-data-123456789012-us-east-1")
    assert not denies("s3:PutObject", f"{STATE}/.pulumi/stacks/stackyard/prod-base.json")


def test_the_check_of_the_boundary_notices_a_missing_statement():
    weaker = [s for s in boundary_statements(NAMES, BOTH) if s.sid != "CiItself"]
    assert not denies("iam:PutRolePolicy", f"{IAM}role/stackyard-ci-prod-base-deploy", weaker)


def test_ci_cannot_switch_off_what_watches_the_account_or_make_users():
    allowed = [a for s in boundary_statements(NAMES, BOTH) if s.effect is Effect.ALLOW for a in s.actions]
    for action in (
        "cloudtrail:StopLogging", "guardduty:DeleteDetector", "config:StopConfigurationRecorder",
        "access-analyzer:DeleteAnalyzer", "iam:CreateUser", "iam:CreateAccessKey", "organizations:LeaveOrganization",
    ):  # fmt: skip
        assert not any(fnmatch.fnmatchcase(action, pattern) for pattern in allowed), action


def test_roles_get_permissions_only_with_the_boundary():
    bounded = [s for s in boundary_statements(NAMES, BOTH) if "iam:CreateRole" in s.actions]
    assert [s.conditions for s in bounded] == [{"StringEquals": {"iam:PermissionsBoundary": NAMES.boundary_arn}}]


def test_the_boundary_knows_the_roles_of_the_environments_alone():
    # IAM has no condition on what a trust policy says, so what it may be written for is all that can be bounded.
    trusting = [s for s in boundary_statements(NAMES, BOTH) if "iam:UpdateAssumeRolePolicy" in s.actions]
    assert [s.resources for s in trusting] == [[f"{IAM}role/stackyard-prod-*"]]
    assert "iam:PassRole" in trusting[0].actions


# What a preview can reach


def preview(capture, stack):
    return statements_of(capture(access), stack, "preview")


def state(stack, bucket=STATE):
    return f"{bucket}/.pulumi/stacks/stackyard/{stack}.json"


def test_a_preview_reads_its_own_state_and_no_other_object(capture):
    base = preview(capture, "prod-base")
    assert grants(base, "s3:GetObject", state("prod-base"))
    for other in (
        state("prod-platform"),
        state("account"),
        state("prod-base", STATE.replace("prod", "staging")),
        f"{STATE}/.pulumi/history/stackyard/prod-base/1.json",
        "arn:aws:s3:::stackyard-prod-data-123456789012-us-east-1/raw/flights.csv",
    ):
        assert not grants(base, "s3:GetObject", other), other


def test_a_platform_preview_reads_the_state_of_its_base_too(capture):
    platform = preview(capture, "prod-platform")
    assert grants(platform, "s3:GetObject", state("prod-platform"))
    assert grants(platform, "s3:GetObject", state("prod-base"))
    assert not grants(platform, "s3:GetObject", state("staging-base"))


@pytest.mark.parametrize("stack", ["prod-base", "prod-platform"])
def test_a_preview_decrypts_with_the_key_of_its_state_alone(capture, stack):
    decrypting = [
        s for s in preview(capture, stack) if any(fnmatch.fnmatchcase("kms:Decrypt", a) for a in many(s["Action"]))
    ]
    assert [s["Condition"] for s in decrypting] == [
        {"ForAnyValue:StringEquals": {"kms:ResourceAliases": "alias/stackyard-prod-state-123456789012-us-east-1"}}
    ]


@pytest.mark.parametrize("stack", ["prod-base", "prod-platform"])
def test_a_preview_only_reads(capture, stack):
    verbs = ("Get", "List", "Describe", "View", "BatchGet", "Decrypt")
    for statement in preview(capture, stack):
        for action in many(statement["Action"]):
            assert action.split(":")[1].startswith(verbs), f"{action} changes something"
            assert action not in ("secretsmanager:GetSecretValue", "ecr:BatchGetImage", "logs:GetLogEvents")


# What a deployment needs, and no more


def test_a_deployment_writes_its_own_state_and_no_other(capture):
    platform = statements_of(capture(access), "prod-platform", "deploy")
    assert grants(platform, "s3:PutObject", state("prod-platform"))
    assert grants(platform, "s3:PutObject", f"{STATE}/.pulumi/locks/organization/stackyard/prod-platform/1.json")
    assert not grants(platform, "s3:PutObject", state("prod-base"))
    assert grants(platform, "s3:PutObject", "arn:aws:s3:::stackyard-prod-data-123456789012-us-east-1/packages/f/1.tgz")
    assert not grants(platform, "s3:PutObject", "arn:aws:s3:::stackyard-prod-data-123456789012-us-east-1/raw/a.csv")
    assert not grants(platform, "s3:GetObject", "arn:aws:s3:::stackyard-prod-data-123456789012-us-east-1/raw/a.csv")


@pytest.mark.parametrize("stack", ["prod-base", "prod-platform"])
def test_roles_are_passed_to_named_services_and_within_the_environment_alone(capture, stack):
    passing = [s for s in statements_of(capture(access), stack, "deploy") if "iam:PassRole" in many(s["Action"])]
    assert passing
    for statement in passing:
        assert "*" not in many(statement["Condition"]["StringEquals"]["iam:PassedToService"])
        # By name: AWS says that the tags of a role that is passed are not reliable.
        assert statement["Resource"] == f"{IAM}role/stackyard-prod-*"
        assert "ResourceTag" not in json.dumps(statement)


@pytest.mark.parametrize("stack", ["prod-base", "prod-platform"])
def test_roles_are_created_with_the_boundary_alone(capture, stack):
    creating = [s for s in statements_of(capture(access), stack, "deploy") if "iam:CreateRole" in many(s["Action"])]
    bounded = {"iam:PermissionsBoundary": NAMES.boundary_arn, "aws:RequestTag/environment": "prod"}
    assert [s["Condition"] for s in creating] == [{"StringEquals": bounded}]


def test_nothing_of_another_environment_is_taken_over_by_a_tag(capture):
    tagging = ("ec2:CreateTags", "eks:TagResource", "iam:TagRole", "kms:TagResource", "rds:AddTagsToResource",
               "sns:TagResource", "sqs:TagQueue")  # fmt: skip
    for stack in ("prod-base", "prod-platform"):
        for statement in statements_of(capture(access), stack, "deploy"):
            if set(many(statement["Action"])) & set(tagging):
                condition = statement["Condition"]
                own = condition["StringEquals"].get("aws:ResourceTag/environment") == "prod"
                new = condition.get("Null") == {"aws:ResourceTag/environment": "true"}
                assert own or new, statement["Sid"]


def test_a_deployment_of_the_platform_alone_changes_nothing_of_the_base(capture):
    actions = {a for s in statements_of(capture(access), "prod-platform", "deploy") for a in many(s["Action"])}
    assert not actions & {"ec2:DeleteVpc", "rds:DeleteDBInstance", "s3:DeleteBucket", "ecr:DeleteRepository"}
    base = {a for s in statements_of(capture(access), "prod-base", "deploy") for a in many(s["Action"])}
    assert not base & {"eks:DeleteCluster", "eks:AssociateAccessPolicy"}


# Limits


@pytest.mark.parametrize("stacks", [("prod-base", "prod-platform"), ("dev",)], ids="+".join)
def test_every_policy_is_short_enough_for_iam(capture, stacks):
    deployment = capture(access, stacks=tuple(ci_stack(name, layers_of(name)[0]) for name in stacks))
    lengths = {r.name: len(r.inputs["policy"].replace(" ", "")) for r in deployment.of_type("aws:iam/policy:Policy")}
    assert max(lengths.values()) <= LONGEST_MANAGED_POLICY == 6144, lengths
    per_role = {}
    for attachment in deployment.of_type("aws:iam/rolePolicyAttachment:RolePolicyAttachment"):
        per_role[attachment.inputs["role"]] = per_role.get(attachment.inputs["role"], 0) + 1
    assert max(per_role.values()) <= 10


def test_a_policy_that_is_too_long_is_refused_before_iam_does():
    assert check_length("x" * 6144, "it")
    with pytest.raises(InvalidArgument, match="6145 characters, and IAM allows 6144"):
        check_length("x" * 6145, "it")


def test_every_policy_of_ci_is_covered_by_the_boundarys_own_protection(capture):
    for policy in capture(access).of_type("aws:iam/policy:Policy"):
        assert denies("iam:CreatePolicyVersion", policy.outputs["arn"]), policy.name
    for role in capture(access).of_type("aws:iam/role:Role"):
        assert denies("iam:PutRolePolicy", role.outputs["arn"]), role.name


def test_a_stack_with_both_layers_gets_the_policies_of_both():
    dev = ci_stack("dev", "dev")
    both = set(groups_of(NAMES, dev, CiPurpose.DEPLOY))
    assert both == {"read"} | {f"{layer}-{noun}" for layer in CiLayer for noun in changes_of(NAMES, dev, layer)}
    assert dev.base_stack is None


@pytest.mark.parametrize(
    ("stacks", "reason"),
    [((), "at least one stack"), (("prod-base", "prod-base"), "twice"), (("account",), "CI's own permissions")],
)
def test_stacks_that_cannot_have_roles_are_refused(capture, stacks, reason):
    with pytest.raises(Exception, match=reason):
        capture(access, stacks=tuple(map(ci_stack, stacks)))


@pytest.mark.parametrize(
    ("environments", "reason"),
    [(("ci",), "begin like those of CI's own"), (("ci-eu",), "begin like"), (("prod", "prod-eu"), "told apart by")],
)
def test_environments_whose_names_the_policies_cannot_tell_apart_are_refused(capture, environments, reason):
    stacks = tuple(ci_stack(f"{name}-base", name) for name in environments)
    with pytest.raises(InvalidArgument, match=reason):
        capture(access, stacks=stacks)


def test_equal_inputs_give_equal_policies(capture):
    documents = [
        [r.inputs["policy"] for r in capture(lambda s=s: access(s)).of_type("aws:iam/policy:Policy")]
        for s in (BOTH, BOTH)
    ]
    assert documents[0] == documents[1]
