"""A pipeline run's record: written as a whole, read back as it was, refused when it is not one."""

import json

import pytest

from stackyard.errors import InvalidInput
from stackyard.local.places import Places
from stackyard.local.runs import latest, load
from tests.local.report.contents import pipeline_run


@pytest.fixture
def places(tmp_path):
    return Places(tmp_path, "local")


def test_a_run_is_read_back_as_it_was_saved(places):
    run = pipeline_run()
    path = run.save(places)
    assert path == places.runs / "training-2" / "run.json"
    assert load(path) == run
    assert [entry.name for entry in path.parent.iterdir()] == ["run.json"], "no half-written file stays"


def test_the_latest_run_is_the_one_started_last_in_any_time_zone(places):
    pipeline_run(run_id="z-first", started_at="2026-11-24T12:00:00+02:00").save(places)
    pipeline_run(run_id="a-second", started_at="2026-11-24T11:00:00+00:00").save(places)
    pipeline_run(run_id="other", pipeline="drift", started_at="2026-12-01T00:00:00+00:00").save(places)
    found = latest(places, "training")
    assert found is not None
    assert found.run_id == "a-second", "11:00 UTC is after 12:00 in a zone two hours ahead"


def test_without_runs_there_is_no_latest(places):
    assert latest(places, "training") is None


def test_a_run_lasts_from_its_start_to_its_end():
    assert pipeline_run().seconds == 106


@pytest.mark.parametrize("run_id", ["../escape", "", "a/b", ".hidden"])
def test_a_run_id_that_is_no_folder_name_is_refused(run_id):
    with pytest.raises(InvalidInput, match="folder's name"):
        pipeline_run(run_id=run_id)


@pytest.mark.parametrize("moment", ["yesterday", "2026-11-24T15:31:59", ""])
def test_a_time_without_its_offset_is_refused(moment):
    with pytest.raises(InvalidInput, match="finished_at"):
        pipeline_run(finished_at=moment)


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "steps": [{"unknown": 1}]}'])
def test_a_damaged_record_is_refused_by_name_and_left_alone(places, damage):
    path = pipeline_run().save(places)
    path.write_text(damage)
    with pytest.raises(InvalidInput, match=r"run\.json is not the record of a pipeline run"):
        latest(places, "training")
    assert path.read_text() == damage


def test_equal_runs_are_equal_bytes_with_sorted_keys(places):
    text = pipeline_run().save(places).read_text()
    assert text == json.dumps(json.loads(text), indent=1, sort_keys=True) + "\n"
