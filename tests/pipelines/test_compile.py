"""Compiling: offline, the same bytes on any machine, nothing of the machine inside."""

import json
import os
import re
import shutil
import tarfile
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from components.gpu_sharing import NOT_SHARED
from components.node_pool_spec import PoolRole, cpu_labels, gpu_labels, gpu_taints
from pipelines.binding import bind
from pipelines.compile import compile_pipeline, compiler, read_compiled, require_package, stale
from pipelines.compile.archive import gzip_stored, repack
from pipelines.compile.compiled import ROOT, package_asset_path
from pipelines.compile.shape import DEADLINE_SECONDS
from pipelines.declaration import Resources
from pipelines.schedule import cron_workflow
from pipelines.tokens import SHELL_SAFE, strings, tokens
from stackyard.cli import app
from stackyard.errors import InvalidInput, UserError
from stackyard.local.places import typed
from tests.pipelines.contracts import contract
from tests.pipelines.projects import DECLARATION, FLOW, project

pytestmark = pytest.mark.local

# What another machine looks like from inside the compiling process.
OTHER_MACHINE = """
import platform, sys, time
from collections import namedtuple
info = namedtuple("version_info", "major minor micro releaselevel serial")(*sys.version_info[:2], 99, "final", 0)
sys.version, sys.version_info = "3.11.99 (other build) [Clang 99]", info
platform.system, platform.node, platform.python_version = lambda: "Darwin", lambda: "elsewhere", lambda: "3.11.99"
now = time.time
time.time = lambda: now() + 1e7

import socket
def no_network(*_):
    raise RuntimeError("compiling opened a connection")
socket.socket.connect = no_network
"""


@pytest.fixture(scope="module")
def translation(tmp_path_factory):
    """What the framework makes of the tiny flow: it takes a second, what we make of it takes none."""
    return compiler.translate(DECLARATION, project(tmp_path_factory.mktemp("tiny")), {})


@pytest.fixture(scope="module")
def tiny(translation, tmp_path_factory):
    root = tmp_path_factory.mktemp("compiled")
    compiled, content = compiler.assemble(DECLARATION, translation)
    compiler.write(compiled, root / "pipelines" / "tiny" / "compiled")
    (root / compiled.package.path).parent.mkdir(parents=True)
    (root / compiled.package.path).write_bytes(content)
    return root, compiled


@pytest.fixture
def elsewhere(tmp_path):
    """Environment of the compiling process on another machine, by another person, with another hash seed."""
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "sitecustomize.py").write_text(OTHER_MACHINE)
    people = dict.fromkeys(("USER", "USERNAME", "LOGNAME", "SUDO_USER", "METAFLOW_USER"), "somebody")
    return {
        **people,
        "PYTHONPATH": str(tmp_path / "site"),
        "PYTHONHASHSEED": "4711",
        "HOME": str(tmp_path),
        "TZ": "Asia/Tokyo",
        "METAFLOW_PRODUCTION_TOKEN": "mine",
        "APP": "mine",
    }


def written(root):
    return {path.name: path.read_bytes() for path in (root / "pipelines" / "tiny" / "compiled").iterdir()}


def test_another_machine_user_folder_time_and_hash_seed_without_network_give_the_same_bytes(tiny, tmp_path, elsewhere):
    root, compiled = tiny
    other = project(tmp_path / "some other place")
    for path in sorted((other / "pipelines").rglob("*.py"), reverse=True):
        os.utime(path, (86400, 86400))
        path.chmod(0o755)
    again = compile_pipeline("tiny", root=other, declaration=DECLARATION, extra_environment=elsewhere)
    assert written(other) == written(root)
    assert require_package(again, root=other).read_bytes() == require_package(compiled, root=root).read_bytes()


def test_the_test_above_would_see_a_difference(tmp_path, elsewhere):
    flow = "import platform, sys\n" + FLOW.replace('help="Months."', "help=f'{sys.version} {platform.system()}'")
    there = compiler.translate(DECLARATION, project(tmp_path, flow), elsewhere)
    assert "3.11.99 (other build) [Clang 99] Darwin" in there.template, "the compiling process is on another machine"


def test_the_package_holds_what_the_flow_imports_and_no_more(tiny):
    root, compiled = tiny
    with tarfile.open(require_package(compiled, root=root)) as archive:
        own = [name for name in archive.getnames() if not name.startswith(".mf_")]
        owners = {(member.uid, member.gid, member.mtime, member.mode) for member in archive}
    assert own == [
        "flow.py",
        *("pipelines/__init__.py", "pipelines/contract.py", "pipelines/tiny/__init__.py", "pipelines/tiny/work.py"),
        *("stackyard/__init__.py", "stackyard/errors.py"),
    ], "no compiled form (its hash would be part of itself), no module that the flow does not import"
    assert owners == {(0, 0, 0, 0o644)}


@pytest.fixture(params=["tiny", "training"])
def document(request, tiny):
    compiled = tiny[1] if request.param == "tiny" else read_compiled("training")
    return {name: json.loads(text) for name, text in compiled.files().items()}


def test_every_bucket_is_a_token_and_nothing_names_an_account_a_registry_or_a_machine(document):
    texts = [text for _, text in strings(document)]
    addresses = [address for text in texts for address in re.findall(r"s3://.{0,12}", text)]
    assert addresses
    assert all(address.startswith("s3://@{contract.") for address in addresses), addresses
    whole = "\n".join(re.sub(r"\b[0-9a-f]{64}\b", "", text) for text in texts)
    for forbidden in ("arn:", "amazonaws", "/home/", "/root", "/tmp/", "/" + "work/", "Linux", "root@"):
        assert forbidden not in whole
    assert not re.search(r"\b\d{12}\b", whole), "an account number"
    assert not re.search(r"\b3\.1[12]\.\d+\b", whole), "a Python patch version"
    images = {text for path, text in strings(document) if path.endswith(".image")}
    assert images == {"@{contract.image}"}, "an image comes with the stack, from its lock"


def test_shell_commands_hold_only_tokens_whose_values_a_shell_cannot_misread(document):
    commands = [text for path, text in strings(document) if ".container.command" in path]
    assert commands
    assert tokens(commands) <= SHELL_SAFE


def test_pods_never_install_packages(document):
    for step in steps(document["WorkflowTemplate.json"]):
        assert environment(step)["METAFLOW_SKIP_INSTALL_DEPENDENCIES"] == "1"


def test_a_step_gets_its_own_deadline_or_an_hour(tiny):
    deadlines = {step["name"]: step["activeDeadlineSeconds"] for step in steps(tiny[1].template)}
    assert deadlines == {"first": DEADLINE_SECONDS, "second": 1800}


def test_retries_are_those_of_the_flow(tiny):
    limits = {step["name"]: step.get("retryStrategy", {}).get("limit") for step in steps(tiny[1].template)}
    assert limits == {"first": 2, "second": None}


def test_resources_come_from_the_declaration_and_a_gpu_step_is_placed_on_gpu_nodes(translation):
    gpu = Resources(cpu=4, memory_mb=16384, gpu=1)
    compiled, _ = compiler.assemble(replace(DECLARATION, step_resources={"second": gpu}), translation)
    first, second = steps(compiled.template)
    assert first["container"]["resources"]["limits"] == {"cpu": "1", "memory": "2048Mi"}
    assert first["nodeSelector"] == {"stackyard.dev/pool": "@{contract.pools.cpu}"}
    assert "tolerations" not in first
    amounts = {"cpu": "4", "memory": "16384Mi", "nvidia.com/gpu": "1"}
    assert second["container"]["resources"] == {"requests": amounts, "limits": amounts}
    assert second["nodeSelector"] == {"stackyard.dev/pool": "@{contract.pools.gpu}"}
    assert second["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}]


def test_a_bound_step_runs_on_the_nodes_that_pools_of_its_role_start(translation):
    compiled, _ = compiler.assemble(replace(DECLARATION, step_resources={"second": Resources(gpu=1)}), translation)
    bound = bind(compiled.template, contract(pools={role.value: role.value for role in PoolRole}), pipeline="training")
    first, second = steps(bound)
    assert first["nodeSelector"].items() <= cpu_labels().items()
    assert second["nodeSelector"].items() <= gpu_labels(NOT_SHARED).items()
    (taint,) = gpu_taints()
    assert second["tolerations"] == [{"key": taint["key"], "operator": "Exists", "effect": taint["effect"]}]


def test_no_step_is_moved_to_another_node_to_save_money(tiny):
    annotations = [step["metadata"]["annotations"] for step in steps(tiny[1].template)]
    assert [found["karpenter.sh/do-not-disrupt"] for found in annotations] == ["true", "true"]


def test_a_gpu_step_without_a_deadline_of_its_own_is_refused(translation):
    declaration = replace(DECLARATION, step_resources={"first": Resources(gpu=1)})
    with pytest.raises(InvalidInput) as error:
        compiler.assemble(declaration, translation)
    assert "first" in str(error.value)
    assert "@timeout" in str(error.value)


def test_a_flow_whose_parameters_are_not_the_declared_ones_is_refused(translation):
    with pytest.raises(InvalidInput) as error:
        compiler.assemble(replace(DECLARATION, parameters=()), translation)
    assert "months" in str(error.value)


def test_a_flow_that_the_framework_refuses_is_told_in_its_words(tmp_path):
    broken = FLOW.replace("self.next(self.second)", "pass")
    with pytest.raises(UserError) as error:
        compile_pipeline("tiny", root=project(tmp_path, broken), declaration=DECLARATION)
    assert "tiny does not compile" in str(error.value)
    assert "first" in str(error.value)


def test_relative_imports_are_refused_since_the_flow_runs_as_a_script(tmp_path):
    with pytest.raises(InvalidInput) as error:
        compile_pipeline("tiny", root=project(tmp_path, "from . import work\n" + FLOW), declaration=DECLARATION)
    assert "line 1: relative import" in str(error.value)


def test_a_schedule_is_compiled_and_goes_when_it_is_no_longer_declared(translation, tmp_path):
    scheduled = replace(DECLARATION, schedule="0 4 1 * *")
    compiler.write(compiler.assemble(scheduled, translation)[0], tmp_path)
    cron = json.loads((tmp_path / "CronWorkflow.json").read_text())
    assert cron == cron_workflow(scheduled)
    assert cron["spec"]["concurrencyPolicy"] == "Forbid", "a run that is still going is not doubled"
    compiler.write(compiler.assemble(DECLARATION, translation)[0], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"WorkflowTemplate.json", "pipeline.json"}


def test_the_committed_pipeline_is_that_of_the_sources():
    assert stale("training") == [], "run `stackyard pipelines compile training` and commit what it writes"


def test_training_runs_its_steps_one_after_the_other_and_bad_data_is_not_tried_again():
    template = read_compiled("training").template
    (dag,) = [entry["dag"] for entry in template["spec"]["templates"] if "dag" in entry]
    order = ["ingest", "validate", "train", "evaluate", "register"]
    assert [task["depends"].removesuffix(".Succeeded") for task in dag["tasks"]] == ["", *order[:-1]]
    assert [task["name"] for task in dag["tasks"]] == order
    retried = {step["name"] for step in steps(template) if "retryStrategy" in step}
    assert retried == {"train", "evaluate", "register"}, "up to validation a failure means bad data"


def test_staleness_is_seen(tiny, translation, monkeypatch):
    root, _ = tiny
    monkeypatch.setattr(compiler, "translate", lambda *_: translation)
    monkeypatch.setattr("pipelines.declaration.declaration", lambda name: replace(DECLARATION, schedule="0 4 1 * *"))
    assert stale("tiny", root=root) == ["CronWorkflow.json", "pipeline.json"]


def test_the_check_names_stale_files_and_writes_nothing(tiny, translation, tmp_path, monkeypatch):
    root = shutil.copytree(tiny[0], tmp_path / "root")
    monkeypatch.setattr(compiler, "translate", lambda *_: translation)
    monkeypatch.setattr("pipelines.declaration.declarations", lambda: {"tiny": DECLARATION})
    monkeypatch.setattr("stackyard.cli._root", lambda: root)

    def check():
        return CliRunner().invoke(app, ["pipelines", "compile", "--check"])

    fresh = check()
    assert (fresh.exit_code, fresh.output) == (0, "tiny: compiled from the sources as they are\n")
    template = root / "pipelines" / "tiny" / "compiled" / "WorkflowTemplate.json"
    template.write_text("{}\n")
    error = check().exception
    assert isinstance(error, UserError)
    assert str(error) == (
        "not what the sources compile to now: pipelines/tiny/compiled/WorkflowTemplate.json. "
        f"Run {typed('pipelines compile')} and commit what it writes."
    )
    assert error.exit_status == 1
    assert template.read_text() == "{}\n", "a check mends nothing"


def test_a_missing_package_is_answered_with_the_command_that_makes_it(tiny, tmp_path):
    with pytest.raises(UserError) as error:
        require_package(tiny[1], root=tmp_path)
    assert "stackyard pipelines compile tiny" in str(error.value)


def test_a_package_with_another_hash_is_refused(tiny, tmp_path):
    path = tmp_path / tiny[1].package.path
    path.parent.mkdir(parents=True)
    path.write_bytes(b"something else")
    with pytest.raises(UserError) as error:
        require_package(tiny[1], root=tmp_path)
    assert "not the one that was committed" in str(error.value)


def test_a_pipeline_that_was_never_compiled_is_answered_with_the_command(tmp_path):
    with pytest.raises(InvalidInput) as error:
        read_compiled("tiny", root=tmp_path)
    assert "stackyard pipelines compile tiny" in str(error.value)


BROKEN_FILES = [
    ("pipeline.json", "", "is not readable JSON"),
    ("pipeline.json", "{}", "does not name a declaration's digest and a code package"),
    ("pipeline.json", "[]", "does not name a declaration's digest and a code package"),
    ("pipeline.json", '{"declaration": "d", "package": {"sha256": "../x", "key": "k"}}', "does not name"),
    ("WorkflowTemplate.json", "<<<<<<< HEAD\n{}\n", "is not readable JSON (Expecting value: line 1"),
    ("WorkflowTemplate.json", "{}", "holds no WorkflowTemplate with a name, a namespace and a spec"),
    ("WorkflowTemplate.json", None, "is missing"),
    ("CronWorkflow.json", "{}", "holds no CronWorkflow"),
]


@pytest.mark.parametrize(("file", "text", "words"), BROKEN_FILES, ids=lambda value: str(value)[:20])
def test_a_broken_compiled_file_is_named_with_the_command_that_writes_it_anew(tmp_path, file, text, words):
    folder = tmp_path / "pipelines" / "training" / "compiled"
    shutil.copytree(ROOT / "pipelines" / "training" / "compiled", folder)
    (folder / file).unlink() if text is None else (folder / file).write_text(text)
    with pytest.raises(InvalidInput) as error:
        read_compiled("training", root=tmp_path)
    assert str(error.value).startswith(f"pipelines/training/compiled/{file} {words}")
    assert "run `stackyard pipelines compile training`" in str(error.value)


def test_an_assets_path_tells_nothing_of_the_machine(tiny, monkeypatch):
    monkeypatch.chdir(ROOT / "stacks")
    assert package_asset_path(tiny[1]) == f"../.stackyard/packages/{tiny[1].package.sha256}.tgz"


@pytest.mark.parametrize("size", [0, 1, 65535, 65536, 200_000])
def test_a_stored_archive_is_a_gzip_file_like_any_other(size):
    import gzip

    content = bytes(index % 251 for index in range(size))
    assert gzip.decompress(gzip_stored(content)) == content


def test_repacking_twice_changes_nothing(tiny):
    content = require_package(tiny[1], root=tiny[0]).read_bytes()
    assert repack(content) == content


def steps(template):
    found = [entry for entry in template["spec"]["templates"] if "container" in entry]
    assert found
    return found


def environment(step):
    return {entry["name"]: entry.get("value") for entry in step["container"]["env"]}
