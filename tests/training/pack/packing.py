"""Data sets of every kind, small, and what training sees of them."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy
import torch
from PIL import Image

from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.request import request

COUNT = 18


class Kind(NamedTuple):
    """A kind of data set, and a network for it."""

    data: str
    network: str
    more: str = ""
    """Further directives of `train`."""
    sections: str = ""


ONE = "input 3x16x16\n conv 4 3x3 same, relu\n flatten\n fc classes"
MASKS = "input 3x16x16\n conv 4 3x3 same, relu\n conv classes 1x1"
KINDS = {
    "classes": Kind('folder "flowers"', ONE, sections="augment { flip horizontal }"),
    "crops": Kind('folder "flowers"', ONE, sections="augment { crop scale=30%..100% }"),
    "whole": Kind('folder "parts"', ONE, sections="evaluate { resize 20x24 }"),
    "tags": Kind('table "tags.csv"', ONE),
    "numbers": Kind('table "numbers.csv"', ONE, "loss mae"),
    "groups": Kind('table "groups.csv" group=who weight=often', ONE),
    "masks": Kind('folder "streets"', MASKS),
    "pairs": Kind(
        'folder "noise"', "input 3x16x16\n conv 4 3x3 same, relu\n conv 3 3x3 same", "loss mse"
    ),
    "outputs": Kind(
        'table "outputs.csv"',
        "input 3x16x16\n conv 4 3x3 same, relu\n features: relu\n"
        " output road { from features, conv 3 1x1 }\n output size { from features, flatten, fc 1 }",
        "loss road cross_entropy, loss size mae",
    ),
    "inputs": Kind(
        'table "inputs.csv"',
        "input left 3x16x16\n input right 1x16x16\n concat left right\n"
        " conv 4 3x3 same, relu\n flatten\n fc classes",
    ),
    "arrays": Kind('npz "set.npz"', ONE),
    "marked arrays": Kind('npz "marked.npz"', MASKS),
    "digits": Kind("digits", "input 1x8x8\n conv 4 3x3 same, relu\n flatten\n fc classes"),
}


def make_sets(folder: Path) -> None:
    """All data sets, in a folder."""
    random = numpy.random.default_rng(0)

    def photo(path: str, size: tuple[int, int] | None = None, channels: int = 3) -> None:
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        height, width = size or (int(random.integers(18, 30)), int(random.integers(18, 30)))
        rough = random.integers(0, 255, (5, 5, channels), numpy.uint8)
        image = Image.fromarray(rough.squeeze()).resize((width, height), 3)
        image.save(file, **({"quality": 90} if path.endswith("jpg") else {}))  # type: ignore[arg-type]

    def mask(path: str, size: tuple[int, int]) -> None:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        classes = random.integers(0, 3, size[::-1]).astype(numpy.uint8)
        classes[0, 0] = 255
        Image.fromarray(classes).save(folder / path)

    def table(name: str, head: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        with open(folder / name, "w", newline="") as file:
            csv.writer(file).writerows([head, *rows])

    for number in range(COUNT):
        kind = "ab"[number % 2]
        photo(f"flowers/{kind}/{number}.{'jpg' if number % 3 else 'png'}")
        part = "val" if number % 5 == 4 else "train"
        photo(f"parts/{part}/{kind}/Ünï {number}.jpg")
        photo(f"streets/images/{number}.jpg", (20, 24))
        mask(f"streets/masks/{number}.png", (24, 20))
        photo(f"noise/noisy/{number}.png", (20, 20))
        photo(f"noise/clean/{number}.png", (20, 20))
        photo(f"right/{number}.png", (20, 24), 1)
    streets = [f"streets/images/{n}.jpg" for n in range(COUNT)]
    table(
        "tags.csv",
        ["image", "tags"],
        [[file, ["sun|sea", "sun", ""][n % 3]] for n, file in enumerate(streets)],
    )
    table("numbers.csv", ["image", "x", "y"], [[file, n / 7, -n] for n, file in enumerate(streets)])
    table(
        "groups.csv",
        ["image", "label", "who", "often"],
        [[file, "ab"[n % 2], f"p{n // 2}", 1 + n % 3] for n, file in enumerate(streets)],
    )
    table(
        "outputs.csv",
        ["image", "road", "size"],
        [
            [file, "" if n == 3 else f"streets/masks/{n}.png", "" if n == 5 else n / 3]
            for n, file in enumerate(streets)
        ],
    )
    table(
        "inputs.csv",
        ["left", "right", "label"],
        [[file, f"right/{n}.png", "ab"[n % 2]] for n, file in enumerate(streets)],
    )
    images = random.integers(0, 255, (COUNT, 20, 20, 3), numpy.uint8)
    numpy.savez(folder / "set.npz", x_train=images, y_train=numpy.arange(COUNT) % 3)
    numpy.savez(
        folder / "marked.npz",
        x_train=images,
        y_train=random.integers(0, 3, (COUNT, 20, 20)).astype(numpy.uint8),
    )


def spec(kind: Kind, data: str = "", workers: int = 0) -> Source:
    return Source(
        "net.cnn",
        f"network N {{\n {kind.network}\n}}\ntrain {{ data {data or kind.data}, batch 4\n"
        f" workers {workers}\n {kind.more}\n}}\n{kind.sections}\n",
    )


def opened(
    kind: Kind, folder: Path, data: str = "", *, in_memory: bool = False, workers: int = 0
) -> Opened:
    """The data of a kind, or a pack of it, in files or in memory."""
    asked = request(spec(kind, data, workers), base=folder)
    return open_data(asked.plan, folder, budget=None if in_memory else 0)


def seen(data: Opened) -> str:
    """A checksum of all that training and evaluation see: images, labels, their order, and the
    numbers by which images are normalized."""
    digest = hashlib.sha256()

    def add(batches: object) -> None:
        for batch in batches:  # type: ignore[attr-defined]
            for tensor in (batch.images, batch.labels, batch.indices):
                digest.update(str((tensor.dtype, tuple(tensor.shape))).encode())
                digest.update(tensor.contiguous().cpu().numpy().tobytes())

    for epoch in (0, 1):
        add(data.training()(epoch))
    add(data.evaluation()(0))
    ones = torch.ones(1, data.preparation.channels, 2, 2)
    digest.update(data.preparation.prepare(ones * 7).numpy().tobytes())
    digest.update(repr((data.dataset.classes, data.dataset.task)).encode())
    return digest.hexdigest()
