"""Which run counts as the pipeline's own: the declared parameters, the deployed code, an end that succeeded."""

import pytest

from stackyard.local.places import Places
from stackyard.local.runs import PipelineRun, running, succeeded_as_declared
from stackyard.program.state import Locked


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path, "local")


def save(places, run_id, *, status="Succeeded", parameters=None, package="a" * 64):
    PipelineRun(
        pipeline="training",
        run_id=run_id,
        started_at=f"2026-11-24T12:00:0{run_id[-1]}+00:00",
        finished_at="2026-11-24T12:01:00+00:00",
        status=status,
        parameters=parameters or {},
        steps=(),
        package_sha256=package,
        image="image@sha256:0",
    ).save(places)


def test_a_run_with_parameters_of_its_own_does_not_stand_for_the_declared_one(places):
    save(places, "run-1", parameters={"train_to": "2013-01"})
    assert succeeded_as_declared(places, "training", "a" * 64) is None


def test_a_later_failure_does_not_undo_a_run_that_succeeded(places):
    save(places, "run-1")
    save(places, "run-2", status="Failed")
    found = succeeded_as_declared(places, "training", "a" * 64)
    assert found is not None and found.run_id == "run-1"


def test_other_code_has_to_run_anew(places):
    save(places, "run-1")
    assert succeeded_as_declared(places, "training", "b" * 64) is None


def test_a_second_run_at_once_is_told_that_one_runs(places):
    with running(places), pytest.raises(Locked, match="a pipeline of this environment runs"), running(places):
        pass
