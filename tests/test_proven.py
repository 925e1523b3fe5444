"""The README says where each component was run, and says it anew when that changes."""

import pytest

from tools import proven


def test_the_readme_holds_the_table_of_today():
    text = proven.README.read_text(encoding="utf-8")
    assert proven.with_table(text) == text, "run `python -m tools.proven --write`"


def test_a_changed_table_is_noticed():
    text = proven.README.read_text(encoding="utf-8").replace("| Network |", "| Network | 999 ")
    assert proven.with_table(text) != text


def test_a_readme_without_its_marks_is_refused():
    with pytest.raises(ValueError, match="must hold the marks"):
        proven.with_table("# Stackyard")


def test_what_the_emulator_lacks_counts_as_recorded():
    cluster = next(row for row in proven.evidence() if row.component == "Cluster")
    assert "AccessEntry" in cluster.recorded and "Cluster" not in cluster.recorded
    assert cluster.emulated + len(cluster.recorded) == cluster.types
