"""What all sections share: frozen, camelCase in YAML, no unknown keys, no silent conversions."""

from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr
from pydantic.alias_generators import to_camel

from stacks.problems import Problem

NOTHING_YET = "nothing yet: its values are checked, and this version makes nothing of them"
"""`read_by` of a section whose component is still to come."""


class Unreadable(Exception):
    """Raised where a rule reads a field whose value in the stack file is none."""


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, alias_generator=to_camel)

    read_by: ClassVar[str] = ""
    """Components that read the section, for the documentation."""

    example_fields: ClassVar[tuple[str, ...]] = ()
    """What an example of the section has beside its required fields, in YAML's terms."""

    _kept: Mapping[str, Mapping[int, Any]] = PrivateAttr(default_factory=dict[str, Mapping[int, Any]])

    def problems(self, path: str) -> Iterator[Problem]:
        """What is wrong between the fields of this section, which by themselves are fine. `path` is its own."""
        for rule in self.rules(path):
            yield from as_far_as_readable(rule)

    def rules(self, path: str) -> Iterable[Iterator[Problem]]:
        """The rules between fields, each by itself: one that reads an unreadable field says nothing more."""
        return ()

    def readable(self, name: str) -> bool:
        """Whether a rule may read a field."""
        return name in self.__dict__

    def entries(self, name: str) -> Iterator[tuple[int, Any]]:
        """The readable entries of a list, each with its place; none where the list is left out."""
        yield from self._kept[name].items() if name in self._kept else enumerate(getattr(self, name) or ())

    def keeping(self, entries: Mapping[str, Mapping[int, Any]]) -> Self:
        """A copy that keeps these entries of lists, of which others are unreadable."""
        copied = self.model_copy()
        copied._kept = entries
        return copied

    def without(self, names: Set[str]) -> Self:
        """A copy in which whoever reads these fields gets Unreadable."""
        copied = self.model_copy()
        for name in names:
            del vars(copied)[name]
        return copied

    if not TYPE_CHECKING:  # a type checker would take any name for an attribute

        def __getattr__(self, name: str) -> Any:
            if name in type(self).model_fields:
                raise Unreadable(name)
            return super().__getattr__(name)


def as_far_as_readable(rule: Iterator[Problem]) -> Iterator[Problem]:
    """What a rule says before it reads an unreadable field: nothing of that can come from the field."""
    with suppress(Unreadable):
        yield from rule


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
