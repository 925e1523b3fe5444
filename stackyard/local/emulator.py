"""The AWS emulator of a local environment: a moto server on loopback, a process of its own that outlives the command.

It keeps everything in memory: a restarted emulator is empty, which `marker` tells and `mirror` mends.
"""

import contextlib
import fcntl
import http.client
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from stackyard.errors import UserError
from stackyard.local import safety
from stackyard.local.places import Places

PRODUCT = "stackyard-emulator"
IDENTITY_PATH = "/stackyard/identity"
REQUESTS_PATH = "/stackyard/requests"
MARKER_PREFIX = "/stackyard/emulator/"
"""SSM parameters below it are our notes inside the emulator, no part of any stack."""
MARKER_REGION = "us-east-1"

# Below the ephemeral ports of Linux (32768) and macOS (49152), above the usual services.
FIRST_PORT, PORTS = 21000, 9000
START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Emulator:
    endpoint: str
    """Such as http://127.0.0.1:21000."""
    pid: int
    started: bool
    """Whether this call started it; it is empty then."""
    note: str = ""
    """A sentence for the user when something was not as usual, such as another port."""


@dataclass(frozen=True)
class Record:
    """What is written down about a running emulator."""

    pid: int
    port: int
    started: str
    """When the process began, as `started_at` tells it: a process id alone may by now be somebody else's."""
    owner: str


@dataclass(frozen=True)
class Requests:
    """Requests that the emulator answered since it started or since `reset_requests`."""

    mutating: dict[str, int]
    """Count per `service:Operation`, or `service:METHOD path` for REST services."""
    reads: int

    @property
    def mutations(self) -> int:
        return sum(self.mutating.values())


def start(places: Places) -> Emulator:
    """The running emulator of this environment, started if there is none. Raises UserError if it cannot start."""
    places.folder.mkdir(parents=True, exist_ok=True)
    with _locked(places.emulator_lock):
        return running(places) or _adopt(places) or _spawn(places)


def running(places: Places) -> Emulator | None:
    """The emulator of this environment if its process is alive."""
    record = _read_record(places.emulator_record)
    if record is None or record.owner != places.owner or not _is_alive(record):
        return None
    return Emulator(_endpoint(record.port), record.pid, started=False)


def stop(places: Places) -> bool:
    """Ends the emulator's process, and no other. Returns whether one was running."""
    record = _read_record(places.emulator_record)
    alive = record is not None and record.owner == places.owner and _is_alive(record)
    if record is not None and alive:
        _end(record)
    places.emulator_record.unlink(missing_ok=True)
    places.emulator_pid.unlink(missing_ok=True)
    return alive


def default_port(places: Places) -> int:
    """The port that this environment of this checkout tries first; always the same."""
    return FIRST_PORT + int(places.owner, 16) % PORTS


def identity(endpoint: str, *, timeout_s: float = 10) -> dict[str, Any] | None:
    """Who answers at `endpoint`: `owner` and `pid` of one of our emulators, None for anything else."""
    try:
        found = _ask(endpoint, "GET", IDENTITY_PATH, timeout_s=timeout_s)
    except (OSError, ValueError, http.client.HTTPException):
        return None
    if not isinstance(found, dict):
        return None
    document = cast(dict[str, Any], found)
    return document if document.get("product") == PRODUCT else None


def requests(endpoint: str) -> Requests:
    """The requests counted at the server."""
    return Requests(**_ask(endpoint, "GET", REQUESTS_PATH))


def reset_requests(endpoint: str) -> None:
    """Starts counting anew."""
    _ask(endpoint, "DELETE", REQUESTS_PATH)


def empty(endpoint: str) -> None:
    """Makes the emulator forget everything, as a restart does."""
    _ask(endpoint, "POST", "/moto-api/reset")


def mark(endpoint: str, state_id: str, *, name: str = "state-id") -> None:
    """Notes in the emulator which state its resources belong to."""
    put_note(endpoint, name, state_id)


def marker(endpoint: str, *, name: str = "state-id") -> str | None:
    """The state that the emulator's resources belong to; None in an emulator that was (re)started empty."""
    return notes(endpoint).get(name)


def holds_states(endpoint: str, places: Places) -> bool:
    """Whether the emulator holds what the environment's states say: it keeps everything in memory only."""
    known = places.state_id
    return known.exists() and marker(endpoint) == known.read_text(encoding="utf-8").strip()


def put_note(endpoint: str, name: str, value: str) -> None:
    """Writes a note into the emulator that is lost exactly when its resources are."""
    ssm = safety.client("ssm", endpoint=endpoint, region=MARKER_REGION)
    ssm.put_parameter(Name=MARKER_PREFIX + name, Value=value, Type="String", Overwrite=True)


def notes(endpoint: str) -> dict[str, str]:
    """All notes, by name."""
    ssm = safety.client("ssm", endpoint=endpoint, region=MARKER_REGION)
    pages = ssm.get_paginator("get_parameters_by_path").paginate(Path=MARKER_PREFIX, Recursive=True)
    return {entry["Name"].removeprefix(MARKER_PREFIX): entry["Value"] for page in pages for entry in page["Parameters"]}


def _adopt(places: Places) -> Emulator | None:
    # The record was lost (somebody cleaned .stackyard) while the process went on.
    endpoint = _endpoint(default_port(places))
    # Short: a program that only accepts connections must not hold `up` back.
    found = identity(endpoint, timeout_s=2)
    if found is None or found.get("owner") != places.owner:
        return None
    pid = int(found["pid"])
    write_record(
        places.emulator_record,
        Record(pid=pid, port=default_port(places), started=started_at(pid) or "", owner=places.owner),
    )
    return Emulator(endpoint, pid, started=False, note=f"Found this environment's emulator running at {endpoint}.")


def _spawn(places: Places) -> Emulator:
    if importlib.util.find_spec("moto") is None:
        raise UserError(
            "The emulator needs the package moto, which is not installed in this Python environment. "
            "Run `make up`, or install the group `local`: pip install -e '.[local]'."
        )
    places.emulator_record.unlink(missing_ok=True)
    port = default_port(places)
    command = [sys.executable, "-P", "-m", "stackyard.local.server"]
    command += ["--port", str(port), "--owner", places.owner, "--record", str(places.emulator_record)]
    with open(places.emulator_log, "wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=places.folder,
            env=_server_environment(places),
            # A session of its own: Ctrl-C and a closed terminal end the command, not the emulator.
            start_new_session=True,
        )
    record = _wait_until_ready(places, process)
    # It outlives this process by design: say so, or Python warns about an abandoned child.
    process.returncode = 0
    note = (
        ""
        if record.port == port
        else f"Port {port} is taken by another program: the emulator listens on {record.port}."
    )
    return Emulator(_endpoint(record.port), record.pid, started=True, note=note)


def _server_environment(places: Places) -> dict[str, str]:
    environment = safety.base_environment(places)
    project = str(Path(__file__).parents[2])
    return environment | {
        "PYTHONPATH": os.pathsep.join([environment["PYTHONPATH"], project]),
        # 1,000 machine images that no stack asks for take a second to load.
        "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
    }


def _wait_until_ready(places: Places, process: "subprocess.Popen[bytes]") -> Record:
    deadline = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < deadline:
        if (status := process.poll()) is not None:
            raise UserError(f"The emulator ended while it started (exit status {status}). {_log_tail(places)}")
        record = _read_record(places.emulator_record)
        if record is not None and record.pid == process.pid and identity(_endpoint(record.port)):
            return record
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise UserError(f"The emulator did not answer within {START_TIMEOUT_S:.0f} seconds. {_log_tail(places)}")


def _log_tail(places: Places, lines: int = 10) -> str:
    text = places.emulator_log.read_text(errors="replace").strip()
    if not text:
        return f"Its log {places.emulator_log} is empty."
    return f"The end of its log {places.emulator_log}:\n" + "\n".join(text.splitlines()[-lines:])


def _end(record: Record) -> None:
    try:
        os.kill(record.pid, signal.SIGTERM)
    except PermissionError:
        raise UserError(
            f"The emulator (pid {record.pid}) was started by another user, so it cannot be ended from here: "
            f"run this as that user, or `sudo kill {record.pid}`"
        ) from None
    if not _wait_for_end(record, STOP_TIMEOUT_S):
        os.kill(record.pid, signal.SIGKILL)
        _wait_for_end(record, STOP_TIMEOUT_S)


def _wait_for_end(record: Record, timeout_s: float) -> bool:
    deadline = time.monotonic() + timeout_s
    while _is_alive(record):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def _is_alive(record: Record) -> bool:
    return bool(record.started) and started_at(record.pid) == record.started


def started_at(pid: int) -> str | None:
    """When the living process `pid` began, as a text that no later process of that number has; None if it is gone."""
    # Our own ended child stays as a zombie until somebody asks for its status.
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)
    stat = Path(f"/proc/{pid}/stat")
    if Path("/proc/self/stat").exists():
        try:
            # proc(5): after the name in parentheses come the state (field 3) and, as field 22, the start since boot.
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"
    listing = subprocess.run(
        ["/bin/ps", "-o", "stat=,lstart=", "-p", str(pid)], capture_output=True, text=True, env={"LC_ALL": "C"}
    ).stdout.split(maxsplit=1)
    return None if len(listing) < 2 or listing[0].startswith("Z") else listing[1].strip()


def write_record(path: Path, record: Record) -> None:
    """Writes the record, and the process id beside it, so that a reader never sees half of it."""
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(asdict(record), sort_keys=True) + "\n")
    path.with_suffix(".pid").write_text(f"{record.pid}\n")
    temporary.replace(path)


def _read_record(path: Path) -> Record | None:
    try:
        return Record(**json.loads(path.read_text()))
    except PermissionError:
        # There may well be an emulator: another user's.
        raise
    except (OSError, ValueError, TypeError):
        return None


def _endpoint(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _ask(endpoint: str, method: str, path: str, *, timeout_s: float = 10) -> Any:
    # http.client, since it knows no proxies.
    parts = urlsplit(endpoint)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout_s)
    try:
        connection.request(method, path)
        return json.loads(connection.getresponse().read())
    finally:
        connection.close()


@contextlib.contextmanager
def _locked(path: Path) -> Generator[None]:
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
