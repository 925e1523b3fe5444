"""Timing of whole processes, alternately with their floors; ratios, aims, and the table that people read."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

Say = Callable[[str], None]
Judged = Literal["ratio", "seconds", "seconds a step", "ms a resource"]

HEADER = ("what", "median", "floor", "ratio", "judged", "aim", "")


class MeasureFailed(Exception):
    """What was to be measured did not succeed: its time would mean nothing."""


@dataclass(frozen=True, kw_only=True)
class Result:
    """Times of one thing and of its floor, in seconds, in the order in which they were taken."""

    name: str
    """What `--only` and bench.json call it."""
    what: str
    floor_what: str
    measured: tuple[float, ...]
    floor: tuple[float, ...]
    aim: float | None
    """Upper limit of what is judged. None: it is what others are judged by."""
    judged: Judged
    steps: int = 1
    """Among which the difference to the floor is divided; of resources, the time itself."""

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
        return {
            "name": self.name,
            "what": self.what,
            "floor_what": self.floor_what,
            "measured_s": [round(seconds, 3) for seconds in self.measured],
            "floor_s": [round(seconds, 3) for seconds in self.floor],
            "median_s": round(self.median, 3),
            "floor_median_s": round(self.floor_median, 3),
            "ratio": round(self.ratio, 3),
            "judged": self.judged,
            "value": round(self.value, 3),
            "aim": None if self.aim is None else round(self.aim, 3),
            "met": self.met,
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
        f"{result.median:.2f} s",
        f"{result.floor_median:.2f} s",
        f"{result.ratio:.2f}",
        f"{result.value:.2f}{unit}",
        "" if result.aim is None else f"at most {result.aim:.3g}{unit}",
        {True: "met", False: "NOT MET", None: ""}[result.met],
    )


def progress(text: str) -> None:
    """To standard error: standard output holds the table alone."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()
