"""Where a container's own directories are on this machine.

A pod sees its emptyDir volumes at their mount paths and a /tmp of its own. A process sees the machine's file system,
so each attempt gets a directory for every such path, and the paths are translated in two places: in the text of the
command and of its environment, and, for paths that Python code spells out (Metaflow writes /mnt/out/task_id), by
`python_shim` in every Python process of the attempt. Paths in other programs' own code are not translated.
"""

import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHIM = Path(__file__).with_name("python_shim.py")
SHIM_VARIABLE = "STACKYARD_MOUNTS"
BYTECODE_VARIABLE = "STACKYARD_BYTECODE"
# Metaflow's own commands do not quote `$PWD`: a directory with other characters would break them.
_WORD = re.compile(r"[\w.-]")
_PLAIN = re.compile(r"[A-Za-z0-9/_.+@%-]+")


@dataclass(frozen=True)
class PathMap:
    """Directories of this machine by the path that the container's command uses for them."""

    mounts: Mapping[str, Path]
    kept: Sequence[Path] = ()
    """Directories of this machine that keep their names even where a mount path is the beginning of them."""

    def translate(self, value: Any) -> Any:
        """The same text (or list, or map) with the container's paths replaced where they stand as words."""
        if isinstance(value, str):
            return self._pattern().sub(lambda found: self._one(found, value), value)
        if isinstance(value, Mapping):
            return {key: self.translate(entry) for key, entry in value.items()}
        return [self.translate(entry) for entry in value] if isinstance(value, list) else value

    def path(self, path: str) -> Path | None:
        """Where one path of the container is; None when it lies in no mount."""
        for mount in sorted(self.mounts, key=len, reverse=True):
            if path == mount or path.startswith(f"{mount}/"):
                return self.mounts[mount] / path[len(mount) + 1 :]
        return None

    def for_shim(self) -> str:
        """The value of `STACKYARD_MOUNTS`: one `path<TAB>directory` a line, longest first."""
        pairs = {mount: str(directory) for mount, directory in self.mounts.items()}
        pairs |= {str(path): str(path) for path in self._machine_paths()}
        return "\n".join(f"{path}\t{pairs[path]}" for path in sorted(pairs, key=len, reverse=True))

    def _machine_paths(self) -> list[Path]:
        return [path for path in (*self.kept, *self.mounts.values()) if str(path) not in self.mounts]

    def _pattern(self) -> re.Pattern[str]:
        mounts = "|".join(re.escape(mount) for mount in sorted(self.mounts, key=len, reverse=True))
        # Not in the middle of another path, a URL, or after a variable; ends at a slash or where a word ends.
        return re.compile(rf"(?<![\w./}})$~-])(?:{mounts})(?=$|[/\s\"'`;&|<>(){{}},:=])")

    def _one(self, found: re.Match[str], text: str) -> str:
        rest = text[found.start() :]
        for path in self._machine_paths():
            if rest.startswith(str(path)) and not _WORD.match(rest, len(str(path))):
                return found[0]
        return str(self.mounts[found[0]])


def plain_directory(directory: Path) -> tuple[Path, Path | None]:
    """The directory by a path that needs no quotes: its own, or a new link's. Second: what to remove afterwards."""
    if _PLAIN.fullmatch(str(directory)):
        return directory, None
    links = Path(tempfile.mkdtemp(prefix="stackyard-"))
    (links / "work").symlink_to(directory, target_is_directory=True)
    return links / "work", links
