"""report.html: what is in it, and that nothing in it can do harm."""

from __future__ import annotations

import base64
import io
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

import dotcnn
from dotcnn.compiler.network import Network
from dotcnn.training.data.dataset import Dataset
from dotcnn.training.inference.evaluate import assess, data_of
from dotcnn.training.inference.trained_model import open_run
from dotcnn.training.metrics.comparison import Comparison
from dotcnn.training.metrics.outcome import Outcome
from dotcnn.training.page import history
from dotcnn.training.page.contents import Contents
from dotcnn.training.page.filters import filters, first_filters
from dotcnn.training.page.gradcam_section import of_each_class
from dotcnn.training.page.picture import overlay, viewable
from dotcnn.training.page.write import report, write_report

from ..trained import small_run

VOID = {"meta", "img", "br"}


class Page(HTMLParser):
    """Reads a page, and holds it to the rules that a browser forgives."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def all(self, tag: str) -> Iterator[dict[str, str]]:
        return (attributes for name, attributes in self.tags if name == tag)


@cache
def contents() -> Contents:
    ready = open_run(small_run(), "", device=torch.device("cpu"))
    data = data_of(ready)
    return Contents(
        ready.request.network,
        ready.modules[0],
        assess(ready, data),
        data,
        history.epochs(small_run()),
        history.record(small_run()),
    )


@cache
def whole() -> Page:
    return Page((small_run() / "report.html").read_text(encoding="utf-8"))


def changed(**what: Any) -> Contents:
    known = {
        name: getattr(contents(), name)
        for name in ("network", "module", "outcome", "data", "epochs", "record")
    }
    return Contents(**{**known, **what})


# ---- what is there -----------------------------------------------------------------------------


def test_training_ends_in_a_page_with_every_section() -> None:
    ids = [attributes["id"] for attributes in whole().all("section")]
    assert ids == [
        "summary", "curves", "confusion", "classes", "calibration", "mistakes", "gradcam",
        "filters", "network", "spec",
    ]  # fmt: skip
    links = [attributes["href"] for attributes in whole().all("a")]
    assert links == [f"#{name}" for name in ids]


def test_it_says_what_was_measured() -> None:
    record = json.loads((small_run() / "record.json").read_text())
    assert f"{100 * record['result']['val']['top1']:.2f} %" in whole().text
    assert f"{100 * record['result']['test']['top1']:.2f} %" in whole().text
    assert "CC BY 4.0" in whole().text
    assert f"torch {torch.__version__}" in whole().text
    assert "seed 0" in whole().text.lower()
    assert "# Digits, small: 5 < 8 & 8 > 5" in whole().text


def test_one_epoch_is_the_best() -> None:
    """Each of the two was the best one when it ended."""
    text = (small_run() / "report.html").read_text(encoding="utf-8")
    assert text.count(" (best)<") == 1


def test_the_time_is_that_of_the_whole_run() -> None:
    """Features that were computed before the first epoch count, too."""
    record = contents().record
    whole_time = {**record, "result": {**record["result"], "seconds": 3723.0}}
    assert "1:02:03" in Page(report(changed(record=whole_time))).text


def test_the_confusion_matrix_is_the_outcomes() -> None:
    cells = re.findall(
        r'<td class="(?:right|wrong|none)"[^>]*>(\d+)</td>',
        (small_run() / "report.html").read_text(),
    )
    assert [int(cell) for cell in cells] == contents().outcome.confusion.flatten().tolist()


def test_the_surest_mistakes_come_first() -> None:
    outcome = contents().outcome
    sure = outcome.probabilities.amax(1)[contents().wrong].tolist()
    assert sure == sorted(sure, reverse=True)
    wrong = outcome.probabilities.argmax(1) != outcome.labels
    assert sorted(contents().wrong) == wrong.nonzero().flatten().tolist()


def test_images_are_the_pixels_that_the_network_met() -> None:
    index = contents().wrong[0]
    name = contents().name(index)
    image = next(each for each in whole().all("img") if each["alt"].startswith(f"{name}:"))
    data = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"))
    shown = torch.frombuffer(bytearray(Image.open(io.BytesIO(data)).tobytes()), dtype=torch.uint8)
    assert torch.equal(shown.view(8, 8), contents().image(index)[0])


def test_every_class_has_a_heatmap() -> None:
    """Of an image that was recognized, if there is one; of a class without images there is none."""
    outcome = contents().outcome
    chosen = of_each_class(contents())
    assert outcome.labels[chosen].tolist() == list(range(10))
    right = contents().predicted == outcome.labels
    for index in chosen:
        same = outcome.labels == outcome.labels[index]
        assert bool(right[index]) or not bool((right & same).any())
    none_right = made_up(10, wrong=len(outcome.labels))
    labels = none_right.labels.clone()
    labels[labels == 7] = 8
    chosen = of_each_class(changed(outcome=none_right._replace(labels=labels)))
    assert labels[chosen].tolist() == [0, 1, 2, 3, 4, 5, 6, 8, 9]
    assert len(of_each_class(many(120))) == 40


def test_heatmaps_can_be_enlarged_without_a_script() -> None:
    large = [each["id"] for each in whole().all("div") if "popover" in each]
    assert len(large) == len(set(large)) == 10 + min(8, len(contents().wrong))
    for button in whole().all("button"):
        assert button["popovertarget"] in large
    assert whole().text.count("for the true class") >= min(8, len(contents().wrong))
    assert whole().text.count("most of this image") == 1 + len(large), "each has the color scale"


def test_filters_are_numbered() -> None:
    frames = [each for each in whole().all("img") if each["alt"].startswith("filter ")]
    assert [each["alt"].split(",")[0] for each in frames] == [
        f"filter {number} of conv1" for number in range(8)
    ]


@pytest.mark.parametrize(("order", "color"), [("rgb", (128, 128, 255)), ("bgr", (255, 128, 128))])
def test_filters_have_the_colors_that_they_see(order: str, color: tuple[int, ...]) -> None:
    """The third channel is blue, unless blue comes first."""
    network = dotcnn.compile("network N { input 3x8x8\n conv 1 3x3, flatten, fc 10 }")
    module = dotcnn.load(network)
    with torch.no_grad():
        module.get_parameter("conv.weight").zero_()[:, 2] = 1
    data = contents().data
    data = replace(data, preparation=replace(data.preparation, order=order))
    section = filters(changed(network=network, module=module, data=data))
    assert section is not None
    src = re.findall(r'src="data:image/png;base64,([^"]*)"', section)[0]
    assert Image.open(io.BytesIO(base64.b64decode(src))).getpixel((1, 1)) == color


def test_the_verdict_is_on_the_page() -> None:
    said = [{"rule": "overfits", "text": "it knows <everything> by heart"}]
    record = {**contents().record, "result": {**contents().record["result"], "verdict": said}}
    assert "Verdict: it knows <everything> by heart" in Page(report(changed(record=record))).text
    none = {**record, "result": {**record["result"], "verdict": []}}
    assert "Verdict" not in Page(report(changed(record=none))).text


def test_a_run_without_a_verdict_gets_one_from_its_epochs() -> None:
    """It was trained before there were any."""
    record = {**contents().record, "result": {"seconds": 1.0}}
    last = contents().epochs[-1]
    epochs = [
        last._replace(epoch=epoch, steps=epoch * 50, train={"loss": 0.1, "top1": 1.0},
                      val={"loss": 2.0, "top1": 0.5})
        for epoch in range(1, 5)
    ]  # fmt: skip
    text = Page(report(changed(record=record, epochs=epochs))).text
    assert "training accuracy 100.0 %, validation 50.0 %" in text


def test_a_gain_or_loss_is_on_the_page() -> None:
    """10 crops made 80 % into 68 %."""
    metrics = contents().outcome.metrics
    one = Comparison("tta crops=10", "one view", 359, {**metrics, "top1": 0.68},
                     {**metrics, "top1": 0.8})  # fmt: skip
    outcome = contents().outcome._replace(comparisons=(one,))
    text = Page(report(changed(outcome=outcome))).text
    assert "tta crops=10: top1 68.00 %, 12.00 points less than one view (80.00 %)" in text
    assert "leave it out" in text


# ---- nothing goes out, nothing comes in --------------------------------------------------------


def test_nothing_is_asked_for_from_anywhere() -> None:
    for tag, attributes in whole().tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form"), tag
        for name, value in attributes.items():
            assert not name.startswith("on"), name
            if name in ("src", "href", "srcset", "data", "action"):
                assert value.startswith(("data:image/", "#")), value[:40]
    text = (small_run() / "report.html").read_text()
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style
    assert "@import" not in style
    policy = next(each for each in whole().all("meta") if "http-equiv" in each)["content"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


HARM = '</title><script>alert(1)</script><img src=x onerror="alert(1)">&lt;\x1b[2J\u202e'


def test_whatever_a_spec_or_data_are_called_it_stays_text() -> None:
    spec = f"# {HARM}\nnetwork Small {{\n  input 1x8x8\n  conv 8 3x3, flatten\n  fc 10\n}}\n"
    network = dotcnn.compile(spec)
    dataset = contents().data.dataset
    names = tuple(f"{HARM}{place}" for place in range(10))
    evil = Dataset(HARM, names, dataset.parts, HARM, HARM, notes=(HARM,), bad=())
    opened = type(contents().data)(
        **{**vars(contents().data), "dataset": evil},
    )
    outcome = contents().outcome._replace(
        per_class=dict(zip(names, contents().outcome.per_class.values(), strict=True))
    )
    text = report(
        changed(
            network=network,
            module=dotcnn.load(network).eval(),
            data=opened,
            outcome=outcome,
            record={"device": HARM, "choices": [HARM], "made_with": {"set": [HARM]}, "seed": HARM},
        )
    )
    page = Page(text)
    assert not list(page.all("script"))
    assert all("onerror" not in attributes for _, attributes in page.tags)
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "<script>alert(1)</script>" in page.text, "it is shown for what it is"


# ---- for everybody -------------------------------------------------------------------------------


def test_who_does_not_see_it_is_told() -> None:
    page = whole()
    assert next(iter(page.all("html")))["lang"] == "en"
    for image in page.all("img"):
        assert image["alt"]
    for drawing in page.all("svg"):
        assert drawing["role"] == "img"
        assert re.search("ends at|error is", drawing["aria-label"])
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    tables = sum(tag == "table" for tag, _ in page.tags)
    assert sum(tag == "caption" for tag, _ in page.tags) == tables
    assert all("scope" in cell for cell in page.all("th"))


@pytest.mark.parametrize("dark", [False, True])
def test_text_stands_out_from_what_is_behind_it(dark: bool) -> None:
    """WCAG AA asks for 4.5 to 1; colours of the confusion matrix at their strongest, too."""
    from dotcnn.training.page.css import _variables

    colours = dict(re.findall(r"--(\w+):([^;]+);", _variables(dark)))
    for name in ("text", "faint", "one", "two"):
        assert contrast(rgb(colours[name]), rgb(colours["page"])) >= 4.5, name
    for name in ("text", "faint"):
        assert contrast(rgb(colours[name]), rgb(colours["ground"])) >= 4.5, name
    for name in ("right", "wrong"):
        over = [int(part) for part in colours[name].split(",")]
        mixed = [0.52 * o + 0.48 * p for o, p in zip(over, rgb(colours["page"]), strict=True)]
        assert contrast(rgb(colours["text"]), mixed) >= 4.5, name


def rgb(colour: str) -> list[float]:
    return [int(colour[place : place + 2], 16) for place in (1, 3, 5)]


def contrast(one: list[float], other: list[float]) -> float:
    low, high = sorted(map(luminance, (one, other)))
    return (high + 0.05) / (low + 0.05)


def luminance(colour: list[float]) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


# ---- other networks, other outcomes --------------------------------------------------------------


def made_up(classes: int, wrong: int = 3) -> Outcome:
    """With as many mistakes, for the images of the run."""
    count = len(contents().outcome.labels)
    labels = torch.arange(count) % classes
    taken = labels.clone()
    taken[:wrong] = (taken[:wrong] + 1) % classes
    probabilities = torch.full((count, classes), 0.1 / classes)
    probabilities[torch.arange(count), taken] += 0.9
    confusion = torch.zeros(classes, classes, dtype=torch.int64)
    for label, answer in zip(labels.tolist(), taken.tolist(), strict=True):
        confusion[label, answer] += 1
    figures = {"images": 9.0, "precision": 0.5, "recall": 0.5, "f1": 0.5}
    return Outcome(
        "val",
        {"loss": 0.1, "top1": 0.9},
        {f"class {place}": figures for place in range(classes)},
        confusion,
        probabilities,
        labels,
    )


def many(classes: int) -> Contents:
    network = dotcnn.compile(f"network N {{ input 1x8x8\n conv 4 3x3, flatten\n fc {classes} }}")
    names = tuple(f"class {place}" for place in range(classes))
    dataset = contents().data.dataset
    opened = type(contents().data)(
        **{
            **vars(contents().data),
            "dataset": Dataset("many", names, dataset.parts, "nowhere", notes=(), bad=()),
        }
    )
    module = dotcnn.load(network).eval()
    return changed(network=network, module=module, outcome=made_up(classes), data=opened)


def test_of_many_classes_the_matrix_is_a_picture_and_the_worst_are_listed() -> None:
    text = report(many(120))
    page = Page(text)
    (matrix,) = [each for each in page.all("img") if "matrix" in each.get("class", "")]
    assert matrix["width"] == "120"
    assert 'class="confusion"' not in text
    assert "The other 80 classes" in page.text
    assert "3 of " in page.text


def test_without_mistakes_there_are_none_to_show() -> None:
    outcome = made_up(10, wrong=0)
    page = Page(report(changed(outcome=outcome)))
    assert "mistakes" not in [each["id"] for each in page.all("section")]
    assert "All images are classified correctly." in page.text


def test_a_network_without_maps_or_filters_has_no_such_sections() -> None:
    network = dotcnn.compile("network Plain { input 1x8x8\n flatten, fc 10 }")
    page = Page(report(changed(network=network, module=dotcnn.load(network).eval())))
    ids = [each["id"] for each in page.all("section")]
    assert "gradcam" not in ids
    assert "filters" not in ids


def test_images_of_several_classes_at_once() -> None:
    """There is nothing that they were taken for."""
    labels = torch.zeros(len(contents().outcome.labels), 10)
    outcome = contents().outcome._replace(labels=labels, confusion=torch.zeros(0, 0))
    data = contents().data
    data = replace(data, dataset=replace(data.dataset, task="multi_label"))
    page = Page(report(changed(outcome=outcome, data=data)))
    ids = [each["id"] for each in page.all("section")]
    assert ids == ["summary", "curves", "classes", "calibration", "filters", "network", "spec"]


def test_thresholds_of_several_classes_are_drawn() -> None:
    """With the threshold that is used; a class that no image has is left out."""
    answers = contents().outcome.answers
    labels = torch.zeros(len(answers), 10)
    labels[:, 3] = (answers[:, 3] > 0.2).float()
    outcome = contents().outcome._replace(labels=labels, confusion=torch.zeros(0, 0))
    data = contents().data
    used = tuple(0.25 if place == 3 else 0.5 for place in range(10))
    dataset = replace(data.dataset, task="multi_label")
    page = Page(
        report(changed(outcome=outcome, data=replace(data, dataset=dataset, thresholds=used)))
    )
    (drawn,) = (each["aria-label"] for each in page.all("svg") if "Precision" in each["aria-label"])
    assert drawn == "Precision, recall and F1 of 3 over the threshold, which is 25.00 %"


def test_a_run_that_wrote_nothing_of_itself(tmp_path: Path) -> None:
    """Its files may be cut short, or not there."""
    (tmp_path / "record.json").write_text("{")
    (tmp_path / "metrics.jsonl").write_text('{"epoch": 1}\n[]\n7\n\n{"epoch":')
    one = contents()
    path = write_report(tmp_path, one.network, one.module, one.outcome, one.data)
    ids = [each["id"] for each in Page(path.read_text()).all("section")]
    assert "curves" not in ids
    assert ids[0] == "summary"


def test_a_link_in_the_folder_of_a_run_is_replaced(tmp_path: Path) -> None:
    outside, folder = tmp_path / "outside", tmp_path / "run"
    folder.mkdir()
    (folder / "report.html").symlink_to(outside)
    one = contents()
    path = write_report(folder, one.network, one.module, one.outcome, one.data)
    assert not path.is_symlink()
    assert not outside.exists()


def test_losses_that_are_no_numbers_leave_a_gap() -> None:
    epochs = [each._replace(train={"loss": float("nan")}) for each in contents().epochs]
    assert "nan" not in Page(report(changed(epochs=epochs))).text.lower()


# ---- pictures ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "shown"),
    [
        ((1, 8, 8), (1, 8, 8)),
        ((3, 300, 200), (3, 128, 85)),
        ((2, 8, 8), (1, 8, 8)),
        ((5, 8, 8), (3, 8, 8)),
        ((3, 4000, 1), (3, 128, 1)),
    ],
)
def test_images_of_any_kind_can_be_shown(
    shape: tuple[int, int, int], shown: tuple[int, int, int]
) -> None:
    assert viewable(torch.zeros(shape, dtype=torch.uint8)).shape == shown


def test_a_map_lies_over_its_image_and_bright_is_much() -> None:
    heat = torch.tensor([[0.0, 0.0], [0.0, 1.0]])
    laid = overlay(torch.full((1, 8, 8), 100, dtype=torch.uint8), heat).float()
    assert laid.shape == (3, 128, 128)
    assert torch.equal(laid[:, 0, 0], torch.full((3,), 100.0))
    corner = laid[:, -1, -1]
    assert corner.mean() > 130
    assert corner[0] > corner[2]


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        ("conv 4 3x3, flatten", (4, 3, 3, 3)),
        ("filter sobel_x, conv 4 3x3, flatten", None),
        ("conv 4 1x1, conv 5 3x3, flatten", None),
        ("inception { | conv 4 1x1 | conv 5 3x3 same }\n flatten", (5, 3, 3, 3)),
    ],
)
def test_filters_are_those_that_look_at_the_image(body: str, shape: tuple[int, ...] | None) -> None:
    network: Network = dotcnn.compile(f"network N {{ input 3x8x8\n {body}\n fc 3 }}")
    found = first_filters(network, dotcnn.load(network))
    assert (None if found is None else tuple(found[1].shape)) == shape


@pytest.mark.parametrize(("input", "shape"), [
    ("2x20", (4, 2, 3)), ("1x6x8x8", (4, 1, 3, 3, 3))
])  # fmt: skip
def test_filters_of_series_and_scans_are_found(input: str, shape: tuple[int, ...]) -> None:
    network = dotcnn.compile(f"network N {{ input {input}\n conv 4 3, flatten\n fc 3 }}")
    found = first_filters(network, dotcnn.load(network))
    assert found is not None
    assert tuple(found[1].shape) == shape
