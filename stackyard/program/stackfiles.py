"""Pulumi.yaml and the stack files, read as the Pulumi CLI reads them; and the environment that it gives a program."""

import difflib
import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from yaml.constructor import ConstructorError

from stacks.plain import has_secure, is_mapping
from stackyard.errors import InvalidInput
from stackyard.evaluated import EVALUATED

PROJECT_FILE = "Pulumi.yaml"
STACK_FILE = re.compile(r"Pulumi\.(?P<stack>.+)\.yaml")
MOST_VALUES = 10_000
"""Values of one file, each as often as aliases repeat it: eight lines of aliases to aliases would fill the memory."""
OTHER_NAMESPACES = frozenset({"pulumi", "aws", "kubernetes"})
"""Namespaces of configuration that the CLI and the program's providers read."""
NEAR = 0.8
"""How much a namespace looks like the project's name, from 0 to 1, to count as a slip of it."""
_SHOWN = 40
"""Characters of a broken value that an error repeats."""


@dataclass(frozen=True, kw_only=True)
class Project:
    """What Stackyard needs of Pulumi.yaml."""

    name: str
    config_dir: Path
    """Folder of the stack files (`stackConfigDir`)."""
    defaults: Mapping[str, Any]
    """Configuration that a stack need not name: full key to value."""


@dataclass(frozen=True, kw_only=True)
class StackConfig:
    """The configuration of one stack, encrypted leaves left as `{"secure": ciphertext}`."""

    project: str
    stack: str
    config: dict[str, Any]
    """Full key, as in `stackyard:network`, to plain Python values; defaults of Pulumi.yaml are filled in."""
    secret_keys: tuple[str, ...] = ()
    """Full keys that hold an encrypted leaf, sorted."""


def read_project(root: Path) -> Project:
    """Pulumi.yaml of the folder `root`. Raises InvalidInput when it is missing, broken or has another shape."""
    path = root / PROJECT_FILE
    if not path.is_file():
        raise InvalidInput(
            f"{root} has no {PROJECT_FILE}, so it is not the root of a Stackyard project: "
            "change to the folder that holds it."
        )
    content = _load_mapping(path)
    name = content.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidInput(
            f"{path}: `name` is {name!r}, but must be the project's name, for example `name: stackyard`."
        )
    declared: Any = content.get("config") or {}
    if not is_mapping(declared):
        raise InvalidInput(f"{path}: `config` must declare the sections, for example `network: {{type: object}}`.")
    return Project(
        name=name,
        config_dir=root / str(content.get("stackConfigDir") or "."),
        defaults={_full_key(name, key): entry["default"] for key, entry in declared.items() if _has_default(entry)},
    )


def stack_names(root: Path) -> list[str]:
    """Names of all stacks that have a file, sorted."""
    return _names_in(read_project(root).config_dir)


def stack_path(root: Path, stack: str) -> Path:
    """The file of a stack. Raises InvalidInput naming the nearest stack, and all, when there is none."""
    return _path_in(read_project(root).config_dir, stack)


def read_stack(root: Path, stack: str) -> StackConfig:
    """The configuration of one stack of the project in `root`.

    Raises InvalidInput for a stack that has no file, for broken YAML (with file and line) and for other shapes.
    """
    project = read_project(root)
    path = _path_in(project.config_dir, stack)
    section = _load_mapping(path).get("config")
    if not is_mapping(section):
        raise InvalidInput(
            f"{path}: `config` is {_shape(section)}, but must hold the stack's sections, "
            f"for example `config: {{{project.name}:environment: {{name: {stack}}}}}`."
        )
    refuse_slips(project.name, section, path)
    given: dict[str, Any] = {}
    for key, value in section.items():
        full = _full_key(project.name, key)
        if full in given:
            raise InvalidInput(f"{path}: `{full}` stands twice, once without its prefix: keep one of them.")
        given[full] = value
    return StackConfig(
        project=project.name,
        stack=stack,
        config={**project.defaults, **given},
        secret_keys=tuple(sorted(key for key, value in given.items() if has_secure(value))),
    )


def refuse_slips(project: str, keys: Iterable[str], where: Path | str) -> None:
    """Raises InvalidInput for keys whose namespace is nearly the project's name: nothing would read their values."""
    namespaces = {key: key.partition(":")[0] for key in keys if ":" in key}
    foreign = {key: name for key, name in namespaces.items() if name not in OTHER_NAMESPACES | {project}}
    slips = [key for key, name in foreign.items() if _likeness(name, project) >= NEAR]
    if slips:
        meant = ", ".join(f"`{project}:{_brief(key.partition(':')[2])}`" for key in slips)
        wrong = ", ".join(f"`{_brief(key)}`" for key in slips)
        raise InvalidInput(f"{where}: nothing reads {wrong}, since the project is called {project}: write {meant}.")


def _likeness(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one.lower(), other.lower()).ratio()


def to_environment(config: StackConfig) -> dict[str, str]:
    """The environment variables by which the CLI tells a program its stack and its configuration, and EVALUATED.

    Structured values are JSON texts, scalars are texts. Encrypted leaves stay `{"secure": …}`, since nothing here can
    decrypt them; the settings refuse them in either form.
    """
    values = {key: _config_text(value) for key, value in config.config.items()}
    return {
        EVALUATED: "1",
        "PULUMI_PROJECT": config.project,
        "PULUMI_STACK": config.stack,
        "PULUMI_CONFIG": json.dumps(values, sort_keys=True, ensure_ascii=False),
        "PULUMI_CONFIG_SECRET_KEYS": json.dumps(sorted(config.secret_keys)),
    }


def _names_in(folder: Path) -> list[str]:
    return sorted(match["stack"] for file in folder.glob("Pulumi.*.yaml") if (match := STACK_FILE.fullmatch(file.name)))


def _path_in(folder: Path, stack: str) -> Path:
    names = _names_in(folder)
    if stack not in names:
        raise InvalidInput(_no_such_stack(stack, names, folder))
    return folder / f"Pulumi.{stack}.yaml"


def _config_text(value: Any) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case _:
            # true, 3 and 0.5 read the same in JSON and in the CLI's own rendering of scalars.
            return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _full_key(project: str, key: str) -> str:
    return key if ":" in key else f"{project}:{key}"


def _has_default(entry: Any) -> bool:
    return is_mapping(entry) and entry.get("default") is not None


def _no_such_stack(stack: str, names: list[str], folder: Path) -> str:
    if not names:
        return f"There is no stack {stack!r}: {folder} holds no Pulumi.<stack>.yaml at all."
    near = difflib.get_close_matches(stack, names, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return f"There is no stack {stack!r} in {folder}.{hint} Stacks are: {', '.join(names)}."


def _load_mapping(path: Path) -> dict[str, Any]:
    text = ""
    try:
        text = path.read_text(encoding="utf-8")
        content = yaml.load(text, Loader=_CliLoader)
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8.") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{path}, line {mark.line + 1}, column {mark.column + 1}" if mark else str(path)
        problem = f"{error.problem or error.context}{_shown_at(error, text)}"
        raise InvalidInput(f"{where}: this is not valid YAML: {problem}.") from None
    except RecursionError:
        raise InvalidInput(f"{path} is nested too deeply: no setting needs more than a few levels.") from None
    except yaml.YAMLError as error:
        raise InvalidInput(f"{path} is not valid YAML: {' '.join(str(error).split())}.") from None
    if not is_mapping(content):
        raise InvalidInput(f"{path} is {_shape(content)}, but must be a mapping (`key: value` lines).")
    return content


def _shown_at(error: yaml.MarkedYAMLError, text: str) -> str:
    """The word at the place of an error that does not tell, as libyaml's do not; ours and the constructor's do."""
    mark = error.problem_mark
    if mark is None or isinstance(error, ConstructorError):
        return ""
    # No more than a word: the rest of the line may be a secret.
    word = re.match(r"\S+|[^\S\n]", text[mark.index :])
    return f", at {_shortened(word[0])}" if word else ""


def _shortened(text: str) -> str:
    return repr(text) if len(text) <= _SHOWN else f"'{text[:_SHOWN]}…' ({len(text)} characters)"


def _brief(key: str) -> str:
    return repr(key[:_SHOWN])[1:-1] + "…" * (len(key) > _SHOWN)


def _shape(value: Any) -> str:
    match value:
        case None:
            return "empty"
        case list():
            return "a list"
        case dict():
            return "a mapping"
        case _:
            return f"{value!r}"


_STANDARD = "tag:yaml.org,2002:"
_TAGS = frozenset(f"{_STANDARD}{name}" for name in ("null", "bool", "int", "float", "str", "seq", "map"))
"""What JSON has as well, in which the CLI gives the configuration to a program."""

# libyaml's is ten times as fast; every wheel of PyYAML has it, a build from source may not.
_Loader: Any = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader


class _CliLoader(_Loader):
    """Reads scalars as the CLI's YAML library does, and refuses a key that stands twice.

    PyYAML's own rules are older: it takes `on` for true, 22:30 for 1350 and a date for a date object.
    """

    def construct_document(self, node: yaml.Node) -> Any:
        # Contents at once, not later: so a value that contains itself is noticed.
        self.deep_construct = True
        self._sizes: dict[yaml.Node, int] = {}
        return super().construct_document(node)

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        if node in self.recursive_objects:
            raise _refused(node, "this value contains itself by an alias")
        if node.tag.startswith(_STANDARD) and node.tag not in _TAGS:
            known = ", ".join(sorted(tag.replace(_STANDARD, "!!") for tag in _TAGS))
            tag = node.tag.replace(_STANDARD, "!!")
            raise _refused(node, f"the tag `{tag}` is none that a setting may have ({known})")
        try:
            value = super().construct_object(node, deep=deep)
        except (ValueError, KeyError):  # such as `!!int foo` and `!!bool maybe`
            kind = node.tag.removeprefix(_STANDARD)
            problem = f"{_shortened(str(node.value))} is no {kind}, or too long for one"
            raise _refused(node, f"{problem}: mend it, or write it in quotes and without a tag to mean text") from None
        if self._size(node) > MOST_VALUES:
            raise _refused(
                node, f"with its aliases written out this holds more than {MOST_VALUES} values: no stack needs so many"
            )
        return value

    def _size(self, node: yaml.Node) -> int:
        """Values in a node and below it. Those below were constructed before it, so theirs are known."""
        if node not in self._sizes:
            match node:
                case yaml.MappingNode():
                    below = [value for _, value in node.value]
                case yaml.SequenceNode():
                    below = node.value
                case _:
                    below = []
            self._sizes[node] = 1 + sum(self._sizes.get(inner, 1) for inner in below)
        return self._sizes[node]

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        # `!!map` may stand before anything; that is refused below.
        for key_node, _ in node.value if isinstance(node, yaml.MappingNode) else ():
            if key_node.tag not in (f"{_STANDARD}str", f"{_STANDARD}merge"):
                raise _refused(key_node, "a key must be text")
            if key_node.value in seen:
                raise _refused(key_node, f"the key {key_node.value!r} stands twice")
            seen.add(key_node.value)
        return super().construct_mapping(node, deep=deep)


def _refused(node: yaml.Node, problem: str) -> ConstructorError:
    return ConstructorError(problem=problem, problem_mark=node.start_mark)


def _whole_number(loader: _CliLoader, node: yaml.ScalarNode) -> int:
    return int(loader.construct_scalar(node).replace("_", ""), 0)


def _fraction(loader: _CliLoader, node: yaml.ScalarNode) -> float | int:
    number = float(loader.construct_scalar(node))
    if not math.isfinite(number):
        raise ValueError
    return int(number) if number.is_integer() else number


# Plain scalars that are not text; what matches none is.
_SCALARS = (
    ("merge", r"<<", ["<"]),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(?:0|[1-9][0-9_]*|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)", list("-+0123456789")),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", list("-+.0123456789")),
)
_CliLoader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in _SCALARS:
    for _character in _first:
        _rule = (f"{_STANDARD}{_tag}", re.compile(rf"(?:{_pattern})\Z"))
        _CliLoader.yaml_implicit_resolvers.setdefault(_character, []).append(_rule)
_CliLoader.add_constructor(f"{_STANDARD}int", _whole_number)
_CliLoader.add_constructor(f"{_STANDARD}float", _fraction)
