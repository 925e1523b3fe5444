"""Stack files are read as the Pulumi CLI reads them, and broken ones are named with file and line."""

import json
from itertools import pairwise
from pathlib import Path

import pytest

from stackyard.errors import InvalidInput
from stackyard.program.stackfiles import read_stack, stack_names, stack_path, to_environment

PROJECT = """
name: kit
runtime: python
stackConfigDir: envs
config:
  network: {type: object, default: {}}
  pools: {type: array, items: {type: object}, default: []}
  environment: {type: object}
"""


@pytest.fixture
def project(tmp_path):
    """Writes a project with stack files by name; returns its root."""

    def write(**stacks: str) -> Path:
        (tmp_path / "envs").mkdir(exist_ok=True)
        (tmp_path / "Pulumi.yaml").write_text(PROJECT)
        for name, text in stacks.items():
            (tmp_path / "envs" / f"Pulumi.{name.replace('_', '-')}.yaml").write_text(text)
        return tmp_path

    return write


def refused(root, stack="dev") -> str:
    with pytest.raises(InvalidInput) as failure:
        read_stack(root, stack)
    assert "\n" not in str(failure.value), "one sentence"
    return str(failure.value)


def alias_bomb(first: str, repeated: str) -> str:
    """Eight short lines, each nine times the one before."""
    lines = [
        f"  kit:{name}: &{name} {repeated.format(', '.join([f'*{before}'] * 9))}"
        for before, name in pairwise("abcdefgh")
    ]
    return "\n".join(["config:", f"  kit:a: &a {first}", *lines])


def test_stacks_are_listed_by_their_files(project):
    root = project(prod_base="config: {}", dev="config: {}")
    assert stack_names(root) == ["dev", "prod-base"]
    assert stack_path(root, "dev") == root / "envs" / "Pulumi.dev.yaml"


def test_bare_keys_belong_to_the_project_and_defaults_are_filled_in(project):
    root = project(dev="config: {environment: {name: dev}, 'aws:region': us-east-1}")
    config = read_stack(root, "dev")
    assert (config.project, config.stack) == ("kit", "dev")
    assert config.config == {
        "kit:network": {},
        "kit:pools": [],
        "kit:environment": {"name": "dev"},
        "aws:region": "us-east-1",
    }


def test_the_environment_is_the_one_that_the_cli_makes(project):
    text = """
    config:
      kit:network: {b: [1, true], a: "x"}
      kit:count: 3
      kit:share: 0.5
      kit:on: true
      kit:text: "3"
      pulumi:disable-default-providers: ["*"]
    """
    environ = to_environment(read_stack(project(dev=text), "dev"))
    assert json.loads(environ["PULUMI_CONFIG"]) == {
        "kit:network": '{"a":"x","b":[1,true]}',
        "kit:pools": "[]",
        "kit:count": "3",
        "kit:share": "0.5",
        "kit:on": "true",
        "kit:text": "3",
        "pulumi:disable-default-providers": '["*"]',
    }
    assert environ["PULUMI_CONFIG_SECRET_KEYS"] == "[]"


def test_encrypted_leaves_are_told_by_their_key(project):
    text = "config: {kit:a: {secure: v1:x}, kit:b: {deep: [{secure: v1:y}]}, kit:c: {secure: [1]}, kit:d: plain}"
    config = read_stack(project(dev=text), "dev")
    assert config.secret_keys == ("kit:a", "kit:b")
    assert json.loads(to_environment(config)["PULUMI_CONFIG_SECRET_KEYS"]) == ["kit:a", "kit:b"]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("true", True),
        ("22:30", "22:30"),
        ("2026-11-24", "2026-11-24"),
        ("1.35", 1.35),
        ("1e3", 1000),
        ("123456789012", 123456789012),
        ("012345678901", 12345678901),
        ("0x10", 16),
        ("~", None),
        (".inf", ".inf"),
        ("10.0.0.0/16", "10.0.0.0/16"),
        ('"1.35"', "1.35"),
    ],
)
def test_scalars_are_read_as_the_cli_reads_them(project, written, read):
    config = read_stack(project(dev=f"config: {{kit:network: {{value: {written}}}}}"), "dev")
    value = config.config["kit:network"]["value"]
    assert (value, type(value)) == (read, type(read))


def test_a_missing_stack_names_the_nearest_and_lists_all(project):
    text = refused(project(prod_base="config: {}", dev="config: {}"), "prod")
    assert "no stack 'prod'" in text
    assert "Did you mean 'prod-base'?" in text
    assert text.endswith("Stacks are: dev, prod-base.")


def test_a_project_without_stacks_says_so(project):
    assert "holds no Pulumi.<stack>.yaml" in refused(project())


def test_a_folder_without_a_project_says_so(tmp_path):
    assert "has no Pulumi.yaml" in refused(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("config:\n  a: [1\n  b: 2\n", "Pulumi.dev.yaml, line 3"),
        ("config:\n  kit:a: 1\n  kit:a: 2\n", "line 3, column 3: this is not valid YAML: the key 'kit:a' stands twice"),
        ("config:\n  5: 1\n", "line 2, column 3: this is not valid YAML: a key must be text"),
        ("config: {kit:network: {}, network: {}}", "`kit:network` stands twice"),
        ("- a\n", "is a list, but must be a mapping"),
        ("", "is empty, but must be a mapping"),
        ("confg: {}", "`config` is empty, but must hold the stack's sections"),
        ("config: [a]", "`config` is a list"),
        ("config: text", "`config` is 'text'"),
        ("config: !!python/object:os.system {}", "line 1"),
        ("config: {kit:a: !!int foo}", "line 1, column 17: this is not valid YAML: 'foo' is no int"),
        ("config: {kit:a: !!bool maybe}", "'maybe' is no bool"),
        ("config: {kit:a: !!float 1e999}", "'1e999' is no float"),
        ("config: {kit:a: !!map foo}", "expected a mapping node"),
        ("config: {kit:a: !!binary aGk=}", "the tag `!!binary`"),
        (f"config: {{kit:a: {'1' * 5000}}}", f"'{'1' * 40}…' (5000 characters) is no int, or too long for one"),
        ("config: {kit:a: &a [*a]}", "contains itself"),
        (f"config: {'[' * 900}{']' * 900}", "is nested too deeply"),
        (alias_bomb("[1, 2, 3]", "[{}]"), "with its aliases written out this holds more than 10000 values"),
        (alias_bomb("{k: 1}", "{{k: [{}]}}"), "with its aliases written out this holds more than 10000 values"),
        (
            "config: {kit:a: %b}",
            "column 17: this is not valid YAML: found character that cannot start any token, at '%b}'",
        ),
        ("config: {kit:a: *zz}", "found undefined alias, at '*zz}'"),
        (
            "config:\n\ta: 1\n",
            "line 2, column 1: this is not valid YAML: found character that cannot start any token, at '\\t'",
        ),
    ],
)
def test_a_broken_file_is_named_with_the_place(project, text, words):
    message = refused(project(dev=text))
    assert words in message
    assert "Pulumi.dev.yaml" in message


def test_a_file_in_another_encoding_says_so(project):
    root = project(dev="")
    (root / "envs" / "Pulumi.dev.yaml").write_bytes("config: {kit:a: Müller}".encode("latin-1"))
    assert "is not UTF-8 text" in refused(root)


def test_a_project_file_without_a_name_says_so(project):
    root = project(dev="config: {}")
    (root / "Pulumi.yaml").write_text("runtime: python")
    assert "`name` is None" in refused(root)


def test_two_readings_give_equal_bytes(project):
    first = to_environment(read_stack(project(dev="config: {kit:network: {b: 1, a: 2}}"), "dev"))
    second = to_environment(read_stack(project(dev="config: {kit:network: {a: 2, b: 1}}"), "dev"))
    assert first == second


@pytest.mark.parametrize("namespace", ["stackyrd", "Stackyard", "stack-yard", "stackyards"])
def test_a_slip_of_the_projects_name_before_a_key_is_refused_with_the_right_one(tmp_path, namespace):
    (tmp_path / "Pulumi.yaml").write_text("name: stackyard")
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config: {{'{namespace}:registry': {{keepImages: 0}}}}")
    message = refused(tmp_path)
    assert f"nothing reads `{namespace}:registry`" in message
    assert message.endswith("write `stackyard:registry`.")


@pytest.mark.parametrize("namespace", ["aws", "pulumi", "kubernetes", "random", "datadog", "stackyard-dashboards"])
@pytest.mark.parametrize("name", ["stackyard", "awss", "pulumi2"])
def test_other_namespaces_are_other_peoples_business(tmp_path, namespace, name):
    (tmp_path / "Pulumi.yaml").write_text(f"name: {name}")
    (tmp_path / "Pulumi.dev.yaml").write_text(f"config: {{'{namespace}:region': us-east-1}}")
    assert read_stack(tmp_path, "dev").config == {f"{namespace}:region": "us-east-1"}


def test_a_slip_of_the_projects_name_cannot_forge_a_line(tmp_path):
    (tmp_path / "Pulumi.yaml").write_text("name: stackyard")
    (tmp_path / "Pulumi.dev.yaml").write_text('config: {"stackyrd:a\\n2. b\\e[31m": 1}')
    assert "\x1b" not in refused(tmp_path)
