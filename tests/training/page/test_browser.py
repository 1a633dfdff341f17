"""report.html in a real browser: on a telephone and a large screen, by day and by night."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ..trained import small_run
from .browser import Browser, browser

pytestmark = pytest.mark.slow

SCREENS = [(360, 740), (820, 1180), (1440, 900)]


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_it_is_shown_without_trouble(
    chromium: Browser, width: int, height: int, dark: bool
) -> None:
    page = small_run() / "report.html"
    chromium.open(page, width, height, dark)
    chromium.value("document.querySelectorAll('details').forEach(each => each.open = true)")
    chromium.value("document.querySelectorAll('img').forEach(each => each.loading = 'eager')")

    said = chromium.of("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    assert not said
    asked = [found["request"]["url"] for found in chromium.of("Network.requestWillBeSent")]
    assert page.as_uri() in asked
    assert [url for url in asked if not url.startswith("data:")] == [page.as_uri()]

    assert chromium.value("document.documentElement.scrollWidth") <= width, "nothing sticks out"
    assert chromium.value("getComputedStyle(document.body).backgroundColor") == (
        "rgb(21, 24, 29)" if dark else "rgb(255, 255, 255)"
    )
    assert chromium.value("document.querySelectorAll('section').length") == 10
    small = "[...document.querySelectorAll('main p, main td, main dd, figcaption')]"
    assert chromium.value(f"{small}.every(e => parseFloat(getComputedStyle(e).fontSize) >= 12)")


def test_every_image_can_be_drawn(chromium: Browser) -> None:
    chromium.open(small_run() / "report.html", 1000, 800, False)
    counted = """(async () => {
      const images = [...document.images];
      images.forEach(each => each.loading = 'eager');
      await Promise.all(images.map(each => each.decode()));
      return images.length;
    })()"""
    found = chromium.call(
        "Runtime.evaluate", expression=counted, awaitPromise=True, returnByValue=True
    )
    assert "exceptionDetails" not in found
    assert found["result"]["value"] > 10


def test_a_page_that_does_ask_for_something_would_be_caught(
    chromium: Browser, tmp_path: Path
) -> None:
    """Held against the same page with an image from elsewhere in it, and a script."""
    text = (small_run() / "report.html").read_text()
    page = tmp_path / "page.html"
    more = '<img src="http://localhost:9/x.png"><script>1</script>'
    page.write_text(text.replace("</main>", f"{more}</main>"))
    chromium.open(page, 1000, 800, False)
    said = [entry["entry"]["text"] for entry in chromium.of("Log.entryAdded")]
    assert any("Content Security Policy" in text for text in said)


@pytest.mark.parametrize("width", [360, 1440])
def test_a_heatmap_is_enlarged_by_a_click(chromium: Browser, width: int) -> None:
    """Without a script; and it fits on the screen."""
    chromium.open(small_run() / "report.html", width, 800, False)
    assert chromium.value("document.querySelectorAll('div:popover-open').length") == 0
    before = chromium.value("document.querySelector('.enlarge img').clientWidth")
    chromium.value("document.querySelector('.enlarge').click()")
    opened = "document.querySelector('div:popover-open')"
    assert chromium.value(f"{opened}.querySelector('img').clientWidth") > 1.4 * before
    assert chromium.value(f"{opened}.getBoundingClientRect().right") <= width
    chromium.value(f"{opened}.querySelector('.close').click()")
    assert chromium.value("document.querySelectorAll('div:popover-open').length") == 0


def test_no_label_of_a_chart_is_cut_off(chromium: Browser) -> None:
    chromium.open(small_run() / "report.html", 1000, 800, False)
    chromium.value("document.querySelectorAll('details').forEach(each => each.open = true)")
    outside = """[...document.querySelectorAll('.charts svg text')].filter(text => {
      const box = text.getBBox(), view = text.ownerSVGElement.viewBox.baseVal;
      return box.x < 0 || box.y < 0 || box.x + box.width > view.width
        || box.y + box.height > view.height;
    }).map(text => text.textContent)"""
    assert chromium.value(outside) == []
