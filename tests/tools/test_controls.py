"""docs/controls.md: no control is left out, and every test that it names is there."""

from dataclasses import replace

import pytest

from tools import controls
from tools.controls_model import Control
from tools.named_tests import missing, node_id


def test_the_page_is_fresh():
    assert controls.PAGE.read_text(encoding="utf-8") == controls.render(), f"run `{controls.WRITE}`"


def test_every_control_has_its_row():
    assert [control.number for control in controls.CONTROLS] == list(range(1, controls.LAST + 1))


@pytest.mark.parametrize("control", controls.CONTROLS, ids=lambda control: str(control.number))
def test_a_control_is_met_or_excepted_or_says_what_brings_it(control):
    found, present = controls.claims(), controls.components_in_stacks()
    waiting = controls.waiting_for(control, found, present)
    assert not controls.is_open(control, found, present), (
        f"nothing meets control {control.number} ({control.asks}); no committed stack has {waiting}"
        if waiting
        else f"no page in docs/components says how control {control.number} ({control.asks}) is met"
    )


def test_every_test_that_the_page_names_is_there():
    assert missing(" ".join(node_id(test) for control in controls.CONTROLS for test in control.tests)) == []


def test_a_control_that_is_met_has_a_judge_or_says_that_it_has_none():
    checks, found, present = controls.checkov_checks(), controls.claims(), controls.components_in_stacks()
    unjudged = [
        control.number
        for control in controls.CONTROLS
        if controls.met_by(control, found, present) and not controls.judges(control, checks)
    ]
    assert unjudged == []


def test_a_control_that_nobody_meets_is_noticed():
    nobody = Control(number=96, ids="–", asks="something")
    assert controls.is_open(nobody, {}, set())
    assert not controls.is_open(replace(nobody, later="Component"), {}, set())
    claim = controls.Claim(component="DataBucket", how="so")
    assert not controls.is_open(nobody, {96: [claim]}, {"DataBucket"})
    assert controls.is_open(nobody, {96: [claim]}, set()), "a component that no stack has meets nothing"
    assert not controls.is_open(nobody, {96: [replace(claim, how="exception: why")]}, set())


def test_a_test_that_is_gone_is_noticed():
    assert missing("`tests/tools/test_controls.py::test_the_page_is_fresh`") == []
    assert missing("`tests/tools/test_controls.py::test_gone`, `tests/gone.py::test_a`") == [
        "tests/gone.py::test_a",
        "tests/tools/test_controls.py::test_gone",
    ]


def test_pages_are_read_row_by_row(tmp_path):
    (tmp_path / "box.md").write_text(
        "# Box\n\n| control | how |\n| --- | --- |\n"
        "| 1, 12 | as [it](data_bucket.md#x), [p](../p.md) |\n| 5 | exception: no |\n",
        encoding="utf-8",
    )
    found = controls.claims(tmp_path)
    assert found[1] == found[12]
    assert found[1][0].how == "as [it](components/data_bucket.md#x), [p](p.md)"
    assert found[5][0].excepted and found[5][0].component == "Box"
