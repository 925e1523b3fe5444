"""docs/iam.md says who reaches which data; the tests here hold the stacks to what it must say."""

import json
import re
from dataclasses import replace
from functools import cache

import pytest

from stacks.naming import disk_key_alias
from stacks.versions import CACHED_UPSTREAMS
from tests.tools.policies import (
    CLUSTER,
    CLUSTER_ARN,
    allow,
    parsed,
    pod_identity,
    resource,
    role_arn,
    role_resources,
)
from tools import iam_table
from tools.access_levels import Level, UnclassifiedAction, levels_of
from tools.iam_table import Access, environment
from tools.policy_evaluator import decide
from tools.role_graph import reach

committed = cache(iam_table.committed)
ENVIRONMENTS = ("local", "dev", "staging", "prod")
NODE_ROLES = ("node-autoscaler-node-role", "system-nodes-role")


def of(name: str) -> iam_table.Environment:
    return next(each for each in committed() if each.name == name)


def test_the_page_is_fresh():
    assert iam_table.PAGE.read_text(encoding="utf-8") == iam_table.render(committed()), f"run `{iam_table.WRITE}`"


def test_the_page_is_the_same_bytes_whatever_the_order_of_the_resources():
    turned = [environment(each.name, reversed(each.resources)) for each in committed()]
    assert iam_table.render(turned) == iam_table.render(committed())


def test_every_committed_stack_is_on_the_page():
    from tests.stack_captures import STACKS

    assert sorted(stack for stacks in iam_table.ENVIRONMENTS.values() for stack in stacks) == sorted(STACKS)


# What the stacks must keep


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_training_role_reaches_its_declared_prefixes_and_nothing_else(name):  # controls 89, 92
    own = {(a.thing, a.level) for a in of(name).access if a.principal == "training-role" and not a.through}
    written = {thing for thing, level in own if level is Level.WRITE}
    assert written == {
        *("data-bucket: flights/*", "data-bucket: mlflow/*", "data-bucket: models/training/*"),
        *("data-bucket: promotions/*", "data-bucket: metaflow/TrainingFlow/*", "data-key"),
    }
    assert {thing for thing, _ in own} - written == {"data-bucket: sources/*", "data-bucket: packages/training/*"}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_training_role_cannot_reach_the_prefix_of_another_team(name):  # control 89
    account = of(name).account
    training = account.role("training-role")
    bucket = next(arn for arn, thing in iam_table.things(of(name).resources).items() if thing == "data-bucket")
    for action in ("s3:GetObject", "s3:GetObjectVersion", "s3:PutObject", "s3:DeleteObject"):
        for path in ("rides/2026/a.parquet", "models/rides/1/model.skops", "packages/rides/a.tgz", "flights"):
            verdict = decide(account, training, action, f"{bucket}/{path}")
            assert not verdict.allowed, f"{action} {path}: {verdict.why}"
    assert not decide(account, training, "s3:PutObject", f"{bucket}/sources/a.csv").allowed, "sources are read only"
    assert decide(account, training, "s3:GetObject", f"{bucket}/flights/2013/a.parquet").allowed, "else this is void"
    for prefix in ("", "rides/", "models/rides/"):
        assert not decide(account, training, "s3:ListBucket", bucket, {"s3:prefix": prefix}).allowed
    assert decide(account, training, "s3:ListBucket", bucket, {"s3:prefix": "flights/"}).allowed


def caches(name: str) -> set[str]:
    """Where pulls through the registry's caches make repositories."""
    return {f"ecr: repository/stackyard-{name}/{cache}/*" for cache in CACHED_UPSTREAMS}


def harmless(name: str) -> set[str]:
    """Who administers nothing but that, and the key of disks, which Karpenter hands on to EC2 for its own use alone."""
    administered: dict[str, set[str]] = {}
    for access in of(name).access:
        if access.level is Level.ADMINISTER:
            administered.setdefault(access.principal, set()).add(access.thing)
    return {
        principal
        for principal, things in administered.items()
        if things <= {*caches(name), disk_key_alias("stackyard")}
    }


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_nothing_but_a_deployment_administers_data(name):  # controls 4, 17, 27
    # AWS's own roles that start nodes hand the key of disks on: https://docs.aws.amazon.com/autoscaling/ec2/userguide/
    allowed = ("role/aws-service-role/", "ci-prod-base-deploy-role", "ci-prod-platform-deploy-role")
    allowed += ("registry-caches-role",)  # ECR makes cached repositories with grants on the images' key
    administering = {a.principal for a in of(name).access if a.level is Level.ADMINISTER} - harmless(name)
    assert {principal for principal in administering if not principal.startswith(allowed)} == set()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_nobody_reaches_data_without_tls(name):  # control 3
    each = of(name)
    buckets = [arn for arn, thing in iam_table.things(each.resources).items() if ":s3:::" in arn and "log" not in thing]
    for role in each.account.roles.values():
        for bucket in buckets:
            context = {"aws:SecureTransport": "false", "s3:prefix": "flights/"}
            for action, thing in (("s3:GetObject", f"{bucket}/flights/a"), ("s3:ListBucket", bucket)):
                assert not decide(each.account, role, action, thing, context).allowed


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_data_key_works_only_through_s3(name):  # control 18
    each = of(name)
    key = next(arn for arn, thing in iam_table.things(each.resources).items() if thing == "data-key")
    region = key.split(":")[3]
    training = each.account.role("training-role")
    assert not decide(each.account, training, "kms:Decrypt", key, {}).allowed
    assert decide(each.account, training, "kms:Decrypt", key, {"kms:ViaService": f"s3.{region}.amazonaws.com"}).allowed


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_no_role_reaches_every_key_bucket_or_secret(name):  # controls 19, 21, 22
    assert {a.thing for a in of(name).access} & {"every key", "every bucket", "every secret", "everything"} == set()


@pytest.mark.parametrize("role", NODE_ROLES)
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_nodes_only_pull_images(name, role):  # control 54
    own = {(a.thing, a.level) for a in of(name).access if a.principal == role and not a.through}
    # A pull through a cache makes the registry fetch an image, and make its repository: writing and administering.
    cached = {(thing, Level.ADMINISTER) for thing in caches(name)}
    assert own == {("every repository", Level.READ), ("every repository", Level.WRITE)} | cached
    nodes = of(name).account.role(role)
    assert not decide(
        of(name).account, nodes, "ecr:PutImage", "arn:aws:ecr:us-east-1:123456789012:repository/a"
    ).allowed


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_only_deployments_administrators_of_the_cluster_and_nodes_act_as_another_role(name):  # controls 27, 53
    sources = {edge.source for edge in of(name).edges if not edge.source.startswith("role/")}
    # Karpenter hands the nodes' role to the instances that it starts.
    autoscaler = "node-autoscaler-controller-role"
    allowed = {*NODE_ROLES, autoscaler, "ci-prod-base-deploy-role", "ci-prod-platform-deploy-role"}
    assert {edge.target for edge in of(name).edges if edge.source == autoscaler} == {"node-autoscaler-node-role"}
    assert sources - allowed == set(), sorted(edge for edge in of(name).edges if edge.source in sources - allowed)


def test_a_preview_reads_its_own_state_and_decrypts_nothing_else():  # controls 19, 29
    for stack, states in (("prod-base", ["prod-base"]), ("prod-platform", ["prod-base", "prod-platform"])):
        reached = [a for a in of("prod").access if a.principal == f"ci-{stack}-preview-role"]
        assert {a.level for a in reached} == {Level.READ}
        state = "s3: stackyard-prod-state-777788889999-us-east-1: .pulumi"
        files = {f"{state}/stacks/stackyard/{name}.json{end}" for name in states for end in ("", ".*")}
        key = "alias/stackyard-prod-state-777788889999-us-east-1"
        assert {a.thing for a in reached} == {*files, f"{state}/meta.yaml", key}


def decrypted_by(role, account) -> set[str]:
    """Keys of prod that a role decrypts with, in the way most favourable to it: through S3, by the key's own alias."""
    resources = of("prod").resources
    aliases = {r.inputs["targetKeyId"]: r.inputs["name"] for r in resources if r.type == "aws:kms/alias:Alias"}
    keys = [r for r in resources if r.type == "aws:kms/key:Key"]
    assert len(keys) > 5, "without keys this is void"
    found = set()
    for key in keys:
        context = {"kms:ViaService": "s3.us-east-1.amazonaws.com"}
        if key.outputs["keyId"] in aliases:
            context["kms:ResourceAliases"] = aliases[key.outputs["keyId"]]
        if decide(account, role, "kms:Decrypt", key.outputs["arn"], context).allowed:
            found.add(key.name)
    return found


@pytest.mark.parametrize("stack", ["prod-base", "prod-platform"])
def test_a_preview_decrypts_with_no_key_of_the_environment(stack):  # control 19
    account = of("prod").account
    assert decrypted_by(account.role(f"ci-{stack}-preview-role"), account) == set()


def test_a_preview_that_could_decrypt_is_noticed():  # control 19
    account = of("prod").account
    preview = account.role("ci-prod-base-preview-role")
    planted = replace(
        preview, statements=(*preview.statements, *parsed(allow("kms:Decrypt", on="arn:aws:kms:*:key/*")))
    )
    assert "data-key" in decrypted_by(planted, account)


def test_a_deployment_cannot_act_as_a_role_of_ci_or_of_the_guard():  # control 27
    targets = {edge.target for edge in of("prod").edges if edge.source.startswith("ci-")}
    assert targets, "a deployment passes roles: without any this test is void"
    assert {target for target in targets if target.startswith(("ci-", "guard-"))} == set()


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_whoever_may_only_look_at_the_cluster_reaches_no_data(name):
    viewers = {
        str(r.inputs["principalArn"]).rsplit(":", 1)[-1]
        for r in of(name).resources
        if r.type.endswith("AccessPolicyAssociation") and "View" in str(r.inputs["policyArn"])
    }
    assert not viewers & {a.principal for a in of(name).access}
    assert viewers or name in ("local", "dev"), "staging and prod list viewers; without any this test is void"


# Roles of CI: whatever takes a token of GitHub


def federated_roles(each: iam_table.Environment) -> list:
    return [r for r in each.account.roles.values() if any(k == "Federated" for s in r.trust for k, _ in s.principals)]


def badly_bound(trust) -> list[str]:
    """Subjects of a trust policy that are not one environment of one repository."""
    bad = []
    for statement in trust:
        subjects = [
            v for op, keys in statement.conditions.items() for k, vs in keys.items() if k.endswith(":sub") for v in vs
        ]
        operators = {op for op, keys in statement.conditions.items() if any(k.endswith(":sub") for k in keys)}
        if operators != {"StringEquals"} or not subjects:
            bad.append("the subject is not compared by StringEquals")
        bad += [s for s in subjects if not re.fullmatch(r"repo:[\w.-]+/[\w.-]+:environment:[\w-]+", s)]
    return bad


def test_roles_of_ci_are_bound_to_an_environment_and_cannot_change_roles():  # controls 27, 28, 29
    for each in committed():
        for role in federated_roles(each):
            assert badly_bound(role.trust) == [], role.name
            for target in federated_roles(each):
                for action in ("iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy"):
                    assert not decide(each.account, role, action, target.arn).allowed, f"{role.name} {action}"


def test_a_wildcard_subject_is_noticed():  # control 28
    def trust(subject: str, operator: str = "StringEquals"):
        return parsed(
            {
                "Effect": "Allow",
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/token"},
                "Condition": {operator: {"token:sub": subject}},
            }
        )

    assert badly_bound(trust("repo:org/repo:environment:prod")) == []
    assert badly_bound(trust("repo:org/*")) and badly_bound(trust("repo:org/repo:environment:prod", "StringLike"))
    assert badly_bound(trust("repo:org/repo:pull_request"))


# The table itself, on planted roles

TRAINER = [
    *role_resources("trainer", allow("s3:GetObject", on="arn:aws:s3:::data/a/*")),
    pod_identity("trainer", "n", "t"),
]
READ_A = "s3: data: a/*"


def through(resources, principal: str) -> set[tuple[str, str]]:
    return {
        (access.thing, access.through)
        for access in environment("test", resources).access
        if access.principal == principal and access.through
    }


def data_of(resources, principal: str) -> set[str]:
    return {access.thing for access in environment("test", resources).access if access.principal == principal}


def test_a_role_reads_what_its_policy_names():
    assert data_of(TRAINER, "trainer") == {"s3: data: a/*"}


@pytest.mark.parametrize(
    "statement",
    [
        allow("iam:PassRole", on=role_arn("trainer")),
        allow("iam:UpdateAssumeRolePolicy", on=role_arn("*")),
        allow("iam:*"),
    ],
    ids=lambda s: s["Action"][0],
)
def test_a_role_that_can_hand_on_or_change_another_reaches_its_data(statement):  # control 27
    assert (READ_A, "trainer") in through([*TRAINER, *role_resources("ci", statement)], "ci")


def test_assuming_a_role_needs_its_trust():
    caller = role_resources("ci", allow("sts:AssumeRole", on=role_arn("trainer")))
    assert through([*TRAINER, *caller], "ci") == set()
    trust = {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": role_arn("ci")}}
    trusting = role_resources("trainer", allow("s3:GetObject", on="arn:aws:s3:::data/a/*"), trust=trust)
    assert through([*trusting, *caller], "ci") == {(READ_A, "trainer")}


@pytest.mark.parametrize("action", ["eks-auth:AssumeRoleForPodIdentity", "eks:CreateAccessEntry"])
def test_a_role_with_power_over_the_cluster_reaches_the_data_of_its_pods(action):
    cluster = resource(CLUSTER, "c", {}, {"arn": CLUSTER_ARN})
    assert through([*TRAINER, cluster, *role_resources("node", allow(action))], "node") == {(READ_A, "trainer")}


def test_who_may_start_a_build_reaches_what_the_build_may():
    arn = "arn:aws:codebuild:eu-central-1:123456789012:project/p"
    project = resource("aws:codebuild/project:Project", "p", {"serviceRole": role_arn("trainer")}, {"arn": arn})
    starter = role_resources("ci", allow("codebuild:StartBuild", on=arn))
    assert through([*TRAINER, project, *starter], "ci") == {(READ_A, "trainer")}
    other = role_resources("ci", allow("codebuild:StartBuild", on=f"{arn}-other"))
    assert through([*TRAINER, project, *other], "ci") == set()


@pytest.mark.parametrize(
    ("policy", "namespaces", "reached"),
    [
        ("AmazonEKSClusterAdminPolicy", None, True),
        ("AmazonEKSEditPolicy", ["n"], True),
        ("AmazonEKSEditPolicy", ["other"], False),
        ("AmazonEKSViewPolicy", None, False),
    ],
)
def test_an_access_entry_reaches_what_pods_in_its_scope_reach(policy, namespaces, reached):
    scope = {"type": "namespace", "namespaces": namespaces} if namespaces else {"type": "cluster"}
    association = resource(
        "aws:eks/accessPolicyAssociation:AccessPolicyAssociation",
        "a",
        {
            "policyArn": f"arn:aws:eks::aws:cluster-access-policy/{policy}",
            "principalArn": role_arn("p"),
            "accessScope": scope,
        },
    )
    assert bool(through([*TRAINER, association], "role/p")) is reached


@pytest.mark.parametrize(("kind", "reached"), [("workflows", True), ("workflowtaskresults", False)])
def test_a_service_account_that_starts_workflows_reaches_what_others_of_its_namespace_reach(kind, reached):
    rbac = "kubernetes:rbac.authorization.k8s.io/v1"
    metadata = {"name": "starter", "namespace": "n"}
    rules = [{"apiGroups": ["argoproj.io"], "resources": [kind], "verbs": ["create"]}]
    resources = [
        *TRAINER,
        *role_resources("retrain", allow("logs:PutLogEvents")),
        pod_identity("retrain", "n", "starter"),
        resource(f"{rbac}:Role", "r", {"metadata": metadata, "rules": rules}),
        resource(
            f"{rbac}:RoleBinding",
            "b",
            {
                "metadata": metadata,
                "roleRef": {"kind": "Role", "name": "starter"},
                "subjects": [{"kind": "ServiceAccount", "name": "starter", "namespace": "n"}],
            },
        ),
    ]
    assert bool(through(resources, "retrain")) is reached


def test_reach_goes_over_any_number_of_steps_and_ends_in_a_circle():
    from tools.role_graph import Edge

    chain = [Edge(source=a, target=b, how="h") for a, b in (("a", "b"), ("b", "c"), ("c", "a"))]
    assert reach(chain)["a"] == {"b": "b", "c": "b"}


def test_a_key_policy_that_names_a_role_counts():
    key = "arn:aws:kms:eu-central-1:123456789012:key/1"
    statement = allow("kms:Decrypt", Principal={"AWS": role_arn("reader")})
    made = resource(
        "aws:kms/key:Key",
        "data-key",
        {"policy": json.dumps({"Version": "2012-10-17", "Statement": [statement]})},
        {"arn": key},
    )
    found = environment("test", [*role_resources("reader", allow("logs:PutLogEvents")), made]).access
    assert Access(principal="reader", thing="data-key", level=Level.READ) in found


def test_an_action_on_data_that_nobody_classified_is_refused():
    with pytest.raises(UnclassifiedAction, match="s3:PutBucketWorms"):
        environment("test", role_resources("r", allow("s3:PutBucketWorms", on="arn:aws:s3:::data")))


def test_wildcards_in_actions_give_every_level_that_they_cover():
    assert levels_of("s3:*") == tuple(Level) and levels_of("*") == tuple(Level)
    assert levels_of("s3:Get*") == (Level.READ,)
    assert levels_of("kms:GenerateDataKey*") == (Level.WRITE,)
    assert levels_of("s3:GetBucketLocation") == () and levels_of("logs:PutLogEvents") == ()
