"""URNs of every stack are golden: what changes one without an alias is noticed before it deletes something."""

from dataclasses import replace

import pulumi
import pytest
from pulumi import ResourceOptions

from stackyard.program.deployment import Deployment
from stackyard.program.run import capture_callable
from tests.stack_captures import STACKS, stack_capture
from tools import golden


@pytest.mark.parametrize("stack", STACKS)
def test_the_urns_of_a_stack_are_the_golden_ones(stack):
    said = golden.compare(golden.read(stack), stack_capture(stack)).sentence(stack)
    assert not said, said


def test_no_golden_file_is_left_of_a_stack_that_is_gone():
    assert golden.leftover(tuple(STACKS)) == ()


class Box(pulumi.ComponentResource):
    def __init__(self, name: str, opts: ResourceOptions | None = None):
        super().__init__("stackyard:index:Box", name, None, opts)
        self.register_outputs({"name": name})


def boxes(*names: str, aliases: dict[str, str] | None = None) -> Deployment:
    def make() -> None:
        for name in names:
            former = [pulumi.Alias(name=(aliases or {})[name])] if name in (aliases or {}) else None
            Box(name, ResourceOptions(aliases=former))

    return capture_callable(make)


def test_a_rename_without_an_alias_is_lost_and_new_and_names_the_command():
    changes = golden.compare(golden.urns(boxes("old", "other")), boxes("new", "other"))
    assert [urn.rsplit("::", 1)[1] for urn in changes.lost] == ["old"]
    assert [urn.rsplit("::", 1)[1] for urn in changes.new] == ["new"]
    said = changes.sentence("dev")
    assert "python -m tools.golden --write" in said and "aliases=" in said and "`up` deletes" in said


def test_a_rename_with_an_alias_passes():
    changes = golden.compare(golden.urns(boxes("old")), boxes("new", aliases={"new": "old"}))
    assert (changes.lost, changes.new) == ((), ())
    assert [former.rsplit("::", 1)[1] for former, _ in changes.moved] == ["old"]
    assert changes.sentence("dev") == ""


def test_a_renamed_bucket_of_a_real_stack_is_noticed():
    base = stack_capture("prod-base")
    renamed = tuple(replace(r, urn=r.urn + "-2", aliases=()) if r.name == "data-bucket" else r for r in base)
    changes = golden.compare(golden.read("prod-base"), replace(base, resources=renamed))
    assert any(urn.endswith("::data-bucket") for urn in changes.lost)


def test_a_long_message_lists_the_lost_first_and_counts_the_rest():
    changes = golden.compare(("urn:pulumi:a::b::c::gone",), boxes(*(f"box-{index}" for index in range(30))))
    lines = changes.sentence("dev").splitlines()
    assert lines[1] == "  - urn:pulumi:a::b::c::gone"
    assert "  and 11 more" in lines


def test_writing_accepts_and_says_what(tmp_path):
    assert list(golden.write({"dev": boxes("old")}, tmp_path))
    assert list(golden.write({"dev": boxes("old")}, tmp_path)) == [], "the same again is no change"
    said = list(golden.write({"dev": boxes("new")}, tmp_path))
    assert len(said) == 1 and "1 URNs are gone" in said[0]
    assert golden.read("dev", tmp_path) == golden.urns(boxes("new"))
    said = list(golden.write({"prod": boxes("new")}, tmp_path))
    assert any("stack is gone" in text for text in said) and not (tmp_path / "dev.txt").exists()
