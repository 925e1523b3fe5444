"""What every command needs of its surroundings: the checkout, the terminal, and whoever sits at it."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stackyard.errors import InvalidInput

if TYPE_CHECKING:
    from rich.console import Console

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


def checkout() -> Path:
    from stackyard.local.places import find_root

    return find_root(Path.cwd())


def console() -> "Console":
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def confirmation(asks: str, options: str, *, given: bool) -> Callable[[str], bool]:
    """Puts a question, unless an option has given the answer. Raises InvalidInput at once where nobody can answer."""
    if not (given or sys.stdin.isatty()):
        raise InvalidInput(f"{asks}, and nobody can answer here: add {options}")
    return lambda question: given or typer.confirm(question)
