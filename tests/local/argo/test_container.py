"""What a step's processes see of this machine, and that none outlives its container."""

import errno
import os
import signal
import sys
import threading
import time
from unittest import mock

import pytest

from stackyard.local.argo.results import Phase
from tests.local.argo.support import container, dag, output, phases, task, workflow
from tests.local.processes import ended, pid_in
from tests.waiting import eventually

pytestmark = pytest.mark.local


def test_the_deadline_ends_the_whole_process_group(start, tmp_path):
    child = tmp_path / "child"
    command = f"sleep 300 & echo $! > {child}; sleep 300"
    result = start(workflow(container(command, activeDeadlineSeconds=2)), kept=[tmp_path])
    assert result.seconds < 60
    assert result.phase is Phase.FAILED
    assert "longer than the specified deadline" in result.steps[0].message
    eventually(lambda: ended(pid_in(child)), "no child outlives its container")


def test_children_that_a_command_leaves_end_with_it(start, tmp_path, monkeypatch):
    monkeypatch.setattr("stackyard.local.argo.container.DRAIN_SECONDS", 0.2)
    child = tmp_path / "child"
    assert start(workflow(container(f"sleep 300 & echo $! > {child}")), kept=[tmp_path]).succeeded
    eventually(lambda: ended(pid_in(child)), "no child outlives its container")


def test_each_step_has_a_tmp_and_volumes_of_its_own(start):
    command = "echo mine > /tmp/file; echo $TMPDIR; cat /data/file; echo kept > /data/file; pwd; ls -A"
    volumes = {"volumes": [{"name": "data", "emptyDir": {}}], "volumeMounts": [{"name": "data", "mountPath": "/data"}]}
    templates = container(command, "step", **volumes), dag(task("a", "step"), task("b", "step", "a"))
    assert start(workflow(*templates)).succeeded
    for name in "ab":
        assert "No such file" in start.log(name), "the other step's file is not seen"
    assert start.log("a").splitlines()[0] != start.log("b").splitlines()[0]
    assert not os.path.exists("/data")


def test_python_finds_its_mounts_at_the_paths_that_its_code_spells_out(start):
    code = (
        "import os, pathlib\n"
        "os.makedirs('/mnt/out/deep', exist_ok=True)\n"
        "open('/mnt/out/deep/value', 'w').write('written')\n"
        "pathlib.Path('/mnt/out/more').write_text('more')\n"
        "os.replace('/mnt/out/more', '/mnt/out/moved')\n"
        "print(sorted(os.listdir('/mnt/out')), os.path.exists('/mnt/out/more'))\n"
    )
    volumes = {"volumes": [{"name": "o", "emptyDir": {}}], "volumeMounts": [{"name": "o", "mountPath": "/mnt/out"}]}
    template = container("true", **volumes, outputs=output(path="/mnt/out/deep/value"))
    # Not in the command's text, where the paths would be translated already.
    template["container"] |= {"command": ["python", "-c", "import os; exec(os.environ['CODE'])"]}
    result = start(workflow(template), environment={"PATH": os.defpath, "CODE": code})
    assert result.steps[0].outputs == {"value": "written"}, start.log("main")
    assert start.log("main") == "['deep', 'moved'] False\n"


def test_python_is_the_projects_own(start):
    start(workflow(container("python -c 'import sys; print(sys.prefix)'")))
    assert start.log("main").strip() == sys.prefix


def test_a_step_sees_only_what_it_is_given(start, monkeypatch):
    monkeypatch.setenv("PLANTED", "secret")
    start(workflow(container("env -0", env=[{"name": "OWN", "value": "x"}])), environment={"GIVEN": "y"})
    names = {entry.partition("=")[0] for entry in start.log("main").split("\0") if entry}
    expected = {"OWN", "GIVEN", "PATH", "PYTHONPATH", "TMPDIR", "PWD", "STACKYARD_MOUNTS", "STACKYARD_BYTECODE"}
    assert names - {"SHLVL", "_"} == expected


def test_the_machines_credentials_win_over_a_templates(start):
    env = [{"name": "AWS_ACCESS_KEY_ID", "value": "real"}, {"name": "HOME", "value": "/tmp/home"}]
    command = "echo $AWS_ACCESS_KEY_ID; echo $HOME"
    start(workflow(container(command, env=env)), environment={"AWS_ACCESS_KEY_ID": "dummy", "HOME": "/elsewhere"})
    key, home = start.log("main").split()
    assert key == "dummy"
    assert home.endswith("/tmp/home")
    assert home != "/tmp/home", "translated"


def test_a_step_cannot_leave_this_machine_whatever_its_template_says(start):
    connect = "python -c 'import socket; socket.create_connection((\"192.0.2.1\", 80), 1)'"
    env = [{"name": "PYTHONPATH", "value": "/nowhere"}]
    result = start(workflow(container(connect, env=env)))
    assert not result.succeeded
    assert "processes of a local environment may only use this machine" in start.log("main")


def test_a_template_brings_no_proxy_and_no_endpoint_of_its_own(start):
    env = [
        {"name": "HTTPS_PROXY", "value": "http://192.0.2.1"},
        {"name": "MLFLOW_S3_ENDPOINT_URL", "value": "http://127.0.0.1:1"},
    ]
    start(
        workflow(container('echo "[$HTTPS_PROXY] $MLFLOW_S3_ENDPOINT_URL"', env=env)),
        environment={"MLFLOW_S3_ENDPOINT_URL": "http://127.0.0.1:2"},
    )
    assert start.log("main").strip() == "[] http://127.0.0.1:2"


def test_pods_know_their_fields(start):
    fields = ("metadata.name", "metadata.namespace", "spec.serviceAccountName", "status.hostIP")
    env = [{"name": f"F{i}", "valueFrom": {"fieldRef": {"fieldPath": f}}} for i, f in enumerate(fields)]
    start(workflow(container("echo $F0 $F1 $F2 $F3", env=env, serviceAccountName="training")))
    name, *rest = start.log("main").split()
    assert name.startswith("training-abcde-main-")
    assert rest == ["pipelines", "training", "127.0.0.1"]


def test_kubernetes_own_variables_are_expanded_and_the_shells_left_alone(start):
    env = [{"name": "A", "value": "one"}, {"name": "B", "value": "$(A) two"}]
    start(workflow(container("echo '$(B)' $(echo three) '$$(A)'", env=env)))
    assert start.log("main") == "one two three $(A)\n"


def test_a_folder_with_blanks_does_no_harm(start, tmp_path):
    result = start(workflow(container("mkdir -p $PWD/x && echo a > /tmp/f && cat /tmp/f")), workdir=tmp_path / "a b")
    assert result.succeeded, start.log("main")


def test_directories_of_steps_that_succeeded_are_removed_and_of_failed_ones_kept(start, tmp_path):
    templates = container("touch x", "good"), container("touch y; exit 1", "bad")
    start(workflow(*templates, dag(task("a", "good"), task("b", "bad", "a"))))
    assert not (tmp_path / "work" / "a" / "0").exists()
    assert (tmp_path / "work" / "b" / "0" / "work" / "y").exists()


def test_an_interrupt_ends_the_processes_and_the_result_says_so(start, tmp_path):
    before = signal.getsignal(signal.SIGINT)
    process = tmp_path / "process"

    def interrupt():
        # While a step runs it is the runner that hears the signal; it would end the tests otherwise.
        eventually(lambda: not ended(pid_in(process)), "the step runs")
        os.kill(os.getpid(), signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    slow = container(f"echo $$ > {process}; exec sleep 300", "slow")
    result = start(workflow(slow, dag(task("a", "slow"), task("b", "slow", "a"))), kept=[tmp_path])
    assert result.seconds < 60
    assert result.phase is Phase.INTERRUPTED
    assert phases(result) == {"a": "Interrupted", "b": "Omitted"}
    assert ended(pid_in(process))
    assert signal.getsignal(signal.SIGINT) is before, "the handler is given back"


def test_a_process_that_ignores_sigterm_is_killed(start, monkeypatch):
    monkeypatch.setattr("stackyard.local.argo.container.STOP_GRACE_SECONDS", 0.3)
    started = time.monotonic()
    result = start(workflow(container("trap '' TERM; while true; do sleep 0.1; done", activeDeadlineSeconds=1)))
    assert time.monotonic() - started < 5
    assert result.phase is Phase.FAILED


@pytest.mark.parametrize("place", ["log", "folder"])
def test_a_full_disk_is_an_error_of_the_step_with_its_reason(start, monkeypatch, place):
    if place == "log":
        (start.folder / "logs").mkdir()
        (start.folder / "logs" / "a.0.log").symlink_to("/dev/full")
        # Who reads that device never comes to its end.
        monkeypatch.setattr("stackyard.local.argo.container.Attempt.tail", lambda self: "")
    else:
        full = OSError(errno.ENOSPC, "No space left on device", "sitecustomize.py")
        monkeypatch.setattr("stackyard.local.argo.container.shutil.copyfile", mock.Mock(side_effect=full))
    tasks = task("a", "step"), task("b", "step", "a")
    result = start(workflow(container("echo told; sleep 20", "step"), dag(*tasks)))
    assert result.seconds < 10, "a step whose log cannot be written goes on for nobody"
    assert phases(result) == {"a": "Error", "b": "Omitted"}
    assert "No space left on device" in result.steps[0].message


def test_python_files_that_each_step_unpacks_are_compiled_once_a_run(start, tmp_path):
    unpack = "mkdir -p code && echo 'import sys; print(sys.dont_write_bytecode)' > code/unpacked.py && "
    # As Metaflow's packages, whose files carry no time of their own.
    load = "touch -d @0 code/unpacked.py && export PYTHONPATH=$PWD/code:$PYTHONPATH && "
    load += "python -v -c 'import unpacked; print(unpacked.__cached__)' 2>&1"
    steps = dag(task("a", "step"), task("b", "step", "a"))
    assert start(workflow(container(unpack + load, "step"), steps)).succeeded
    a, b = start.log("a"), start.log("b")
    (cached,) = {line for log in (a, b) for line in log.splitlines() if line.startswith(str(tmp_path / "work"))}
    assert ".bytecode" in cached
    assert f"created '{cached}'" in a and f"created '{cached}'" not in b
    assert f"{cached} matches" in b, "the second step found it"


def test_another_file_at_the_same_place_is_not_taken_for_the_first(start):
    load = "PYTHONPATH=$PWD:$PYTHONPATH python -c 'import unpacked'"
    templates = (
        container(f"echo 'print(1)' > unpacked.py; {load}", "one"),
        container(f"echo 'print(22)' > unpacked.py; {load}", "two"),
    )
    assert start(workflow(*templates, dag(task("a", "one"), task("b", "two", "a")))).succeeded
    assert (start.log("a"), start.log("b")) == ("1\n", "22\n")
