"""Errors about settings neither break, nor repeat a secret, nor lead astray, whatever stands in the stack file."""

from functools import reduce
from typing import Any

import pytest

from stacks.settings import SettingsError, parse
from tests.stacks.settings_cases import errors, followed, put, valid, with_value, without

DEEP = "[" * 1000


def sentences(config: dict[str, Any], stack: str = "") -> str:
    found = errors(config, stack)
    assert found
    return "\n".join(map(str, found))


def examples(config: dict[str, Any], stack: str = "") -> list[str]:
    return [problem.example for problem in errors(config, stack)]


@pytest.mark.parametrize(
    "text", ["2027-03-15", "!!set {a, b}", "!!binary aGk=", "&a [*a]", DEEP, "{a: 2026-01-01}", "!!int foo"]
)
@pytest.mark.parametrize(
    "path", ["dataBuckets[0].noncurrentDays", "pipelines[0].suspended", "nodePools[1].gpu.maxGpus", "nodePools[1].gpu"]
)
def test_text_in_the_place_of_something_else_is_told_whatever_yaml_makes_of_it(path, text):
    (problem,) = errors(with_value(path, text))
    assert problem.path == path


@pytest.mark.parametrize("key", ["since: 2027-99-99", "x: !!int foo", "a: {", "- b"])
def test_a_key_may_look_like_yaml(key):
    found = errors(with_value("environment.tags", {key: 5}))
    assert found and {problem.path for problem in found} == {f"environment.tags.{key}"}
    assert {problem.example for problem in found} == {"environment.tags: {data-class: internal}"}


def test_a_bad_value_of_a_mapping_leaves_the_other_entries_alone():
    tags = {"team": "!", "class": 5, "kept": "a"}
    wanted = ["environment.tags.team: machine-learning", "environment.tags.class: internal"]
    assert examples(with_value("environment.tags", tags)) == wanted


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("runners", [{"maxRunners": 8, "githubAppSecretArn": "hunter2"}]),
        ("runners", "hunter2"),
        ("runners", ["hunter2"]),
        ("runnerz", "hunter2"),
        ("runnerz", ["hunter2"]),
        ("runnerz", {"maxRunners": 8, "githubAppSecretArn": "hunter2"}),
        ("tracking.extra", [{"password": "hunter2"}]),
        ("database", [{"password": "hunter2"}]),
        ("tracking.password", 72772),
        ("tracking.uri", "https://ml:ab/hunter2@host"),
        ("tracking.uri", "https://ml:hunter2 @host"),
        ("tracking.uri", 'https://ml:a"hunter2@host'),
        ("tracking.uri", "https://host/?token=hunter2"),
        ("tracking.uri", "ml:hunter2@host"),
        ("tracking.extra", "host=db;password = hunter2"),
        ("environment.tags", {"db_password": "hunter2!"}),
        ("environment.tags", {"db_password": ["hunter2"]}),
        ("environment.tag", {"db_password": "hunter2"}),
        ("environment.owners", "password=hunter2"),
        ("runners.pat", "hunter2"),
        ("environment.tags", {"githubPat": ["hunter2"]}),
        ("tracking.extra", "ghp_hunter2hunter2hunter2"),
        ("environment.tags", {"a": [{"secure": "v1:hunter2:y"}]}),
        ("cluster", [{"a": {"apiKey": ["hunter2"]}}]),
    ],
    ids=str,
)
def test_what_may_be_a_secret_is_never_repeated(path, value):
    text = sentences(put(without("environment.owner"), path, value))
    assert "hunter2" not in text
    assert "72772" not in text


def test_a_long_text_is_read_through_quickly():
    text = sentences(with_value("environment.owner", "a:" * 1_000_000))
    assert "… (2000000 characters)" in text


def test_an_encrypted_section_of_an_unknown_name_is_no_text():
    config = without("budget") | {"owner": "x", "budgets": {"secure": "v1:abc"}}
    with pytest.raises(SettingsError) as failure:
        parse(config, secret_keys=["owner", "budgets"])
    assert "owner is [hidden], but" in str(failure.value)
    assert '"[hidden]"' not in str(failure.value)


def test_of_a_wrong_shape_only_what_it_holds_is_told():
    assert "cluster is a list of 2 entries, but" in sentences(with_value("cluster", [{"token": "a"}, 5]))
    assert "cluster is a list of 1 entry, but" in sentences(with_value("cluster", [{"token": "a"}]))


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("nodePools[0].minNodes", 1),
        ("teamz", [{"name": "x"}]),
        ("database", {"name": "data"}),
        ("cluster.adminRoleArn", "arn:aws:iam::111122223333:role/other"),
        ("network.zone", None),
    ],
)
def test_a_slip_beside_the_right_key_is_removed_and_replaces_nothing(path, value):
    config = with_value(path, value)
    (problem,) = errors(config)
    assert str(problem).endswith("Remove it.")


@pytest.mark.parametrize(
    ("config", "path", "near"),
    [
        (without("environment") | {"enviroment": valid()["environment"]}, "enviroment", "environment"),
        (without("nodePools") | {"node_pools": valid()["nodePools"]}, "node_pools", "nodePools"),
        (without("budget") | {"budgets": {"monthlyUsd": "much"}}, "budgets", "budget"),
    ],
)
def test_nothing_is_made_up_in_the_place_of_a_section_that_needs_another_name(config, path, near):
    (problem,) = [problem for problem in errors(config) if problem.path == path]
    assert (problem.rule, problem.example) == (f"must be called {near}", "")


@pytest.mark.parametrize(
    ("config", "example"),
    [
        (
            put(without("cluster.adminRoleArns"), "cluster.adminRoleArn", ["arn:aws:iam::111122223333:role/r"]),
            "cluster.adminRoleArns: [arn:aws:iam::111122223333:role/r]",
        ),
        (
            with_value("cluster.adminRoleArns", "arn:aws:iam::111122223333:role/r"),
            "cluster.adminRoleArns: [arn:aws:iam::111122223333:role/r]",
        ),
        (
            put(
                with_value("cluster.adminRoleArns", ["arn:aws:iam::111122223333:role/r"]),
                "cluster.viewerRoleArns",
                ["arn:aws:iam::111122223333:role/r", "arn:aws:iam::111122223333:role/s"],
            ),
            "cluster.viewerRoleArns: [arn:aws:iam::111122223333:role/s]",
        ),
        (
            with_value("tracking", {"url": "https://mlflow.us-east-1.example.com", "storageGb": 20}),
            'tracking.uri: "https://mlflow.us-east-1.example.com"',
        ),
        (
            with_value("dataBuckets[0].replicasRegion", "us-east-1"),
            "dataBuckets[0].replicaRegion: us-east-1",
        ),
    ],
)
def test_the_persons_own_value_is_repeated_as_it_is(config, example):
    config = put(config, "environment.accountId", "222233334444")
    config = put(put(config, "environment.region", "eu-west-1"), "network.zones", ["eu-west-1a", "eu-west-1b"])
    assert example.replace('"', "") in [text.replace('"', "") for text in examples(config)]


@pytest.mark.parametrize(
    ("layers", "stack", "example"),
    [
        (["kubernetes"], "prod-platform", "environment.layers[0]: platform"),
        (["kubernetes", "platform"], "prod", "environment.layers[0]: base"),
        (["platform", "kubernetes"], "prod", "environment.layers[1]: base"),
        (["platform", "kubernetes"], "", "environment.layers[1]: base"),
        (["base", "kubernetes"], "prod", "environment.layers[1]: platform"),
        (["platfrom"], "prod-platform", "environment.layers[0]: platform"),
        (["kubernetes"], "account", "environment.layers[0]: account"),
    ],
)
def test_a_single_layer_goes_with_the_stack_and_the_other_layers(layers, stack, example):
    config = put(with_value("environment.layers", layers), "environment.name", "prod")
    assert example in examples(config, stack)


@pytest.mark.parametrize(
    ("config", "path", "hint"),
    [
        (put(without("environment.costCentre"), "environment.costCenter", "TODO"), "environment.costCenter", "Centre"),
        (with_value("network.zone", "???"), "network.zone", "zones"),
        (with_value("tracking.colour", "TODO"), "tracking.colour", "no known key"),
    ],
)  # fmt: skip
def test_a_placeholder_hides_no_slip_of_its_key(config, path, hint):
    (problem,) = [problem for problem in errors(config) if problem.path == path]
    assert "no known key" in problem.rule and hint in problem.rule
    assert "TODO" not in problem.example


def test_a_placeholder_of_the_wrong_shape_is_told_as_such():
    (problem,) = errors(with_value("network", ["TODO"]))
    assert (problem.path, problem.rule.partition(" with")[0]) == ("network", "must be a mapping of keys to values")


@pytest.mark.parametrize(
    ("version", "example", "falsehood"),
    [
        ("v1.35", "1.35", "EKS is not known"),
        ("1.35.2", "1.35", "EKS is not known"),
        ("V1.34.1", "1.34", "EKS is not known"),
        ("latest", "1.35", "EKS is not known"),
        ("1.99", "1.35", "any other"),
        ("v1.29", "1.34", "not known"),
    ],
)
def test_a_version_written_otherwise_is_the_one_that_was_meant(version, example, falsehood):
    (problem,) = errors(with_value("cluster.kubernetesVersion", version))
    assert problem.example == f'cluster.kubernetesVersion: "{example}"'
    assert falsehood not in problem.reason


@pytest.mark.parametrize(
    ("path", "value", "example"),
    [
        ("dataBuckets[0].noncurrentDays", "22:30", "90"),
        ("dataBuckets[0].noncurrentDays", "010", "10"),
        ("dataBuckets[0].noncurrentDays", "0x10", "90"),
        ("dataBuckets[0].noncurrentDays", "", "90"),
        ("tracking", {"storageGb": "", "instanceClass": "db.t4g.micro"}, "20"),
        ("budget.monthlyUsd", "750.50", "750.5"),
        ("pipelines[0].suspended", "True", "true"),
        ("pipelines[0].suspended", "no", "false"),
        ("environment.owner", True, "machine-learning"),
        ("environment.costCentre", 1001, '"1001"'),
    ],
)
def test_what_was_meant_by_text_is_read_as_the_cli_reads_it(path, value, example):
    (text,) = examples(with_value(path, value))
    assert text.partition(": ")[2] == example


@pytest.mark.parametrize(
    ("path", "value", "wanted"),
    [
        ("teams", ["flights", "vision"], ["{name: flights}", "{name: vision}"]),
        ("teams", [{"name": "flights"}, 5, 6], ["{name: flights-2}", "{name: flights-3}"]),
        ("dataBuckets", [{"name": "data"}, {"name": "Logs"}, {"name": "Raw"}], ["data-2", "data-3"]),
        ("network.zones", ["us-east-1a", "us-east-1b", "use1-az3"], ["us-east-1c"]),
        ("network.zones", ["use1-az1", "us-east-1a", "use1-az3"], ["us-east-1b", "us-east-1c"]),
        ("cluster.adminRoleArns", ["arn:aws:iam::111122223333:role/ml-platform-admin", "b", "c"], ["", ""]),
        ("cluster.adminRoleArns", ["<role>", "<role>"], ["arn:aws:iam::111122223333:role/ml-platform-admin", ""]),
        ("cluster.publicAccessCidrs", ["198.51.100.1", "198.51.100.2"], ["198.51.100.1/32", "198.51.100.2/32"]),
    ],
)
def test_examples_of_one_list_differ(path, value, wanted):
    config = with_value(path, value)
    config["pipelines"] = []
    del config["environment"]["protection"]
    found = [problem for problem in errors(config) if problem.path.startswith(path)]
    assert [problem.example.partition(": ")[2] for problem in found] == wanted


@pytest.mark.parametrize(
    ("index", "kinds"),
    [
        (1, ["m7g.large", "m7i.large"]),
        (1, ["m7i.large", "m7g.large"]),
        (1, ["g5g.xlarge", "m7i.large"]),
        (1, ["large", "g5.xlarge"]),
        (0, ["large", "m7g.large"]),
    ],
)
def test_examples_for_one_pool_have_one_architecture(index, kinds):
    config = with_value(f"nodePools[{index}].instanceTypes", kinds)
    found = errors(config)
    parse(followed(config, found))


def test_subnets_given_as_ids_are_asked_for_as_mappings_and_none_is_made_up():
    existing = {"vpcId": "vpc-0123456789abcdef0", "cidr": "10.16.0.0/16", "subnets": ["subnet-0123456789abcdef0"] * 2}
    found = [p for p in errors(with_value("network", {"existing": existing})) if "subnets[" in p.path]
    assert [problem.example for problem in found] == ["", ""]
    assert all(problem.rule == "must be a mapping of keys to values with id, zone, cidr" for problem in found)


def test_no_key_forges_a_line_or_reaches_the_terminal():
    config = with_value("environment.tags", {"x\n2. fine": 5, "y\x1b[31m": 5, "z\u202e": 5})
    found = [str(problem) for problem in errors(config | {"a\rb": {"c\u2066": 1}, "d\udc80": "\U000e0001"})]
    assert all(sentence.isprintable() for sentence in found)
    assert all(escaped in "".join(found) for escaped in (r"x\n2. fine", r"y\u001b", r"z\u202e", r"a\rb", r"\U000e0001"))


@pytest.mark.parametrize("value", ["hunter2\udc80", reduce(lambda inner, _: [inner], range(250), "hunter2")])
def test_what_is_no_json_is_told_without_the_section(value):
    text = sentences(with_value("budget.extra", value))
    assert "budget must hold no halves of characters" in text
    assert "400" not in text


def test_a_tag_may_be_called_key():
    found = errors(with_value("environment.tags", {"[key]": "!"}))
    assert {(problem.path, problem.example) for problem in found} == {
        ("environment.tags.[key]", "environment.tags: {data-class: internal}")
    }


def test_keys_of_a_mapping_are_cut_between_two_and_say_so():
    text = sentences(put(valid(), "budget.extra", {f"key-number-{number}": 1 for number in range(9)}))
    assert "a mapping with the keys key-number-0, key-number-1, …, but" in text


def test_a_dotted_key_is_told_apart():
    pool = {"name": "big", "instanceTypes": ["g5.xlarge"], "capacity": "spot", "maxNodes": 1, "gpu.maxGpus": 1}
    found = [problem for problem in errors(with_value("nodePools[2]", pool)) if "no known key" in problem.rule]
    assert [problem.example for problem in found] == ["nodePools[2].gpu: {maxGpus: 1}"]
    assert "did you mean gpu?" in found[0].rule
