"""botocore's shapes with types: its lazily computed attributes have none."""

from collections.abc import Mapping
from typing import Any, cast

from botocore.model import ListShape, MapShape, OperationModel, Shape, StructureShape


def input_of(operation: OperationModel) -> StructureShape | None:
    return cast(StructureShape | None, operation.input_shape)


def members_of(shape: StructureShape) -> Mapping[str, Shape]:
    return cast(Mapping[str, Shape], shape.members)


def required_of(shape: StructureShape) -> list[str]:
    return cast(list[str], shape.required_members)


def entry_of(shape: ListShape) -> Shape:
    return cast(Shape, shape.member)


def key_of(shape: MapShape) -> Shape:
    return cast(Shape, shape.key)


def value_of(shape: MapShape) -> Shape:
    return cast(Shape, shape.value)


def traits_of(shape: Shape) -> Mapping[str, Any]:
    """`min`, `max`, `pattern`, `sensitive`."""
    return cast(Mapping[str, Any], shape.metadata)


def choices_of(shape: Shape) -> list[str]:
    """A closed set of texts; empty where anything goes."""
    return list(getattr(shape, "enum", ()))
