"""At registration: is the candidate better than the champion, on the same flights, by enough to be worth a change?"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from pipelines import models, tracking
from pipelines.training import evaluate
from pipelines.training.evaluate import Evaluation
from pipelines.training.ingest import Dataset
from pipelines.training.model import ModelCard
from stackyard.errors import InvalidInput

DEFAULT_MARGIN = 0.005
"""Of ROC AUC. Below it two models of one month differ by chance: see the test of two seeds."""
LARGEST_MARGIN = 0.5


@dataclass(frozen=True, kw_only=True)
class Comparison:
    promote: bool
    reason: str
    """One sentence for people."""
    margin: float
    candidate_roc_auc: float
    manifest_sha256: str
    """Manifest of the flights that both were evaluated on."""
    champion_version: int | None = None
    champion_roc_auc: float | None = None
    """None when there is no champion, or when it has seen the evaluation period."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def compare(
    candidate: Evaluation,
    dataset: Dataset,
    *,
    tracking_uri: str,
    margin: float = DEFAULT_MARGIN,
    model_name: str = models.MODEL_NAME,
) -> Comparison:
    """Evaluates the champion on `dataset`, the data of the candidate's evaluation, and decides.

    Raises InvalidInput when the candidate was evaluated on other data, or for a margin outside 0 to 0.5.
    """
    if not 0 <= margin <= LARGEST_MARGIN:
        raise InvalidInput(f"margin {margin!r}: a difference of ROC AUC lies between 0 and 0.5, for example 0.005.")
    if candidate.manifest_sha256 != dataset.manifest_sha256:
        raise InvalidInput(
            f"The candidate was evaluated on the manifest {candidate.manifest_sha256[:12]}…, the champion would be on "
            f"{dataset.manifest_sha256[:12]}…: scores of different flights do not compare. Evaluate it again."
        )
    client = tracking.client(tracking_uri)
    version = models.champion_version(client, model_name)
    if version is None:
        return decide(candidate, margin)
    champion = models.load_version(client, version)
    number = int(version.version)
    if min(dataset.months) <= max(champion.card.months):
        return _unfair(candidate, margin, number, champion.card)
    auc = evaluate.evaluate_model(champion, dataset).scores.roc_auc
    return decide(candidate, margin, number, auc, same_model=champion.sha256 == candidate.model_sha256)


def decide(
    candidate: Evaluation,
    margin: float,
    champion_version: int | None = None,
    champion_roc_auc: float | None = None,
    *,
    same_model: bool = False,
) -> Comparison:
    """The rule alone: better than the champion by the margin; without a champion, than the late rate by hour."""
    auc = candidate.scores.roc_auc
    if champion_version is None or champion_roc_auc is None:
        against, rival = candidate.baseline.roc_auc, "the late rate of the scheduled hour"
        prefix = "There was no champion; the"
    else:
        against, rival, prefix = champion_roc_auc, f"the champion, version {champion_version},", "The"
    # Rounded as the scores are: 0.7 - 0.695 must count as 0.005.
    difference = round(auc - against, evaluate.DIGITS)
    promote = difference >= margin and difference > 0
    if same_model:
        reason = f"The candidate is the champion, version {champion_version}, bit for bit: not promoted again."
    else:
        reason = (
            f"{prefix} candidate has a ROC AUC of {auc:.4f} on {', '.join(candidate.months)}, {rival} {against:.4f}: "
            f"{difference:+.4f} is {'at least' if promote else 'below'} the margin of {margin:g}, "
            f"so it is {'promoted' if promote else 'not promoted'}."
        )
    return Comparison(
        promote=promote,
        reason=reason,
        margin=margin,
        candidate_roc_auc=auc,
        manifest_sha256=candidate.manifest_sha256,
        champion_version=champion_version,
        champion_roc_auc=champion_roc_auc,
    )


def _unfair(candidate: Evaluation, margin: float, version: int, card: ModelCard) -> Comparison:
    return Comparison(
        promote=False,
        reason=(
            f"The champion, version {version}, was trained on {card.months[0]} to {card.months[-1]} and knows "
            f"{', '.join(candidate.months)} or later months: a comparison there would be unfair, so the candidate is "
            "not promoted. Evaluate on months after both."
        ),
        margin=margin,
        candidate_roc_auc=candidate.scores.roc_auc,
        manifest_sha256=candidate.manifest_sha256,
        champion_version=version,
    )
