"""Checks of what the environment stands on: Python, its packages, the settings, the disk."""

import os
import platform
import pwd
import shutil
import sys
import tomllib
from collections.abc import Iterator, Mapping
from importlib import metadata
from pathlib import Path

import stackyard
from stackyard.local.doctor.finding import Finding, Patient, fail, listed, ok, quoted, shown, warn

GIB = 1 << 30
ENOUGH_BYTES = GIB
"""An `up` with a first pipeline run writes about half of it."""
FULL_BYTES = 100 << 20


def python(patient: Patient, *, version: str = "") -> list[Finding]:
    """The interpreter against `requires-python`. `version` defaults to the running one's."""
    from packaging.specifiers import SpecifierSet

    version = version or platform.python_version()
    wanted = _requires_python(patient.places.root)
    if wanted and version not in SpecifierSet(wanted):
        return [
            fail(
                "python",
                f"This is Python {version} ({sys.executable}), but Stackyard needs {wanted}: install Python 3.11 or "
                "3.12, and this makes .venv with it.",
                patient.install,
            )
        ]
    return [ok("python", f"Python {version}.")]


def _requires_python(root: Path) -> str:
    file = root / "pyproject.toml"
    if file.is_file():
        return str(tomllib.loads(file.read_text(encoding="utf-8"))["project"].get("requires-python", ""))
    try:
        return metadata.metadata("stackyard")["Requires-Python"]
    except metadata.PackageNotFoundError:
        return ""


def packages(patient: Patient, *, installed: Mapping[str, str] | None = None) -> list[Finding]:
    """Installed packages against the lock of the group `local`. `installed`: version by canonical name."""
    lock = patient.places.root / "requirements" / "local.txt"
    if not lock.is_file():
        return [fail("packages", f"The lock {shown(lock)} is gone.", f"git checkout -- {quoted(lock)}")]
    found = _installed() if installed is None else installed
    wanted = dict(_locked(lock.read_text(encoding="utf-8")))
    differing = [
        f"{name} {found[name]} instead of {version}" if name in found else f"{name} {version} is missing"
        for name, version in wanted.items()
        if found.get(name) != version
    ]
    if differing:
        sentence = f"{len(differing)} of {len(wanted)} packages are not as {shown(lock)} says: {listed(differing)}."
        return [fail("packages", sentence, patient.install)]
    return [ok("packages", f"All {len(wanted)} packages are as {shown(lock)} says.")]


def _locked(text: str) -> Iterator[tuple[str, str]]:
    """Canonical name and version of each line of the lock that counts on this machine."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    for line in text.splitlines():
        if not line or line[0] in "# ":
            continue
        requirement = Requirement(line.removesuffix("\\").strip())
        if requirement.marker is None or requirement.marker.evaluate():
            yield canonicalize_name(requirement.name), next(iter(requirement.specifier)).version


def _installed() -> dict[str, str]:
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    for distribution in metadata.distributions():
        # A folder that a killed installation left has no name; the first on the path is the one that is imported.
        if "Name" in distribution.metadata:
            found.setdefault(canonicalize_name(distribution.name), distribution.version)
    return found


def code(patient: Patient, *, ours: Path = Path(stackyard.__file__)) -> list[Finding]:
    """Whether the code that runs is the one of the checkout that it works on."""
    root = patient.places.root.resolve()
    if not ours.resolve().is_relative_to(root):
        sentence = f"The code of another checkout ({ours.parents[1]}) works on this one ({root})."
        return [warn("code", sentence, f"{patient.install} && .venv/bin/python -m stackyard doctor --local")]
    return [ok("code", "The code is this checkout's.")]


def settings(patient: Patient) -> list[Finding]:
    if isinstance(patient.settings_error, ImportError):
        raise patient.settings_error
    if patient.settings_error:
        files = sorted((patient.places.root / "stacks").glob(f"Pulumi.{patient.places.env}*.yaml"))
        return [fail("settings", str(patient.settings_error), f'"${{EDITOR:-vi}}" {quoted(*files)}')]
    return [ok("settings", f"The settings of {listed(list(patient.stacks))} are valid.")]


def disk(patient: Patient, *, free_bytes: int | None = None) -> list[Finding]:
    """Free space where the environment lies. `free_bytes` defaults to what is measured."""
    folder = next(p for p in (patient.places.folder, *patient.places.folder.parents) if p.is_dir())
    free = shutil.disk_usage(folder).free if free_bytes is None else free_bytes
    figure = f"{free / GIB:.1f} GiB" if free >= FULL_BYTES else f"{free / (1 << 20):.0f} MiB"
    if free >= ENOUGH_BYTES:
        return [ok("disk", f"{figure} are free.")]
    sentence = f"Only {figure} are free where {shown(folder)} lies: remove something; this shows what takes the space."
    show = f"du -xh -d 2 {quoted(patient.places.root)} | sort -h | tail -n 15"
    return [(fail if free < FULL_BYTES else warn)("disk", sentence, show)]


def writable(patient: Patient) -> list[Finding]:
    """Whether we may write everywhere below `.stackyard`; a `sudo make up` long ago is enough that we may not."""
    top = patient.places.root / ".stackyard"
    if not top.exists():
        top = patient.places.root
        folders = [top]
    elif not top.is_dir() or (patient.exists and not patient.places.folder.is_dir()):
        wrong = patient.places.folder if top.is_dir() else top
        command = f"mv {quoted(wrong, wrong.with_name(wrong.name + '.old'))}"
        return [fail("folder", f"{shown(wrong)} is a file, but must be a folder.", command)]
    else:
        # By name as well: a walk says nothing about a folder that it may not list.
        own = [patient.places.folder] if patient.exists else []
        folders = [top, *own, *(Path(path) for path, _, _ in os.walk(patient.places.folder))]
    closed = [folder for folder in folders if not os.access(folder, os.R_OK | os.W_OK | os.X_OK)]
    if not closed:
        return [ok("folder", f"{shown(top)} can be written.")]
    owner, me = closed[0].stat().st_uid, os.geteuid()
    sentence = f"{shown(closed[0])} cannot be written by {_user(me)}"
    if owner != me:
        command = f"sudo chown -R {_user(me)} {quoted(top)}"
        return [fail("folder", f"{sentence}: it belongs to {_user(owner)}.", command)]
    return [fail("folder", f"{sentence}, its owner.", f"chmod -R u+rwX {quoted(top)}")]


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
