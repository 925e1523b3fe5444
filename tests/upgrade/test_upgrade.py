"""Today's program over stacks of earlier releases: nothing is replaced, nothing deleted."""

from dataclasses import replace

import pulumi_aws as aws
import pytest
from pulumi import Alias, ResourceOptions

from stackyard.program.replacement import forces_of
from stackyard.program.run import capture_callable
from tests.stack_captures import STACKS
from tests.upgrade.recorded import RELEASES, destructive, planned, recorded, recorded_stacks, steps_over
from tools import golden

UPGRADES = [(release, stack) for release in RELEASES for stack in recorded_stacks(release)]


@pytest.mark.parametrize(("release", "stack"), UPGRADES)
def test_an_upgrade_replaces_and_deletes_nothing(release, stack):
    assert destructive(planned(recorded(release, stack))) == []


def test_a_release_records_every_stack():
    assert RELEASES, "no release is recorded: run `python -m tools.golden --release`"
    assert recorded_stacks(RELEASES[-1]) == sorted(STACKS)


@pytest.mark.parametrize(("release", "stack"), UPGRADES)
def test_every_recorded_type_has_a_known_replacement_rule(release, stack):
    unknown = {r.type for r in recorded(release, stack) if r.custom and not r.external and not forces_of(r.type).known}
    assert unknown == set(), "an `update` of these could as well be a replacement"


def test_an_input_that_forces_a_replacement_is_noticed():
    base = recorded(RELEASES[0], "dev")
    changed = tuple(
        replace(r, inputs={**r.inputs, "cidrBlock": "10.99.0.0/16"}) if r.type == "aws:ec2/vpc:Vpc" else r for r in base
    )
    said = destructive(planned(replace(base, resources=changed)))
    assert any("network-vpc because of cidrBlock" in line for line in said)


def topic(name: str, former: str = "") -> None:
    provider = aws.Provider("aws", region="us-east-1")
    aliases = [Alias(name=former)] if former else None
    aws.sns.Topic(name, opts=ResourceOptions(provider=provider, aliases=aliases))


def test_a_planted_rename_is_noticed_and_an_alias_mends_it():
    prior = capture_callable(lambda: topic("alarms"))
    said = destructive(steps_over(prior, lambda: topic("alerts")))
    assert len(said) == 1 and said[0].startswith("delete ") and said[0].endswith("::alarms")
    assert destructive(steps_over(prior, lambda: topic("alerts", former="alarms"))) == []


def test_a_recorded_resource_that_today_s_program_lacks_is_noticed():
    prior = recorded(RELEASES[0], "dev")
    renamed = tuple(
        replace(r, urn=r.urn.replace("::network-s3-endpoint", "::network-old-endpoint"), name="network-old-endpoint")
        if r.name == "network-s3-endpoint"
        else r
        for r in prior
    )
    assert any("network-old-endpoint" in line for line in destructive(planned(replace(prior, resources=renamed))))


def test_a_written_release_reads_back_as_it_was(tmp_path, monkeypatch):
    capture = capture_callable(lambda: topic("alarms"))
    golden.write_release({"dev": capture}, tmp_path / "0.0.1")
    monkeypatch.setattr("tests.upgrade.recorded.FOLDER", tmp_path)
    assert recorded.__wrapped__("0.0.1", "dev") == capture
    first = (tmp_path / "0.0.1" / "dev.json.gz").read_bytes()
    golden.write_release({"dev": capture}, tmp_path / "0.0.1")
    assert (tmp_path / "0.0.1" / "dev.json.gz").read_bytes() == first
