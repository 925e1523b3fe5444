"""What a run was asked for, checked before its first step does anything."""

from pipelines.training.compare import LARGEST_MARGIN
from pipelines.training.months import month_range
from pipelines.training.train import TrainSettings
from stackyard.errors import InvalidInput


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
) -> None:
    """Raises InvalidInput for months, a margin or a device with which a later step would fail."""
    month_range(ingest_from, ingest_to)
    training = month_range(train_from, train_to)
    evaluation = month_range(evaluate_from, evaluate_to)
    if evaluation[0] <= training[-1]:
        raise InvalidInput(
            f"Training takes {training[0]} to {training[-1]}, evaluation {evaluation[0]} to {evaluation[-1]}: the "
            "evaluation must come after training, else it measures memory. Evaluate on later months."
        )
    if not 0 <= margin <= LARGEST_MARGIN:
        raise InvalidInput(f"margin {margin!r}: a difference of ROC AUC lies between 0 and 0.5, for example 0.005.")
    TrainSettings(device=device)
