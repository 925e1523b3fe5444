"""Who may become CI: controls 28 and 29, faults 9."""

import pytest

from components.ci_trust import AUDIENCE, check_subject, environment_subject, github_trust_policy
from components.invalid_argument import InvalidArgument


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        ("repo:example-org/*:environment:prod", "wildcard"),
        ("repo:*", "wildcard"),
        ("repo:example-org/stackyard:environment:prod-?", "wildcard"),
        ("repo:example-org/stackyard:pull_request", "every pull request"),
        ("repo:example-org/stackyard:ref:refs/heads/main", "not bound to a GitHub environment"),
        ("repo:example-org/stackyard", "not bound to a GitHub environment"),
    ],
)
def test_a_subject_that_lets_others_in_is_refused(subject, reason):
    with pytest.raises(InvalidArgument, match=reason) as refused:
        github_trust_policy("arn:aws:iam::123456789012:oidc-provider/x", subject)
    assert "repo:example-org/stackyard:environment:prod-base" in str(refused.value), "the way out is shown"


@pytest.mark.parametrize("audiences", [(), ("https://github.com/example-org",), (AUDIENCE, "other"), ("*",)])
def test_a_trust_policy_without_exactly_the_audience_of_aws_is_refused(audiences):
    subject = environment_subject("example-org/stackyard", "prod-base")
    with pytest.raises(InvalidArgument, match="audience"):
        github_trust_policy("arn:aws:iam::123456789012:oidc-provider/x", subject, audiences=audiences)


def test_a_valid_subject_passes():
    subject = "repo:example-org/stackyard:environment:prod-base"
    assert check_subject(subject) == subject
