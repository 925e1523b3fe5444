"""The drawings say in words what they show, and where the points lie."""

import re
from xml.etree import ElementTree

import pytest

from stackyard.local.registered_models import CalibrationBin
from stackyard.local.report.charts import bar, calibration_chart, calibration_sentence
from tests.local.report.contents import evaluation


def bins(*pairs):
    return [CalibrationBin(rows=100, predicted=predicted, observed=observed) for predicted, observed in pairs]


def points(svg):
    found = [element for element in ElementTree.fromstring(svg).iter() if element.get("class") == "point"]
    return [(float(point.get("cx", "")), float(point.get("cy", ""))) for point in found]


def diagonal(svg):
    (line,) = [element for element in ElementTree.fromstring(svg).iter() if element.get("class") == "ideal"]
    return tuple(float(line.get(name, "")) for name in ("x1", "y1", "x2", "y2"))


def test_a_chart_has_a_title_and_tells_every_bin_in_words():
    svg = calibration_chart(evaluation().calibration, identity="one")
    root = ElementTree.fromstring(svg)
    assert root.get("role") == "img"
    assert root.get("aria-labelledby") == "one-title one-desc"
    described = root.findtext("desc")
    assert described is not None
    assert described.count("observed") == 10
    assert "30.0% predicted, 45.0% observed" in described


def test_a_perfect_model_lies_on_the_diagonal():
    svg = calibration_chart(bins((0.1, 0.1), (0.25, 0.25)))
    x1, y1, x2, y2 = diagonal(svg)
    for x, y in points(svg):
        assert y == pytest.approx(y1 + (y2 - y1) * (x - x1) / (x2 - x1), abs=0.2)


def test_a_model_that_predicts_too_little_lies_above_the_diagonal():
    svg = calibration_chart(bins((0.1, 0.2)))
    x1, y1, x2, y2 = diagonal(svg)
    ((x, y),) = points(svg)
    assert y < y1 + (y2 - y1) * (x - x1) / (x2 - x1), "up is a smaller y"


@pytest.mark.parametrize(
    ("largest", "ticks"),
    [
        (0.0, ["0%", "10%"]),
        (0.3, ["0%", "10%", "20%", "30%"]),
        (0.65, ["0%", "20%", "40%", "60%", "80%"]),
        (1.0, ["0%", "20%", "40%", "60%", "80%", "100%"]),
    ],
)
def test_axes_end_at_a_round_number_that_holds_every_point(largest, ticks):
    svg = calibration_chart(bins((0.0, largest)))
    assert re.findall(r'text-anchor="middle">(\d+%)', svg) == ticks
    assert all(12 <= y <= 276 for _, y in points(svg))


def test_no_bins_are_refused():
    with pytest.raises(ValueError):
        calibration_chart([])


@pytest.mark.parametrize(
    ("pair", "verdict"), [((0.1, 0.2), "too little"), ((0.2, 0.1), "too much"), ((0.2, 0.205), "right on the whole")]
)
def test_the_sentence_says_which_way_the_model_errs(pair, verdict):
    assert verdict in calibration_sentence(bins(pair))


@pytest.mark.parametrize(("share", "width"), [(0.25, "25.0"), (-1, "0.0"), (7, "100.0")])
def test_a_bar_stays_inside_its_track(share, width):
    assert f'class="fill" width="{width}"' in bar(share)
