"""One attempt of one container template: its command as a process with directories and an environment of its own."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from stackyard.errors import InvalidInput
from stackyard.local.argo.paths import BYTECODE_VARIABLE, SHIM, SHIM_VARIABLE, PathMap
from stackyard.local.argo.watchdog import Watchdog
from stackyard.local.guard import stackyard_loopback

STOP_GRACE_SECONDS = 5.0
"""Between SIGTERM and SIGKILL. Kubernetes waits 30; here somebody sits in front of it."""

DRAIN_SECONDS = 3.0
"""How long output may still come after the command has ended, from children it left (Metaflow's log readers)."""

_KUBERNETES_VARIABLE = re.compile(r"\$(\$?)\(([A-Za-z_][A-Za-z0-9_.-]*)\)")


@dataclass(frozen=True, kw_only=True)
class Pod:
    """What a pod knows about itself; the values of `fieldRef`."""

    name: str
    namespace: str
    service_account: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]

    def field(self, path: str) -> str:
        """Raises InvalidInput for a path that has no value here."""
        found = {
            "metadata.name": self.name,
            "metadata.namespace": self.namespace,
            "metadata.uid": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{self.namespace}/{self.name}")),
            "spec.serviceAccountName": self.service_account,
            "spec.nodeName": "localhost",
            "status.hostIP": "127.0.0.1",
            "status.podIP": "127.0.0.1",
        }
        found |= {f"metadata.labels['{name}']": value for name, value in self.labels.items()}
        found |= {f"metadata.annotations['{name}']": value for name, value in self.annotations.items()}
        if path not in found:
            raise InvalidInput(f"fieldRef {path!r} has no value on this machine: known are {', '.join(sorted(found))}.")
        return found[path]


@dataclass(frozen=True, kw_only=True)
class Ended:
    """How a process ended."""

    exit_code: int | None
    """None: it was stopped from outside, by its deadline or because the run was interrupted."""
    message: str = ""
    error: bool = False
    """True where Argo would say Error, not Failed: the command did not start, or its output could not be kept."""


class Attempt:
    """Directories, environment and process of one attempt. Whatever it leaves running is killed with it."""

    def __init__(self, directory: Path, log: Path, kept: Sequence[Path], *, bytecode: Path, watchdog: Watchdog):
        self.directory = directory
        self.log = log
        self._kept = kept
        self._bytecode = bytecode
        self._watchdog = watchdog
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = ""
        self._unwritten = ""
        self._lock = threading.Lock()
        self.paths = PathMap({})

    def run(
        self,
        container: Mapping[str, Any],
        *,
        pod: Pod,
        volumes: Sequence[str],
        environment: Mapping[str, str],
        deadline: float | None,
    ) -> Ended:
        """Runs a container whose `{{…}}` are filled in, to its end or to `deadline` (of time.monotonic)."""
        try:
            return self._run(container, pod, volumes, environment, deadline)
        except OSError as error:
            return self._not_written(error.filename or self.directory, error)

    def _run(
        self,
        container: Mapping[str, Any],
        pod: Pod,
        volumes: Sequence[str],
        environment: Mapping[str, str],
        deadline: float | None,
    ) -> Ended:
        self._make_directories(container, volumes)
        env = self._environment(container, pod, environment)
        names = {entry["name"]: env[entry["name"]] for entry in container.get("env") or () if entry["name"] in env}
        argv = self.paths.translate(
            [_expand(w, names) for w in (*container["command"], *(container.get("args") or ()))]
        )
        self.log.parent.mkdir(parents=True, exist_ok=True)
        # Unbuffered: what a full disk refused would be tried again when the log is closed.
        with open(self.log, "wb", buffering=0) as log:
            try:
                process = self._start(argv, env, log)
            except OSError as error:
                return Ended(exit_code=None, message=f"{argv[0]} could not be started: {error.strerror}", error=True)
            if process is None:
                return Ended(exit_code=None, message=self._stopped)
            return self._wait(process, log, deadline)

    def stop(self, reason: str, *, at_once: bool = False) -> None:
        """Ends the attempt's processes: SIGTERM, then SIGKILL after a grace period. From any thread."""
        with self._lock:
            self._stopped = self._stopped or reason
            process = self._process
        if process is None or process.returncode is not None:
            return
        _signal_group(process, signal.SIGKILL if at_once else signal.SIGTERM)
        if not at_once:
            killer = threading.Timer(STOP_GRACE_SECONDS, self.stop, (reason,), {"at_once": True})
            killer.daemon = True
            killer.start()

    def output(self, path: str) -> str | None:
        """Content of a file that the container wrote, without one newline at its end; None where it did not."""
        file = self.paths.path(path)
        try:
            return file.read_text().removesuffix("\n") if file else None
        except (OSError, UnicodeDecodeError):
            return None

    def tail(self, lines: int = 20) -> str:
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])

    def remove(self) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)

    def _make_directories(self, container: Mapping[str, Any], volumes: Sequence[str]) -> None:
        shutil.rmtree(self.directory, ignore_errors=True)
        places = {name: self.directory / "volumes" / name for name in volumes}
        mounts = {m["mountPath"].rstrip("/"): places[m["name"]] for m in container.get("volumeMounts") or ()}
        mounts.setdefault("/tmp", self.directory / "tmp")
        for place in {*places.values(), *mounts.values(), self.directory / "work", self.directory / "python"}:
            place.mkdir(parents=True)
        shutil.copyfile(SHIM, self.directory / "python" / "sitecustomize.py")
        shutil.copy(stackyard_loopback.__file__, self.directory / "python")
        self.paths = PathMap(mounts, self._kept)

    def _environment(self, container: Mapping[str, Any], pod: Pod, given: Mapping[str, str]) -> dict[str, str]:
        declared: dict[str, str] = {}
        for entry in container.get("env") or ():
            if source := entry.get("valueFrom"):
                declared[entry["name"]] = pod.field(source["fieldRef"]["fieldPath"])
            else:
                declared[entry["name"]] = self.paths.translate(_expand(entry.get("value") or "", declared))
        env = {"TMPDIR": str(self.paths.mounts["/tmp"])} | dict(given) | declared
        # Whatever a template says: credentials, endpoints and proxies are those of the machine.
        env = {name: value for name, value in env.items() if name in given or not name.upper().endswith("_PROXY")}
        env |= {name: value for name, value in given.items() if _is_the_machines(name)}
        # The directory of this interpreter comes first: `python` is the project's own.
        env["PATH"] = os.pathsep.join(filter(None, (str(Path(sys.executable).parent), env.get("PATH", os.defpath))))
        env["PYTHONPATH"] = os.pathsep.join(filter(None, (str(self.directory / "python"), env.get("PYTHONPATH"))))
        env[SHIM_VARIABLE] = self.paths.for_shim()
        env[BYTECODE_VARIABLE] = f"{self.directory}\t{self._bytecode}"
        env["PWD"] = str(self._working_directory(container))
        return env

    def _working_directory(self, container: Mapping[str, Any]) -> Path:
        inside = self.paths.path(container["workingDir"].rstrip("/")) if container.get("workingDir") else None
        place = inside or self.directory / "work"
        place.mkdir(parents=True, exist_ok=True)
        return place

    def _start(self, argv: list[str], env: dict[str, str], log: IO[bytes]) -> subprocess.Popen[bytes] | None:
        with self._lock:
            if self._stopped:
                return None
            program = shutil.which(argv[0], path=env["PATH"]) or argv[0]
            self._process = subprocess.Popen(
                [program, *argv[1:]],
                cwd=env["PWD"],
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group of its own: it is signalled as a whole
            )
            self._watchdog.watch(self._process.pid)
            return self._process

    def _wait(self, process: subprocess.Popen[bytes], log: IO[bytes], deadline: float | None) -> Ended:
        assert process.stdout is not None  # it is a pipe
        reader = threading.Thread(target=self._copy, args=(process.stdout, log), daemon=True)
        reader.start()
        try:
            process.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.stop("Pod was active on the node longer than the specified deadline")
        code = process.wait()
        reader.join(DRAIN_SECONDS)
        # What the command left running ends with its container.
        _signal_group(process, signal.SIGKILL)
        self._watchdog.release(process.pid)
        reader.join(DRAIN_SECONDS)
        if self._unwritten:
            return Ended(exit_code=None, message=self._unwritten, error=True)
        if self._stopped:
            return Ended(exit_code=None, message=self._stopped)
        return Ended(exit_code=code, message="" if code == 0 else f"exit status {code}")

    def _copy(self, source: IO[bytes], log: IO[bytes]) -> None:
        # The log is closed under a reader whose pipe some runaway child still holds open.
        with source, suppress(ValueError):
            try:
                while chunk := memoryview(os.read(source.fileno(), 65536)):
                    while chunk:
                        chunk = chunk[log.write(chunk) :]
            except OSError as error:
                self._unwritten = self._not_written(self.log, error).message
                self.stop(self._unwritten)

    def _not_written(self, path: object, error: OSError) -> Ended:
        reason = f"{path} cannot be written: {error.strerror or error}; mend that, then run the pipeline again"
        return Ended(exit_code=None, message=reason, error=True)


def _is_the_machines(name: str) -> bool:
    upper = name.upper()
    return upper.startswith("AWS_") or "ENDPOINT_URL" in upper or upper.endswith("_PROXY")


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    # The group outlives its leader while children run; it is gone when nothing of it is left.
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _expand(text: str, known: Mapping[str, str]) -> str:
    """Kubernetes' `$(NAME)`: only names that are defined, `$$(NAME)` stays as `$(NAME)`."""

    def value(found: re.Match[str]) -> str:
        if found[1]:
            return found[0][1:]
        return known.get(found[2], found[0])

    return _KUBERNETES_VARIABLE.sub(value, text)
