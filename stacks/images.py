"""Which image runs where: names to digests, from the committed lock.

- `local` needs no image: the runner runs commands in the project's own environment, and the image's name says which.
- The committed environments carry example digests, so that captures, policies and reviews see every workload. Nothing
  real is deployed with them: preflight and a real `up` refuse.
- An image that is missing in the lock is not built yet: what needs it is left out, with a warning. So a platform can be
  deployed before its images are there.
"""

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stacks.plain import is_mapping
from stacks.problems import shown
from stackyard.errors import InvalidInput, UserError

ROOT = Path(__file__).parents[1]
LOCK = Path(__file__).with_name("images.lock.yaml")
LOCAL_ENVIRONMENT = "local"
LOCAL_REGISTRY = "stackyard.local"

IMAGES: Mapping[str, Path] = {"pipelines": Path("requirements/pipelines.txt")}
"""Every image that this project builds, with the lock file of what is in it, relative to the project's root."""

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_RESTORE = (
    "Every image that runs is named there: restore the file with `git restore stacks/images.lock.yaml`, or write lines "
    'such as `prod: {pipelines: {digest: "sha256:…"}}`.'
)


@dataclass(frozen=True, kw_only=True)
class LockedImage:
    """One line of the lock."""

    name: str
    digest: str
    """`sha256:` and 64 digits."""
    example: bool = False
    """Stands for an image that nobody has built. Never deployed for real."""

    def reference(self, repository_url: str) -> str:
        """What a pod pulls."""
        return f"{repository_url}@{self.digest}"


def locked_images(environment: str, *, lock: Path = LOCK) -> dict[str, LockedImage]:
    """Images of an environment by name; none for an environment that the lock does not know.

    Raises InvalidInput for a lock that nobody could deploy from, with the line that is wrong.
    """
    document = _mapping(_document(lock), "stacks/images.lock.yaml")
    section = _mapping(document.get(environment), f"stacks/images.lock.yaml, {environment}")
    return {name: _locked(environment, name, section[name]) for name in sorted(section, key=str)}


def local_image(name: str, *, root: Path = ROOT) -> str:
    """The image of the local stack: named by what the project's environment was installed from.

    Raises InvalidInput for a name that this project does not build.
    """
    content = (root / IMAGES[_known(name)]).read_bytes()
    return f"{LOCAL_REGISTRY}/{name}@sha256:{hashlib.sha256(content).hexdigest()}"


def image_of(name: str, *, environment: str, repository_url: str, lock: Path = LOCK, root: Path = ROOT) -> str | None:
    """What a pod pulls in an environment, by digest; None for an image that is not built yet."""
    if environment == LOCAL_ENVIRONMENT:
        return local_image(name, root=root)
    locked = locked_images(environment, lock=lock).get(_known(name))
    return locked.reference(repository_url) if locked else None


def missing_image(name: str, environment: str) -> str:
    """The warning about an image that is not built yet."""
    return (
        f"stacks/images.lock.yaml has no image {name!r} for {environment}: what runs in it is not registered. "
        "No command builds images yet; once one is in the environment's registry, write its digest there and deploy "
        "the platform layer again."
    )


def refuse_examples(environment: str, *, lock: Path = LOCK) -> None:
    """Raises UserError when an environment would be deployed with a digest that stands for no image."""
    refuse_example_images(environment, locked_images(environment, lock=lock).values())


def refuse_example_images(environment: str, images: Iterable[LockedImage]) -> None:
    """As `refuse_examples`, for images at hand."""
    examples = [image.name for image in images if image.example]
    if examples and environment != LOCAL_ENVIRONMENT:
        raise UserError(
            f"stacks/images.lock.yaml has example digests for {environment}: {', '.join(examples)}. They stand for "
            "images that nobody has built, and pods would wait for them for ever. Remove these lines, and what runs in "
            "the images is left out; or write the digests of images that are in the environment's registry."
        )


def _document(lock: Path) -> Any:
    try:
        return yaml.safe_load(lock.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidInput(f"stacks/images.lock.yaml cannot be read ({error.strerror}). {_RESTORE}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f", line {mark.line + 1}" if mark else ""
        problem = error.problem or error.context
        raise InvalidInput(f"stacks/images.lock.yaml{where}: this is not valid YAML: {problem}. {_RESTORE}") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise InvalidInput(f"stacks/images.lock.yaml is not valid YAML in UTF-8. {_RESTORE}") from None


def _mapping(value: Any, where: str) -> dict[str, Any]:
    """A part of the lock; empty where nothing stands."""
    if value is None:
        return {}
    if not is_mapping(value):
        raise InvalidInput(f"{where}: {shown(value)} is no mapping. {_RESTORE}")
    return value


def _locked(environment: str, name: str, entry: Any) -> LockedImage:
    where = f"stacks/images.lock.yaml, {environment}.{_known(name)}"
    if not is_mapping(entry) or set(entry) - {"digest", "example"}:
        raise InvalidInput(f"{where}: {entry!r} must have `digest`, and `example: true` only if nobody built it.")
    digest, example = entry.get("digest"), entry.get("example", False)
    if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
        raise InvalidInput(f"{where}.digest: {digest!r} is not sha256: and 64 digits. A tag can move, a digest cannot.")
    if not isinstance(example, bool):
        raise InvalidInput(f"{where}.example: {example!r} must be true or false.")
    return LockedImage(name=name, digest=digest, example=example)


def _known(name: str) -> str:
    if name not in IMAGES:
        raise InvalidInput(f"There is no image {name!r}. This project builds: {', '.join(sorted(IMAGES))}.")
    return name
