"""The report's drawings: plain SVG, coloured by the page's style sheet, told in words to those who do not see them."""

import math
from collections.abc import Sequence

from markupsafe import Markup

from stackyard.local.registered_models import CalibrationBin

# In units of the drawing. About as wide as a phone, so that its text is as large as the page's on one.
WIDTH, HEIGHT = 360, 320
LEFT, RIGHT, TOP, BOTTOM = 44, 12, 12, 44
BAR_WIDTH = 100.0


def calibration_chart(bins: Sequence[CalibrationBin], *, identity: str = "calibration") -> Markup:
    """Predicted against observed rate, a point a bin; on the diagonal a probability means what it says.

    `identity` prefixes the ids of title and description and is unique in the page. Raises ValueError without bins.
    """
    if not bins:
        raise ValueError("a calibration chart needs at least one bin")
    steps, limit = _axis(max(max(part.predicted, part.observed) for part in bins))
    points = [(_x(part.predicted, limit), _y(part.observed, limit)) for part in bins]
    body = Markup("\n").join(
        [
            *_axes(steps, limit),
            _line("ideal", (_x(0, limit), _y(0, limit)), (_x(limit, limit), _y(limit, limit))),
            Markup('<polyline class="line" points="{}"/>').format(" ".join(f"{x:.1f},{y:.1f}" for x, y in points)),
            *(_point(part, x, y) for part, (x, y) in zip(bins, points, strict=True)),
        ]
    )
    return Markup(
        '<svg class="chart" viewBox="0 0 {width} {height}" role="img" aria-labelledby="{id}-title {id}-desc">\n'
        '<title id="{id}-title">Calibration: predicted against observed share of late flights</title>\n'
        '<desc id="{id}-desc">{described}</desc>\n{body}\n</svg>'
    ).format(width=WIDTH, height=HEIGHT, id=identity, described=describe_calibration(bins), body=body)


def describe_calibration(bins: Sequence[CalibrationBin]) -> str:
    """The chart in words, bin by bin."""
    told = "; ".join(f"{part.predicted:.1%} predicted, {part.observed:.1%} observed" for part in bins)
    return f"{len(bins)} groups of flights by predicted probability: {told}."


def calibration_sentence(bins: Sequence[CalibrationBin]) -> str:
    """In one sentence: does the model promise too much or too little?"""
    rows = sum(part.rows for part in bins)
    predicted = sum(part.rows * part.predicted for part in bins) / rows
    observed = sum(part.rows * part.observed for part in bins) / rows
    told = f"On average it predicted {predicted:.1%} late and {observed:.1%} were"
    if abs(predicted - observed) < 0.01:
        return f"{told}: right on the whole."
    return f"{told}: it predicts too {'much' if predicted > observed else 'little'}."


def bar(share: float, *, kind: str = "") -> Markup:
    """A horizontal bar for a table's cell: `share` of the full width, cut off at 0 and 1. A number stands beside it."""
    width = BAR_WIDTH * min(max(share, 0.0), 1.0)
    return Markup(
        '<svg class="bar {}" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">'
        '<rect class="track" width="100" height="8"/><rect class="fill" width="{}" height="8"/></svg>'
    ).format(kind, f"{width:.1f}")


def _axis(largest: float) -> tuple[int, float]:
    """Number of steps and end of both axes: tenths, from 0.6 on fifths."""
    step = 0.1 if largest <= 0.6 else 0.2
    steps = max(math.ceil(round(largest / step, 6)), 1)
    return steps, round(steps * step, 1)


def _x(value: float, limit: float) -> float:
    return LEFT + (WIDTH - LEFT - RIGHT) * value / limit


def _y(value: float, limit: float) -> float:
    return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * value / limit


def _axes(steps: int, limit: float) -> list[Markup]:
    parts: list[Markup] = []
    for step in range(steps + 1):
        value = limit * step / steps
        x, y = _x(value, limit), _y(value, limit)
        parts += [
            _line("grid", (x, _y(0, limit)), (x, _y(limit, limit))),
            _line("grid", (_x(0, limit), y), (_x(limit, limit), y)),
            _text(f"{value:.0%}", x, HEIGHT - BOTTOM + 16, "middle"),
            _text(f"{value:.0%}", LEFT - 6, y + 4, "end"),
        ]
    middle = (TOP + HEIGHT - BOTTOM) / 2
    sideways = f"rotate(-90 11 {middle:.1f})"
    return [
        *parts,
        _text("predicted", (LEFT + WIDTH - RIGHT) / 2, HEIGHT - 8, "middle"),
        Markup('<text x="11" y="{}" text-anchor="middle" transform="{}">observed</text>').format(
            f"{middle:.1f}", sideways
        ),
    ]


def _line(kind: str, start: tuple[float, float], end: tuple[float, float]) -> Markup:
    x1, y1, x2, y2 = (f"{value:.1f}" for value in (*start, *end))
    return Markup('<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}"/>').format(kind, x1, y1, x2, y2)


def _text(text: str, x: float, y: float, anchor: str) -> Markup:
    return Markup('<text x="{}" y="{}" text-anchor="{}">{}</text>').format(f"{x:.1f}", f"{y:.1f}", anchor, text)


def _point(part: CalibrationBin, x: float, y: float) -> Markup:
    told = f"{part.rows:,} flights: {part.predicted:.1%} predicted, {part.observed:.1%} observed"
    return Markup('<circle class="point" cx="{}" cy="{}" r="4.5"><title>{}</title></circle>').format(
        f"{x:.1f}", f"{y:.1f}", told
    )
