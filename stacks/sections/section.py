"""What all sections share: frozen, camelCase in YAML, no unknown keys, no silent conversions."""

from collections.abc import Iterator
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from stacks.problems import Problem

NOTHING_YET = "nothing yet: its values are checked, and this version makes nothing of them"
"""`read_by` of a section whose component is still to come."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)

    read_by: ClassVar[str] = ""
    """Components that read the section, for the documentation."""

    def problems(self, path: str) -> Iterator[Problem]:
        """What is wrong between the fields of this section, which by themselves are fine. `path` is its own."""
        yield from ()


def setting(description: str, example: Any, **options: Any) -> Any:
    """A field with its meaning, including the unit, and a valid example in YAML's terms. Required without `default`."""
    return Field(description=description, examples=[example], **options)


def by_protection(description: str, example: Any, default: Any, level: str, *, unless: str = "", **options: Any) -> Any:
    """A field whose default is `level` of the protection's profile; `default` stands for the safest one.

    `unless` names a field, in YAML's terms, beside which the profile decides nothing.
    """
    return Field(
        description=f"{description} Default: by `environment.protection`.",
        examples=[example],
        default=default,
        json_schema_extra={"x-by-protection": level, "x-unless": unless},
        **options,
    )
