"""The environment as the local commands see it: paths with special characters, and stack files that are broken."""

import io
import shutil

import pytest
from rich.console import Console
from sqlalchemy.engine import make_url

from stackyard.errors import InvalidInput
from stackyard.local.environment import local_environment
from stackyard.local.places import Places
from stackyard.local.status import down, print_status
from tests.local.checkouts import ROOT


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "stacks").mkdir()
    for file in (ROOT / "Pulumi.yaml", *(ROOT / "stacks").glob("Pulumi.*.yaml")):
        shutil.copy(file, tmp_path / file.relative_to(ROOT))
    return tmp_path


def break_yaml(checkout, stack):
    file = checkout / "stacks" / f"Pulumi.{stack}.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "\n  - {", encoding="utf-8")


@pytest.mark.parametrize("folder", ["50%20", "feature%2Fx", "issue#7", "why?", "plain é"])
def test_the_tracking_uri_leads_to_the_database_whatever_the_checkout_is_called(checkout, folder):
    moved = checkout.rename(checkout.with_name(folder))
    places = Places(moved, "local")
    settings = local_environment(moved, "local").settings["local"]
    assert settings.tracking.uri == places.tracking_uri
    assert make_url(places.tracking_uri).database == str(places.database)


def test_another_environments_broken_file_stops_nothing(checkout):
    break_yaml(checkout, "prod-base")
    assert [config.stack for config in local_environment(checkout, "local").stacks] == ["local"]
    with pytest.raises(InvalidInput, match=r"Pulumi\.prod-base\.yaml, line"):
        local_environment(checkout, "prod")  # its other file alone is not the environment


def test_a_broken_file_of_another_name_counts_if_it_names_the_environment(checkout):
    shutil.copy(checkout / "stacks" / "Pulumi.local.yaml", checkout / "stacks" / "Pulumi.extra.yaml")
    break_yaml(checkout, "extra")
    with pytest.raises(InvalidInput, match=r"Pulumi\.extra\.yaml"):
        local_environment(checkout, "local")


def test_down_and_status_need_no_valid_settings(checkout):
    file = checkout / "stacks" / "Pulumi.local.yaml"
    text = file.read_text(encoding="utf-8")
    assert "storageGb: 20" in text
    file.write_text(text.replace("storageGb: 20", "storageGb: -1"), encoding="utf-8")
    console = Console(file=io.StringIO(), width=1000)
    down(checkout, "local", console)
    print_status(checkout, "local", console)
    assert isinstance(console.file, io.StringIO)
    assert console.file.getvalue().count("does not run") == 2


def test_down_of_a_started_environment_does_not_read_its_stack_files(checkout):
    break_yaml(checkout, "local")
    console = Console(file=io.StringIO(), width=1000)
    with pytest.raises(InvalidInput, match=r"Pulumi\.local\.yaml, line"):
        down(checkout, "local", console)
    record = Places(checkout, "local").emulator_record
    record.parent.mkdir(parents=True)
    record.write_text("{}", encoding="utf-8")
    down(checkout, "local", console)
    assert isinstance(console.file, io.StringIO) and "does not run" in console.file.getvalue()
