"""The page of `cnn draw -o net.html` in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.report.drawing.formats import draw
from networks import gallery

from ..training.page.browser import Browser, browser

pytestmark = pytest.mark.slow

SCREENS = [(360, 740), (1440, 900)]
BOX = "[...document.querySelectorAll('#stage [data-layers]')]"
ABOUT = "document.getElementById('about')"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("page") / "net.html"
    path.write_bytes(draw(analyse(gallery("resnet/resnet50")), "html"))
    return path


CODES = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowDown": 40}


def key(chromium: Browser, name: str) -> None:
    text = "\r" if name == "Enter" else ""
    for kind in ("keyDown", "keyUp"):
        chromium.call(
            "Input.dispatchKeyEvent",
            type=kind, key=name, text=text, windowsVirtualKeyCode=CODES[name],
        )  # fmt: skip


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize(("width", "height"), SCREENS)
def test_a_click_shows_the_layer(
    chromium: Browser, page: Path, width: int, height: int, dark: bool
) -> None:
    chromium.open(page, width, height, dark)
    assert chromium.value(f"{ABOUT}.hidden")
    chromium.value(f"{BOX}[5].dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
    text = chromium.value(f"{ABOUT}.innerText")
    assert "layer1.0.conv3" in text
    assert "256 filters * 64*1*1 = 16,384" in text
    assert chromium.value("document.querySelectorAll('#stage .chosen').length") == 1
    # It does not cover the box.
    assert chromium.value(
        f"{BOX}[5].getBoundingClientRect().bottom <= {ABOUT}.getBoundingClientRect().top"
        f" || {BOX}[5].getBoundingClientRect().right <= {ABOUT}.getBoundingClientRect().left"
    )
    key(chromium, "Escape")
    assert chromium.value(f"{ABOUT}.hidden")
    assert chromium.value("document.documentElement.scrollWidth") <= width
    said = chromium.of("Log.entryAdded", "Runtime.consoleAPICalled", "Runtime.exceptionThrown")
    assert not said
    asked = [found["request"]["url"] for found in chromium.of("Network.requestWillBeSent")]
    assert asked == [page.as_uri()]
    assert chromium.value("getComputedStyle(document.body).backgroundColor") == (
        "rgb(21, 24, 29)" if dark else "rgb(255, 255, 255)"
    )


def test_the_keyboard_does_it_all(chromium: Browser, page: Path) -> None:
    chromium.open(page, 1440, 900, False)
    chromium.value("document.getElementById('fit').focus()")
    key(chromium, "Tab")
    assert chromium.value("document.activeElement.dataset.layers") == "input"
    key(chromium, "ArrowDown")
    key(chromium, "Enter")
    assert chromium.value(f"{ABOUT}.querySelector('h2').textContent").startswith("conv and")
    # Its badge comes after the repeated part that it belongs to.
    chromium.value("document.querySelector('#stage [data-part]').focus()")
    key(chromium, "Enter")
    assert chromium.value("document.activeElement.dataset.layers") == (
        "layer1.1.conv1 layer1.1.bn1 layer1.1.relu1"
    )
    layers = chromium.value(f"{BOX}.map(box => box.dataset.layers).join(' ').split(' ')")
    assert len(layers) == len(set(layers)) + 1  # the output is named twice


def test_the_wheel_scrolls_and_zooms_with_ctrl(chromium: Browser, page: Path) -> None:
    chromium.open(page, 1440, 900, False)
    before = chromium.value("document.getElementById('zoom').textContent")
    place = {"x": 600, "y": 500, "deltaX": 0, "deltaY": 400}
    chromium.call("Input.dispatchMouseEvent", type="mouseWheel", **place)
    chromium.call(
        "Runtime.evaluate",
        expression="new Promise(done => setTimeout(done, 500))",
        awaitPromise=True,
    )
    assert chromium.value("scrollY") > 100
    assert chromium.value("document.getElementById('zoom').textContent") == before
    chromium.value(
        "document.getElementById('stage').dispatchEvent(new WheelEvent('wheel',"
        " {deltaY: -200, ctrlKey: true, bubbles: true, cancelable: true}))"
    )
    assert chromium.value("document.getElementById('zoom').textContent") == "165 %"
