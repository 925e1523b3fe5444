"""The program: settings in, components out, contract exported."""

import sys
from pathlib import Path

# Under the CLI only this folder is an import path; a real deployment installs no project.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pulumi  # noqa: E402  (all of these need the path above)

from components.invalid_argument import InvalidArgument  # noqa: E402
from stacks.base_layer import base_layer, exported  # noqa: E402
from stacks.base_outputs import referenced  # noqa: E402
from stacks.platform_layer import platform_layer  # noqa: E402
from stacks.providers import aws_provider  # noqa: E402
from stacks.settings import Layer, Settings, load  # noqa: E402


def stack(settings: Settings) -> None:
    aws = aws_provider(settings)
    base = None
    if settings.has(Layer.BASE):
        base = base_layer(settings, aws)
        exported(base)
    if settings.has(Layer.PLATFORM):
        platform_layer(settings, base or referenced(settings), aws)


try:
    stack(load())
except InvalidArgument as error:
    raise pulumi.RunError(str(error)) from None
