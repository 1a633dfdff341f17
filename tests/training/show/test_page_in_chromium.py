"""The page of `cnn show` in a browser: pointer, keys, phone, dark screens; no message."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from dotcnn.training.show.input_images import InputImage
from dotcnn.training.show.page.page_html import page_html

from .pages import HOSTILE, LAYERS, images_of, page_of, subject_of

sync_api = pytest.importorskip("playwright.sync_api")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("chrome")
if CHROMIUM is None:
    pytest.skip("there is no Chromium", allow_module_level=True)

pytestmark = pytest.mark.slow


class Tab:
    """A page in the browser, and what it wrote to the console or asked for."""

    def __init__(self, browser: Any, file: Path, html: str, **options: Any) -> None:
        file.write_text(html, encoding="utf-8")
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.page.set_default_timeout(10_000)
        self.messages: list[str] = []
        self.requests: list[str] = []
        self.page.on("console", lambda message: self.messages.append(message.text))
        self.page.on("pageerror", lambda error: self.messages.append(str(error)))
        self.page.on("request", lambda request: self.requests.append(request.url))
        self.page.goto(file.as_uri())
        self.page.wait_for_selector("#name:not(:empty)")

    def show(self, name: str) -> None:
        option = self.page.locator("#choose option", has_text=f"{name}:").first
        self.page.select_option("#choose", option.get_attribute("value"))
        self.page.wait_for_function("name => $('name').textContent === name", arg=name)

    def text(self, selector: str) -> str:
        return str(self.page.locator(selector).inner_text())

    def hover(self, row: float, column: float, image: int = 0) -> None:
        """The pointer at a part of the height and width of the map."""
        view = self.page.locator("#images .pointed").nth(image)
        view.scroll_into_view_if_needed()
        box = view.bounding_box()
        self.page.mouse.move(box["x"] + column * box["width"], box["y"] + row * box["height"])
        # Until the frame after the one in which the number is worked out.
        self.page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")

    def close(self) -> None:
        asked = self.requests[1:]
        self.context.close()
        assert self.messages == []
        assert asked == []


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


def test_the_pointer_finds_the_number_of_torch(browser: Any, tmp_path: Path) -> None:
    _, outputs, html = page_of("network n { input 1x8x8, conv 2 3x3, relu, flatten, fc 3 }\n", 2)
    tab = Tab(browser, tmp_path / "page.html", html)
    tab.show("conv")
    channel = tab.page.evaluate("state.channel")
    for image, row, column in ((0, 2, 4), (1, 5, 0)):
        tab.hover((row + 0.5) / 6, (column + 0.5) / 6, image)
        value = float(outputs[1][image, channel, row, column])
        shown = tab.page.evaluate("figure(drawn.result)")
        assert float(shown) == pytest.approx(value, rel=5e-4)
        assert f"channel {channel}, row {row}, column {column}: {shown}" in tab.text("#readout")
        assert f"= {shown}" in tab.text("#arithmetic .formula")
        window = tab.page.evaluate("windowOf(state.layer, state.y, state.x)")
        assert window == [row, column, row + 2, column + 2]
    tab.close()


def test_every_layer_is_reached_by_key(browser: Any, tmp_path: Path) -> None:
    subject, _, html = page_of(LAYERS, 2)
    tab = Tab(browser, tmp_path / "page.html", html)
    tab.show("input")
    seen = [tab.text("#name")]
    for _ in subject.network.nodes[1:]:
        tab.page.keyboard.press("n")
        tab.page.wait_for_function("before => $('name').textContent !== before", arg=seen[-1])
        seen.append(tab.text("#name"))
    assert seen == [node.name for node in subject.network.nodes]
    tab.show("conv1")
    tab.page.locator("#images .pointed").first.focus()
    before = tab.page.evaluate("[state.y, state.x]")
    tab.page.keyboard.press("ArrowDown")
    tab.page.keyboard.press("ArrowRight")
    tab.page.keyboard.press("Enter")
    assert tab.page.evaluate("[state.y, state.x]") == [before[0] + 1, before[1] + 1]
    tab.hover(0.05, 0.05)  # held: the pointer does not move it
    assert tab.page.evaluate("[state.y, state.x]") == [before[0] + 1, before[1] + 1]
    channel = tab.page.evaluate("state.channel")
    tab.page.keyboard.press("]")
    assert tab.page.evaluate("state.channel") != channel
    tab.close()


def test_the_drawing_selects_layers(browser: Any, tmp_path: Path) -> None:
    _, _, html = page_of("resnet8")
    tab = Tab(browser, tmp_path / "page.html", html)
    boxes = tab.page.locator("#drawing [data-layers]")
    names = boxes.nth(1).get_attribute("data-layers").split()
    boxes.nth(1).click()
    tab.page.wait_for_function("name => $('name').textContent === name", arg=names[0])
    if len(names) > 1:
        tab.page.locator("#same button", has_text=names[1]).first.click()
        tab.page.wait_for_function("name => $('name').textContent === name", arg=names[1])
    boxes.nth(2).focus()
    tab.page.keyboard.press("Enter")
    assert tab.page.locator("#drawing .current").count() == 1
    tab.close()


def test_the_drawing_unfolds(browser: Any, tmp_path: Path) -> None:
    _, _, html = page_of("resnet20")
    tab = Tab(browser, tmp_path / "page.html", html)
    boxes = tab.page.locator("#drawing [data-layers]")
    folded = boxes.count()
    badge = tab.page.locator("#drawing [data-part]").first
    part = badge.get_attribute("data-part")
    badge.focus()
    tab.page.keyboard.press("Enter")
    tab.page.wait_for_function(
        "n => document.querySelectorAll('#drawing [data-layers]').length > n", arg=folded
    )
    name = tab.text("#name")
    assert name == part or name.startswith(f"{part}.")
    (current,) = tab.page.locator("#drawing .current").all()
    assert all(each.startswith(part) for each in current.get_attribute("data-layers").split())
    tab.page.select_option("#view", label="Every layer")
    assert tab.page.locator("#drawing [data-layers]").count() > folded
    assert tab.text("#name") == name
    tab.page.select_option("#view", label="Repeated parts folded")
    assert tab.page.locator("#drawing [data-layers]").count() == folded
    tab.close()


def test_every_layer_has_its_arithmetic(browser: Any, tmp_path: Path) -> None:
    """A number of every layer is followed back, whole or in part; nothing is written wrongly."""
    for limit in (8_000_000, 400_000):
        subject, _, html = page_of(LAYERS, 2, limit=limit)
        tab = Tab(browser, tmp_path / "page.html", html)
        for node in subject.network.nodes[1:]:
            tab.show(node.name)
            text = tab.text("#arithmetic")
            assert "undefined" not in text, (node, text)
            assert "the way to each of them" not in text, (node, text)
            assert len(text.splitlines()) > 1, (node, text)
        tab.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone(browser: Any, tmp_path: Path, scheme: str) -> None:
    """Nothing is wider than the screen, a touch finds a number, and colors follow the screen."""
    _, _, html = page_of(LAYERS, 2)
    phone = {"viewport": {"width": 375, "height": 720}, "has_touch": True, "is_mobile": True}
    tab = Tab(browser, tmp_path / "page.html", html, color_scheme=scheme, **phone)
    for name in ("conv1", "pool1", "fc1", "softmax"):
        tab.show(name)
        assert tab.page.evaluate("document.documentElement.scrollWidth") <= 375
    tab.show("conv1")
    box = tab.page.locator("#images .pointed").first
    box.scroll_into_view_if_needed()
    place = box.bounding_box()
    tab.page.touchscreen.tap(place["x"] + 3, place["y"] + 3)
    tab.page.wait_for_function("state.y === 0 && state.x === 0")
    ground = tab.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(255, 255, 255)") == (scheme == "light")
    tab.close()


def test_a_hostile_name_is_text(browser: Any, tmp_path: Path) -> None:
    subject = subject_of("network n { input 1x8x8, conv 2 3x3 }\n")
    (image,) = images_of(subject)
    image = InputImage(HOSTILE, image.input, image.pixels, HOSTILE)
    with torch.inference_mode():
        outputs = subject.layers(image.input[None])
    tab = Tab(browser, tmp_path / "page.html", page_html(subject, [image], outputs))
    assert "</script><script>alert(1)" in tab.text("#images figcaption")
    assert tab.page.locator("img").count() == 0
    tab.close()


def test_a_wide_drawing_starts_at_its_input_and_numbers_do_not_touch(
    browser: Any, tmp_path: Path
) -> None:
    paths = "".join(f"| conv 4 3x3 same, {word} " for word in ("relu", "tanh", "sigmoid") * 3)
    spec = f"network n {{ input 1x8x8, conv 4 3x3 same, concat {{ {paths} }}, conv 2 1x1 }}\n"
    _, _, html = page_of(spec)
    tab = Tab(browser, tmp_path / "page.html", html, viewport={"width": 1280, "height": 900})
    pane = tab.page.locator("#drawing").bounding_box()
    box = tab.page.locator("#drawing [data-layers]").first.bounding_box()
    assert pane["x"] <= box["x"]
    assert box["x"] + box["width"] <= pane["x"] + pane["width"]
    tab.show("conv1")
    free = tab.page.evaluate("""[...document.querySelectorAll(".cells span")].map(cell => {
      const text = document.createRange();
      text.selectNodeContents(cell);
      return cell.getBoundingClientRect().width - text.getBoundingClientRect().width;
    })""")
    assert len(free) == 64
    assert min(free) >= 4
    tab.close()
