"""The page: the network's drawing, the data, styles and scripts, and what it may load: nothing."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from html import escape
from importlib import resources
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

from ....compiler.analysis import Analysis, analyse
from ....compiler.network import Node
from ....compiler.report.drawing import paint
from ....compiler.report.drawing.diagram import diagram
from ....compiler.report.drawing.palette import FAINT, FRAME, GROUND, LINE, PAGE, TEXT
from ....compiler.report.drawing.svg import svg
from ....compiler.report.drawing.views import View, views
from ....compiler.report.table import title
from ....dsl.printable import show
from ..input_images import InputImage
from ..subject import Subject
from ..text import fitted
from .arithmetic import Arithmetic
from .channels import choose, flat
from .encode import Pack, packed_json
from .layer_data import Layers, likely_derived

LIMIT = 8_000_000
"""The most bytes of a page."""
_SCRIPTS = ("data.js", "arithmetic.js", "paint.js", "page.js")
_TOP = 5
_PHOTOGRAPH = 512
"""The most pixels along a side of a photograph."""
_INKS = {"page": PAGE, "text": TEXT, "faint": FAINT, "frame": FRAME, "ground": GROUND, "ink": LINE}


def page_html(
    subject: Subject,
    images: Sequence[InputImage],
    outputs: Mapping[int, Tensor],
    *,
    training: bool = False,
    gray: str = "scaled",
    first: Node | None = None,
    limit: int = LIMIT,
) -> str:
    """The page; `outputs` are those of all layers for all images, as `LayerOutputs` returns them,
    computed as in `training` or not.

    It begins with the layer `first`, and with what `gray` means (raw, abs or scaled). It has at
    most `limit` bytes, unless its texts alone are longer.
    """
    analysis = analyse(subject.network)
    drawings = _drawings(analysis)
    drawing = drawings[0].svg if drawings else ""
    style = _inks() + file_text("page.css")
    arithmetic = Arithmetic(node for node in subject.network.nodes if node.index in outputs)
    script = "\n".join([file_text("python.js"), arithmetic.script, *map(file_text, _SCRIPTS)])
    derived = likely_derived(subject.network, outputs)
    always = [("pack-images", _photographs(images)), ("pack-views", packed_json(drawings[1:]))]
    fixed = _document(subject.network.name, style, script, drawing, always)
    texts = 300 * len(outputs)
    room = max(limit - len(fixed.encode()) - texts, 0) * 0.74
    while True:
        choice = choose(subject.network, outputs, room, derived)
        packs = list(always)
        layers = []
        for data, pack in Layers(analysis, subject.layers, outputs, choice, arithmetic):
            packs.append((f"pack-{data['index']}", pack.text()))
            layers.append(data)
        index = {**_about(subject, analysis, images, outputs), "layers": layers, "gray": gray}
        index["training"] = training
        index["first"] = None if first is None else first.index
        packs.append(("pack-index", packed_json(index)))
        html = _document(subject.network.name, style, script, drawing, packs)
        size = len(html.encode())
        if size <= limit or room < 1 or not any(choice.channels.values()):
            return html
        room *= 0.95 * limit / size


def _document(
    name: str, style: str, script: str, drawing: str, packs: Sequence[tuple[str, str]]
) -> str:
    drawn = drawing.partition("<style>")[2].partition("</style>")[0]
    # Only these very styles and this script run, and no text becomes HTML, whatever it holds.
    policy = (
        f"default-src 'none'; script-src {_hash(script)}; style-src {_hash(style)} {_hash(drawn)}; "
        "base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'"
    )
    parts = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(show(name))}</title>",
        f"<style>{style}</style></head><body>",
        file_text("page.html").replace("<!-- drawing -->", drawing),
        *(f'<script type="text/plain" id="{name}">{text}</script>' for name, text in packs),
        f"<script>{script}</script>",
        "</body></html>",
    ]
    return "\n".join(parts) + "\n"


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


def file_text(name: str) -> str:
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _inks() -> str:
    light = "".join(f"--{name}:{ink.light};" for name, ink in _INKS.items())
    dark = "".join(f"--{name}:{ink.dark};" for name, ink in _INKS.items())
    return (
        f":root{{color-scheme:light dark;{light}}}\n"
        f"@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"
    )


def _drawings(analysis: Analysis) -> list[View]:
    """The drawing, and those into which it unfolds; none if it were too large. The page lists all
    layers, too."""
    try:
        folded = paint.picture(analysis)
    except paint.TooLarge:
        return []
    return views(analysis, folded, svg(diagram(folded)))


# ---- network and images ------------------------------------------------------------------------


def _about(
    subject: Subject,
    analysis: Analysis,
    images: Sequence[InputImage],
    outputs: Mapping[int, Tensor],
) -> dict[str, Any]:
    network = subject.network
    return {
        "title": title(analysis),
        "name": network.name,
        "learned": subject.learned,
        "preparation": _preparation(subject, images),
        "input": network.input.shape,
        "output": network.output.index,
        "images": [
            {
                "name": image.title,
                "label": image.label,
                "shape": None if image.pixels is None else list(_pixels(image.pixels).shape),
            }
            for image in images
        ],
        "classes": _classes(subject),
        "answers": _answers(subject, outputs),
    }


def _preparation(subject: Subject, images: Sequence[InputImage]) -> str:
    """How images became the input: resized, cropped, and normalized as who says."""
    if subject.image_preparation is None or len(subject.network.inputs) > 1:
        origins = dict.fromkeys(part.origin for each in images for part in each.parts)
        return "; ".join(filter(None, origins)) or "each input has its own"
    photographs = [each for each in images if each.pixels is not None and each.name != "matrix"]
    sizes = dict.fromkeys(fitted(subject, each) for each in photographs)
    return "; ".join(
        [*list(sizes)[:3], *(["…"] if len(sizes) > 3 else []), subject.preparation_from]
    )


def _photographs(images: Sequence[InputImage]) -> str:
    pack = Pack()
    for number, image in enumerate(images):
        if image.pixels is not None:
            pack.add(str(number), _pixels(image.pixels))
    return packed_json(pack.contents) + " " + pack.text()


def _pixels(pixels: Tensor) -> Tensor:
    """The photograph, smaller if it is large: its numbers are in the input layer."""
    longer = max(pixels.shape[1:])
    if longer <= _PHOTOGRAPH:
        return pixels
    height, width = (max(round(_PHOTOGRAPH * side / longer), 1) for side in pixels.shape[1:])
    return adaptive_avg_pool2d(pixels.float(), (height, width)).round().to(torch.uint8)


def _classes(subject: Subject) -> list[str] | None:
    """The names of the numbers of the output, if it has names."""
    output = subject.network.output
    if subject.classes is None or not flat(output):
        return None
    return [subject.class_name(index) for index in range(output.shape[0])]


def _answers(subject: Subject, outputs: Mapping[int, Tensor]) -> list[list[Any]] | None:
    """The most probable classes of each image, with their probabilities."""
    output = subject.network.output
    if not flat(output) or output.shape[0] < 2 or subject.learned == "fixed":
        return None
    if subject.regression is not None:
        return None
    if len(subject.network.outputs) > 1 and not output.op.probabilities:
        return None  # which of them are classes, nothing says
    logits = outputs[output.index].detach().float().cpu().flatten(1)
    if output.op.probabilities:
        chances = logits
    else:
        chances = logits.sigmoid() if subject.multi_label else logits.softmax(1)
    chances = torch.nan_to_num(chances)
    best = chances.topk(min(_TOP, chances.shape[1]), dim=1)
    return [
        [(subject.class_name(index), index, chance) for index, chance in zip(*row, strict=True)]
        for row in zip(best.indices.tolist(), best.values.tolist(), strict=True)
    ]
