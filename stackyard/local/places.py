"""Where a checkout keeps its local environments: everything lies under `.stackyard`, nothing beside it."""

import hashlib
import os
import re
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from stackyard.errors import InvalidInput

PROJECT_FILE = "Pulumi.yaml"


@dataclass(frozen=True)
class Places:
    """The files of one local environment. Paths only: nothing is created by asking for one."""

    root: Path
    """The checkout: the folder that holds Pulumi.yaml."""
    env: str
    """Name of the environment, such as `local`. Each has a folder and an emulator of its own."""

    @property
    def folder(self) -> Path:
        return self.root / ".stackyard" / self.env

    @property
    def packages(self) -> Path:
        """Code packages `<sha256>.tgz` written by `stackyard pipelines compile`, shared by the environments."""
        return self.root / ".stackyard" / "packages"

    def state(self, stack: str) -> Path:
        """The stack's state, in the format of `pulumi stack export`."""
        return self.folder / "state" / f"{stack}.json"

    def journal(self, stack: str) -> Path:
        """What an `up` or `destroy` of the stack has done so far; gone once it ended."""
        return self.state(stack).with_suffix(".journal.jsonl")

    @property
    def lock(self) -> Path:
        """Held while the environment changes."""
        return self.folder / "environment"

    @property
    def state_id(self) -> Path:
        """Ties the states to the emulator that holds their resources: the same text is noted there."""
        return self.folder / "state-id"

    def retained(self, stack: str) -> Path:
        """What the last destroy of the stack left, in the format of `pulumi import --file`."""
        return self.folder / "state" / f"{stack}.retained.json"

    @property
    def emulator_record(self) -> Path:
        """Process id, its start, and port of the running emulator (JSON)."""
        return self.folder / "emulator.json"

    @property
    def emulator_pid(self) -> Path:
        """The emulator's process id alone, for people and scripts; `emulator_record` decides."""
        return self.folder / "emulator.pid"

    @property
    def emulator_log(self) -> Path:
        return self.folder / "emulator.log"

    @property
    def emulator_lock(self) -> Path:
        return self.folder / "emulator.lock"

    @property
    def mirror(self) -> Path:
        """Snapshots of the buckets' contents together with MLflow's database."""
        return self.folder / "mirror"

    @property
    def database(self) -> Path:
        """MLflow's SQLite database."""
        return self.folder / "mlflow.db"

    @property
    def tracking_uri(self) -> str:
        """MLflow's tracking URI of the database."""
        # SQLAlchemy decodes percent signs and ends a path at the question mark; all else it takes as it is.
        path = re.sub(r"[%?#]", lambda found: f"%{ord(found[0]):02X}", str(self.database))
        return f"sqlite:///{path}"

    @property
    def kubernetes(self) -> Path:
        """The Kubernetes object store."""
        return self.folder / "kubernetes"

    @property
    def kubernetes_objects(self) -> Path:
        return self.kubernetes / "objects.json"

    @property
    def kubernetes_cluster(self) -> Path:
        """Which cluster the objects are also applied to (JSON); absent if they are not."""
        return self.kubernetes / "cluster.json"

    @property
    def runs(self) -> Path:
        """Logs of pipeline runs, a folder each."""
        return self.folder / "runs"

    @property
    def report(self) -> Path:
        return self.folder / "report.html"

    @property
    def run_lock(self) -> Path:
        """Held while a pipeline runs."""
        return self.folder / "a pipeline run"

    @property
    def home(self) -> Path:
        """HOME of every child process."""
        return self.folder / "home"

    @property
    def owner(self) -> str:
        """Tells this environment of this checkout from all others: 16 hexadecimal digits."""
        return hashlib.sha256(f"{self.root.resolve()}\0{self.env}".encode()).hexdigest()[:16]


def env_option(env: str) -> str:
    """What a command that a person reads needs so that it means this environment: nothing for the default one."""
    return "" if env == "local" else f" --env {env}"


def command() -> str:
    """How the reader calls us: by name where that finds us, else by the way to the virtual environment."""
    ours = Path(sys.executable).with_name("stackyard")
    found = shutil.which("stackyard")
    return "stackyard" if found and Path(found).resolve() == ours.resolve() else os.path.relpath(ours)


def typed(words: str, env: str = "local") -> str:
    """A command as the reader has to type it to mean this environment, in quotes."""
    return f"`{command()} {words}{env_option(env)}`"


def find_root(start: Path) -> Path:
    """The checkout that holds `start`: the nearest folder upwards with Pulumi.yaml. Raises InvalidInput without one."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    raise InvalidInput(
        f"{start} is not inside a Stackyard checkout: neither it nor a folder above it holds {PROJECT_FILE}. "
        "Change into the checkout and try again."
    )
