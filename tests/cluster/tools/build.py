"""Builds the programs of the cluster tier from the Go modules in this folder, once: `make cluster-tools`.

What is built lies in a folder named after the module's files, so a changed pin builds anew and nothing else does.
Needs nothing but Python and Go: CI starts it before anything is installed.
"""

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

MODULES = Path(__file__).resolve().parent
# Another folder can be named for a machine that keeps one for many checkouts.
CACHE_VARIABLE = "STACKYARD_CLUSTER_TOOLS"
DEFAULT_CACHE = MODULES.parents[2] / ".stackyard" / "cluster-tools"

GO_MISSING = (
    "Go is missing: the cluster tier builds its programs with Go {needed} or newer. Install it, or name a folder "
    "that holds them in {variable}."
)
# What every build shares. Without C, a machine needs no compiler beside Go's; without paths, no build knows its folder.
GO_FLAGS = ("-mod=readonly", "-trimpath", "-buildvcs=false")


@dataclass(frozen=True, kw_only=True)
class Family:
    """One Go module here, and what is taken from it."""

    name: str
    """Its folder."""
    programs: Mapping[str, str] = field(default_factory=dict)
    """Package by the program's name."""
    files: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Folder in the cache → module and the pattern of its files that are copied there."""
    stamps: tuple[str, str] | None = None
    """Module whose version the programs tell, and the package with its variables."""

    @property
    def module(self) -> Path:
        return MODULES / self.name

    def digest(self) -> str:
        """Names what is built: the pins, and how it is built and taken."""
        seen = hashlib.sha256(repr((self, GO_FLAGS)).encode())
        for name in ("go.mod", "go.sum"):
            seen.update((self.module / name).read_bytes())
        return seen.hexdigest()[:16]

    def place(self) -> Path:
        return cache() / f"{self.name}-{self.digest()}"

    def version_of(self, module: str) -> str:
        found = re.search(rf"^(?:require )?\s*{re.escape(module)} (v\S+)", (self.module / "go.mod").read_text(), re.M)
        if not found:
            raise SystemExit(f"{self.module.name}/go.mod does not require {module}")
        return found[1]


FAMILIES = (
    Family(name="etcd", programs={"etcd": "go.etcd.io/etcd/server/v3"}),
    Family(
        name="kubernetes",
        programs={
            name: f"k8s.io/kubernetes/cmd/{name}"
            for name in ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
        },
        stamps=("k8s.io/kubernetes", "k8s.io/component-base/version"),
    ),
    # Nothing is built of it: its package embeds the definitions of AWS's custom resources.
    Family(name="karpenter-aws", files={"crds": ("github.com/aws/karpenter-provider-aws", "pkg/apis/crds/*.yaml")}),
    Family(
        name="karpenter",
        programs={"karpenter": "sigs.k8s.io/karpenter/kwok"},
        files={
            "crds": ("sigs.k8s.io/karpenter", "pkg/apis/crds/*.yaml"),
            "kwok-crds": ("sigs.k8s.io/karpenter", "kwok/apis/crds/*.yaml"),
        },
    ),
    Family(
        name="kwok",
        programs={"kwok": "sigs.k8s.io/kwok/cmd/kwok"},
        files={
            "node-fast": ("sigs.k8s.io/kwok", "kustomize/stage/node/fast/node-*.yaml"),
            "node-heartbeat": ("sigs.k8s.io/kwok", "kustomize/stage/node/heartbeat/node-*.yaml"),
            "pod-fast": ("sigs.k8s.io/kwok", "kustomize/stage/pod/fast/pod-*.yaml"),
        },
    ),
)


def cache() -> Path:
    return Path(os.environ.get(CACHE_VARIABLE) or DEFAULT_CACHE)


def missing() -> list[Family]:
    """Families that are not built."""
    return [family for family in FAMILIES if not family.place().is_dir()]


def program(name: str) -> Path:
    """Where a built program lies. Raises KeyError for a name that no family has."""
    return {name: family.place() / name for family in FAMILIES for name in family.programs}[name]


def taken_files(family: str, folder: str) -> list[Path]:
    """Files that came with a family's modules, sorted by name."""
    (found,) = (entry for entry in FAMILIES if entry.name == family)
    return sorted((found.place() / folder).iterdir())


def go_version() -> str:
    """The newest Go that a module here asks for."""
    asked = [re.search(r"^go (\S+)", (f.module / "go.mod").read_text(), re.M) for f in FAMILIES]
    return max((match[1] for match in asked if match), key=lambda text: [int(part) for part in text.split(".")])


def build() -> None:
    """Builds what is missing, and says what takes how long. Raises SystemExit with a sentence when that fails."""
    with _alone():
        wanted = missing()
        if wanted and not shutil.which("go"):
            raise SystemExit(GO_MISSING.format(needed=go_version(), variable=CACHE_VARIABLE))
        for family in wanted:
            _build_family(family)
        _remove_outdated()


@contextlib.contextmanager
def _alone() -> Iterator[None]:
    """Two builds at once would do the same work twice: the second waits and finds it done."""
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another build is running: waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build_family(family: Family) -> None:
    with tempfile.TemporaryDirectory(prefix=f".{family.name}-", dir=cache()) as folder:
        making = Path(folder) / "made"
        making.mkdir()
        for name, package in family.programs.items():
            started = time.monotonic()
            _say(f"building {name} from {package} …")
            _go(family, "build", *GO_FLAGS, f"-ldflags={_linking(family)}", "-o", str(making / name), package)
            _say(f"built {name} in {time.monotonic() - started:.0f} s")
        for target, (module, pattern) in family.files.items():
            _take(family, module, pattern, making / target)
        # As a whole or not at all: an interrupted build leaves nothing that looks finished.
        making.rename(family.place())


def _linking(family: Family) -> str:
    flags = ["-s", "-w"]
    if family.stamps:
        module, package = family.stamps
        version = family.version_of(module)
        major, minor = version.removeprefix("v").split(".")[:2]
        values = {"gitVersion": version, "gitMajor": major, "gitMinor": minor}
        flags += [f"-X {package}.{name}={value}" for name, value in values.items()]
    return " ".join(flags)


def _take(family: Family, module: str, pattern: str, target: Path) -> None:
    if family.programs:
        folder = _go(family, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module)
    else:
        # No build has brought it.
        _say(f"fetching {module} …")
        _go(family, "mod", "download", module)
        folder = _go(family, "list", "-mod=readonly", "-m", "-f", "{{.Dir}}", module)
    files = sorted(Path(folder.strip()).glob(pattern))
    if not files:
        raise SystemExit(f"{module} {family.version_of(module)} has no files {pattern}: correct {Path(__file__).name}")
    target.mkdir()
    for file in files:
        (target / file.name).write_bytes(file.read_bytes())


def _go(family: Family, *words: str) -> str:
    # Its own flags would come on top of ours.
    environment = {name: value for name, value in os.environ.items() if name != "GOFLAGS"} | {"CGO_ENABLED": "0"}
    done = subprocess.run(
        ["go", *words], cwd=family.module, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"go {words[0]} failed in {family.name}: {done.stderr.strip()[-2000:]}")
    return done.stdout


def _remove_outdated() -> None:
    """What earlier pins built, 300 MB each time. A folder that the user named may serve other checkouts too."""
    if CACHE_VARIABLE in os.environ:
        return
    current = {family.place().name for family in FAMILIES}
    for entry in cache().iterdir():
        if entry.is_dir() and entry.name not in current:
            shutil.rmtree(entry)


def _say(sentence: str) -> None:
    print(f"cluster tools: {sentence}", flush=True)


def _leave(_signal: int, _frame: object) -> None:
    sys.exit(1)


if __name__ == "__main__":
    started = time.monotonic()
    # Raised where it waits for Go, it ends that too.
    signal.signal(signal.SIGTERM, _leave)
    build()
    _say(f"all there in {cache()} ({time.monotonic() - started:.0f} s)")
