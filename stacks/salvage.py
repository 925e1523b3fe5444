"""What is left of a section with bad values: with stand-ins for rules between sections, with gaps for its own rules.

Bad values are named by their dotted paths.
"""

import json
from collections.abc import Iterator, Set
from typing import Any, TypeGuard, TypeVar, get_args, get_origin

from pydantic import ValidationError

from stacks.plain import is_list, is_mapping
from stacks.problems import dotted, nearest, touches, within
from stacks.sections.section import Section
from stacks.translate import Location, adapter, bare, field_at, is_section, required_example, value_at, yaml_fields

S = TypeVar("S", bound=Section)


def meant_fields(error: ValidationError, model: Any, at: Location, value: Any) -> Iterator[str]:
    """Fields that unknown keys stand for by a slip: they only seem to be left out of `value`."""
    for entry in error.errors(include_url=False):
        if entry["type"] == "extra_forbidden":
            *outer, key = entry["loc"]
            near = nearest(str(key), yaml_fields(field_at(model, tuple(outer))[0]))
            if near and value_at(value, (*outer, near)) is None:
                yield dotted((*at, *outer, near))


def salvaged(value: Any, model: Any, path: str, bad: Set[str]) -> Section | None:
    """The section with valid stand-ins for its bad fields; None when there is nothing to keep."""
    if not is_mapping(value):
        return None
    try:
        section: Section = adapter(model).validate_json(json.dumps(_mended(value, model, path, bad), default=str))
    except ValidationError:
        return None
    return section.keeping(dict(_kept_entries(value, section, path, bad)))


def _kept_entries(
    value: dict[str, Any], section: Section, path: str, bad: Set[str]
) -> Iterator[tuple[str, dict[int, Any]]]:
    for name, field in type(section).model_fields.items():
        entries, here = value.get(field.alias or name), f"{path}.{field.alias or name}"
        if is_list(entries) and touches(here, bad) and not within(here, bad):
            yield name, {i: entry for i, entry in enumerate(entries) if not touches(f"{here}[{i}]", bad)}


def _mended(value: Any, section: type[Section], path: str, bad: Set[str]) -> dict[str, Any]:
    if path in bad or not is_mapping(value):
        return required_example(section)
    fields, kept = yaml_fields(section), dict[str, Any]()
    for key in value.keys() & fields.keys():
        here, entry, kind = f"{path}.{key}", value[key], bare(fields[key].annotation)
        part = get_args(kind)[0] if get_origin(kind) is tuple else None
        if not touches(here, bad):
            kept[key] = entry
        elif is_section(kind) and is_mapping(entry) and here not in bad:
            kept[key] = _mended(entry, kind, here, bad)
        elif is_section(part) and is_list(entry) and here not in bad:
            kept[key] = [_mended(one, part, f"{here}[{index}]", bad) for index, one in enumerate(entry)]
    return required_example(section) | kept


def with_gaps(section: S, path: str, bad: Set[str]) -> S:
    """The section without what stands at bad paths: rules that read it there raise Unreadable."""
    whole, gaps = dict[str, Any](), set[str]()
    for name, field in type(section).model_fields.items():
        here = f"{path}.{field.alias or name}"
        value: Any = getattr(section, name)
        if not touches(here, bad):
            continue
        if isinstance(value, Section) and here not in bad:
            whole[name] = with_gaps(value, here, bad)
        elif is_sections(value) and here not in bad:
            whole[name] = tuple(with_gaps(one, f"{here}[{index}]", bad) for index, one in enumerate(value))
        else:
            gaps.add(name)
    return section.model_copy(update=whole).without(gaps)


def is_sections(value: Any) -> TypeGuard[tuple[Section, ...]]:
    """Whether a field's value is a list of parts with fields of their own."""
    return is_list(value) and len(value) > 0 and all(isinstance(one, Section) for one in value)
