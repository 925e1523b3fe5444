"""The report in a real browser, at the width of a phone and of a desk: it fits, it is drawn, and nothing in it runs."""

import html
import json
import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from stackyard.local.report.render import render
from tests.local.report.contents import content, empty_content, registry, stack, version

pytestmark = pytest.mark.browser

WIDTHS = (390, 1280)
HEIGHT = 2400
# Chromium's window is never narrower than about 500: the page stands in a frame as wide as the device.
FRAME = """<!doctype html><body style="margin:0"><iframe id="page" style="border:0;width:{width}px;height:{height}px"
srcdoc="{page}"></iframe><script>
onload = () => {{
  const view = document.getElementById("page").contentWindow, page = view.document;
  const boxes = [...page.querySelectorAll("header, section, svg.chart, article, details, .scroll, pre")];
  const texts = [...page.querySelectorAll("p, td, dd, summary")];
  document.body.dataset.measured = JSON.stringify({{
    width: page.documentElement.scrollWidth,
    widest: Math.max(...boxes.map((box) => box.getBoundingClientRect().right)),
    scrolled: [...page.querySelectorAll(".scroll, pre")].filter((box) => box.scrollWidth > box.clientWidth).length,
    smallest: Math.min(...texts.map((text) => parseFloat(view.getComputedStyle(text).fontSize))),
    requests: view.performance.getEntriesByType("resource").length,
    planted: document.title,
  }});
}};
</script>"""
OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND",
)


@pytest.fixture(scope="module")
def chromium():
    found = shutil.which("chromium")
    if found is None:
        reason = "the report is looked at in chromium, and PATH has none: apt-get install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(reason)
        pytest.skip(reason)
    return found


@pytest.fixture
def browse(chromium, tmp_path):
    """Runs chromium on a page in a frame of a width, and gives its output."""

    def run(page: str, width: int, *options: str) -> str:
        file = tmp_path / "frame.html"
        file.write_text(FRAME.format(width=width, height=HEIGHT, page=html.escape(page)), encoding="utf-8")
        command = [chromium, *OPTIONS, f"--user-data-dir={tmp_path / 'profile'}", f"--window-size={width},{HEIGHT}"]
        done = subprocess.run(
            [*command, *options, file.as_uri()], capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout

    return run


@pytest.fixture
def measure(browse):
    def run(page: str, width: int) -> dict:
        dom = browse(page, width, "--dump-dom")
        (_, _, after) = dom.partition('data-measured="')
        assert after, "the page was not measured"
        return json.loads(html.unescape(after.partition('"')[0]))

    return run


def crowded():
    """Content with the longest names that it can meet."""
    long = version(
        2, aliases=("champion",), decision="because " * 60, lineage={"image": "x" * 300, "note": "word " * 90}
    )
    components = tuple(replace(part, name=part.name * 12) for part in stack().components)
    return content(
        environment="local",
        stacks=(stack(components=components),),
        registry=registry(champion=long, versions=(long, version(1))),
    )


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("made", [content(), crowded(), empty_content()], ids=["full", "crowded", "empty"])
def test_nothing_is_wider_than_the_page_even_with_everything_opened(measure, made, width):
    found = measure(render(made).replace("<details>", "<details open>"), width)
    assert found["width"] == width, "the page scrolls sideways"
    assert found["widest"] <= width
    assert found["smallest"] >= 13, "readable without zooming"
    assert found["requests"] == 0, "self-contained"


def test_the_measure_sees_a_page_that_is_too_wide(measure):
    page = render(content()).replace("<main>", '<main><p style="width:900px">wide</p>')
    assert measure(page, 390)["width"] > 390


def test_wide_tables_scroll_inside_their_own_box(measure):
    page = render(content()).replace("<details>", "<details open>")
    assert measure(page, 390)["scrolled"] > 0


def test_a_planted_script_does_not_run(measure):
    script = "<script>parent.document.title = 'planted'</script>"
    planted = replace(content(), environment=script, stacks=(stack(name=script),))
    assert measure(render(planted), 1280)["planted"] == ""
    inserted = render(content()).replace("<main>", f"<main>{script}")
    assert measure(inserted, 1280)["planted"] == "", "even past the escaping, the page's policy stops it"
    unguarded = inserted.replace('<meta http-equiv="Content-Security-Policy"', "<meta")
    assert measure(unguarded, 1280)["planted"] == "planted", "this test can fail"


@pytest.mark.parametrize("width", WIDTHS)
def test_a_screenshot_shows_the_page(browse, tmp_path, width):
    from PIL import Image

    picture = Path(tmp_path / "report.png")
    browse(render(content()), width, f"--screenshot={picture}")
    with Image.open(picture) as image:
        shown = image.convert("RGB").crop((0, 0, width, HEIGHT))
        colours = {colour for _, colour in shown.getcolors(maxcolors=width * HEIGHT) or ()}
    assert (11, 107, 203) in colours, "the accent colour of bars and chart"
    assert len(colours) > 50, "text is drawn"
