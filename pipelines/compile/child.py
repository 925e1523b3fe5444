"""Runs in a process of its own: lets Metaflow translate the flow of the current folder to Argo, offline.

Called as `python child.py OUT PACKAGE_URL TOKEN NAME` with Metaflow's configuration in the environment (compiler.py).
Writes OUT/template.json and OUT/package.tgz. Imports nothing of the project: the flow's own copy of it is on the path.
"""

import os
import runpy
import sys
from contextlib import redirect_stdout
from pathlib import Path
from types import ModuleType
from typing import Any

# What Metaflow may say about where it was compiled. Everything else (user, platform, Python, git) differs by machine.
STABLE_FACTS = ("metaflow_version", "environment_type", "use_r", "runtime", "script", "ext_info")


def main() -> None:
    out, package_url, token, name = Path(sys.argv[1]), *sys.argv[2:]
    _stand_in_for_kubernetes()
    _capture_package(out, package_url)
    _forget_machine()
    flow = Path.cwd() / "flow.py"
    sys.path[0] = str(flow.parent)
    os.environ["PYTHONPATH"] = ""
    options = ["--no-auto-emit-argo-events", "--no-enable-heartbeat-daemon", "--no-enable-error-msg-capture"]
    command = ["argo-workflows", "--name", name, "create", "--only-json", "--new-token", token, *options]
    sys.argv = [str(flow), "--quiet", "--no-pylint", "--metadata=local", "--datastore=s3", *command]
    with open(out / "template.json", "w") as file, redirect_stdout(file):
        runpy.run_path(str(flow), run_name="__main__")


class _Model:
    """A model of the Kubernetes SDK, as far as Metaflow's translation asks for one: named fields, and `to_dict`."""

    def __init__(self, **fields: Any) -> None:
        self._fields = fields

    def to_dict(self) -> dict[str, Any]:
        return {name: _plain(value) for name, value in self._fields.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, _Model):
        return value.to_dict()
    return [_plain(entry) for entry in value] if isinstance(value, list) else value


def _stand_in_for_kubernetes() -> None:
    """Metaflow builds a container by V1Container and its parts, for nothing but their `to_dict`.

    With the real SDK the result would be the same and hang on its version; it is ten packages that no pod needs.
    """
    client, config = ModuleType("kubernetes.client"), ModuleType("kubernetes.config")
    kubernetes = ModuleType("kubernetes")
    for name in ("Container", "ContainerPort", "EnvVar", "EnvVarSource", "EnvFromSource", "ObjectFieldSelector"):
        setattr(client, f"V1{name}", _Model)
    for name in ("ResourceRequirements", "SecretEnvSource", "SecurityContext", "VolumeMount"):
        setattr(client, f"V1{name}", _Model)
    kubernetes.__dict__.update(client=client, config=config)
    sys.modules.update({"kubernetes": kubernetes, "kubernetes.client": client, "kubernetes.config": config})


def _capture_package(out: Path, url: str) -> None:
    """The code package goes to a file instead of the bucket; the stack uploads it."""
    from metaflow.datastore.flow_datastore import FlowDataStore

    def keep(self: Any, data_iter: Any, len_hint: int = 0) -> list[tuple[str, str]]:
        (blob,) = data_iter
        (out / "package.tgz").write_bytes(blob)
        return [(url, url.rsplit("/", 1)[-1].removesuffix(".tgz"))]

    FlowDataStore.save_data = keep


def _forget_machine() -> None:
    from metaflow.metaflow_environment import MetaflowEnvironment

    tell = MetaflowEnvironment.get_environment_info

    def stable(self: Any, include_ext_info: bool = False) -> dict[str, Any]:
        facts = {key: value for key, value in tell(self, include_ext_info).items() if key in STABLE_FACTS}
        # Metaflow insists on a version here; pods tell their own.
        return facts | {"python_version_code": "3"}

    MetaflowEnvironment.get_environment_info = stable


if __name__ == "__main__":
    main()
