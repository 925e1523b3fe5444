"""What a run was asked for: checked before it starts, and again by its first step."""

from pipelines.training.compare import LARGEST_MARGIN
from pipelines.training.data import PACKAGE, PACKAGE_MONTHS
from pipelines.training.declaration import DECLARATION
from pipelines.training.months import month_after, month_range, parse_month
from pipelines.training.train import TrainSettings
from stackyard.errors import InvalidInput

OPTIONS = {"train_from": "--from ", "train_to": "--to "}
"""Parameters that `stackyard pipelines run` has an option for; the others are given by `--set`."""


def check_request(
    *,
    ingest_from: str,
    ingest_to: str,
    train_from: str,
    train_to: str,
    evaluate_from: str,
    evaluate_to: str,
    margin: float,
    device: str,
    source: str,
) -> None:
    """Raises InvalidInput for months, a margin, a device or a source with which a later step would fail."""
    _check_source(source)
    _range(source, ingest_from=ingest_from, ingest_to=ingest_to)
    training = _range(source, train_from=train_from, train_to=train_to)
    evaluation = _range(source, evaluate_from=evaluate_from, evaluate_to=evaluate_to)
    if evaluation[0] <= training[-1]:
        raise InvalidInput(
            f"Training takes {training[0]} to {training[-1]}, evaluation {evaluation[0]} to {evaluation[-1]}: the "
            "evaluation must come after training, else it measures memory. "
            f"{_later(training[-1], source)}"
        )
    if not 0 <= margin <= LARGEST_MARGIN:
        raise InvalidInput(
            f"margin {margin!r}: a difference of ROC AUC lies between 0 and 0.5, for example --set margin=0.005"
        )
    TrainSettings(device=device)


def _range(source: str, **given: str) -> tuple[str, ...]:
    """The months from the first to the last parameter, both included."""
    for name, month in given.items():
        _check_month(name, month, source)
    (first_name, first), (last_name, last) = given.items()
    if last < first:
        raise InvalidInput(
            f"{first_name} is {first} and {last_name} {last}: the range runs backwards. One that is not given has its "
            f"default. {_example(*given)}"
        )
    return month_range(first, last)


def _check_month(name: str, month: str, source: str) -> None:
    try:
        parse_month(month)
    except InvalidInput:
        raise InvalidInput(
            f"{name} {month!r} is not a month: the data is kept by calendar months, written YYYY-MM. {_example(name)}"
        ) from None
    first, last = PACKAGE_MONTHS
    if source == PACKAGE and not first <= month <= last:
        raise InvalidInput(
            f"{name} {month} is not in the data: {PACKAGE} has flights from {first} to {last} only. {_example(name)}"
        )


def _check_source(source: str) -> None:
    if source != PACKAGE and "/" not in source:
        raise InvalidInput(
            f"source {source!r} is neither the package {PACKAGE} nor the URI of a folder, and there is no other. "
            f"For example --set source={PACKAGE}, or --set source=s3://BUCKET/FOLDER"
        )


def _later(last: str, source: str) -> str:
    after = month_after(last)
    if source == PACKAGE and after > PACKAGE_MONTHS[1]:
        return f"{PACKAGE} has no month after {last}: train on earlier ones. {_example('train_from')}"
    return f"Evaluate on later months, for example --set evaluate_from={after} --set evaluate_to={after}"


def _example(*names: str) -> str:
    """Arguments that are possible together: the defaults, of both the training's and the evaluation's months."""
    ingest = any(name.startswith("ingest_") for name in names)
    shown = ("ingest_from", "ingest_to") if ingest else ("train_from", "train_to", "evaluate_from", "evaluate_to")
    defaults = {parameter.name: parameter.default for parameter in DECLARATION.parameters}
    return "For example " + " ".join(f"{OPTIONS.get(name, f'--set {name}=')}{defaults[name]}" for name in shown)
