"""The arithmetic and the table of `make bench`, and what it refuses to measure. No test here asserts a time."""

import json
import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import entry_points

import pytest

from stackyard import __main__ as module_program
from tests.bench import __main__ as bench
from tests.bench import cases, scaling
from tests.bench.growing_program import program
from tests.bench.measure import MeasureFailed, MeasureSkipped, Result, alternately, table, timed
from tests.cluster import control_plane


def result(**changes) -> Result:
    """Ten seconds over a floor of two, two parts to judge by default."""
    values = {
        "name": "example",
        "what": "an example",
        "floor_what": "its floor",
        "measured": (9.0, 10.0, 30.0),
        "floor": (2.0, 2.0, 2.5),
        "aim": 5.0,
        "judged": "ratio",
    }
    return Result(**(values | changes))


def test_one_slow_run_does_not_move_the_median():
    assert (result().median, result().floor_median, result().ratio) == (10.0, 2.0, 5.0)


@pytest.mark.parametrize(
    ("judged", "steps", "value"), [("ratio", 1, 5.0), ("seconds", 1, 10.0), ("seconds a step", 4, 2.0)]
)
def test_an_aim_judges_the_ratio_the_time_or_the_difference_a_step(judged, steps, value):
    judged_result = result(judged=judged, steps=steps)
    assert judged_result.value == value
    assert result(judged=judged, steps=steps, aim=value).met, "the aim itself still counts"
    assert not result(judged=judged, steps=steps, aim=value - 0.01).met


def test_a_planted_slow_case_is_shown_as_not_met():
    planted = table([result(), result(what="slow", measured=(11.0,))])
    header, _, quick, slow = planted.splitlines()
    assert header.split() == ["what", "median", "floor", "ratio", "judged", "aim"]
    assert quick.split() == ["an", "example", "10.00", "s", "2.00", "s", "5.00", "5.00", "at", "most", "5", "met"]
    assert slow.endswith("NOT MET") and " 5.50 " in slow
    assert header.index("median") == slow.index("11.00 s"), "the columns stand below their heads"


def test_a_process_that_fails_has_no_time(tmp_path):
    with pytest.raises(MeasureFailed, match=r"status 3:\nwhy"):
        timed([sys.executable, "-c", "print('why'); raise SystemExit(3)"], cwd=tmp_path, env={})


def test_runs_alternate_and_the_first_of_each_is_not_kept():
    order: list[str] = []

    def run(name):
        order.append(name)
        return float(len(order))

    said: list[str] = []
    times = alternately(lambda: run("measured"), lambda: run("floor"), 2, said.append)
    assert order == ["measured", "floor"] * 3
    assert times == ((3.0, 5.0), (4.0, 6.0))
    assert len(said) == 2, "each run is told while it happens"


def test_a_floor_that_registers_something_else_is_refused():
    cases.same_registrations([("a:b:C", "x")], [("a:b:C", "x")])
    with pytest.raises(MeasureFailed, match="'y'"):
        cases.same_registrations([("a:b:C", "x"), ("a:b:C", "y")], [("a:b:C", "x")])


def scaling_times(*ms_a_resource: float) -> dict[int, list[dict[str, float]]]:
    """Of every kind and of the floor, one run at each size."""
    return {
        size: [{name: ms * size / 1000 for name in (*scaling.KINDS, "mocked")}]
        for size, ms in zip(scaling.SIZES, ms_a_resource, strict=True)
    }


def test_a_larger_program_is_judged_by_what_a_resource_of_the_smallest_takes():
    assert scaling.SIZES == (100, 300, 1000)
    results = scaling.scaling_results(scaling_times(2.0, 2.5, 2.7))
    assert len(results) == 3 * len(scaling.KINDS)
    smallest, middle, largest = (r for r in results if r.name.startswith("scaling-renamed-"))
    assert (smallest.aim, smallest.met) == (None, None), "it judges, and is not judged"
    assert middle.met and middle.aim == pytest.approx(2.6)
    assert largest.value == pytest.approx(2.7) and not largest.met, "1.35 times as long is not linear"
    lines = table([smallest, largest]).splitlines()
    assert lines[2].endswith("2.00 ms a resource") and lines[3].endswith("at most 2.6 ms a resource  NOT MET")
    assert smallest.to_dict()["aim"] is None and largest.to_dict()["met"] is False


@pytest.mark.local  # A process of its own imports the SDK anew: too long for the default tier.
def test_every_kind_of_scaling_does_the_work_that_it_is_named_after():
    command = [sys.executable, "-m", "tests.bench.scaling", "10"]
    done = subprocess.run(command, cwd=cases.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    seconds = json.loads(done.stdout)
    assert set(seconds) == {*scaling.KINDS, "mocked"} and min(seconds.values()) > 0


@pytest.mark.parametrize("name", scaling.KINDS)
def test_a_scaling_that_did_other_work_is_refused(name):
    kind = scaling.KINDS[name]
    scaling.check_work(kind, 20, {kind.operation: 2 * kind.of_each_team})
    with pytest.raises(MeasureFailed, match=rf"expected {2 * kind.of_each_team} times {kind.operation}"):
        scaling.check_work(kind, 20, {kind.operation: 2 * kind.of_each_team - 1})


@pytest.mark.parametrize("resources", [0, 15])
def test_a_program_of_half_a_team_is_refused(resources):
    with pytest.raises(ValueError, match=f"{resources} resources: a team has 10"):
        program(resources)


def run_bench(monkeypatch, tmp_path, planted, *arguments):
    monkeypatch.setattr(bench, "ROOT", tmp_path)
    monkeypatch.setattr(cases, "CASES", planted)
    monkeypatch.setattr(cases, "DEFAULT", tuple(planted))
    status = bench.main(arguments)
    return status, json.loads((tmp_path / "bench.json").read_text())


def test_a_missed_aim_is_written_down_and_is_no_failure(monkeypatch, tmp_path, capsys):
    status, written = run_bench(monkeypatch, tmp_path, {"slow": lambda runs, say: [result(aim=1.0)]})
    assert status == 0
    assert [(r["name"], r["ratio"], r["met"]) for r in written["results"]] == [("example", 5.0, False)]
    assert "NOT MET" in capsys.readouterr().out


def test_what_cannot_be_measured_does_not_hide_the_rest_and_is_a_failure(monkeypatch, tmp_path, capsys):
    def broken(runs, say):
        raise MeasureFailed("it ended with status 1")

    status, written = run_bench(monkeypatch, tmp_path, {"broken": broken, "fine": lambda runs, say: [result()]})
    assert status == 1
    assert written["failures"] == {"broken": "it ended with status 1"} and len(written["results"]) == 1
    assert "broken: could not be measured" in capsys.readouterr().out


def test_what_this_machine_lacks_is_skipped_with_a_sentence_and_is_no_failure(monkeypatch, tmp_path, capsys):
    def lacking(runs, say):
        raise MeasureSkipped("not built yet: run `make cluster-tools` first")

    status, written = run_bench(monkeypatch, tmp_path, {"big": lacking, "fine": lambda runs, say: [result()]})
    assert status == 0
    assert written["skipped"] == {"big": "not built yet: run `make cluster-tools` first"} and written["failures"] == {}
    assert "big: skipped: not built yet: run `make cluster-tools` first\n" in capsys.readouterr().out


def test_many_gpu_pods_are_skipped_where_the_control_plane_is_not_built(monkeypatch):
    monkeypatch.setattr(control_plane, "unavailable", lambda: "not built yet: etcd")
    with pytest.raises(MeasureSkipped, match="not built yet: etcd"):
        cases.case_gpu_scale(1, lambda text: None)


def test_a_price_is_a_price_in_the_table_and_in_bench_json():
    price = result(unit="$/h", aim=None, details={"nodes": 3})
    row = table([price]).splitlines()[-1]
    assert row.split() == ["an", "example", "10.00", "$/h", "2.00", "$/h", "5.00", "5.00"]
    written = price.to_dict()
    assert written["median_usd_per_hour"] == 10.0 and written["nodes"] == 3 and "median_s" not in written
    assert result().to_dict()["median_s"] == 10.0


def test_only_the_named_is_measured_with_the_asked_number_of_runs(monkeypatch, tmp_path):
    asked: list[tuple[str, int]] = []
    planted = {name: lambda runs, say, name=name: asked.append((name, runs)) or [] for name in ("one", "two")}
    run_bench(monkeypatch, tmp_path, planted, "--only", "two", "--runs", "7")
    assert asked == [("two", 7)]


def test_no_runs_at_all_are_refused_with_a_sentence(capsys):
    with pytest.raises(SystemExit, match="2"):
        bench.main(["--runs", "0"])
    assert "--runs 0: a median needs at least one run" in capsys.readouterr().err


def test_bench_json_says_what_the_times_depend_on():
    written = bench.document([], {}, datetime(2026, 11, 24, tzinfo=UTC))
    assert written["date"] == "2026-11-24" and set(written["machine"]) == {"cores", "system", "architecture"}


def test_the_console_script_is_the_program_of_python_m():
    (script,) = entry_points(group="console_scripts", name="stackyard")
    assert script.load() is module_program.main
