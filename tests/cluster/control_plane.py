"""A real Kubernetes control plane on this machine, and on request Karpenter with simulated nodes.

Every server listens on 127.0.0.1 at a free port, keeps its files in one folder and is stopped by its process id. No
container, no kubelet: pods are objects that the scheduler binds and that kwok reports as running.
"""

import http.client
import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from stackyard.errors import UserError
from stackyard.local.kubernetes.kubeconfig import read_kubeconfig
from tests.cluster.api import Api
from tests.cluster.keeper import Keeper
from tests.cluster.tools import build
from tests.ports import HOST, free_port
from tests.waiting import eventually

TOKEN = "of-this-test-run-only"
ISSUER = "https://kubernetes.default.svc"
SERVICES = "10.96.0.0/16"
START_S = 90.0
# Karpenter gathers pods for this long before it chooses nodes; on AWS a second and ten.
BATCH_IDLE, BATCH_MAX = "0.2s", "1s"


@dataclass(frozen=True)
class Server:
    name: str
    process: subprocess.Popen[bytes]
    log: Path

    def check_running(self) -> None:
        """AssertionError with the end of its log when it has ended."""
        status = self.process.poll()
        if status is not None:
            end = self.log.read_text("utf-8", "replace")[-1500:]
            raise AssertionError(f"{self.name} ended with status {status}: {end}")

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class ControlPlane:
    """etcd, API server, controller manager and scheduler of one folder. `start` them, `stop` whatever was started."""

    api: Api
    """As an administrator. There from `start` on."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.kubeconfig = folder / "kubeconfig"
        """An administrator's."""
        self._keeper = Keeper()
        self._servers: dict[str, Server] = {}
        self._account_key = folder / "accounts.key"
        self._certificates = folder / "certificates"

    def start(self) -> None:
        """Some seconds. Raises AssertionError with the end of the log when a server does not come up."""
        self.folder.mkdir(parents=True, exist_ok=True)
        _write_key(self._account_key)
        etcd = self._start_etcd()
        port = self._start_api_server(etcd)
        self._write_kubeconfig(port)
        self.api = Api(read_kubeconfig(self.kubeconfig))
        eventually(self._ready, "the API server is ready", START_S)
        self._start_controller_manager()
        self._start_scheduler()
        # Pods of an account that is not there are refused.
        eventually(
            lambda: self._checked(bool(self.api.find("v1", "ServiceAccount", "default", "default"))),
            "the controller manager made the default account",
            START_S,
        )

    def stop(self) -> None:
        """Stops every server, the last started first."""
        for name in reversed(list(self._servers)):
            self.stop_server(name)
        self._keeper.close()

    def check_running(self) -> None:
        for server in self._servers.values():
            server.check_running()

    def stop_server(self, name: str) -> None:
        """Stops one server by its program's name, for example `karpenter`."""
        self._servers.pop(name).stop()

    def start_kwok(self) -> None:
        """Plays the kubelet of simulated nodes: they become ready, and pods bound to them run."""
        folders = ("node-fast", "node-heartbeat", "pod-fast")
        stages = [file.read_text() for folder in folders for file in build.taken_files("kwok", folder)]
        config = self.folder / "kwok-stages.yaml"
        config.write_text("---\n".join(stages))
        self._run(
            "kwok",
            f"--kubeconfig={self.kubeconfig}",
            f"--config={config}",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            f"--node-ip={HOST}",
            f"--server-address={HOST}:{free_port()}",
        )

    def start_karpenter(
        self,
        instance_types: Sequence[Mapping[str, Any]],
        gates: str = "",
        batch: tuple[str, str] = (BATCH_IDLE, BATCH_MAX),
    ) -> None:
        """Karpenter over simulated instance types (`tests/cluster/instance_types.py`); its definitions are there.

        A running one is stopped first: other instance types are another region, or a spot market that has run dry.
        `gates`: feature gates as in its chart, for example `ReservedCapacity=true`. `batch`: how long it waits for a
        further pod, and how long at most, before it chooses nodes.
        """
        if "karpenter" in self._servers:
            self.stop_server("karpenter")
        file = self.folder / "instance-types.json"
        file.write_text(json.dumps(list(instance_types)))
        health = free_port()
        environment = {
            "KUBECONFIG": str(self.kubeconfig),
            "SYSTEM_NAMESPACE": "kube-system",
            "DISABLE_LEADER_ELECTION": "true",
            "CLUSTER_NAME": "stackyard-test",
            "METRICS_PORT": str(free_port()),
            "HEALTH_PROBE_PORT": str(health),
            "BATCH_IDLE_DURATION": batch[0],
            "BATCH_MAX_DURATION": batch[1],
            **({"FEATURE_GATES": gates} if gates else {}),
        }
        self._run("karpenter", f"--instance-types-file-path={file}", environment=environment)
        eventually(lambda: self._checked(_answers(health, "/readyz")), "Karpenter is ready", START_S)

    def _start_etcd(self) -> str:
        client, peer = (f"http://{HOST}:{free_port()}" for _ in range(2))
        self._run(
            "etcd",
            f"--data-dir={self.folder / 'etcd'}",
            # What is lost with the machine is a test's.
            "--unsafe-no-fsync",
            f"--listen-client-urls={client}",
            f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
        )
        return client

    def _start_api_server(self, etcd: str) -> int:
        port = free_port()
        tokens = self.folder / "tokens.csv"
        tokens.write_text(f'{TOKEN},admin,admin,"system:masters"\n')
        self._run(
            "kube-apiserver",
            f"--etcd-servers={etcd}",
            f"--secure-port={port}",
            f"--bind-address={HOST}",
            f"--advertise-address={HOST}",
            # Nothing here talks to the service `kubernetes`, and a loopback address may not stand in it.
            "--endpoint-reconciler-type=none",
            f"--cert-dir={self._certificates}",
            f"--service-account-key-file={self._account_key}",
            f"--service-account-signing-key-file={self._account_key}",
            f"--service-account-issuer={ISSUER}",
            f"--service-cluster-ip-range={SERVICES}",
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC,Node",
            "--allow-privileged",
        )
        # It makes its own certificate, which then vouches for it.
        certificate = self._certificates / "apiserver.crt"
        eventually(lambda: self._checked(certificate.exists()), "the API server has its certificate", START_S)
        return port

    def _start_controller_manager(self) -> None:
        self._run(
            "kube-controller-manager",
            *self._as_administrator(),
            f"--service-account-private-key-file={self._account_key}",
            f"--root-ca-file={self._certificates / 'apiserver.crt'}",
            # Simulated nodes lose Karpenter's first taint within milliseconds: it would still see that, and delete the
            # pods that the scheduler has just put there. Nothing here relies on it; Karpenter evicts by itself.
            "--controllers=*,-taint-eviction-controller",
        )

    def _start_scheduler(self) -> None:
        self._run("kube-scheduler", *self._as_administrator())

    def _as_administrator(self) -> list[str]:
        flags = [f"--{name}={self.kubeconfig}" for name in KUBECONFIG_FLAGS]
        return [*flags, "--leader-elect=false", f"--bind-address={HOST}", f"--secure-port={free_port()}"]

    def _run(self, name: str, *flags: str, environment: Mapping[str, str] | None = None) -> None:
        log = self.folder / f"{name}.log"
        # Nothing of this machine's clusters, accounts or proxies.
        surroundings = {"PATH": os.defpath, "HOME": str(self.folder), **(environment or {})}
        with log.open("ab") as output:
            process = subprocess.Popen(
                [str(build.program(name)), *flags],
                cwd=self.folder,
                env=surroundings,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C in the terminal reaches the tests, which then stop their servers in order.
                start_new_session=True,
            )
        self._keeper.watch(process.pid)
        self._servers[name] = Server(name, process, log)

    def _write_kubeconfig(self, port: int) -> None:
        server = {
            "server": f"https://{HOST}:{port}",
            "certificate-authority": str(self._certificates / "apiserver.crt"),
        }
        names = {"cluster": "test", "user": "admin"}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": server}],
            "users": [{"name": "admin", "user": {"token": TOKEN}}],
            "contexts": [{"name": "test", "context": names}],
        }
        self.kubeconfig.touch(mode=0o600)
        self.kubeconfig.write_text(yaml.safe_dump(document))

    def _checked(self, answer: bool) -> bool:
        """After the answer: without the server, somebody else gave it."""
        self.check_running()
        return answer

    def _ready(self) -> bool:
        self.check_running()
        try:
            return bool(self.api.identity())
        except UserError:
            # Not listening yet, or not all of it is up.
            return False


KUBECONFIG_FLAGS = ("kubeconfig", "authentication-kubeconfig", "authorization-kubeconfig")


def _write_key(path: Path) -> None:
    """The key that signs and checks the tokens of service accounts."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    path.touch(mode=0o600)
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
        )
    )


def _answers(port: int, path: str) -> bool:
    connection = http.client.HTTPConnection(HOST, port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.client.OK
    except OSError:
        return False
    finally:
        connection.close()


def unavailable() -> str:
    """Why this machine cannot start a control plane; empty when it can."""
    missing = build.missing()
    if not missing:
        return ""
    if not shutil.which("go"):
        return build.GO_MISSING.format(needed=build.go_version(), variable=build.CACHE_VARIABLE)
    names = ", ".join(name for family in missing for name in family.programs or [family.name])
    return f"not built yet: {names}. Run `make cluster-tools` first: 15 minutes on two cores, once"


@contextmanager
def started(folder: Path) -> Iterator[ControlPlane]:
    """A control plane for a fixture. Skipped with a sentence where it is not built; in CI that fails."""
    if sentence := unavailable():
        if os.environ.get("CI") == "true":
            pytest.fail(sentence)
        pytest.skip(sentence)
    plane = ControlPlane(folder)
    try:
        plane.start()
        yield plane
    finally:
        plane.stop()
