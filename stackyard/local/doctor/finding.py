"""What a check says, and what it looks at. Imports nothing that may be missing: a doctor works where little does."""

import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from stackyard.local.doctor.processes import Lock, read_lock
from stackyard.local.places import Places, env_option


class Level(StrEnum):
    FAIL = "fail"
    """Commands will fail, or data is at risk."""
    WARN = "warn"
    """It works, or would; but somebody should do something."""
    OK = "ok"


@dataclass(frozen=True, kw_only=True)
class Finding:
    name: str
    """What was looked at, for example `port`."""
    level: Level
    sentence: str
    command: str = ""
    """What mends it, for a shell; empty if there is nothing to mend."""


@dataclass(frozen=True, kw_only=True)
class Patient:
    """One local environment, as it was when the doctor came."""

    places: Places
    project: str
    stacks: tuple[str, ...]
    """Base before platform."""
    settings_error: Exception | None = None
    """Why the stack files cannot be read: bad settings, or a package that is missing."""
    changing: Lock
    """The lock that an `up`, `down` or `destroy` holds."""
    running: Lock
    """The lock that a pipeline run holds."""
    busy: bool
    """Whether anybody writes into the environment: what is half written then is none of our business."""

    @property
    def exists(self) -> bool:
        return self.places.folder.exists()

    def stackyard(self, *arguments: str) -> str:
        """A command of ours for this environment, as a line for the shell."""
        option = env_option(self.places.env)
        return f"{quoted(Path(sys.executable))} -m stackyard {' '.join(arguments)}{option}"

    @property
    def up(self) -> str:
        return self.stackyard("local", "up")

    @property
    def start_over(self) -> str:
        """A new emulator, provisioned from nothing, with the data of a last snapshot."""
        return f"{self.stackyard('local', 'down')} && {self.up}"

    @property
    def install(self) -> str:
        """-B: the stamps say when something was installed, not that it still is."""
        here = "" if self.places.root.resolve() == Path.cwd() else f" -C {quoted(self.places.root)}"
        return f"make{here} -B .venv/.installed-local"


Check = Callable[[Patient], list[Finding]]


def admit(places: Places) -> Patient:
    """The environment with its stacks and locks. Bad settings do not stop anything: they are a finding."""
    project, stacks, error = _stacks(places)
    changing, running = read_lock(places.lock.with_suffix(".lock")), read_lock(places.run_lock.with_suffix(".lock"))
    others = (read_lock(places.emulator_lock), read_lock(places.mirror / "lock"))
    return Patient(
        places=places,
        project=project,
        stacks=stacks,
        settings_error=error,
        changing=changing,
        running=running,
        busy=any(lock.held for lock in (changing, running, *others)),
    )


def _stacks(places: Places) -> tuple[str, tuple[str, ...], Exception | None]:
    from stackyard.errors import UserError

    project = ""
    try:
        from stackyard.local.environment import local_environment
        from stackyard.program.stackfiles import read_project

        project = read_project(places.root).name
        found = local_environment(places.root, places.env).stacks
    except (UserError, ImportError) as error:
        return project, _stacks_with_files(places), error
    return project, tuple(config.stack for config in found), None


def _stacks_with_files(places: Places) -> tuple[str, ...]:
    """Stacks that left a state or a journal: all that can be known without the settings."""
    names = {path.name.partition(".")[0] for path in places.state("any").parent.glob("*.json*")}
    return tuple(sorted(names))


def ok(name: str, sentence: str) -> Finding:
    return Finding(name=name, level=Level.OK, sentence=sentence)


def warn(name: str, sentence: str, command: str) -> Finding:
    return Finding(name=name, level=Level.WARN, sentence=sentence, command=command)


def fail(name: str, sentence: str, command: str) -> Finding:
    return Finding(name=name, level=Level.FAIL, sentence=sentence, command=command)


def shown(path: Path) -> str:
    """A path as a person in the current folder would type it."""
    path, here = path.absolute(), Path.cwd()
    return os.path.relpath(path, here) if path.is_relative_to(here) else str(path)


def typed(path: Path) -> Path:
    """The same, for a function that names the path in its errors."""
    return Path(shown(path))


def quoted(*paths: Path) -> str:
    return shlex.join(shown(path) for path in paths)


def listed(names: list[str], limit: int = 5) -> str:
    """For example `a, b and 3 more`."""
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(names[:limit]) + more


def sentence_of(error: Exception) -> str:
    """An error's text as a sentence of its own."""
    text = str(error).strip() or type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."
