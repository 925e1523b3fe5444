"""The program: settings in, components out, contract exported."""

import sys
from pathlib import Path

# Under the CLI only this folder is an import path; a real deployment installs no project.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import pulumi

from components.invalid_argument import InvalidArgument
from stacks.account_layer import account_layer
from stacks.base_layer import base_layer, exported
from stacks.base_outputs import referenced
from stacks.platform_layer import platform_layer, refuse_undeployable
from stacks.providers import aws_provider
from stacks.settings import Layer, Settings, load


def stack(settings: Settings) -> None:
    if settings.has(Layer.PLATFORM):
        refuse_undeployable(settings)
    aws = aws_provider(settings)
    if settings.has(Layer.ACCOUNT):
        account_layer(settings, aws)
    base = None
    if settings.has(Layer.BASE):
        base = base_layer(settings, aws)
        exported(base)
    if settings.has(Layer.PLATFORM):
        platform_layer(settings, base or referenced(settings), aws)


try:
    stack(load(stack=pulumi.get_stack()))
except InvalidArgument as error:
    raise pulumi.RunError(str(error)) from None
