"""parliament and cloudsplaining judge every policy document of every stack; policy_sentry judges our own tables."""

import json

import pytest

from tests.judges.checkers import access_levels, cloudsplaining, parliament
from tests.judges.exceptions import CLOUDSPLAINING, PARLIAMENT, Accepted
from tests.stack_captures import STACKS, stack_capture
from tools.access_levels import LEVELS, METADATA, Level
from tools.policy_documents import Kind, documents
from tools.policy_evaluator import matches

pytestmark = pytest.mark.judges


@pytest.fixture(scope="module")
def policies() -> dict[str, str]:
    """Text of every document but trust policies, by `STACK KIND NAME`. parliament wants a resource in each statement,
    which trust policies do not have: tests/tools/test_iam_table.py looks at those."""
    return {
        f"{stack} {document.kind} {document.owner.name}": document.text
        for stack in STACKS
        for document in documents(stack_capture(stack))
        if document.kind is not Kind.TRUST
    }


@pytest.fixture(scope="module")
def found(policies, tmp_path_factory) -> dict[str, dict[str, list[tuple[str, str, str]]]]:
    home = tmp_path_factory.mktemp("iam")
    identity = {name: text for name, text in policies.items() if f" {Kind.IDENTITY} " in name}
    return {"parliament": parliament(policies, home), "cloudsplaining": cloudsplaining(identity, home)}


TABLES = {"parliament": PARLIAMENT, "cloudsplaining": CLOUDSPLAINING}


def unexcused(findings: dict[str, list[tuple[str, str, str]]], rows: tuple[Accepted, ...]) -> list[str]:
    return sorted(
        f"{name}: {issue} {detail[:200]}"
        for name, entries in findings.items()
        for issue, _, detail in entries
        if not any(row.covers(issue, name.split(" ", 1)[1], name.split(" ", 1)[0]) for row in rows)
    )


@pytest.mark.parametrize("judge", TABLES)
def test_no_policy_has_a_finding_without_a_reason(found, judge):  # controls 19, 21, 22, 27, 53, 54
    assert unexcused(found[judge], TABLES[judge]) == []


@pytest.mark.parametrize("judge", TABLES)
def test_every_exception_still_excuses_something(found, judge):
    idle = [
        f"{row.check} {row.resource}"
        for row in TABLES[judge]
        if not any(
            row.covers(issue, name.split(" ", 1)[1], name.split(" ", 1)[0])
            for name, entries in found[judge].items()
            for issue, _, _ in entries
        )
    ]
    assert idle == [], "nothing has these findings any more: take the rows out"


def test_both_judges_saw_the_policies(found, policies):
    assert len(policies) > 40 and found["parliament"].keys() == policies.keys()
    assert any(name.endswith("training-permissions") for name in found["cloudsplaining"])


def document(action: str | list[str], resource: str = "*") -> str:
    return json.dumps(
        {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": resource}]}
    )


PLANTED = {
    "every action": (document("*"), {"privilege escalation", "service wildcard", "data exfiltration"}),
    "a whole service": (document("s3:*"), {"service wildcard", "data exfiltration", "resource exposure"}),
    "handing on any role": (document(["iam:PassRole", "ec2:RunInstances"]), {"privilege escalation"}),
    "every secret": (document("secretsmanager:GetSecretValue"), {"data exfiltration"}),
    "a new version of a policy": (document("iam:CreatePolicyVersion"), {"privilege escalation"}),
}


@pytest.mark.parametrize("name", PLANTED)
def test_cloudsplaining_finds_a_planted(name, tmp_path):  # controls 21, 22, 27
    text, expected = PLANTED[name]
    issues = {issue for issue, _, _ in cloudsplaining({"dev identity planted": text}, tmp_path)["dev identity planted"]}
    assert expected <= issues


@pytest.mark.parametrize(
    ("text", "issue"),
    [
        (document("s3:*"), "RESOURCE_STAR"),
        (document("s3:GetObjects", "arn:aws:s3:::b/*"), "UNKNOWN_ACTION"),
        (document("s3:GetObject", "arn:aws:s3:::b"), "RESOURCE_MISMATCH"),
        (document("kms:Decrypt"), "RESOURCE_STAR"),
    ],
)
def test_parliament_finds_a_planted(text, issue, tmp_path):  # controls 19, 21
    found = parliament({"dev identity planted": text}, tmp_path)
    assert issue in {kind for kind, _, _ in found["dev identity planted"]}
    assert unexcused(found, PARLIAMENT), "an exception is so wide that it covers the planted fault"


# Our own tables against AWS's reference

DIFFERENT = {
    ("kms", "Decrypt"): "AWS calls it a write, since it changes the caller's knowledge only: it reads data",
    ("rds-db", "connect"): "AWS calls it permissions management: a connection reads and writes",
}


def test_the_levels_are_those_of_aws(tmp_path):
    reference = access_levels(LEVELS, tmp_path)
    wrong = []
    for service, levels in LEVELS.items():
        for level, names in levels.items():
            for name in names:
                given = reference[service].get(name, "no such action")
                fits = (given in ("Read", "List")) == (level is Level.READ) and given != "no such action"
                if given == "Permissions management" and level is not Level.ADMINISTER:
                    fits = False
                if not fits and (service, name) not in DIFFERENT:
                    wrong.append(f"{service}:{name} is {level} here and {given} for AWS")
    assert wrong == []


def test_what_counts_as_metadata_writes_nothing(tmp_path):
    reference = access_levels(LEVELS, tmp_path)
    writing = [
        f"{service}:{name}"
        for service, patterns in METADATA.items()
        for name, level in reference[service].items()
        if level not in ("Read", "List") and any(matches(pattern, name) for pattern in patterns)
    ]
    assert writing == []
