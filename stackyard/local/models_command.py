"""`stackyard models`: which models are registered, and which one is the champion."""

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from stackyard.errors import InvalidInput, UserError
from stackyard.local.environment import local_environment
from stackyard.local.places import env_option, typed
from stackyard.local.registered_models import ModelVersion, Registry, read_registry

CHAMPION = "champion"
METRICS = (
    ("ROC AUC", "roc_auc"),
    ("PR AUC", "pr_auc"),
    ("Brier score", "brier"),
    ("calibration error", "calibration_error"),
)


def show(root: Path, env: str, which: str, console: Console) -> None:
    """`models show WHICH`: a version by alias (`champion`, `previous-champion`) or by number.

    Raises UserError without any model, InvalidInput for one that is not there.
    """
    registry = _registry(root, env)
    option = env_option(env)
    if not registry.versions:
        raise UserError(
            f"no model is registered in {env!r} yet: train one with `stackyard pipelines run training{option}`"
        )
    version = _chosen(registry, which, env)
    named = f" ({', '.join(version.aliases)})" if version.aliases else ""
    console.print(f"[bold]{escape(registry.model_name)} version {version.version}[/]{escape(named)}")
    if version.promoted_at:
        console.print(
            f"Champion since {escape(version.promoted_at)}"
            if which == CHAMPION
            else f"Promoted {escape(version.promoted_at)}"
        )
    if version.decision:
        console.print(escape(version.decision), soft_wrap=True)
    console.print(_metrics(version))
    for name, value in version.lineage.items():
        console.print(f"  {escape(name.replace('_', ' '))}: {escape(value)}", soft_wrap=True)
    if version.source:
        console.print(f"  MLflow model: {escape(version.source)}", soft_wrap=True)


def list_versions(root: Path, env: str, console: Console) -> None:
    """`models list`: every version, newest first."""
    registry = _registry(root, env)
    if not registry.versions:
        console.print(f"No model is registered in {escape(env)} yet.")
        return
    table = Table("version", "aliases", "trained on", "evaluated on", "ROC AUC", "decision", title=registry.model_name)
    for version in registry.versions:
        table.add_row(
            str(version.version),
            escape(", ".join(version.aliases)),
            escape(version.trained_on),
            escape(version.evaluated_on),
            _number(version.metrics.get("roc_auc")),
            escape(version.decision),
        )
    console.print(table)


def _registry(root: Path, env: str) -> Registry:
    environment = local_environment(root, env)
    return read_registry(environment.places, environment.region)


def _chosen(registry: Registry, which: str, env: str) -> ModelVersion:
    for version in registry.versions:
        if which in version.aliases or which == str(version.version):
            return version
    there = ", ".join(str(v.version) + (f" ({', '.join(v.aliases)})" if v.aliases else "") for v in registry.versions)
    if which == CHAMPION:
        raise UserError(
            f"there is no champion in {env!r} yet: none of the versions {there} was better than its baseline by the "
            f"margin. {typed('models list', env)} says why"
        )
    example = typed(f"models show {registry.versions[0].version}", env)
    raise InvalidInput(f"no version {which!r} of {registry.model_name}: there are {there}; for example {example}")


def _metrics(version: ModelVersion) -> Table:
    table = Table("metric", "model", "baseline", title=f"on {version.evaluated_on}" if version.evaluated_on else None)
    for label, name in METRICS:
        table.add_row(label, _number(version.metrics.get(name)), _number(version.metrics.get(f"baseline_{name}")))
    return table


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
