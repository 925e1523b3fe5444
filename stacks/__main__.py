"""The program: settings in, components out, contract exported."""

import sys
from pathlib import Path

# Under the CLI only this folder is an import path; a real deployment installs no project.
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from stacks.base_layer import base_layer, exported  # noqa: E402  (needs the path above)
from stacks.base_outputs import referenced  # noqa: E402
from stacks.platform_layer import platform_layer  # noqa: E402
from stacks.providers import aws_provider  # noqa: E402
from stacks.settings import Layer, load  # noqa: E402

settings = load()
aws = aws_provider(settings)

if settings.has(Layer.BASE):
    base = base_layer(settings, aws)
    exported(base)
else:
    base = None

if settings.has(Layer.PLATFORM):
    platform_layer(settings, base or referenced(settings), aws)
