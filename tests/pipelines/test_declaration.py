"""Declarations: what a pipeline needs and may do."""

import subprocess
import sys
from dataclasses import replace

import pytest

from pipelines import declaration as declared
from pipelines.compile.compiled import read_compiled
from pipelines.declaration import Parameter, PipelineDeclaration, Resources, artifacts, data
from stackyard.errors import InvalidInput

PLAIN = PipelineDeclaration(name="drift", description="Watches for drift.")


def test_every_folder_with_a_declaration_is_found():
    assert "training" in declared.declarations()
    assert declared.declaration("training").flow == "TrainingFlow"


def test_an_unknown_pipeline_is_answered_with_those_that_are_there():
    with pytest.raises(InvalidInput) as error:
        declared.declaration("trainning")
    assert "'trainning'" in str(error.value)
    assert "training" in str(error.value)


def test_declarations_are_read_without_the_framework():
    code = (
        "import sys; from pipelines.declaration import declarations; declarations()\n"
        "heavy = {'metaflow', 'mlflow', 'pandas', 'xgboost', 'pulumi', 'boto3'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize("path", ["flights", "/flights/", "", "/", "a//b/", "flights/*", "fl?ghts/"])
def test_a_prefix_that_would_grant_more_than_it_says_is_refused(path):
    with pytest.raises(InvalidInput) as error:
        data(path)
    assert repr(path) in str(error.value)
    assert "ends with a slash" in str(error.value)


@pytest.mark.parametrize("name", ["Training", "my-pipeline", "", "1st", "x" * 25])
def test_a_name_that_cannot_be_package_workflow_and_role_is_refused(name):
    with pytest.raises(InvalidInput) as error:
        replace(PLAIN, name=name)
    assert "Example: training" in str(error.value)


@pytest.mark.parametrize("schedule", ["daily", "0 4 1 *", "0 4 1 * * *", ""])
def test_a_schedule_has_five_fields(schedule):
    with pytest.raises(InvalidInput) as error:
        replace(PLAIN, schedule=schedule)
    assert "five numeric fields" in str(error.value)


@pytest.mark.parametrize("wrong", [{"cpu": 0}, {"memory_mb": 32}, {"gpu": -1}])
def test_impossible_resources_are_refused(wrong):
    with pytest.raises(InvalidInput):
        Resources(**wrong)


def test_a_step_gets_its_own_resources_or_those_of_all_steps():
    own = Resources(cpu=2, memory_mb=4096)
    declaration = replace(PLAIN, step_resources={"train": own})
    assert declaration.resources_of("train") == own
    assert declaration.resources_of("ingest") == Resources()


def test_any_change_of_a_declaration_changes_its_digest():
    changed = [
        replace(PLAIN, outputs=(artifacts("reports/"),)),
        replace(PLAIN, outputs=(data("reports/"),)),
        replace(PLAIN, may_start=("training",)),
        replace(PLAIN, schedule="0 4 1 * *"),
        replace(PLAIN, parameters=(Parameter(name="month", default="2013-01", help="Month."),)),
        replace(PLAIN, resources=Resources(gpu=1)),
    ]
    digests = {declaration.digest() for declaration in (PLAIN, *changed)}
    assert len(digests) == len(changed) + 1


def test_a_pipeline_that_starts_one_that_is_not_there_is_refused(monkeypatch):
    monkeypatch.setattr(declared, "_declaration", lambda name: replace(PLAIN, name=name, may_start=("retrain",)))
    with pytest.raises(InvalidInput) as error:
        declared.declarations()
    assert "'retrain'" in str(error.value)


def test_a_declaration_in_another_pipelines_folder_is_refused(monkeypatch):
    monkeypatch.setattr(declared, "_declaration", lambda name: PLAIN)
    with pytest.raises(InvalidInput) as error:
        declared.declarations()
    assert "folder and name must agree" in str(error.value)


def test_a_compiled_form_is_asked_for_by_a_name_that_is_there():
    with pytest.raises(InvalidInput) as refused:
        read_compiled("trainning")
    assert "There is no pipeline 'trainning'" in str(refused.value)
    assert "There are: training" in str(refused.value)
