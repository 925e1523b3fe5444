"""What a run is asked for, as text from a command line: checked before anything starts."""

import difflib
from collections.abc import Mapping
from importlib import import_module
from typing import Any

from pipelines.declaration import PIPELINES, Parameter, PipelineDeclaration
from stackyard.errors import InvalidInput


def arguments(declaration: PipelineDeclaration, given: Mapping[str, str]) -> dict[str, Any]:
    """The given parameters with their declared types.

    Raises InvalidInput for a name that is not declared, a value of another type, and whatever the pipeline's own
    `request.check_request` (all declared parameters by name, if there is one) refuses.
    """
    declared = {parameter.name: parameter for parameter in declaration.parameters}
    for name in given:
        if name not in declared:
            raise InvalidInput(_undeclared(declaration.name, name, list(declared)))
    values = {name: _typed(declared[name], text) for name, text in given.items()}
    if (PIPELINES / declaration.name / "request.py").is_file():
        defaults = {name: parameter.default for name, parameter in declared.items()}
        import_module(f"pipelines.{declaration.name}.request").check_request(**{**defaults, **values})
    return values


def _undeclared(pipeline: str, name: str, declared: list[str]) -> str:
    if not declared:
        return f"--set {name}=…: the pipeline {pipeline} takes no parameters, so a run is given none. Leave it out."
    near = difflib.get_close_matches(name, declared, n=1)
    hint = f"Did you mean {near[0]!r}? " if near else ""
    return f"the pipeline {pipeline} has no parameter {name!r}. {hint}Its parameters are: {', '.join(declared)}"


def _typed(parameter: Parameter, text: str) -> Any:
    """Text to the type of the parameter's default."""
    kind = type(parameter.default)
    if kind is bool:
        known = {"true": True, "false": False}
        if text.lower() in known:
            return known[text.lower()]
        raise InvalidInput(_not_a("true or false", parameter, text))
    try:
        return kind(text)
    except ValueError:
        raise InvalidInput(_not_a("a whole number" if kind is int else "a number", parameter, text)) from None


def _not_a(kind: str, parameter: Parameter, text: str) -> str:
    return (
        f"{parameter.name} is {text!r}, and has to be {kind}: {parameter.help} "
        f"For example --set {parameter.name}={parameter.default}"
    )
