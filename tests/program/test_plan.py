"""`stackyard plan`: what an `up` would do, the dangerous first; bad files are refused before anything runs."""

import io
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from stackyard.errors import InvalidInput
from stackyard.program.capture import Format, read_any, render
from stackyard.program.deployment import Deployment, Resource
from stackyard.program.plan import Change, Plan, counted, plan, print_plan, reason, run_command
from tests.stack_captures import ROOT, stack_capture

# A child process imports the SDK anew, about two seconds: too long for the default tier.
in_a_child = pytest.mark.local
SUBNET = "network-private-us-east-1a"


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stackyard", "plan", *arguments],
        cwd=ROOT,
        env={"PATH": os.defpath, "HOME": "/nonexistent"},
        capture_output=True,
        text=True,
        check=False,
    )


def written(folder: Path, deployment: Deployment, format_: Format = Format.JSON) -> Path:
    file = folder / "prior.json"
    file.write_text(render(deployment, format_), encoding="utf-8")
    return file


def changed(deployment: Deployment, name: str, *, protect: bool = False, **inputs: object) -> Deployment:
    """The deployment with other inputs of one resource: as it was before today's program."""
    resources = tuple(
        replace(r, inputs={**r.inputs, **inputs}, protect=protect) if r.name == name else r for r in deployment
    )
    return replace(deployment, resources=resources)


def with_one_more(deployment: Deployment, **fields: object) -> Deployment:
    """The deployment with a topic that today's program does not ask for."""
    other = deployment.only("aws:ec2/vpc:Vpc")
    urn = f"urn:pulumi:{deployment.stack}::{deployment.project}::aws:sns/topic:Topic::old"
    options = {"parent": other.parent, "provider": other.provider, "id": "old", **fields}
    extra = replace(Resource(urn=urn, type="aws:sns/topic:Topic", name="old"), **options)
    return replace(deployment, resources=(*deployment.resources, extra))


def printed(planned: Plan) -> str:
    console = Console(file=io.StringIO(), width=60, highlight=False, soft_wrap=True)
    print_plan(planned, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@in_a_child
@pytest.mark.parametrize("format_", [Format.JSON, Format.STATE])
def test_a_stack_against_its_own_capture_has_no_changes(tmp_path, format_):
    planned = plan(ROOT, "dev", prior_file=written(tmp_path, stack_capture("dev"), format_))
    assert planned.changes == () and planned.failures == ()
    custom = [r for r in stack_capture("dev") if r.custom]
    assert planned.counts == {"same": len(custom)}, "components and the stack itself are not counted"


@in_a_child
def test_with_nothing_before_everything_is_created():
    planned = plan(ROOT, "account")
    assert set(planned.counts) == {"create"}
    assert {change.op for change in planned.changes} == {"create"}
    assert "nothing" in planned.compared_with


@in_a_child
def test_deletes_and_replacements_come_first_with_their_reasons(tmp_path):
    prior = with_one_more(changed(stack_capture("dev"), SUBNET, cidrBlock="10.99.0.0/24"))
    prior = changed(prior, "data-bucket", tags={"team": "other"})
    output = tmp_path / "plan.jsonl"
    result = command("--stack", "dev", "--from", str(written(tmp_path, prior)), "--output", str(output))
    assert result.returncode == 0, result.stderr
    rows = [line.split() for line in result.stdout.splitlines()[1:-2]]
    assert rows[0][:3] == ["delete", "aws:sns/topic:Topic", "old"]
    assert any(row[:5] == ["replace", "aws:ec2/subnet:Subnet", SUBNET, "cidrBlock", "forces"] for row in rows)
    ranks = [["delete", "replace", "update"].index(row[0]) for row in rows]
    assert ranks == sorted(ranks)
    assert ["update", "aws:s3/bucket:Bucket", "data-bucket", "changes:", "tags"] in rows
    assert "1 to delete" in result.stdout
    events = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()]
    metadata = [event["resourcePreEvent"]["metadata"] for event in events if "resourcePreEvent" in event]
    replaced = next(m for m in metadata if m["op"] == "replace" and m["urn"].endswith(f"::{SUBNET}"))
    assert replaced["keys"] == ["cidrBlock"] and replaced["old"]["inputs"]["cidrBlock"] == "10.99.0.0/24"
    assert "preludeEvent" in events[0] and "cancelEvent" in events[-1]


@in_a_child
def test_a_protected_resource_that_would_go_fails_the_plan_after_it_was_shown(tmp_path):
    prior = with_one_more(stack_capture("dev"), protect=True)
    output = tmp_path / "plan.jsonl"
    result = command("--stack", "dev", "--from", str(written(tmp_path, prior)), "--output", str(output))
    assert result.returncode == 1
    assert "::old" in result.stderr and "cannot be deleted" in result.stderr and "Traceback" not in result.stderr
    assert "unchanged" in result.stdout
    lines = output.read_text(encoding="utf-8").splitlines()
    errors = [event["diagnosticEvent"]["message"] for line in lines if "diagnosticEvent" in (event := json.loads(line))]
    assert errors[0].startswith("Preview failed: resource ") and errors[-1] == "preview failed\n"
    assert json.loads(lines[-2])["summaryEvent"]["result"] == "failed"


@in_a_child
def test_what_the_program_itself_refuses_fails_the_plan_and_ends_the_events(tmp_path):
    base = stack_capture("prod-base")
    outputs = {key: value for key, value in base.outputs.items() if key != "privateSubnetIds"}
    planned = plan(ROOT, "prod-platform", base_from=written(tmp_path, replace(base, outputs=outputs)))
    assert "prod-base has no output privateSubnetIds: deploy it first" in planned.failures[0]
    assert planned.events[-2]["summaryEvent"]["result"] == "failed"


def refusal(prior: Path | None, *, stack: str = "dev", output: Path | None = None) -> str:
    with pytest.raises(InvalidInput) as caught:
        run_command(ROOT, stack, Console(file=io.StringIO()), prior_file=prior, base_from=None, output=output)
    assert caught.value.exit_status == 2
    return str(caught.value)


def test_a_file_that_does_not_exist_is_refused(tmp_path):
    assert "nothing.json does not exist" in refusal(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "is not readable JSON"),
        ("[1, 2]", "is not an exported state"),
        ('{"planned_values": {}}', "is not an exported state"),
        ('{"version": 4, "deployment": {"resources": []}}', "state version 4, but this Stackyard reads 3"),
        ('{"version": 3, "deployment": {"resources": [{"name": "x"}]}}', "do not have that form"),
        ('{"version": 3, "deployment": {"resources": [7]}}', "do not have that form"),
        ('{"project": "a", "stack": "b", "resources": [{}], "outputs": {}}', "do not have that form"),
    ],
)
def test_a_file_with_other_contents_is_refused_with_its_name(tmp_path, content, says):
    file = tmp_path / "other.json"
    file.write_text(content, encoding="utf-8")
    message = refusal(file)
    assert says in message and str(file) in message


def test_another_stacks_file_is_refused_since_everything_would_be_replaced(tmp_path):
    message = refusal(written(tmp_path, stack_capture("account")))
    assert "holds the stack 'account'" in message and "--stack account" in message


def test_an_unknown_stack_names_the_nearest(tmp_path):
    assert "Did you mean 'prod-base'?" in refusal(None, stack="prod-bas")


def test_an_output_that_cannot_be_written_is_refused_before_the_plan(tmp_path):
    assert "there is no folder" in refusal(None, output=tmp_path / "missing" / "plan.jsonl")
    assert "is a folder" in refusal(None, output=tmp_path)


def test_a_state_that_the_real_engine_exported_is_read():
    exported = read_any(ROOT / "tests" / "fixtures" / "engine" / "state-base.json")
    assert (exported.project, exported.stack) == ("mlops", "dev")
    assert any(resource.protect for resource in exported), "the export holds protected resources"
    assert "holds the stack 'dev' of the project 'mlops'" in refusal(
        ROOT / "tests" / "fixtures" / "engine" / "state-base.json", stack="dev"
    )


def some(op: str, name: str, **fields) -> Change:
    return Change(op=op, urn=f"urn:pulumi:dev::p::aws:x/y:Y::{name}", type="aws:x/y:Y", name=name, **fields)


def test_the_table_is_risk_first_and_creates_are_only_counted():
    changes = [
        some("create", "new"),
        some("update", "plain", diffs=("tags",)),
        some("update", "doubtful", diffs=("size",), replacement_unknown=True),
        some("replace", "swapped", keys=("name",), diffs=("name", "tags"), delete_first=True),
        some("delete", "gone"),
        some("delete", "kept", retained=True),
    ]
    planned = Plan(
        stack="dev",
        compared_with="[a file]",
        changes=tuple(sorted(changes, key=lambda change: change.risk)),
        counts={"create": 1, "update": 2, "replace": 1, "delete": 2, "same": 5},
        failures=(),
        events=(),
    )
    head, *rows, count = printed(planned).splitlines()
    assert head == "dev compared with [a file]", "markup in a name is text"
    assert [row.split()[2] for row in rows] == ["gone", "kept", "swapped", "doubtful", "plain"]
    assert count == "2 to delete, 1 to replace, 2 to update, 1 to create, 5 unchanged"


def test_the_reasons_name_what_forces_and_what_nobody_knows():
    assert reason(some("replace", "a", keys=("name",), diffs=("name", "tags"), delete_first=True)) == (
        "name forces it; changes: tags; the old one goes first"
    )
    assert "depends on what is replaced" in reason(some("replace", "a"))
    assert "replacement unknown" in reason(some("update", "a", diffs=("size",), replacement_unknown=True))
    assert reason(some("delete", "a")) == "the program no longer asks for it"
    assert "retained" in reason(some("delete", "a", retained=True))


def test_a_plan_without_changes_says_so():
    assert counted({"same": 3}) == "no changes, 3 unchanged"
    assert counted({"create": 2}) == "2 to create"
