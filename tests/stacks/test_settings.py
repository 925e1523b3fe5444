"""What is missing, unknown, secret or contradictory is refused, all at once; defaults; what the engine passes."""

import json
import subprocess
import sys

import pulumi
import pytest

from stacks.protection import Endpoints
from stacks.settings import Layer, Settings, SettingsError, load, parse, present
from stackyard.errors import InvalidInput
from stackyard.program.stackfiles import read_stack, to_environment
from tests.stacks.places import ROOT
from tests.stacks.settings_cases import problems, put, repaired, valid, with_value, without


@pytest.mark.parametrize("path", ["network", "dataBuckets", "budget", "cluster", "nodePools"])
def test_a_section_that_the_layers_need_is_asked_for_with_an_example(path):
    (problem,) = problems(without(path)).values()
    assert problem.path == path
    assert "is missing and must be given" in problem.rule
    assert "needs it" in problem.reason


@pytest.mark.parametrize(
    "path",
    [
        "environment.name",
        "environment.accountId",
        "network.cidr",
        "network.zones",
        "cluster.kubernetesVersion",
        "cluster.adminRoleArns",
    ],
)
def test_a_missing_leaf_is_named_and_its_example_works(path):
    config = without(path)
    (problem,) = problems(config).values()
    assert problem.path == path
    assert problem.value == "", "nothing was given"
    repaired(config, problem.example)


def test_a_section_left_empty_counts_as_left_out():
    assert list(problems(without("budget.monthlyUsd"))) == ["budget"], "Pulumi.yaml fills missing sections in as empty"


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("network.cdir", "cidr"),
        ("network.flow_log_retention_days", "flowLogRetentionDays"),
        ("nodePools[0].max_nodes", "maxNodes"),
        ("nodePools[1].gpu.maxGPUs", "maxGpus"),
        ("clusters", "cluster"),
        ("node_pools", "nodePools"),
        ("environment.costCenter", "costCentre"),
    ],
)
def test_an_unknown_key_names_the_nearest_known_one(path, near):
    (problem,) = problems(with_value(path, 5)).values()
    assert problem.path == path
    assert f"did you mean {near}?" in problem.rule


def test_a_key_like_no_other_gets_the_list_of_known_ones():
    (problem,) = problems(with_value("budget.qqqq", 5)).values()
    assert "did you mean" not in problem.rule
    assert "monthlyUsd" in problem.reason
    assert str(problem).endswith("Remove it."), "the way out"


def test_all_problems_are_reported_at_once_even_between_sections():
    config = with_value("network.cidr", "10.0.0.0/30")
    config["network"]["zones"] = ["eu-west-1a", "eu-west-1b"]
    config["environment"]["owner"] = "TODO"
    config["nodePools"][0]["maxNodes"] = 0
    config["pipelines"][0]["team"] = "nobody"
    del config["budget"]
    assert set(problems(config)) == {
        "environment.owner",
        "network.cidr",
        "network.zones[0]",
        "network.zones[1]",
        "nodePools[0].maxNodes",
        "pipelines[0].team",
        "budget",
    }


def test_a_rule_between_values_keeps_silent_about_values_that_could_not_be_read():
    config = with_value("environment.region", "nowhere")
    assert list(problems(config)) == ["environment.region"], "zones are not judged against a stand-in"


def test_two_ranges_of_an_existing_vpc_must_not_overlap():
    config = with_value("network", existing(("10.16.0.0/20", "us-east-1a"), ("10.16.8.0/21", "us-east-1b")))
    (problem,) = problems(config).values()
    assert problem.path == "network.existing.subnets[1].cidr"
    assert "must not overlap network.existing.subnets[0].cidr (10.16.0.0/20)" in problem.rule


def test_subnets_outside_their_vpc_or_in_one_zone_are_refused():
    config = with_value("network", existing(("10.99.0.0/20", "us-east-1a"), ("10.16.16.0/20", "us-east-1a")))
    found = problems(config)
    assert "must lie inside 10.16.0.0/16" in found["network.existing.subnets[0].cidr"].rule
    assert "2 or 3 zones" in found["network.existing.subnets"].rule


def test_an_existing_vpc_excludes_a_new_one():
    network = existing(("10.16.0.0/20", "us-east-1a"), ("10.16.16.0/20", "us-east-1b"))
    assert present(parse(with_value("network", network)).network).zone_names == ("us-east-1a", "us-east-1b")
    found = problems(with_value("network", network | {"cidr": "10.0.0.0/16"}))
    assert list(found) == ["network.cidr"]


def existing(*subnets):
    entries = [
        {"id": f"subnet-0123456789abcdef{index}", "zone": zone, "cidr": cidr}
        for index, (cidr, zone) in enumerate(subnets)
    ]
    return {"existing": {"vpcId": "vpc-0123456789abcdef0", "cidr": "10.16.0.0/16", "subnets": entries}}


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({}, (Endpoints.S3_ONLY, None)),
        ({"endpoints": "standard"}, (Endpoints.STANDARD, None)),
        ({"flowLogRetentionDays": 30}, (Endpoints.S3_ONLY, 30)),
    ],
)
def test_to_an_existing_vpc_only_what_the_stack_file_names_is_added(given, read):
    two = existing(("10.16.0.0/20", "us-east-1a"), ("10.16.16.0/20", "us-east-1b"))
    network = present(parse(with_value("network", two | given)).network)
    assert (network.added_endpoints, network.added_flow_log_days) == read


def test_a_new_vpc_gets_what_its_protection_says():
    network = present(parse(valid()).network)
    assert (network.added_endpoints, network.added_flow_log_days) == (Endpoints.STANDARD, 90)


def test_nat_gateways_of_an_existing_vpc_are_its_owners():
    two = existing(("10.16.0.0/20", "us-east-1a"), ("10.16.16.0/20", "us-east-1b"))
    assert list(problems(with_value("network", two | {"nat": "single"}))) == ["network.nat"]


def test_with_a_range_for_pods_the_network_may_be_small():
    small = with_value("network.cidr", "10.16.0.0/24")
    assert list(problems(small)) == ["network.cidr"]
    assert not problems(put(small, "network.podCidr", "100.64.0.0/16"))
    smaller = put(with_value("network.cidr", "10.16.0.0/25"), "network.podCidr", "100.64.0.0/16")
    assert problems(smaller)["network.cidr"].rule == "must be a /24 or larger"


@pytest.mark.parametrize(
    ("pods", "rule"),
    [
        ("192.168.0.0/16", "must lie inside 100.64.0.0/10 or in the same private range"),
        ("100.64.0.0/23", "must be a /22 or larger"),
    ],
)
def test_a_pod_range_that_aws_or_the_plan_refuses_is_refused(pods, rule):
    found = problems(put(with_value("network.cidr", "10.16.0.0/16"), "network.podCidr", pods))
    assert rule in found["network.podCidr"].rule


def test_a_bucket_may_lock_move_list_and_copy_its_objects():
    bucket = {"name": "data", "lockDays": 30, "tieringDays": 0, "inventory": "weekly", "replicaRegion": "us-west-2"}
    (read,) = parse(with_value("dataBuckets", [bucket | {"expireDays": 730}])).data_buckets
    assert (read.lock_days, read.tiering_days, read.replica_region, read.expire_days) == (30, 0, "us-west-2", 730)


@pytest.mark.parametrize(
    ("bucket", "path", "rule"),
    [
        ({"tieringDays": 30, "expireDays": 30}, "tieringDays", "must be less than dataBuckets[0].expireDays (30)"),
        ({"lockDays": 30, "expireDays": 7}, "expireDays", "must be at least dataBuckets[0].lockDays (30)"),
        ({"replicaRegion": "us-east-1"}, "replicaRegion", "must be another region"),
    ],
)
def test_bucket_settings_that_exclude_each_other_are_refused(bucket, path, rule):
    found = problems(with_value("dataBuckets", [{"name": "data"} | bucket]))
    assert rule in found[f"dataBuckets[0].{path}"].rule


def test_a_copy_whose_name_would_be_too_long_or_is_taken_is_refused():
    taken = [{"name": "data", "replicaRegion": "us-west-2"}, {"name": "data-us-west-2"}]
    assert "no bucket is named after" in problems(with_value("dataBuckets", taken))["dataBuckets[0].replicaRegion"].rule
    long = [{"name": "data"}, {"name": "sixteen-letters-", "replicaRegion": "ap-southeast-1"}]
    long[1]["name"] = "a" * (63 - len("stackyard-dev--111122223333-us-east-1"))
    found = problems(with_value("dataBuckets", long))
    assert "5 characters shorter" in found["dataBuckets[1].replicaRegion"].rule


def test_pods_may_not_share_the_range_of_the_network():
    found = problems(put(with_value("network.cidr", "10.16.0.0/16"), "network.podCidr", "10.16.128.0/17"))
    assert found["network.podCidr"]


def test_a_secure_leaf_is_refused_with_the_place_where_secrets_belong():
    config = with_value("notifications.page", [{"secure": "v1:abc"}])
    config["nodePools"][0]["maxNodes"] = -1
    found = problems(config)
    assert set(found) == {"notifications.page[0]", "nodePools[0].maxNodes"}
    assert "AWS Secrets Manager" in found["notifications.page[0]"].reason
    assert "v1:abc" not in str(found["notifications.page[0]"])


def test_a_section_that_is_encrypted_as_a_whole_is_refused():
    assert list(problems(with_value("tracking", {"secure": "v1:abc"}), secret_keys=["tracking"])) == ["tracking"]


def test_a_section_that_the_engine_decrypted_is_refused_without_showing_anything_of_it():
    config = with_value("tracking", {"instanceClass": "hunter2", "password": "hunter2"})
    with pytest.raises(SettingsError) as failure:
        parse(config, secret_keys=["tracking"])
    assert [problem.path for problem in failure.value.problems] == ["tracking"]
    assert "hunter2" not in str(failure.value)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("tracking.password", "hunter2"),
        ("teams[0].githubToken", "hunter2"),
        ("runners", {"maxRunners": 2, "githubAppSecretArn": "hunter2"}),
        ("runners", {"maxRunners": 2, "githubAppSecrtArn": "hunter2"}),
        ("tracking", {"uri": "https://me:hunter2@mlflow.example.com"}),
        ("networks", "https://me:hunter2@example.com"),
    ],
)
def test_what_may_be_a_secret_is_never_repeated(path, value):
    found = problems(with_value(path, value))
    assert found
    assert not any("hunter2" in str(problem) for problem in found.values())


def test_a_section_with_a_slip_in_its_name_that_the_engine_decrypted_is_not_repeated():
    config = valid()
    config["trackings"] = {"instanceClass": "db.t4g.micro", "storageGb": 4711}
    with pytest.raises(SettingsError) as failure:
        parse(config, secret_keys=["trackings"])
    assert "4711" not in str(failure.value)


def test_a_reason_opens_the_endpoint_to_the_world():
    config = with_value("cluster.publicAccessCidrs", ["0.0.0.0/0"])
    short = problems(put(config, "cluster.openToWorldReason", "because"))
    assert short["cluster.openToWorldReason"].rule == "must have at least 20 characters"
    assert parse(put(config, "cluster.openToWorldReason", "hosted CI has no fixed addresses")).cluster


def test_sections_of_a_layer_that_the_stack_lacks_are_refused():
    found = problems(with_value("environment.layers", ["base"]))
    assert set(found) == {"cluster", "nodePools", "teams", "pipelines"}
    assert "must only be given in a stack with the layer platform" in found["cluster"].rule


@pytest.mark.parametrize(
    ("layers", "stack", "fine"),
    [
        (["base", "platform"], "dev", True),
        (["base", "platform"], "dev-base", False),
        (["base", "platform"], "", True),
    ],
)
def test_the_stacks_name_and_the_environments_belong_together(layers, stack, fine):
    found = problems(with_value("environment.layers", layers), stack=stack)
    assert ("environment.name" in found) is not fine


def test_the_longest_bucket_name_counts_the_stacks_own_parts():
    config = with_value("environment.name", "an-environment")
    config["environment"] |= {"prefix": "twelve-chars", "region": "ap-southeast-1"}
    config["network"]["zones"] = ["ap-southeast-1a", "ap-southeast-1b"]
    found = problems(config)
    assert "bucket for access logs" in found["environment.name"].reason


def test_prefix_and_name_leave_room_for_the_prefixes_of_cached_images():
    fits = with_value("environment.prefix", "twelve-chars")
    assert problems(put(fits, "environment.name", "ten-chars1")) == {}
    found = problems(put(fits, "environment.name", "eleven-char"))["environment.prefix"]
    assert found.rule == "must have at most 11 characters with name eleven-char"
    assert "would begin with 31 characters, and ECR allows 30" in found.reason
    assert problems(put(fits, "environment.prefix", found.example.split(": ")[-1])) == {}


def test_a_runner_needs_a_repository():
    assert "ci.repository" in problems(with_value("buildRunner.connection", "pending"))


def test_defaults_follow_from_the_protection_unless_the_stack_says_otherwise():
    cheap = parse(with_value("environment.protection", "none"))
    network = present(cheap.network)
    assert (network.nat, network.endpoints) == ("single", "s3_only")
    assert present(cheap.cluster).log_retention_days == 30
    assert len(cheap.profile.cluster_log_types) == 2
    strict = parse(put(with_value("environment.protection", "strict"), "network.nat", "single"))
    network = present(strict.network)
    assert (network.nat, network.endpoints) == ("single", "all")
    assert strict.data_buckets[0].noncurrent_days == 365


def test_the_given_configuration_is_not_changed():
    config = valid()
    parse(config)
    assert config == valid()


def test_settings_cannot_be_changed_and_rules_cannot_be_bypassed():
    settings = parse(valid())
    with pytest.raises(ValueError, match="frozen"):
        settings.environment.name = "prod"
    sections = {"environment": settings.environment, "network": settings.network, "budget": settings.budget}
    sections |= {"cluster": settings.cluster, "nodePools": settings.node_pools}
    with pytest.raises(ValueError, match="must have one called data"):
        Settings.model_validate(
            sections | {"dataBuckets": (settings.data_buckets[0].model_copy(update={"name": "b"}),)}
        )


def test_physical_names_tell_environment_account_and_region_and_have_a_limit():
    settings = parse(valid())
    assert settings.physical_name("data") == "stackyard-dev-data-111122223333-us-east-1"
    with pytest.raises(InvalidInput, match=r"at most 30.*by 11"):
        settings.physical_name("data", limit=30)


def test_tags_of_the_stack_come_with_its_own():
    settings = parse(with_value("environment.tags", {"data-class": "internal"}))
    assert settings.default_tags == {
        "cost-centre": "ml-1001",
        "data-class": "internal",
        "environment": "dev",
        "managed-by": "stackyard",
        "owner": "machine-learning",
    }


def test_the_program_reads_what_the_engine_passes():
    settings = load(to_environment(read_stack(ROOT, "prod-platform")) | {"PULUMI_STACK": "prod-platform"})
    assert settings.environment.name == "prod"
    assert settings.has(Layer.PLATFORM)
    assert not settings.has(Layer.BASE)


def test_under_the_engine_bad_settings_are_a_run_error_with_the_same_text():
    config = with_value("budget.monthlyUsd", 0)
    with pytest.raises(SettingsError) as ours:
        parse(config, stack="dev")
    environ = {
        "PULUMI_CONFIG": json.dumps({f"stackyard:{key}": json.dumps(value) for key, value in config.items()}),
        "PULUMI_CONFIG_SECRET_KEYS": "[]",
        "PULUMI_STACK": "dev",
    }
    with pytest.raises(pulumi.RunError) as theirs:
        load(environ)
    assert str(theirs.value) == str(ours.value)


def test_a_section_that_is_a_scalar_under_the_engine_is_one_sentence():
    environ = {"PULUMI_CONFIG": json.dumps({"stackyard:environment": "dev", "aws:region": "us-east-1"})}
    with pytest.raises(pulumi.RunError, match='environment is "dev", but must be a mapping'):
        load(environ)


def test_without_any_configuration_the_environment_is_asked_for():
    with pytest.raises(pulumi.RunError, match="environment is missing and must be given"):
        load({})


def test_bad_settings_end_a_command_with_status_2():
    with pytest.raises(SettingsError) as failure:
        parse({})
    assert failure.value.exit_status == 2


def test_reading_settings_needs_no_pulumi():
    code = "import stacks.settings, sys; sys.exit('pulumi' in sys.modules or 'boto3' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


@pytest.mark.parametrize(
    ("section", "missing"),
    [
        ({"storageGb": 20}, ["tracking.instanceClass"]),
        ({"uri": "sqlite:///models.db"}, ["tracking.instanceClass", "tracking.storageGb"]),
        ({"uri": "https://mlflow.example.com"}, []),
    ],
    ids=["own", "file", "server"],
)
def test_only_a_server_that_exists_needs_no_database(section, missing):
    assert list(problems({**valid(), "tracking": section})) == missing
