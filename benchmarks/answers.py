"""Answers that are not one class, on real data: the angle of a turned digit, the garments in a
picture of two, and whether two digits are the same.

    python benchmarks/answers.py [angle circle labels same] [--epochs 8]

Needs ../shared/data (MNIST and Fashion-MNIST). Each takes minutes on one core. The test parts are
those of the sets; the best epoch is chosen on a part of the training set.

- angle: each of the ten digits is turned by up to 45 degrees, and the network answers with the
  angle. Before, digits are deslanted by their moments (LeCun et al., 1998), else the slant of the
  hand is part of the error; the rest of how a hand turns its strokes still is.
- circle: digits are turned anywhere on the circle. The network answers with cosine and sine, two
  numbers without a jump where the circle closes; errors are the shorter way around. Only digits
  that say which way is up: a 0, 1 or 8 looks the same upside down, so nearly do 2 and 5, and 6 and
  9 are each other.
- labels: two garments side by side, in one image; the labels are the classes of both.
- same: two digits, each an input of a siamese network; half of the pairs are of the same class.
"""

from __future__ import annotations

import argparse
import gzip
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy
import torch
import torch.nn.functional as F
from numpy.typing import NDArray

import dotcnn

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
Array = NDArray[Any]

ANGLE = """
network Angle {{
  input 1x28x28
  conv 24 3x3 same, bn, relu, pool max 2x2
  conv 48 3x3 same, bn, relu, pool max 2x2
  conv 96 3x3 same, bn, relu
  flatten, fc 96, relu
  fc classes
}}
train {{ loss {loss}, {train} }}
"""
LABELS = """
network Garments {{
  input 1x28x56
  conv 24 3x3 same, bn, relu, pool max 2x2
  conv 48 3x3 same, bn, relu, pool max 2x2
  conv 96 3x3 same, bn, relu
  pool max global, flatten
  fc classes
}}
train {{ loss bce, {train} }}
"""
SAME = """
block digit {{
  conv 16 3x3 same, bn, relu, pool max 2x2
  conv 32 3x3 same, bn, relu, pool max 2x2
  flatten, fc 64
}}
network Same {{
  input left 1x28x28
  input right 1x28x28
  from left
  one: digit
  from right
  other: share one
  mul one other
  fc 2
}}
train {{ {train} }}
"""
TRAIN = "epochs {epochs}, batch 64, optimizer adamw lr=3e-3, workers 0"


def idx(name: str, part: str) -> tuple[Array, Array]:
    """Images and labels of a set in the format of MNIST."""
    found = []
    for kind, start in (("images-idx3", 16), ("labels-idx1", 8)):
        data = gzip.decompress((SHARED / name / f"{part}-{kind}-ubyte.gz").read_bytes())
        found.append(numpy.frombuffer(data, numpy.uint8, offset=start))
    return found[0].reshape(-1, 28, 28), found[1]


def warped(images: Array, matrices: torch.Tensor) -> Array:
    """Images after linear maps about their center, by which output points find their source."""
    pixels = torch.from_numpy(images.copy())[:, None].float()
    maps = torch.cat([matrices, torch.zeros(len(matrices), 2, 1)], 2).float()
    grid = F.affine_grid(maps, list(pixels.shape), align_corners=False)
    moved = F.grid_sample(pixels, grid, align_corners=False)
    return moved.round().clamp(0, 255).to(torch.uint8)[:, 0].numpy()


def upright(images: Array) -> Array:
    """Digits without their slant: sheared until the covariance of rows and columns is zero."""
    weights = torch.from_numpy(images.copy()).double()
    total = weights.sum((1, 2))
    at = torch.arange(28).double() - 13.5
    rows, columns = (weights.sum(2) * at).sum(1) / total, (weights.sum(1) * at).sum(1) / total
    down, right = at[None] - rows[:, None], at[None] - columns[:, None]
    both = (weights * down[:, :, None] * right[:, None, :]).sum((1, 2))
    along = (weights * (down**2)[:, :, None]).sum((1, 2))
    shear = torch.eye(2).repeat(len(images), 1, 1)
    shear[:, 0, 1] = (both / along).float()
    return warped(images, shear)


def turned(images: Array, degrees: Array) -> Array:
    angle = torch.from_numpy(numpy.deg2rad(degrees))
    cosine, sine = angle.cos(), angle.sin()
    return warped(images, torch.stack([cosine, -sine, sine, cosine], 1).view(-1, 2, 2))


def trained(
    spec: str, data: dict[str, Any], options: argparse.Namespace, loss: str = ""
) -> tuple[Path, float]:
    """The run of a spec, and the seconds that it took."""
    folder = Path(tempfile.mkdtemp()) / "run"
    started = time.process_time()
    text = spec.format(train=TRAIN.format(epochs=options.epochs), loss=loss)
    dotcnn.train(text, data=data, output=folder, device="cpu", quiet=True)
    return folder, time.process_time() - started


def angle(options: argparse.Namespace) -> None:
    random = numpy.random.default_rng(0)

    def part(name: str, count: int) -> tuple[Array, Array]:
        images = upright(idx("mnist", name)[0][:count])
        degrees = random.uniform(-45, 45, count)
        return turned(images, degrees), degrees.astype(numpy.float32)

    tests, degrees = part("t10k", 5_000)
    run, seconds = trained(ANGLE, {"train": part("train", 30_000)}, options, "mae")
    found = [each.numbers[0].value for each in dotcnn.predict(run, tests[:, None])]
    said("angle", numpy.abs(numpy.array(found) - degrees), seconds)


def said(name: str, errors: Array, seconds: float) -> None:
    print(
        f"{name:7} {len(errors):,} digits: mean error {errors.mean():.2f} degrees, median"
        f" {numpy.median(errors):.2f}, {(errors < 10).mean():.1%} within 10; {seconds:.0f} s"
    )


def circle(options: argparse.Namespace) -> None:
    random = numpy.random.default_rng(0)

    def part(name: str, times: int) -> tuple[Array, Array, Array]:
        images, classes = idx("mnist", name)
        clear = upright(images[numpy.isin(classes, (3, 4, 7))]).repeat(times, 0)
        degrees = random.uniform(-180, 180, len(clear))
        radians = numpy.deg2rad(degrees)
        rows = numpy.stack([numpy.cos(radians), numpy.sin(radians)], 1)
        return turned(clear, degrees), rows.astype(numpy.float32), degrees

    images, rows, _ = part("train", 3)
    tests, _, degrees = part("t10k", 1)
    run, seconds = trained(ANGLE, {"train": (images, rows)}, options, "mse")
    found = numpy.array(
        [[n.value for n in each.numbers] for each in dotcnn.predict(run, tests[:, None])]
    )
    answered = numpy.rad2deg(numpy.arctan2(found[:, 1], found[:, 0]))
    said("circle", numpy.abs((answered - degrees + 180) % 360 - 180), seconds)


def labels(options: argparse.Namespace) -> None:
    random = numpy.random.default_rng(0)

    def part(name: str, count: int) -> tuple[Array, Array]:
        images, classes = idx("fashion-mnist", name)
        pairs = random.integers(0, len(images), (count, 2))
        rows = numpy.zeros((count, 10), numpy.int64)
        rows[numpy.arange(count)[:, None], classes[pairs]] = 1
        return numpy.concatenate([images[pairs[:, 0]], images[pairs[:, 1]]], 2), rows

    run, seconds = trained(LABELS, {"train": part("train", 20_000)}, options)
    metrics = dotcnn.evaluate(
        run, data={"train": part("train", 100), "val": part("t10k", 5_000)}
    ).metrics
    print(
        f"labels  5,000 pairs: mAP {metrics['map']:.2%}, all labels right {metrics['top1']:.2%};"
        f" {seconds:.0f} s"
    )


def same(options: argparse.Namespace) -> None:
    random = numpy.random.default_rng(0)

    def part(name: str, count: int) -> tuple[dict[str, Array], Array]:
        images, classes = idx("mnist", name)
        of = [numpy.flatnonzero(classes == digit) for digit in range(10)]
        first = random.integers(0, len(images), count)
        alike = random.integers(0, 2, count)
        steps = random.integers(1, 10, count) * (1 - alike)
        wanted = (classes[first] + steps) % 10
        second = numpy.array([random.choice(of[digit]) for digit in wanted])
        return {"left": images[first], "right": images[second]}, alike

    run, seconds = trained(SAME, {"train": part("train", 20_000)}, options)
    parts = {"train": part("train", 100), "val": part("t10k", 5_000)}
    metrics = dotcnn.evaluate(run, data=parts).metrics
    print(f"same    5,000 pairs: {metrics['top1']:.2%} right; {seconds:.0f} s")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = {"angle": angle, "circle": circle, "labels": labels, "same": same}
    parser.add_argument("parts", nargs="*", help="by default all")
    parser.add_argument("--epochs", type=int, default=8)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.parts or parts:
        parts[name](options)


if __name__ == "__main__":
    main()
