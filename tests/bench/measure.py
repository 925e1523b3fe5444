"""Timing of whole processes, alternately with their floors; ratios, aims, and the table that people read."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

Say = Callable[[str], None]
Judged = Literal["ratio", "seconds", "seconds a step", "ms a resource"]
Unit = Literal["s", "$/h"]

KEYS: Mapping[Unit, str] = {"s": "s", "$/h": "usd_per_hour"}
"""How keys in bench.json end."""
HEADER = ("what", "median", "floor", "ratio", "judged", "aim", "")


class MeasureFailed(Exception):
    """What was to be measured did not succeed: its time would mean nothing."""


class MeasureSkipped(Exception):
    """What a measurement needs is not on this machine: a sentence that says what, and how to get it."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """Times of one thing and of its floor, in the order in which they were taken; or prices."""

    name: str
    """What `--only` and bench.json call it."""
    what: str
    floor_what: str
    measured: tuple[float, ...]
    floor: tuple[float, ...]
    aim: float | None
    """Upper limit of what is judged. None: it is what others are judged by, or nothing is aimed at."""
    judged: Judged
    steps: int = 1
    """Among which the difference to the floor is divided; of resources, the time itself."""
    unit: Unit = "s"
    """Of `measured` and `floor`."""
    details: Mapping[str, Any] = field(default_factory=dict)
    """What else bench.json holds of it."""

    @property
    def median(self) -> float:
        return statistics.median(self.measured)

    @property
    def floor_median(self) -> float:
        return statistics.median(self.floor)

    @property
    def ratio(self) -> float:
        return self.median / self.floor_median

    @property
    def value(self) -> float:
        """What the aim speaks of."""
        match self.judged:
            case "ratio":
                return self.ratio
            case "seconds":
                return self.median
            case "seconds a step":
                return (self.median - self.floor_median) / self.steps
            case "ms a resource":
                return self.median / self.steps * 1000

    @property
    def met(self) -> bool | None:
        return None if self.aim is None else self.value <= self.aim

    def to_dict(self) -> dict[str, Any]:
        key = KEYS[self.unit]
        return {
            "name": self.name,
            "what": self.what,
            "floor_what": self.floor_what,
            f"measured_{key}": [round(seconds, 3) for seconds in self.measured],
            f"floor_{key}": [round(seconds, 3) for seconds in self.floor],
            f"median_{key}": round(self.median, 3),
            f"floor_median_{key}": round(self.floor_median, 3),
            "ratio": round(self.ratio, 3),
            "judged": self.judged,
            "value": round(self.value, 3),
            "aim": None if self.aim is None else round(self.aim, 3),
            "met": self.met,
            **self.details,
        }


def timed(command: Sequence[str], *, cwd: Path, env: Mapping[str, str], stdin: str = "") -> float:
    """Seconds that a whole process took. Raises MeasureFailed, with the end of its output, when it fails."""
    start = time.perf_counter()
    done = subprocess.run(
        list(command),
        cwd=cwd,
        env=dict(env),
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        raise MeasureFailed(f"{' '.join(command)} ended with status {done.returncode}:\n{done.stdout[-2000:]}")
    return seconds


def alternately(
    measured: Callable[[], float], floor: Callable[[], float], runs: int, say: Say
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Times of both, taken in turns, so that what else the machine does meets both. A first run of each is not kept."""
    measured()
    floor()
    times: list[float] = []
    floors: list[float] = []
    for run in range(1, runs + 1):
        times.append(measured())
        floors.append(floor())
        say(f"  run {run} of {runs}: {times[-1]:.2f} s, floor {floors[-1]:.2f} s")
    return tuple(times), tuple(floors)


def table(results: Sequence[Result]) -> str:
    """The results as aligned text, a line each."""
    rows = [HEADER, *(_row(result) for result in results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    lines.insert(1, "  ".join("-" * width for width in widths).rstrip())
    return "\n".join(lines)


def _row(result: Result) -> tuple[str, ...]:
    unit = {"ratio": "", "seconds": " s", "seconds a step": " s a step", "ms a resource": " ms a resource"}[
        result.judged
    ]
    return (
        result.what,
        f"{result.median:.2f} {result.unit}",
        f"{result.floor_median:.2f} {result.unit}",
        f"{result.ratio:.2f}",
        f"{result.value:.2f}{unit}",
        "" if result.aim is None else f"at most {result.aim:.3g}{unit}",
        {True: "met", False: "NOT MET", None: ""}[result.met],
    )


def progress(text: str) -> None:
    """To standard error: standard output holds the table alone."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
