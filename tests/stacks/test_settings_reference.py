"""The editors' schema, the document and the committed stack files agree with the settings."""

import copy
import json

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as some

from stacks.problems import flow
from stacks.reference import DOC_FILE, SCHEMA_FILE, leaves, schema, stale
from stacks.settings import SECTIONS, parse
from stacks.translate import bare, example_at, example_of, yaml_fields
from stackyard.program.stackfiles import read_project, stack_names, stack_path
from tests.stacks.places import ROOT
from tests.stacks.settings_cases import TRACEBACK_WORDS, problems, put, stack_sections, valid

STACKS = ["account", "dev", "local", "prod-base", "prod-platform", "staging-base", "staging-platform"]
MOST_LEAVES = 40


def stack_file(stack):
    return yaml.safe_load(stack_path(ROOT, stack).read_text())


def test_generated_files_are_fresh():
    assert stale() == [], "run python -m stacks.reference --write"


def test_there_are_few_commonly_changed_settings():
    assert len(leaves()) <= MOST_LEAVES, "what nobody changes is a component's argument"


def test_every_setting_has_a_meaning_and_an_example():
    def walk(kind):
        for name, field in yaml_fields(kind).items():
            inner = bare(field.annotation)
            assert field.description, f"{kind.__name__}.{name} says nothing"
            assert field.examples, f"{kind.__name__}.{name} has no example"
            walk(inner)

    for annotation in SECTIONS.values():
        walk(bare(annotation))
        walk(bare(annotation.__args__[0] if hasattr(annotation, "__args__") else annotation))


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_the_example_of_every_section_is_valid_in_the_editors_schema(section):
    contract = schema()
    node = contract["properties"]["config"]["properties"][f"stackyard:{section}"] | {"$defs": contract["$defs"]}
    jsonschema.validate(example_of(SECTIONS[section]), node)


def test_the_stack_files_are_the_seven_of_the_design():
    assert stack_names(ROOT) == STACKS


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_file_parses(stack):
    assert problems(stack_sections(stack), stack=stack) == {}


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_file_is_valid_in_the_editors_schema_and_names_it(stack):
    jsonschema.validate(stack_file(stack), json.loads((ROOT / SCHEMA_FILE).read_text()))
    assert stack_path(ROOT, stack).read_text().startswith("# yaml-language-server: $schema=settings.schema.json\n")


@pytest.mark.parametrize("stack", STACKS)
def test_every_stack_file_disables_default_providers(stack):
    assert stack_file(stack)["config"]["pulumi:disable-default-providers"] == ["*"]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("network.nta", "single"),
        ("network.nat", "two"),
        ("budget.monthlyUsd", "400"),
        ("nodePools[0].maxNodes", 0),
        ("cluster.kubernetesVersion", "1.29"),
        ("network.flowLogRetentionDays", 17),
    ],
)
def test_the_editors_schema_marks_what_the_parser_refuses(path, value):
    section, _, rest = path.partition(".")
    section, _, index = section.partition("[")
    spoiled = put(
        copy.deepcopy(stack_file("dev"))["config"], f"stackyard:{section}{'[' + index if index else ''}.{rest}", value
    )
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"config": spoiled}, schema())


def test_the_two_halves_of_an_environment_agree():
    for environment in ("staging", "prod"):
        base, platform = (parse(stack_sections(f"{environment}-{layer}")) for layer in ("base", "platform"))
        assert base.environment.model_copy(update={"layers": ()}) == platform.environment.model_copy(
            update={"layers": ()}
        )
        assert base.data_buckets == platform.data_buckets, "names are computed on both sides"
        assert base.build_runner == platform.build_runner, "the cluster's endpoint lets the runner in"


def test_environments_can_be_peered():
    networks = [parse(stack_sections(stack)).network for stack in STACKS]
    cidrs = [network.vpc_cidr for network in networks if network]
    assert len(cidrs) == len(set(cidrs)) == 4


def test_the_project_declares_every_section():
    declared = yaml.safe_load((ROOT / "Pulumi.yaml").read_text())["config"]
    assert list(declared) == list(SECTIONS)
    assert set(read_project(ROOT).defaults) == {f"stackyard:{name}" for name in SECTIONS} - {"stackyard:environment"}


def test_the_document_lists_every_leaf():
    text = (ROOT / DOC_FILE).read_text()
    assert all(f"`{path}`" in text for path in leaves())


def test_examples_are_written_as_yaml_reads_them():
    for value in (
        "1.35",
        "true",
        "10.0.0.0/16",
        "a b",
        "0 3 2 * *",
        "null",
        "",
        "arn:aws:iam::1:role/x",
        "é",
        "12",
        "a: b",
    ):
        assert yaml.safe_load(flow(value)) == value
        assert yaml.safe_load(flow({"k": [value]})) == {"k": [value]}


JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | some.text(max_size=8),
    lambda inner: some.lists(inner, max_size=3) | some.dictionaries(some.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@hypothesis_settings(max_examples=150, deadline=None)
@given(some.data())
def test_whatever_stands_in_a_setting_is_refused_in_our_own_words_or_accepted(data):
    config = valid()
    section = data.draw(some.sampled_from(sorted(config)))
    model = SECTIONS[section]
    path = section
    if isinstance(config[section], list):
        path, model = f"{section}[0]", bare(model.__args__[0])
    key = data.draw(some.sampled_from(sorted(yaml_fields(model))))
    for problem in problems(put(config, f"{path}.{key}", data.draw(JSON))).values():
        assert "must be valid (" not in problem.rule, f"an error kind without words of its own: {problem}"
        assert not any(word in str(problem) for word in TRACEBACK_WORDS)


def test_the_example_of_an_entry_is_one_of_its_list():
    assert example_at(SECTIONS["network"], ("zones", 1)) == "us-east-1b"
