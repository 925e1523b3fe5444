"""A check: what is asked, and a pure judgement of the answer. And how a list of them is run."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Generic, TypeVar

from stacks.settings import Layer
from stackyard.preflight.account import Account
from stackyard.preflight.finding import Finding, Level, Unanswered, skipped
from stackyard.preflight.target import Target

Facts = TypeVar("Facts")

BASE, PLATFORM, EVERY = frozenset({Layer.BASE}), frozenset({Layer.PLATFORM}), frozenset(Layer)


def _always(target: Target) -> str:
    return ""


@dataclass(frozen=True, kw_only=True)
class Check(Generic[Facts]):
    name: str
    layers: frozenset[Layer]
    """Layers that need it."""
    fetch: Callable[[Account, Target], Facts]
    """Asks, and judges nothing. Raises Unanswered."""
    judge: Callable[[Facts, Target], Iterable[Finding]]
    """Pure: the same facts give the same findings."""
    skip: Callable[[Target], str] = _always
    """Why it does not apply; empty where it does."""
    stops: frozenset[Level] = frozenset()
    """Levels after which AWS is not asked anything else: the answers would be another account's."""
    asks_aws: bool = True


def examine(
    checks: Sequence[Check[Any]], account: Account, target: Target, tell: Callable[[str], None] = lambda name: None
) -> list[Finding]:
    """Findings of all checks, the worst level first, each level in the order of the checks.

    `tell` hears the name of each check before it is made.
    """
    found: list[Finding] = []
    stopped_by = ""
    for check in checks:
        if why := _why_not(check, target):
            made = [skipped(why)]
        elif check.asks_aws and stopped_by:
            made = [Finding(level=Level.UNKNOWN, sentence=f"not asked: see «{stopped_by}»")]
        else:
            tell(check.name)
            made = _asked(check, account, target)
        if any(finding.level in check.stops for finding in made):
            stopped_by = stopped_by or check.name
        found += [replace(finding, check=check.name) for finding in made]
    return sorted(found, key=lambda finding: list(Level).index(finding.level))


def _why_not(check: Check[Any], target: Target) -> str:
    if not check.layers & target.layers:
        return f"belongs to the layer {' and '.join(sorted(check.layers))}"
    return check.skip(target)


def _asked(check: Check[Any], account: Account, target: Target) -> list[Finding]:
    try:
        return list(check.judge(check.fetch(account, target), target))
    except Unanswered as silence:
        return [silence.finding()]
    except (AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        # An answer of a shape that nobody foresaw must not hide what the other checks find.
        sentence = f"the answer could not be understood ({type(error).__name__}: {error})"
        return [Finding(level=Level.UNKNOWN, sentence=sentence, remedy="report it, with the output of --format json")]
