"""Who became champion, when and why. MLflow's alias moves leave no history, so each promotion writes a record."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipelines import models, storage, tracking

if TYPE_CHECKING:
    from mlflow import MlflowClient


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One record: JSON at `<bucket>/promotions/<model>/<version>-<pipeline run>.json`, never rewritten."""

    model_name: str
    version: int
    previous_version: int | None
    pipeline_run_id: str
    promoted_at: str
    """ISO 8601."""
    comparison: dict[str, Any]
    lineage: dict[str, str]

    def uri(self, bucket_uri: str) -> str:
        run = self.pipeline_run_id.replace("/", "_").replace(":", "_")
        return storage.join(bucket_uri, "promotions", self.model_name, f"{self.version:06d}-{run}.json")

    def to_json(self) -> bytes:
        return (json.dumps(asdict(self), sort_keys=True, indent=1) + "\n").encode()


@dataclass(frozen=True, kw_only=True)
class Outcome:
    promoted: bool
    reason: str
    record_uri: str = ""


def promote(client: MlflowClient, promotion: Promotion, bucket_uri: str, *, wanted: bool, reason: str) -> Outcome:
    """Moves `champion` to the version if that is wanted, and `previous-champion` to the one before.

    The decision was made against `previous_version`: if another version has become champion since, nothing moves.
    The record is written before the alias moves, so there is never a champion without a record; a repeated call keeps
    the first record and its time.
    """
    current = models.champion_version(client, promotion.model_name)
    current_number = None if current is None else int(current.version)
    uri, version = promotion.uri(bucket_uri), str(promotion.version)
    if current_number == promotion.version:
        # A repeated call, or a person has moved the alias: then there is no record.
        record = uri if storage.exists(uri) else ""
        told = reason if wanted else f"Version {version} is the champion."
        return Outcome(promoted=True, reason=told, record_uri=record)
    if not wanted:
        return _not_promoted(client, promotion, reason)
    if current_number != promotion.previous_version:
        was, now = _named(promotion.previous_version), _named(current_number)
        return _not_promoted(
            client,
            promotion,
            f"The candidate was compared with {was} as champion, and {now} is champion now: not promoted. Run the "
            "pipeline again.",
        )
    if not storage.exists(uri):
        storage.write_bytes(uri, promotion.to_json())
    recorded = json.loads(storage.read_bytes(uri))
    tags = {
        tracking.TAG_PROMOTED_AT: recorded["promoted_at"],
        tracking.TAG_PROMOTION_RECORD: uri,
        tracking.TAG_DECISION: reason,
    }
    for name, value in tags.items():
        client.set_model_version_tag(promotion.model_name, version, name, value)
    if current_number is not None:
        client.set_registered_model_alias(promotion.model_name, tracking.PREVIOUS_CHAMPION, str(current_number))
    client.set_registered_model_alias(promotion.model_name, tracking.CHAMPION, version)
    return Outcome(promoted=True, reason=reason, record_uri=uri)


def _not_promoted(client: MlflowClient, promotion: Promotion, reason: str) -> Outcome:
    client.set_model_version_tag(promotion.model_name, str(promotion.version), tracking.TAG_DECISION, reason)
    return Outcome(promoted=False, reason=reason)


def _named(version: int | None) -> str:
    return "no version" if version is None else f"version {version}"
