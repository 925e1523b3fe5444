"""Helm releases, checked as far as that is possible without the chart: pinned, named, and with values it reads."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from stackyard.errors import InvalidInput
from stackyard.local.kubernetes.chart_keys import known_charts
from stackyard.local.kubernetes.problems import shown, unknown_field

# Properties of kubernetes:helm.sh/v3:Release in pulumi-kubernetes 4.34.2.
_INPUTS = """allowNullValues atomic chart cleanupOnFail compat createNamespace dependencyUpdate description devel
disableCRDHooks disableOpenapiValidation disableWebhooks forceUpdate keyring lint manifest maxHistory name namespace
postrender recreatePods renderSubchartNotes replace repositoryOpts resetValues resourceNames reuseValues skipAwait
skipCrds takeOwnership timeout valueYamlFiles values verify version waitForJobs"""
INPUTS = tuple(_INPUTS.split())
# A chart's version is semantic, always with three numbers: https://helm.sh/docs/topics/charts/
_EXACT = re.compile(r"v?\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?")
# https://helm.sh/docs/topics/chart_best_practices/conventions/: the name becomes a label's value.
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
NAME_LENGTH = 53


def validate_release(inputs: Mapping[str, Any]) -> str:
    """Raises InvalidInput with everything that is wrong with a release's inputs.

    Answers with a note where the values were checked against another version of the chart, else an empty text.
    """
    chart = str(inputs.get("chart", ""))
    problems = [unknown_field("", field, INPUTS, "a Release") for field in sorted(set(inputs) - set(INPUTS))]
    problems += [*_identity(inputs), *_pinned(inputs, chart), *_values(inputs.get("values") or {}, chart)]
    if problems:
        lines = "".join(f"\n  - {problem}" for problem in problems)
        raise InvalidInput(f"Release {inputs.get('name', '(unnamed)')} cannot be recorded:{lines}")
    read = known_charts()[chart_name(chart)].version
    if inputs["version"] == read:
        return ""
    return f"chart {chart_name(chart)} {inputs['version']}: values checked against those of {read}"


def chart_name(chart: str) -> str:
    """`karpenter` of `oci://registry/path/karpenter`."""
    return chart.rstrip("/").rsplit("/", 1)[-1]


def _identity(inputs: Mapping[str, Any]) -> Iterator[str]:
    name = inputs.get("name")
    if not name:
        yield "name is missing: an unnamed release gets a random suffix, and its service accounts with it: name it"
    elif not _NAME.fullmatch(str(name)) or len(str(name)) > NAME_LENGTH:
        yield f"name is {shown(name)}: at most {NAME_LENGTH} lower-case letters, digits or '-', for example 'argo'"
    if not inputs.get("namespace"):
        yield "namespace is missing: the release would go wherever the kubeconfig points: name it"
    if inputs.get("createNamespace"):
        yield (
            "createNamespace is true: Helm would make the namespace outside this program and leave it behind: "
            "create the Namespace as a resource and make the release depend on it"
        )


def _pinned(inputs: Mapping[str, Any], chart: str) -> Iterator[str]:
    version = inputs.get("version")
    if not chart:
        yield "chart is missing: name the chart"
    elif "://" not in chart and not (inputs.get("repositoryOpts") or {}).get("repo"):
        yield f"chart is {shown(chart)} without repositoryOpts.repo: say which repository it comes from"
    if not version:
        yield "version is missing: the newest chart would be installed on the day of the `up`: pin it"
    elif not _EXACT.fullmatch(str(version)):
        yield f"version is {shown(version)}, a range: pin one version, for example '1.0.18'"
    if inputs.get("devel"):
        yield "devel is true: it takes the newest development version whatever is pinned: remove it"
    if inputs.get("valueYamlFiles"):
        yield "valueYamlFiles is set: values in files are not checked: put them into values"


def _values(values: Mapping[str, Any], chart: str) -> Iterator[str]:
    known = known_charts().get(chart_name(chart))
    if known is None:
        if chart:
            yield (
                f"chart {chart_name(chart)} is not known here, so nothing can say whether it reads these values: "
                f"add its keys to stackyard/local/kubernetes/chart_keys.py (known: {', '.join(sorted(known_charts()))})"
            )
        return
    yield from _in_map(values, "", known.keys, f"chart {chart_name(chart)} {known.version}")


def _in_map(values: Mapping[str, Any], path: str, keys: Mapping[str, Mapping[str, bool]], of: str) -> Iterator[str]:
    allowed = keys[path]
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if key not in allowed:
            yield unknown_field(f"values.{path}" if path else "values", key, list(allowed), of)
        elif allowed[key] or value is None:
            continue
        elif here not in keys:
            if isinstance(value, Mapping):
                yield f"values.{here} is {shown(value)}: {of} reads a single value or a list there, not a map"
        elif isinstance(value, Mapping):
            yield from _in_map(value, here, keys, of)
        else:
            yield f"values.{here} is {shown(value)}: {of} reads a map there ({', '.join(sorted(keys[here]))})"
