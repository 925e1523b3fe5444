"""Kubernetes, node images and add-ons: what the version table pins against what AWS has."""

from datetime import UTC, date, datetime

import pytest

from stacks.versions import KUBERNETES_VERSIONS, SUPPORT, Support
from stackyard.preflight.checks import versions
from stackyard.preflight.checks.versions import AddonFacts, ImageFacts
from stackyard.preflight.finding import Level, Unanswered
from tests.preflight.targets import Script, failures, levels, only, pool, target

CALENDAR = SUPPORT["1.35"]


@pytest.mark.parametrize(
    ("today", "level", "words"),
    [
        (date(2027, 3, 26), Level.PASS, "standard support until 2027-03-27, 1 days"),
        (date(2027, 3, 27), Level.FAIL, "ended on 2027-03-27 (EKS): its control plane costs 6 times as much"),
        (date(2028, 3, 27), Level.FAIL, "EKS stopped running Kubernetes 1.35 on 2028-03-27"),
    ],
)
def test_the_support_of_a_version_ends_on_a_day(today, level, words):
    """faults 4."""
    found = only(versions.judge_support(CALENDAR, target(today=today)))
    assert found.level is level and words in found.sentence


def test_a_calendar_of_awss_that_differs_from_the_table_fails_and_counts():
    moved = Support(standard_ends=date(2026, 11, 1), extended_ends=CALENDAR.extended_ends)
    found = list(versions.judge_support(moved, target()))
    assert levels(found) == [Level.FAIL, Level.FAIL]
    assert "stacks/versions.py says 2027-03-27" in found[0].sentence and "ended on 2026-11-01" in found[1].sentence


def test_a_calendar_that_nobody_tells_is_unknown_beside_what_the_table_says():
    found = list(versions.judge_support(Unanswered("forbidden"), target()))
    assert levels(found) == [Level.UNKNOWN, Level.PASS] and "(stacks/versions.py)" in found[1].sentence
    late = list(versions.judge_support(Unanswered("forbidden"), target(today=date(2027, 4, 1))))
    assert levels(late) == [Level.UNKNOWN, Level.FAIL]


def test_awss_calendar_is_read_of_the_environments_version():
    def entry(version, standard):
        return {
            "clusterVersion": version,
            "endOfStandardSupportDate": datetime(*standard, tzinfo=UTC),
            "endOfExtendedSupportDate": datetime(2028, 3, 27, tzinfo=UTC),
        }

    answer = {"clusterVersions": [entry("1.34", (2026, 12, 2)), entry("1.35", (2027, 3, 27))]}
    script = Script().answer("eks", "describe_cluster_versions", answer, {"clusterVersions": ["1.35"]})
    assert versions.fetch_support(script.account(), target()) == CALENDAR
    nothing = Script().answer("eks", "describe_cluster_versions", {"clusterVersions": []})
    assert "says nothing of Kubernetes 1.35" in str(versions.fetch_support(nothing.account(), target()))


ALIAS = KUBERNETES_VERSIONS["1.35"].node_image.alias.partition("@")[2]
RELEASE = "v" + KUBERNETES_VERSIONS["1.35"].node_image.release_version.partition("-")[2]
ROOM = "/aws/service/eks/optimized-ami/1.35/amazon-linux-2023"


def image(arch: str, variant: str, day: str) -> str:
    return f"{ROOM}/{arch}/{variant}/amazon-eks-node-al2023-{arch}-{variant}-1.35-{day}/image_id"


def test_images_are_looked_for_where_node_groups_and_karpenter_find_them():
    assert versions.images_of(target()) == sorted(
        [
            image("x86_64", "standard", RELEASE),
            image("x86_64", "standard", ALIAS),
            image("x86_64", "nvidia", ALIAS),
        ]
    )
    arm = target({"nodePools[0].instanceTypes": ["m8g.large"], "nodePools[1]": pool()})
    assert image("arm64", "standard", ALIAS) in versions.images_of(arm)
    assert image("x86_64", "standard", ALIAS) not in versions.images_of(arm), "no pool starts it"


def parameters(names, recommended="1.35.9-20261101") -> dict:
    found = [{"Name": name, "Value": "ami-1"} for name in names]
    return {
        "Parameters": [*found, {"Name": f"{ROOM}/x86_64/standard/recommended/release_version", "Value": recommended}]
    }


def test_images_that_are_there_pass_and_name_what_aws_recommends():
    script = Script().answer("ssm", "get_parameters", parameters(versions.images_of(target())))
    found = only(versions.judge_images(versions.fetch_images(script.account(), target()), target()))
    assert found.level is Level.PASS and "AWS recommends 1.35.9-20261101" in found.sentence


def test_an_image_that_is_not_there_fails_with_what_aws_recommends_and_a_command_that_lists_them():
    missing = image("x86_64", "nvidia", ALIAS)
    names = [name for name in versions.images_of(target()) if name != missing]
    script = Script().answer("ssm", "get_parameters", parameters(names))
    facts = versions.fetch_images(script.account(), target())
    assert facts.missing == (missing,)
    (found,) = [f for f in versions.judge_images(facts, target()) if f.level is Level.FAIL]
    assert f"nvidia-1.35-{ALIAS}" in found.sentence and "1.35.9-20261101" in found.sentence
    assert found.command.endswith(f"--path {ROOM}/x86_64/nvidia")


def test_an_emulator_without_images_is_no_missing_image():
    script = Script().answer("ssm", "get_parameters", {"Parameters": []})
    with pytest.raises(Unanswered, match="the emulator does not know AWS's images"):
        versions.fetch_images(script.account(emulated=True), target())
    real = Script().answer("ssm", "get_parameters", {"Parameters": []})
    assert versions.fetch_images(real.account(), target()) == ImageFacts(tuple(versions.images_of(target())), (), "")


PINNED = {name: addon.version for name, addon in KUBERNETES_VERSIONS["1.35"].addons.items()}


def offered(**others) -> dict:
    return {name: AddonFacts((version,)) for name, version in PINNED.items()} | others


def test_add_ons_that_eks_offers_pass():
    found = only(versions.judge_addons(offered(), target()))
    assert found.level is Level.PASS and f"vpc-cni {PINNED['vpc-cni']}" in found.sentence


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        (
            AddonFacts(("v9.9.9-eksbuild.1", "v9.9.8-eksbuild.1"), "v9.9.8-eksbuild.1"),
            "the newest is v9.9.9-eksbuild.1",
        ),
        (AddonFacts(("v9.9.9-eksbuild.1",), "v9.9.8-eksbuild.1"), "the default v9.9.8-eksbuild.1"),
        (AddonFacts(()), "it offers none"),
    ],
)
def test_an_add_on_version_that_eks_does_not_offer_fails_with_what_it_offers(facts, words):
    found = failures(versions.judge_addons(offered(coredns=facts), target()))
    assert [f"coredns {PINNED['coredns']}" in sentence and words in sentence for sentence in found] == [True]


def test_add_ons_of_which_eks_says_nothing_are_unknown():
    found = list(versions.judge_addons(offered(coredns=Unanswered("forbidden", "ask")), target()))
    assert levels(found) == [Level.UNKNOWN, Level.PASS]
    assert found[0].sentence == "coredns: forbidden" and "coredns" not in found[1].sentence


def test_add_ons_are_asked_for_the_environments_kubernetes():
    script = Script()
    for name in sorted(PINNED):
        matches = [{"clusterVersion": "1.35", "defaultVersion": True}]
        entries = [{"addonVersion": "v2"}, {"addonVersion": "v1", "compatibilities": matches}]
        wanted = {"addonName": name, "kubernetesVersion": "1.35"}
        script.answer("eks", "describe_addon_versions", {"addons": [{"addonVersions": entries}]}, wanted)
    found = versions.fetch_addons(script.account(), target())
    assert found["coredns"] == AddonFacts(("v2", "v1"), "v1") and set(found) == set(PINNED)
    denied = Script()
    for _ in PINNED:
        denied.refuse("eks", "describe_addon_versions", "AccessDeniedException")
    assert all(isinstance(facts, Unanswered) for facts in versions.fetch_addons(denied.account(), target()).values())
