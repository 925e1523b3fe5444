"""How checks are run: order, silence, and what is not asked any more."""

from typing import Any

from stacks.settings import Layer
from stackyard.preflight.check import BASE, EVERY, PLATFORM, Check, examine
from stackyard.preflight.finding import Finding, Level, Unanswered, failed, passed, skipped
from tests.preflight.targets import Script, target

ACCOUNT = Script().account()


def check(name: str, *findings: Finding, **options: Any) -> Check[Any]:
    defaults: dict[str, Any] = {
        "layers": EVERY,
        "fetch": lambda account, target: None,
        "judge": lambda facts, target: findings,
    }
    return Check(name=name, **(defaults | options))


def silent(account, target):
    raise Unanswered("forbidden", "ask somebody")


def broken(account, target):
    return {}["missing"]


def results(*checks: Check[Any], **options) -> list[tuple[str, Level]]:
    return [(found.check, found.level) for found in examine(checks, ACCOUNT, target(**options))]


def test_failures_come_first_then_what_is_unknown_and_each_in_the_order_of_the_checks():
    assert results(
        check("a", passed("")),
        check("b", skipped(""), failed("", "")),
        check("c", fetch=silent),
        check("d", failed("", "")),
    ) == [("b", Level.FAIL), ("d", Level.FAIL), ("c", Level.UNKNOWN), ("b", Level.SKIPPED), ("a", Level.PASS)]


def test_silence_is_unknown_with_its_remedy():
    (found,) = examine([check("a", passed(""), fetch=silent)], ACCOUNT, target())
    assert (found.level, found.sentence, found.remedy) == (Level.UNKNOWN, "forbidden", "ask somebody")


def test_an_answer_of_another_shape_is_unknown_and_hides_no_other_check():
    assert results(check("a", fetch=broken), check("b", passed(""))) == [("a", Level.UNKNOWN), ("b", Level.PASS)]


def test_after_a_wrong_account_nobody_asks_it_anything():
    asked: list[str] = []

    def fetch(account, target):
        asked.append("b")

    gate = check("a", failed("", ""), stops=frozenset({Level.FAIL}))
    rest = (check("b", passed(""), fetch=fetch), check("c", passed(""), asks_aws=False))
    assert results(gate, *rest) == [("a", Level.FAIL), ("b", Level.UNKNOWN), ("c", Level.PASS)]
    assert asked == []
    assert results(check("a", passed(""), stops=frozenset({Level.FAIL})), *rest)[0][1] is Level.PASS


def test_a_check_of_another_layer_is_skipped_and_not_made():
    only_base = {"layers": frozenset({Layer.BASE})}
    assert results(check("a", layers=PLATFORM, fetch=silent), check("b", passed(""), layers=BASE), **only_base) == [
        ("a", Level.SKIPPED),
        ("b", Level.PASS),
    ]


def test_a_check_that_does_not_apply_says_why_and_is_not_made():
    (found,) = examine([check("a", fetch=silent, skip=lambda target: "no pool")], ACCOUNT, target())
    assert (found.level, found.sentence) == (Level.SKIPPED, "no pool")


def test_each_check_that_is_made_is_told_beforehand():
    told: list[str] = []
    examine([check("a"), check("b", layers=frozenset({Layer.ACCOUNT})), check("c")], ACCOUNT, target(), told.append)
    assert told == ["a", "c"]
