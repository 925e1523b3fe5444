"""docs/architecture.md names files and links: all of them are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "architecture.md"
NAMED_FROM = (ROOT, ROOT / "stackyard" / "program", ROOT / "stackyard" / "local")
"""The page's sections on the two packages name their modules without the package."""


def missing_files(text: str) -> list[str]:
    paths = {path for path in re.findall(r"`([\w./-]+)`", text) if path.endswith(".py") or "/" in path}
    return sorted(path for path in paths if not any((folder / path).exists() for folder in NAMED_FROM))


def missing_links(text: str) -> list[str]:
    return [link for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text) if not (PAGE.parent / link).exists()]


def test_every_file_and_link_of_the_architecture_page_exists():
    text = PAGE.read_text(encoding="utf-8")
    assert "`stackyard/program/journal.py`" in text
    assert missing_files(text) == []
    assert missing_links(text) == []


def test_a_file_or_link_that_is_gone_would_be_found():
    assert missing_files("see `stackyard/gone.py`, `decide.py`, `tests/gone` and `plan`") == [
        "stackyard/gone.py",
        "tests/gone",
    ]
    assert missing_links("[a](gone.md), [b](plan.md#x)") == ["gone.md"]


def test_the_readme_and_the_guide_for_contributors_lead_to_the_page():
    for file in ("README.md", "CONTRIBUTING.md"):
        assert "(docs/architecture.md)" in (ROOT / file).read_text(encoding="utf-8")
