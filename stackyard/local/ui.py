"""`stackyard ui`: full MLflow on the local environment's database and buckets, through `uvx`, on loopback.

mlflow-skinny has no web page, and the pins of full MLflow clash with ours: it runs as a tool of its own.
"""

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from stackyard.errors import InvalidInput, UserError
from stackyard.local import emulator
from stackyard.local.environment import LocalEnvironment, local_environment
from stackyard.local.places import env_option
from stackyard.local.safety import EMULATED_ACCOUNT_ID, assert_emulator, child_environment

MLFLOW = "mlflow==3.17.2"
HOST = "127.0.0.1"
FIRST_PORT, PORTS = 5000, 50
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 10.0
# uv's own settings that say where it keeps and finds packages; none of them is a password.
UV_SETTINGS = (
    "UV_CACHE_DIR",
    "UV_CONFIG_FILE",
    "UV_DEFAULT_INDEX",
    "UV_EXTRA_INDEX_URL",
    "UV_FIND_LINKS",
    "UV_INDEX",
    "UV_INDEX_STRATEGY",
    "UV_INDEX_URL",
)


def serve(root: Path, env: str, console: Console, *, port: int | None = None) -> None:
    """Serves MLflow's web page until it is interrupted. `port` defaults to the first free one from 5000 on.

    Raises UserError without uvx, without a running environment, and when MLflow does not start.
    """
    environment = local_environment(root, env)
    endpoint = _endpoint(environment)
    uvx = find_uvx()
    port = free_port() if port is None else _checked(port)
    console.print(f"Getting {MLFLOW} through uvx; the first time that puts about 700 MB into uv's cache.")
    _install(uvx)
    variables = server_environment(environment, endpoint, os.environ, uvx)
    # A session of its own: uvx, the server and its worker end together, and only by us.
    process = subprocess.Popen(server_command(uvx, environment, port), env=variables, start_new_session=True)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        _wait(process, port)
        console.print(f"\nMLflow is at [bold]http://{HOST}:{port}[/] on {escape(str(environment.places.database))}.")
        console.print("Ctrl-C ends it.")
        process.wait()
    except KeyboardInterrupt:
        console.print("ended")
    finally:
        _stop(process)


def find_uvx(path: str | None = None) -> str:
    """The `uvx` on PATH. Raises UserError with what to install when there is none."""
    found = shutil.which("uvx", path=path)
    if found is None:
        raise UserError(
            f"MLflow's web page needs uvx, and PATH has none: {MLFLOW} runs as a tool of its own, since its pins clash "
            "with Stackyard's. Install uv (`pip install uv`), or use `make ui`, which knows the uv that `make` has "
            "fetched. Without it: `stackyard models list`, and the report."
        )
    return found


def tool_command(uvx: str) -> list[str]:
    """`uvx` up to the command: MLflow and what it needs to read artifacts on S3, in this Python."""
    # boto3 is an extra that MLflow does not pin; ours is known to talk to the emulator.
    return [uvx, "--python", sys.executable, "--from", MLFLOW, "--with", f"boto3=={version('boto3')}"]


def server_command(uvx: str, environment: LocalEnvironment, port: int) -> list[str]:
    """The server's command: loopback only, one worker, nothing downloaded any more."""
    command, *options = tool_command(uvx)
    server = ["mlflow", "server", "--backend-store-uri", environment.places.tracking_uri]
    return [command, "--offline", *options, *server, "--host", HOST, "--port", str(port), "--workers", "1"]


def server_environment(
    environment: LocalEnvironment, endpoint: str, caller: Mapping[str, str], uvx: str
) -> dict[str, str]:
    """The server's environment: that of every child process, and where uv keeps its packages.

    Of the caller's variables only those in UV_SETTINGS go along.
    """
    extra = {name: caller[name] for name in UV_SETTINGS if name in caller}
    home = Path(caller.get("HOME", "~")).expanduser()
    cache = Path(caller.get("XDG_CACHE_HOME") or home / ".cache") / "uv"
    configured = Path(caller.get("XDG_CONFIG_HOME") or home / ".config") / "uv" / "uv.toml"
    extra.setdefault("UV_CACHE_DIR", str(cache))
    if configured.is_file():
        extra.setdefault("UV_CONFIG_FILE", str(configured))
    # A uvx in a version manager's folder is a script that looks for its like on PATH.
    extra |= {"PATH": os.pathsep.join([str(Path(uvx).parent), caller.get("PATH", "")])}
    # Nobody submits jobs to a page for one person, and their executors are seven processes.
    extra |= {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    extra |= {"MLFLOW_S3_ENDPOINT_URL": endpoint, "UV_PYTHON_DOWNLOADS": "never"}
    return child_environment(environment.places, endpoint=endpoint, region=environment.region, extra=extra)


def free_port(first: int = FIRST_PORT, count: int = PORTS) -> int:
    """The first port on loopback that nobody listens on. Raises UserError when all `count` are taken."""
    for port in range(first, first + count):
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((HOST, port))
            return port
    taken = f"port {first} is taken" if count == 1 else f"the ports {first} to {first + count - 1} are all taken"
    raise UserError(f"{taken}: name a free one with --port, for example --port {first + count}")


def _endpoint(environment: LocalEnvironment) -> str:
    option = env_option(environment.name)
    server = emulator.running(environment.places)
    if server is None:
        raise UserError(
            f"the environment {environment.name!r} does not run, so MLflow would find no artifacts: start it with "
            f"`stackyard local up{option}`"
        )
    if not environment.places.database.exists():
        raise UserError(
            f"{environment.name!r} has no MLflow database yet: a first run writes it, "
            f"`stackyard pipelines run training{option}`"
        )
    assert_emulator(server.endpoint, EMULATED_ACCOUNT_ID)
    return server.endpoint


def _checked(port: int) -> int:
    if not 1024 <= port <= 65535:
        raise InvalidInput(f"--port {port}: a port is 1024 to 65535, for example --port 5000")
    return free_port(port, 1)


def _install(uvx: str) -> None:
    """Fetches the tool with the caller's own environment: this alone may use the network, and it serves nothing."""
    silent = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    variables = {**os.environ, **silent, "UV_PYTHON_DOWNLOADS": "never"}
    done = subprocess.run([*tool_command(uvx), "mlflow", "--version"], env=variables, check=False)
    if done.returncode:
        raise UserError(
            f"uvx could not get {MLFLOW} (its message stands above): it needs a package index. "
            "Once it is in uv's cache, no network is needed."
        )


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    """Until the server accepts connections. Raises UserError when it ends before, or takes too long."""
    end = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < end:
        if process.poll() is not None:
            raise UserError(f"MLflow ended with status {process.returncode} while it started; its message stands above")
        with contextlib.suppress(OSError), socket.create_connection((HOST, port), timeout=1):
            return
        time.sleep(0.2)
    raise UserError(
        f"MLflow does not answer on port {port} after {START_TIMEOUT_S:.0f} s: end other programs and try again"
    )


def _interrupt(number: int, frame: object) -> None:
    raise KeyboardInterrupt


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Ends the server's process group: uvx, the server and its workers."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, number)
            process.wait(timeout=STOP_TIMEOUT_S)
            return
