"""Speed of loading images compared with torch's DataLoader and torchvision's transforms.

Small images (32x32, in memory): whole epochs in shuffled batches, from bytes to normalized float32.
This package collects and normalizes whole batches. torchvision's CIFAR-10 gives Pillow images, each
of which goes through `ToTensor` and `Normalize`, and a DataLoader collates them (without worker
processes, and with two). Before that, all numbers are compared.

Files (JPEG, 256 pixels, read in each epoch by two processes): this package loads uint8, normalized
on the device; the other side is an ImageFolder with `Resize`, `CenterCrop`, `ToTensor`,
`Normalize`.

    python benchmarks/loading.py [--rounds 9] [--batch 128] [--threads 1] [--small set.npz]
        [--files FOLDER]

They are timed in turn; printed are the median and the middle half of the ratios over the rounds.
Without --small and --files, the data sets in ../shared are used if they exist; otherwise 8,000
small images of noise, and no files.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from zipfile import ZipFile

import numpy
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.plan import plan
from dotcnn.dsl.program import load_program
from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.data.sources.count_classes import classes_for
from dotcnn.training.runtime.import_torchvision import torchvision

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
MEAN, STD = (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616)
WANTED = 3.0

Epoch = Callable[[], int]
"""Iterates over all images; returns their number."""


class Pictures(Dataset[tuple[Tensor, int]]):
    """Images of an array, one at a time, like torchvision's CIFAR-10."""

    def __init__(
        self, pixels: Any, labels: Any, transform: Callable[[Image.Image], Tensor]
    ) -> None:
        self.pixels, self.labels, self.transform = pixels, labels, transform

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[index])), int(self.labels[index])


def opened(data: str, size: int, more: str, **options: Any) -> Opened:
    text = (
        f"network Net {{ input 3x{size}x{size}, conv 8, pool avg global, flatten, fc classes }}\n"
        f"train {{\n{data}\n}}\nevaluate {{\n{more}\n}}\n"
    )
    program = load_program(Source("benchmark.cnn", text))
    made = plan(elaborate(program, classes=classes_for(program, Path())))
    return open_data(made, Path(), **options)


def ours(data: Opened) -> tuple[Epoch, Callable[[], None]]:
    batches = data.training()
    epochs = iter(range(10**9))

    def run() -> int:
        count = 0
        for batch in batches(next(epochs)):
            count += len(data.preparation.prepare(batch.images))
        return count

    return run, batches.close


def theirs(pictures: Dataset[Any], batch: int, workers: int) -> Epoch:
    loader = DataLoader(
        pictures, batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0
    )
    return lambda: sum(len(images) for images, _ in loader)


def compare(name: str, epochs: dict[str, Epoch], rounds: int) -> float:
    """Prints a line for each; returns the smallest ratio of the others to the first."""
    rates: dict[str, list[float]] = {key: [] for key in epochs}
    for number in range(rounds + 1):
        keys = list(epochs)[:: 1 if number % 2 else -1]
        for key in keys:
            began = time.perf_counter()
            count = epochs[key]()
            if number:  # the first one warms up
                rates[key].append(count / (time.perf_counter() - began))
    first, *others = epochs
    print(f"\n{name}")
    print(f"  {first:34} {statistics.median(rates[first]):>10,.0f} images/s")
    least = float("inf")
    for other in others:
        ratios = [a / b for a, b in zip(rates[first], rates[other], strict=True)]
        low, median, high = statistics.quantiles(ratios, n=4)
        least = min(least, median)
        print(
            f"  {other:34} {statistics.median(rates[other]):>10,.0f} images/s;"
            f" dotcnn {median:.1f} x ({low:.1f} to {high:.1f})"
        )
    return least


def small(path: Path | None, batch: int, rounds: int, folder: Path) -> float:
    if path is None:
        path = folder / "noise.npz"
        random = numpy.random.default_rng(0)
        pixels = random.integers(0, 256, (8000, 32, 32, 3)).astype(numpy.uint8)
        numpy.savez(path, x_train=pixels, y_train=numpy.arange(8000) % 10)
        print("images of noise; no data set of small images is here")
    transforms = torchvision("transforms")
    both = transforms.Compose([transforms.ToTensor(), transforms.Normalize(MEAN, STD)])
    with numpy.load(path) as archive:
        pixels, labels = archive["x_train"], archive["y_train"].ravel()
    data = opened(f'data npz "{path}"\nsplit val=0.1%\nbatch {batch}', 32, "normalize cifar10")
    kept = [int(data.name("train", index)[1:]) for index in range(len(data.stores["train"]))]
    pixels, labels = pixels[kept], labels[kept]
    pictures = Pictures(pixels, labels, both)
    batch_of_all = next(data.training(batch=512)(0))
    expected = torch.stack([pictures[int(index)][0] for index in batch_of_all.indices])
    found = data.preparation.prepare(batch_of_all.images)
    print(f"largest difference of {len(found)} images: {(found - expected).abs().max():.1e}")
    run, close = ours(data)
    least = compare(
        f"{len(pixels):,} images of 32x32, batches of {batch}",
        {
            "dotcnn, in memory": run,
            "DataLoader, no processes": theirs(pictures, batch, 0),
            "DataLoader, 2 processes": theirs(pictures, batch, 2),
        },
        rounds,
    )
    close()
    return least


def files(path: Path, batch: int, rounds: int) -> None:
    transforms = torchvision("transforms")
    steps = transforms.Compose(
        [
            transforms.Resize(256),
            transforms.CenterCrop(224),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
    )
    pictures = torchvision("datasets").ImageFolder(str(path), steps)
    data = opened(
        f'data folder "{path}"\nsplit val=0.1%\nbatch {batch}\nworkers 2',
        224,
        "normalize imagenet",
        budget=0,  # as if there were more than memory holds
    )
    run, close = ours(data)
    compare(
        f"{len(pictures)} files, 224x224, batches of {batch}",
        {"dotcnn, 2 processes": run, "DataLoader, 2 processes": theirs(pictures, batch, 2)},
        rounds,
    )
    print(f"  share of our time spent waiting, where nothing is learned: {_waiting(data):.2f}")
    close()


def _waiting(data: Opened) -> float:
    batches = data.training()
    for batch in batches(0):
        data.preparation.prepare(batch.images)
    batches.close()
    return batches.waiting


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--small", type=Path)
    parser.add_argument("--files", type=Path)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, torchvision {torchvision().__version__},", end=" ")
    print(f"{options.threads} threads")
    cifar, zipped = SHARED / "cifar10_8k_2k.npz", SHARED / "hymenoptera_256.zip"
    with TemporaryDirectory() as name:
        folder = Path(name)
        path = options.small or (cifar if cifar.exists() else None)
        least = small(path, options.batch, options.rounds, folder)
        if options.files is None and zipped.exists():
            with ZipFile(zipped) as archive:
                archive.extractall(folder)
            options.files = folder / "train"
        if options.files is not None:
            files(options.files, 32, options.rounds)
    print(f"\nsmall images: {least:.1f} x at least; wanted {WANTED:g} x")
    return 0 if least >= WANTED else 1


if __name__ == "__main__":
    sys.exit(main())
