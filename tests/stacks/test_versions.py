"""The version table: dated, sourced, pinned, complete for what the settings allow."""

import re
from datetime import date

import pytest

from stacks.versions import AS_OF, CHARTS, KUBERNETES_VERSIONS, RETIRED, SUPPORT, TRACKING_DATABASE, next_allowed

# What a cluster cannot do without.
CORE_ADDONS = {"vpc-cni", "coredns", "kube-proxy", "eks-pod-identity-agent", "aws-ebs-csi-driver", "metrics-server"}


@pytest.mark.parametrize("minor", sorted(KUBERNETES_VERSIONS))
def test_every_allowed_minor_has_a_complete_row(minor):
    row = KUBERNETES_VERSIONS[minor]
    assert row.version == minor
    assert set(row.addons) >= CORE_ADDONS
    assert row.addons["kube-proxy"].version.startswith(f"v{minor}."), "kube-proxy follows the control plane"
    assert row.node_image.release_version.startswith(f"{minor}.")
    assert re.fullmatch(r"al2023@v\d{8}", row.node_image.alias), "pinned, never latest"
    assert minor in SUPPORT
    assert minor not in RETIRED


def test_every_row_has_its_date_and_source():
    for row in KUBERNETES_VERSIONS.values():
        for entry in (row.node_image, *row.addons.values()):
            assert entry.source
            assert date(2026, 1, 1) < entry.seen_on <= AS_OF
    for chart in CHARTS.values():
        assert chart.source
        assert chart.read_on <= AS_OF


def test_the_database_is_pinned_to_a_major_version_with_date_and_source():
    assert re.fullmatch(r"\d\d", TRACKING_DATABASE.engine_version), "RDS keeps the newest minor version by itself"
    assert TRACKING_DATABASE.source
    assert date(2026, 1, 1) < TRACKING_DATABASE.seen_on <= AS_OF


def test_charts_are_pinned_and_come_from_a_named_registry():
    for name, chart in CHARTS.items():
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", chart.version), name
        assert chart.name.startswith("oci://") is (chart.repository == ""), f"{name}: exactly one kind of address"
        assert chart.repository.startswith("https://") or not chart.repository


def test_karpenter_and_its_crds_have_one_version():
    assert CHARTS["karpenter"].version == CHARTS["karpenter-crd"].version


def test_runner_controller_and_scale_sets_have_one_version():
    assert CHARTS["gha-runner-scale-set"].version == CHARTS["gha-runner-scale-set-controller"].version


def test_extended_support_lasts_a_year_longer():
    for minor, support in SUPPORT.items():
        assert support.extended_ends == support.standard_ends.replace(year=support.standard_ends.year + 1), minor


@pytest.mark.parametrize(
    ("version", "words", "following"),
    [
        ("1.29", "AWS no longer runs 1.29 (extended support ended on 2026-03-23)", "1.34"),
        ("1.11", "AWS no longer runs 1.11,", "1.34"),
        ("1.33", "no row for 1.33", "1.34"),
        ("1.36", "no row for 1.36", "1.35"),
        ("2.0", "EKS is not known to run 2.0", "1.35"),
        ("latest", "EKS is not known to run latest", "1.34"),
    ],
)
def test_a_version_without_a_row_gets_the_next_one_that_has(version, words, following):
    reason, example = next_allowed(version)
    assert words in reason
    assert example == following
