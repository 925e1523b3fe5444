"""What a deployment would stumble over is told before anything is made: example images, missing code packages."""

import pulumi
import pytest

from stacks import platform_layer
from stacks.settings import parse
from stackyard.errors import UserError
from stackyard.evaluated import EVALUATED
from tests.stacks.settings_cases import stack_sections

SETTINGS = parse(stack_sections("dev"), stack="dev")
MISSING = "The code package is not here. Run `stackyard pipelines compile training`."


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch):
    """What is said of dev, without its code package; None when it goes on."""

    def refuse(*, preview: bool, by_cli: bool, package: bool = False) -> str | None:
        def require(compiled: object) -> None:
            if not package:
                raise UserError(MISSING)

        monkeypatch.setattr(pulumi.runtime, "is_dry_run", lambda: preview)
        monkeypatch.setattr(platform_layer, "require_package", require)
        monkeypatch.delenv(EVALUATED, raising=False)
        if not by_cli:
            monkeypatch.setenv(EVALUATED, "1")
        try:
            platform_layer.refuse_undeployable(SETTINGS)
        except pulumi.RunError as error:
            return str(error)
        return None

    return refuse


def test_a_preview_of_the_cli_says_that_a_code_package_is_missing(refused):
    assert refused(preview=True, by_cli=True) == MISSING
    assert refused(preview=True, by_cli=True, package=True) is None, "example images may be looked at"


def test_stackyards_own_previews_need_no_code_package(refused):
    assert refused(preview=True, by_cli=False) is None


def test_a_deployment_is_refused_example_images_and_then_a_missing_package(refused):
    for by_cli in (True, False):
        assert "example digests" in (refused(preview=False, by_cli=by_cli) or "")
