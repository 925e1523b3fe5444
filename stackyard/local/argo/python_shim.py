"""Shows a Python process its pod's mounts and keeps it on this machine: the `sitecustomize.py` of local steps.

Copied to the head of their PYTHONPATH, with the guard of sockets beside it: Python loads the first of that name only.
Translates the paths that Python code opens, as STACKYARD_MOUNTS says (lines of path, tab, directory, longest first).
Imports nothing beyond what every interpreter has loaded at its start: a step starts a dozen of them.
"""

import atexit
import builtins
import functools
import gc
import io
import os
from typing import Any

_ONE_PATH = ("open", "stat", "lstat", "mkdir", "listdir", "scandir", "remove", "unlink", "rmdir", "access", "chmod")
_TWO_PATHS = ("rename", "replace", "link", "symlink")


def translate(path: Any, mounts: "list[tuple[str, str]]") -> Any:
    """The path on this machine; anything that is no text or path-like of text comes back as it is."""
    if not isinstance(path, str) and not hasattr(path, "__fspath__"):
        return path
    text = os.fspath(path)
    if isinstance(text, str):
        for mount, directory in mounts:
            if text == mount or text.startswith(mount + "/"):
                return path if mount == directory else directory + text[len(mount) :]
    return path


def _translating(function: Any, count: int, mounts: "list[tuple[str, str]]") -> Any:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*(translate(arg, mounts) for arg in args[:count]), *args[count:], **kwargs)

    return call


def install(setting: str) -> None:
    """Replaces the file functions of this process by ones that translate their paths."""
    mounts = [(path, directory) for path, _, directory in (line.partition("\t") for line in setting.splitlines())]
    opened = _translating(builtins.open, 1, mounts)
    builtins.open = io.open = opened
    for count, names in ((1, _ONE_PATH), (2, _TWO_PATHS)):
        for name in names:
            function = getattr(os, name)
            replacement = _translating(function, count, mounts)
            setattr(os, name, replacement)
            # The standard library asks these sets what a function can do.
            for able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks, os.supports_effective_ids):
                if function in able:
                    able.add(replacement)


def share_bytecode(setting: str) -> None:
    """Keeps compiled files of a step's own Python files in a folder that the run's steps share (`own<TAB>shared`).

    Each step unpacks the same code package anew, Metaflow with it, and would compile it anew: half a second a step.
    PYTHONPYCACHEPREFIX would hide the installed packages' compiled files too. Python still compares time and size.
    """
    import _frozen_importlib_external as machinery

    own, _, shared = setting.partition("\t")
    usual = machinery.cache_from_source

    def cache_from_source(path: Any, *args: Any, **kwargs: Any) -> Any:
        place = usual(path, *args, **kwargs)
        return shared + place[len(own) :] if place.startswith(own + "/") else place

    machinery.cache_from_source = cache_from_source


if os.environ.get("STACKYARD_MOUNTS") and __name__ == "sitecustomize":
    install(os.environ["STACKYARD_MOUNTS"])
    share_bytecode(os.environ["STACKYARD_BYTECODE"])
    # The process ends: looking through all that MLflow and XGBoost loaded once more takes up to a second and a half.
    atexit.register(gc.freeze)
    # Beside this file in a step's folder.
    __import__("stackyard_loopback").install()
