"""Reads a configuration section by section, and keeps what is readable of a section that is not wholly so."""

import copy
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, get_origin

from pydantic import ValidationError
from pydantic.alias_generators import to_camel

from stacks.domain import PLACEHOLDER
from stacks.draft import Draft
from stacks.plain import has_secure, is_list, is_mapping, secure_paths
from stacks.problems import HIDDEN, MISSING, Example, Problem, dotted, nearest, problem, within
from stacks.protection import PROFILES
from stacks.salvage import meant_fields, salvaged, with_gaps
from stacks.sections.section import Section
from stacks.translate import (
    NO_SECRETS,
    Location,
    adapter,
    bare,
    beside,
    example_at,
    example_of,
    field_at,
    mark,
    problems_of,
    taken,
    told,
    unknown_key,
    value_at,
    yaml_fields,
)

DRAFT_FIELDS = (
    "environment", "network", "data_buckets", "build_runner", "node_pools", "teams", "pipelines", "runners", "ci",
)  # fmt: skip


class Reader:
    """What a configuration says, and what is wrong with each section by itself."""

    def __init__(self, settings: type[Section], config: Mapping[str, Any], secret_keys: Collection[str]):
        self.problems: list[Problem] = []
        self._unreadable: set[str] = set()
        """Paths whose values are stand-ins or absent in the models."""
        self._settings, self._secret_keys = settings, secret_keys
        self._types = {field.alias or name: field.annotation for name, field in settings.model_fields.items()}
        # What is left empty counts as left out: that is how Pulumi.yaml fills in a missing section.
        given = {key: value for key, value in config.items() if value not in (None, "", {}, [])}
        self._given: dict[str, Any] = copy.deepcopy({key: given[key] for key in self._types if key in given})
        self._models: dict[str, Any] = {}
        for key in config:
            if key not in self._types:
                value = HIDDEN if key in secret_keys else config[key]
                self.problems.append(unknown_key(key, key, value, settings, (), self._given))
        # A slip of a section's key only seems to leave the section out.
        meant = {nearest(key, self._types) for key in config if key not in self._types}
        self._meant = frozenset(name for name in meant if name and name not in self._given)
        self._unreadable |= self._meant
        self._read()

    def draft(self, stack: str) -> Draft:
        """The readable part, for rules between sections."""
        known = {name: self._models[to_camel(name)] for name in DRAFT_FIELDS if to_camel(name) in self._models}
        return Draft(stack=stack, given=self._meant.union(self._given), bad=frozenset(self._unreadable), **known)

    def arguments(self) -> dict[str, Any]:
        """Section to its model or models, for a configuration without problems."""
        return {key: tuple(model.values()) if is_mapping(model) else model for key, model in self._models.items()}

    def _read(self) -> None:
        if "environment" not in self._meant.union(self._given):
            example = example_of(self._types["environment"])
            reason = "it says what the stack is and where it lives"
            self.problems.append(problem("environment", MISSING, "is missing and must be given", reason, example))
        for key, value in self._given.items():
            secrets = list(self._secret_problems(key))
            self.problems += secrets
            self._unreadable |= {item.path for item in secrets}
            if key in self._secret_keys and not has_secure(value):
                # The engine decrypted it: another sentence about the section might show the value.
                continue
            if get_origin(self._types[key]) is tuple:
                self._read_list(key, value)
            elif (model := self._read_model(value, self._types[key], (key,))) is not None:
                self._models[key] = model

    def _read_list(self, key: str, entries: Any) -> None:
        entry_type = field_at(self._types[key], (0,))[0]
        if not is_list(entries):
            rule, reason = "must be a list", "each entry describes one, and there may be several"
            own = next(taken(self._settings, key, [[entries]]), MISSING)
            example = example_of(self._types[key]) if own is MISSING else own
            way = Example(at=key, value=example, own=own is not MISSING)
            value = told(key, entries, entry_type, None)
            self.problems.append(Problem(path=key, value=value, rule=rule, reason=reason, way=way))
            self._unreadable.add(key)
            return
        models = (self._read_model(entry, entry_type, (key, index)) for index, entry in enumerate(entries))
        self._models[key] = {index: model for index, model in enumerate(models) if model is not None}

    def _read_model(self, value: Any, model: Any, at: Location) -> Any:
        given = copy.copy(value)
        self._fill_defaults(value, model)
        placeholders = list(_placeholder_problems(value, model, at))
        path = dotted(at)
        bad = {item.path for item in placeholders} | set(secure_paths(value, path))
        self.problems += placeholders
        try:
            result = adapter(model).validate_json(json.dumps(value, default=str))
        except ValidationError as error:
            meant = set(meant_fields(error, model, at, given))
            found = [item for item in problems_of(error, model, at, given) if not within(item.path, bad)]
            self.problems += [item for item in found if item.value or item.path not in meant]
            bad |= {item.path for item in found} | meant
            result = salvaged(value, model, path, bad)
        self._unreadable |= bad
        if result is not None:
            self.problems += with_gaps(result, path, bad).problems(path)
        return result

    def _fill_defaults(self, value: Any, model: Any) -> None:
        environment = self._models.get("environment")
        if environment is None or not is_mapping(value):
            return
        for name, field in yaml_fields(model).items():
            level, unless = mark(field, "x-by-protection"), mark(field, "x-unless")
            if level and not (unless and value.get(unless) is not None):
                value.setdefault(name, getattr(PROFILES[environment.protection], level))

    def _secret_problems(self, key: str) -> Iterator[Problem]:
        paths = list(secure_paths(self._given[key], key)) or ([key] if key in self._secret_keys else [])
        for path in paths:
            yield Problem(path=path, value="encrypted", rule="must not be a secret (`secure:`)", reason=NO_SECRETS)


def _placeholder_problems(value: Any, model: Any, at: Location) -> Iterator[Problem]:
    rule, reason = "must be filled in", "it is a placeholder that somebody left for you"
    places = list(_placeholders(value, model))
    for place in places:
        found = problem(dotted(at + place), value_at(value, place), rule, reason, example_at(model, place))
        yield beside(found, place, value, places)


def _placeholders(value: Any, model: Any, inside: Location = ()) -> Iterator[Location]:
    """Where placeholders stand, but below unknown keys and where another shape is wanted: that is told of instead."""
    annotation = bare(field_at(model, inside)[0])
    if is_mapping(value):
        fields = yaml_fields(annotation)
        for key, entry in value.items():
            if key in fields or get_origin(annotation) is Mapping:
                yield from _placeholders(entry, model, (*inside, key))
    elif is_list(value):
        for index, entry in enumerate(value if get_origin(annotation) is tuple else ()):
            yield from _placeholders(entry, model, (*inside, index))
    elif isinstance(value, str) and PLACEHOLDER.fullmatch(value.strip()):
        yield inside
