"""What `stackyard models` prints, and what it says where there is nothing to print."""

import io

import pytest
from rich.console import Console

from stackyard.errors import InvalidInput, UserError
from stackyard.local import models_command
from stackyard.local.registered_models import Registry
from tests.local.report.contents import registry, version


@pytest.fixture
def told(monkeypatch, tmp_path):
    """Runs a command on a registry and gives what it printed."""

    def run(command, registry, *arguments):
        monkeypatch.setattr(models_command, "_registry", lambda root, env: registry)
        output = io.StringIO()
        command(tmp_path, "local", *arguments, Console(file=output, width=200))
        return output.getvalue()

    return run


def test_the_champion_is_shown_with_decision_metrics_baseline_and_lineage(told):
    text = told(models_command.show, registry(), "champion")
    for part in (
        "flight-delay version 2",
        "Champion since 2026-11-24",
        "Decision about version 2.",
        "0.6900",
        "0.6421",
    ):
        assert part in text
    assert f"manifest sha256: {'d' * 64}" in text
    assert "version 1" not in text


def test_a_version_is_shown_by_its_number_too(told):
    assert "flight-delay version 1 (previous-champion)" in told(models_command.show, registry(), "1")


def test_without_a_model_the_command_that_makes_one_is_named(told):
    with pytest.raises(UserError, match="stackyard pipelines run training"):
        told(models_command.show, Registry(model_name="flight-delay"), "champion")
    assert "No model is registered" in told(models_command.list_versions, Registry(model_name="flight-delay"))


def test_without_a_champion_the_versions_are_named(told):
    nobody = Registry(model_name="flight-delay", versions=(version(1),))
    with pytest.raises(UserError, match="there is no champion in 'local' yet: none of the versions 1"):
        told(models_command.show, nobody, "champion")


def test_an_unknown_version_names_those_that_are_there(told):
    with pytest.raises(InvalidInput, match=r"no version '7' of flight-delay: there are 2 \(champion\)"):
        told(models_command.show, registry(), "7")


def test_markup_in_a_decision_is_printed_as_text(told):
    marked = version(2, aliases=("champion",), decision="[red]not red[/red]")
    text = told(models_command.show, registry(versions=(marked,)), "champion")
    assert "[red]not red[/red]" in text


def test_the_list_has_every_version_newest_first(told):
    text = told(models_command.list_versions, registry())
    assert text.index("Decision about version 2.") < text.index("Decision about version 1.")
    assert "2013-01 to 2013-03" in text
    assert "2013-04 to" not in text, "one month is no range"
