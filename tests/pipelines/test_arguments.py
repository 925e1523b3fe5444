"""A run's parameters as text: names, types, and the pipeline's own rules."""

import subprocess
import sys

import pytest

from pipelines.arguments import arguments
from pipelines.declaration import Parameter, PipelineDeclaration, declaration
from stackyard.errors import InvalidInput

DRIFT = PipelineDeclaration(
    name="drift",
    description="Watches for drift.",
    parameters=(
        Parameter(name="month", default="2013-04", help="Month to look at, YYYY-MM."),
        Parameter(name="bins", default=10, help="Bins of the distribution."),
        Parameter(name="limit", default=0.2, help="PSI above which a column drifts."),
        Parameter(name="retrain", default=False, help="Whether to start the training."),
    ),
)


def test_values_take_the_type_of_the_declared_default():
    given = {"month": "2013", "bins": "20", "limit": "1", "retrain": "True"}
    assert arguments(DRIFT, given) == {"month": "2013", "bins": 20, "limit": 1.0, "retrain": True}
    assert arguments(DRIFT, {}) == {}, "what is not given keeps the template's default"


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        (
            "bins",
            "2.5",
            "bins is '2.5', and has to be a whole number: Bins of the distribution. For example --set bins=",
        ),
        ("limit", "much", "limit is 'much', and has to be a number"),
        ("retrain", "1", "retrain is '1', and has to be true or false"),
        ("limits", "0.1", "no parameter 'limits'. Did you mean 'limit'? Its parameters are: month, bins,"),
    ],
)
def test_a_wrong_name_or_type_is_refused_with_the_way_out(name, text, said):
    with pytest.raises(InvalidInput) as refused:
        arguments(DRIFT, {name: text})
    assert said in str(refused.value)


def test_a_pipeline_without_parameters_takes_none():
    with pytest.raises(InvalidInput, match="takes no parameters"):
        arguments(PipelineDeclaration(name="drift", description="Watches for drift."), {"month": "2013-04"})


def test_the_pipelines_own_rules_are_asked_with_the_defaults_of_what_is_not_given():
    training = declaration("training")
    assert arguments(training, {"train_to": "2013-02"}) == {"train_to": "2013-02"}
    with pytest.raises(InvalidInput, match="evaluation must come after training"):
        arguments(training, {"train_to": "2013-04"})


def test_the_check_needs_none_of_the_steps_packages():
    code = (
        "import sys; from pipelines.arguments import arguments; from pipelines.declaration import declaration\n"
        "arguments(declaration('training'), {'margin': '0.01'})\n"
        "heavy = {'metaflow', 'mlflow', 'pandas', 'numpy', 'xgboost', 'sklearn', 'boto3'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
