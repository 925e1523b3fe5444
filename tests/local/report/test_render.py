"""The page: complete, inert, the same for the same content, and a sentence where there is nothing yet."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from stackyard.local.registered_models import Registry
from stackyard.local.report.render import latest_decision, metric_rows, render
from tests.local.report.contents import content, empty_content, pipeline_run, registry, stack, version

PLANTED = "<script>alert('planted')</script>"
VOID = {"meta", "link", "br", "hr", "img", "input"}


class Page(HTMLParser):
    """Elements, text, and whether every element is closed."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.attributes, self.open, self.words = [], [], [], []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if self.open[-1:] != ["style"]:
            self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def text(content):
    return Page(render(content)).text


@pytest.mark.parametrize("made", [content(), empty_content()], ids=["full", "empty"])
def test_a_page_is_well_formed_and_asks_for_nothing_outside_itself(made):
    html = render(made)
    page = Page(html)
    assert page.open == []
    assert not {"script", "link", "img", "iframe", "object", "embed", "base", "form"} & set(page.tags)
    loading = [
        (tag, name, value) for tag, name, value in page.attributes if name in ("src", "srcset", "data", "action")
    ]
    assert loading == []
    assert all(value.startswith("#") for _, name, value in page.attributes if name in ("href", "xlink:href"))
    assert not re.search(r"@import|url\(", html)
    assert "default-src 'none'" in html, "the browser refuses what slipped through"


def test_equal_content_is_equal_bytes():
    assert render(content()) == render(content())


def test_ids_are_unique_and_every_link_has_its_target():
    attributes = Page(render(content())).attributes
    ids = [value for _, name, value in attributes if name == "id"]
    assert len(ids) == len(set(ids))
    assert {value[1:] for _, name, value in attributes if name == "href"} <= set(ids)
    labels = {part for _, name, value in attributes if name == "aria-labelledby" for part in value.split()}
    assert labels <= set(ids)


def planted(value: Any) -> Any:
    """The value with every text in it, at any depth, replaced by markup."""
    from dataclasses import fields, is_dataclass

    if isinstance(value, str):
        return PLANTED
    if isinstance(value, tuple):
        return tuple(planted(entry) for entry in value)
    if isinstance(value, dict):
        return {
            f"{name}{PLANTED}": planted(entry) if isinstance(entry, str) else entry for name, entry in value.items()
        }
    if is_dataclass(value) and not isinstance(value, type):
        # A run checks its id and times itself.
        checked = ("run_id", "started_at", "finished_at")
        changes = {f.name: planted(getattr(value, f.name)) for f in fields(value) if f.name not in checked}
        return replace(value, **changes)
    return value


def test_markup_in_any_value_stays_text():
    html = render(planted(content()))
    assert "script" not in Page(html).tags
    assert html.count("&lt;script&gt;") > 50, "each value is there, as text"
    known = set(Page(render(content())).tags) | {"strong"}
    assert set(Page(html).tags) <= known, "markup made an element"


def test_what_matters_comes_first():
    told = text(content())
    order = [
        "flight-delay version 2 is the champion.",
        "Decision about version 2.",
        "training-2: succeeded",
        "provisioned.",
    ]
    places = [told.index(sentence) for sentence in order]
    assert places == sorted(places)


def test_times_come_from_the_content():
    assert "2026-11-24 15:33:37 UTC" in text(content())


def test_the_emulated_account_is_named_beside_the_declared_one():
    told = text(content(declared_account="111122223333"))
    assert "123456789012 (emulated)" in told
    assert "111122223333" in told
    assert "name the account" not in text(content()), "nothing to say where both are the same"


def test_an_empty_environment_is_told_in_sentences():
    told = text(empty_content())
    for sentence in (
        "No model is registered yet.",
        "No pipeline has run yet.",
        "Nothing is provisioned.",
        "stackyard pipelines run training",
        "stackyard local up",
    ):
        assert sentence in told
    assert "None" not in told
    assert "nan" not in told.lower().split()


def test_commands_name_the_environment_where_it_is_not_local():
    told = text(replace(empty_content(), environment="dev"))
    assert "stackyard pipelines run training --env dev" in told
    assert "stackyard local up --env dev" in told


def test_a_run_that_failed_names_its_step_and_its_log():
    steps = pipeline_run().steps
    failed = replace(steps[1], status="Failed", attempts=3)
    told = text(
        content(
            run=pipeline_run(status="Failed", steps=(steps[0], failed)), registry=Registry(model_name="flight-delay")
        )
    )
    assert "No model yet: the last run of training ended as Failed." in told
    assert "validate ended as Failed after 3 attempts. Its log: .stackyard/validate.0.log" in told
    assert "ingest ended" not in told


def test_a_run_in_which_nothing_started_is_told():
    assert "No step was started." in text(content(run=pipeline_run(status="Error", steps=())))


def test_versions_without_a_champion_are_told_with_their_decisions():
    versions = (version(1, decision="Below the margin.", promoted_at=""),)
    told = text(content(registry=Registry(model_name="flight-delay", versions=versions)))
    assert "flight-delay has 1 version, and none of them is the champion." in told
    assert "Below the margin." in told


def test_the_last_runs_model_that_was_not_promoted_says_why():
    loser = version(3, decision="Worse than the champion.", promoted_at="")
    made = content(run=pipeline_run(run_id="training-3"), registry=registry(versions=(loser, *registry().versions)))
    assert latest_decision(made) == loser
    assert "The last run registered version 3, which is not the champion. Worse than the champion." in text(made)
    assert latest_decision(content()) is None, "the last run made the champion"


def test_the_champion_before_is_compared_on_the_same_flights_only():
    same = metric_rows(registry())
    assert [row.previous for row in same][:2] == ["0.6800", "0.4000"]
    elsewhere = replace(version(1), lineage={"evaluation_manifest_sha256": "f" * 64})
    other = metric_rows(registry(previous=elsewhere))
    assert [row.previous for row in other] == ["0.6800", "–", "–", "–"], "the promotion record has the ROC AUC alone"
    first = metric_rows(registry(previous=None, compared_with_roc_auc=None))
    assert {row.previous for row in first} == {"–"}


def test_a_champion_whose_artifacts_cannot_be_read_is_shown_with_the_reason():
    made = content(registry=registry(evaluation=None, missing=("The emulator does not run.",)))
    told = text(made)
    assert "The emulator does not run." in told
    assert "flight-delay version 2 is the champion." in told
    assert "Calibration:" not in render(made)


def test_a_slice_with_too_few_flights_has_no_score():
    assert "HA 30 3.3% too few flights" in text(content())


def test_recorded_resources_are_counted_apart_from_emulated_ones():
    told = text(content())
    assert "2 resources are provisioned. 1 on the emulator or in the Kubernetes object store, 1 recorded only" in told
    assert "recorded only" not in text(content(stacks=(stack(components=stack().components[1:]),)))


def test_a_stack_of_the_environment_that_is_missing_is_named():
    assert "The stack prod-platform is not provisioned." in text(content(absent_stacks=("prod-platform",)))
