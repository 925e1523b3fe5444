"""`python -m tests.bench [--only NAME]… [--runs N]`: measures, prints the table, writes bench.json at the root."""

import argparse
import json
import os
import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.bench.measure import MeasureFailed, MeasureSkipped, Result, progress, table

ROOT = Path(__file__).resolve().parents[2]
RUNS = 5


def document(
    results: Sequence[Result], failures: Mapping[str, str], when: datetime, skipped: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """What bench.json holds: the times with what they depend on."""
    return {
        "date": when.date().isoformat(),
        "machine": {"cores": os.cpu_count(), "system": platform.system(), "architecture": platform.machine()},
        "python": platform.python_version(),
        "results": [result.to_dict() for result in results],
        "failures": dict(failures),
        "skipped": dict(skipped or {}),
    }


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit status 0 whether or not the aims are met; 1 when something could not be measured."""
    from tests.bench.cases import CASES, DEFAULT

    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", action="append", choices=list(CASES), help="measure this alone; may be repeated")
    parser.add_argument("--runs", type=int, default=RUNS, help=f"runs of each, of which the median counts ({RUNS})")
    options = parser.parse_args(arguments)
    if options.runs < 1:
        parser.error(f"--runs {options.runs}: a median needs at least one run, for example --runs 3")

    results: list[Result] = []
    failures: dict[str, str] = {}
    skipped: dict[str, str] = {}
    for name in options.only or DEFAULT:
        progress(name)
        try:
            results += CASES[name](options.runs, progress)
        except MeasureSkipped as error:
            skipped[name] = str(error)
        except MeasureFailed as error:
            failures[name] = str(error)
            progress(f"  {error}")
    sys.stdout.write(table(results) + "\n")
    for name, sentence in skipped.items():
        sys.stdout.write(f"{name}: skipped: {sentence}\n")
    for name in failures:
        sys.stdout.write(f"{name}: could not be measured, see above\n")
    path = ROOT / "bench.json"
    path.write_text(
        json.dumps(document(results, failures, datetime.now(UTC), skipped), indent=1) + "\n", encoding="utf-8"
    )
    sys.stdout.write(f"wrote {path.relative_to(ROOT)}\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
