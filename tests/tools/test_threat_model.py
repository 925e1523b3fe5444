"""docs/threat-model.md: every actor is there, and every test that is named as proof exists."""

import re

from tools.named_tests import NODE, ROOT, missing

PAGE = ROOT / "docs" / "threat-model.md"
ACTORS = ("fork author", "branch author", "pipeline author", "stolen pod", "stolen runner")


def rows(text: str) -> dict[str, list[str]]:
    """Cells by actor."""
    lines = [line.strip("| ").split(" | ") for line in text.splitlines() if line.startswith("| ")]
    return {cells[0]: cells[1:] for cells in lines if len(cells) == 5 and cells[0] not in ("actor", "---")}


def without_proof(text: str) -> list[str]:
    return [actor for actor, cells in rows(text).items() if not NODE.search(cells[-1])]


def test_every_actor_is_there():
    actors = rows(PAGE.read_text(encoding="utf-8"))
    assert [name for name in ACTORS if not any(actor.startswith(name) for actor in actors)] == []


def test_every_row_names_a_test_and_every_named_test_exists():
    text = PAGE.read_text(encoding="utf-8")
    assert without_proof(text) == []
    assert missing(text) == []


def test_a_row_without_proof_and_a_test_that_is_gone_are_noticed():
    planted = "| actor | a | b | c | d |\n| thief | x | y | z | nothing |\n"
    assert without_proof(planted) == ["thief"]
    assert missing("`tests/tools/test_threat_model.py::test_gone`") == ["tests/tools/test_threat_model.py::test_gone"]


def test_the_page_stays_one_page():
    text = PAGE.read_text(encoding="utf-8")
    prose = re.sub(r"`tests/[^`]+`,?", "", text)
    assert len(prose.split()) < 700


def test_links_lead_somewhere():
    links = re.findall(r"\]\(([^)#]+)\)", PAGE.read_text(encoding="utf-8"))
    assert links and all((PAGE.parent / link).exists() for link in links)
