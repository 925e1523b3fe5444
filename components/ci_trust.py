"""Who may become CI: trust policies for the jobs of one GitHub environment of one repository, and nobody else.

Source: https://docs.github.com/en/actions/security-for-github-actions/security-hardening-your-deployments
"""

import re
from collections.abc import Sequence

from pulumi import Input, Output

from components.iam_policies import Statement, render
from components.invalid_argument import InvalidArgument

ISSUER = "token.actions.githubusercontent.com"
AUDIENCE = "sts.amazonaws.com"

ENVIRONMENT_SUBJECT = re.compile(r"repo:[A-Za-z0-9-]+/[A-Za-z0-9._-]+:environment:[A-Za-z0-9_-]+")
VALID_SUBJECT = "repo:example-org/stackyard:environment:prod-base"


def environment_subject(repository: str, environment: str) -> str:
    """The `sub` of tokens of a job that runs in a GitHub environment, `repo:OWNER/NAME:environment:ENVIRONMENT`."""
    return check_subject(f"repo:{repository}:environment:{environment}")


def check_subject(subject: str) -> str:
    """The subject itself. Raises ValueError unless it is one environment of one repository, without wildcards."""
    if "*" in subject or "?" in subject:
        raise InvalidArgument(
            f"subject {subject!r} has a wildcard: it would let other repositories, branches or forks become CI; "
            f"name one environment of one repository, for example {VALID_SUBJECT!r}"
        )
    if subject.endswith(":pull_request"):
        raise InvalidArgument(
            f"subject {subject!r} lets every pull request in, whoever wrote it, without an approval: "
            f"name a GitHub environment, whose rules decide, for example {VALID_SUBJECT!r}"
        )
    if not ENVIRONMENT_SUBJECT.fullmatch(subject):
        raise InvalidArgument(
            f"subject {subject!r} is not bound to a GitHub environment, whose rules decide who deploys: "
            f"write repo:OWNER/NAME:environment:ENVIRONMENT, for example {VALID_SUBJECT!r}"
        )
    return subject


def check_audience(audiences: Sequence[str]) -> str:
    """The one audience. Raises ValueError when it is missing or another than that of AWS's own action."""
    if list(audiences) != [AUDIENCE]:
        given = ", ".join(audiences) or "none"
        raise InvalidArgument(
            f"the trust policy accepts the audience {given}: without exactly {AUDIENCE!r} a token that was "
            "made for another service would open the role too"
        )
    return AUDIENCE


def github_trust_policy(
    provider_arn: Input[str], subject: str, *, audiences: Sequence[str] = (AUDIENCE,)
) -> Output[str]:
    """Lets the jobs of one GitHub environment assume the role (controls 28, 29).

    Both conditions compare exactly. Raises ValueError for a wildcard, a pull-request subject, a missing audience.
    """
    equals = {f"{ISSUER}:aud": check_audience(audiences), f"{ISSUER}:sub": check_subject(subject)}
    return render(
        [
            Statement(
                actions=["sts:AssumeRoleWithWebIdentity"],
                principals={"Federated": [provider_arn]},
                conditions={"StringEquals": equals},
            )
        ]
    )
