"""Pretrained weights: published accuracies, fine-tuning on few images, and cached features.

    python benchmarks/transfer.py published              pretrained weights on real test images
    python benchmarks/transfer.py cases [--seeds 5]      ants and bees: three cases, from scratch
    python benchmarks/transfer.py cache [--images 2000]  `cache features` for a frozen ResNet-18

They need ../shared (see tests/support.py). `cases` measures process time, so that other programs
matter less; `cache` measures wall-clock time, or process time if there is only one thread
(OMP_NUM_THREADS=1).
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import zipfile
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path

import numpy
import torch

import dotcnn
from dotcnn.training.checkpoint.checkpoint import read_checkpoint
from dotcnn.training.trainer.callbacks import Callback, EpochRecord
from dotcnn.training.trainer.result import Result
from dotcnn.training.weights.match import match
from dotcnn.training.weights.read import read_weights

SECONDS = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
"""The clock for cached features; with several threads not process time, since waiting threads use
the processor, too."""

SHARED = Path(__file__).resolve().parents[2] / "shared"
WEIGHTS = SHARED / "weights"


# ---- published accuracy --------------------------------------------------------------------------

PUBLISHED = [
    ("resnet8", "resnet8_cifar10/resnet8_cifar10.npz", "none", 1759),
    ("resnet20", "resnet_cifar10/resnet20-12fca82f.th", "imagenet", 1834),
    ("resnet32", "resnet_cifar10/resnet32-d509ac18.th", "imagenet", 1854),
]
"""Network, weights, preprocessing, and how many of the 2,000 images should be classified
correctly."""


def published() -> None:
    """Loads each of the weights with `match` and evaluates the emitted module."""
    data = numpy.load(SHARED / "data" / "cifar10_8k_2k.npz")
    images = torch.from_numpy(data["x_test"]).permute(0, 3, 1, 2).float()
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    as_imagenet = (images / 255 - mean[:, None, None]) / std[:, None, None]
    labels = torch.from_numpy(data["y_test"])
    for name, weights, pixels, right in PUBLISHED:
        network = dotcnn.compile(name)
        found = match(network, read_weights(WEIGHTS / weights))
        found.require_complete()
        module = dotcnn.load(network).eval()
        found.load_into(module)
        given = images if pixels == "none" else as_imagenet
        with torch.inference_mode():
            guesses = torch.cat([module(batch).argmax(1) for batch in given.split(250)])
        count = int((guesses == labels).sum())
        print(f"{name:10} {count} of 2,000 right, {right} expected; {found.summary()}", flush=True)


# ---- ants and bees -------------------------------------------------------------------------------

BEES = """
import "squeezenet/blocks.cnn"

network AntsAndBees {
  input 3x128x128
  allow "dropped-remainder" "small-field"

  stem: conv 96 7x7 stride=2, relu
  pool max 3x3 stride=2 ceil
  fire1: fire 16 64, fire2: fire 16 64
  fire3: fire 32 128
  pool max 3x3 stride=2 ceil
  fire4: fire 32 128
  fire5: fire 48 192, fire6: fire 48 192
  fire7: fire 64 256
  pool max 3x3 stride=2 ceil
  fire8: fire 64 256
  dropout 0.5
  conv classes 1x1
  pool avg global, flatten
}

train {
  data folder "DATA"
  batch 32
  epochs 20
  optimizer sgd lr=0.0004 momentum=0.9 nesterov weight_decay=5e-4
  schedule cosine warmup=1
  clip 1
}

evaluate { normalize caffe }
"""
FROM = 'from "{weights}", head reset lr=25x'
FAST: dict[str, object] = {"train.precision": "bf16", "train.channels_last": True}
"""The optimizer for cases in which all layers are trained."""
CASES: Mapping[str, tuple[str, dict[str, object]]] = {
    "1: all frozen but a new head": (f"{FROM}, freeze all, cache features", {}),
    "2: the first part frozen, the rest tuned": (
        f"{FROM}, freeze until fire7, cache features", {"train.epochs": 12},
    ),
    "3: a new head first, then all tuned": (
        f"{FROM}, freeze all, unfreeze at epoch 5", {"train.epochs": 9, **FAST},
    ),
    "scratch": ("", {
        "train.epochs": 12, "train.optimizer.lr": 0.01, "evaluate.normalize": "imagenet", **FAST,
    }),
}  # fmt: skip


def cases(seeds: int, only: str) -> None:
    """SqueezeNet with ImageNet weights, 244 training and 153 validation images."""
    weights = WEIGHTS / "squeezenet1_0" / "squeezenet_v1.0_dc_decoded.npz"
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        with zipfile.ZipFile(SHARED / "data" / "hymenoptera_256.zip") as archive:
            archive.extractall(folder / "images")
        chosen = {name: case for name, case in CASES.items() if name.startswith(only)}
        for name, (section, changes) in chosen.items():
            spec = BEES.replace("DATA", str(folder / "images"))
            if section:
                spec += f"transfer {{ {section.format(weights=weights)} }}\n"
            found, seconds = [], []
            for seed in range(seeds):
                began = time.process_time()
                result = trained(spec, folder / "runs" / f"{name[0]}-{seed}",
                                 {**changes, "train.seed": seed})  # fmt: skip
                seconds.append(time.process_time() - began)
                found.append(100 * result.metrics["top1"])
                print(f"  {name}, seed {seed}: {found[-1]:.2f} %, {seconds[-1]:.0f} s", flush=True)
            spread = statistics.stdev(found) if len(found) > 1 else 0.0
            extent = f"{min(found):.2f} to {max(found):.2f}"
            print(
                f"{name:42} {statistics.mean(found):6.2f} % +- {spread:.2f} ({extent}),"
                f" {statistics.median(seconds):.0f} s a run",
                flush=True,
            )


# ---- cached features -----------------------------------------------------------------------------

FROZEN = """
import "resnet/blocks.cnn"

network Frozen {
  input 3x96x96
  conv 64 7x7 stride=2 same, bn, relu
  pool max 3x3 stride=2 same
  layer1: repeat 2 { basic 64 }
  layer2: repeat 2 as i { basic 128 stride=max(1, 2 - i) }
  layer3: repeat 2 as i { basic 256 stride=max(1, 2 - i) }
  layer4: repeat 2 as i { basic 512 stride=max(1, 2 - i) }
  pool avg global, flatten
  fc classes
}

train {
  data npz "DATA"
  batch 64
  epochs 5
  optimizer sgd lr=0.01 momentum=0.9
  deterministic
  precision fp32
  checkpoint every=5 metric=loss
}

evaluate { resize 96, crop 96, normalize imagenet }

transfer { from "WEIGHTS", freeze all, head reset }
"""


class Epochs(Callback):
    """The seconds at the end of each epoch."""

    def __init__(self) -> None:
        self.ends: list[float] = []

    def epoch(self, record: EpochRecord) -> None:
        self.ends.append(SECONDS())


def cache(images: int, rounds: int, auto: bool) -> None:
    """Cached features on enlarged images of CIFAR-10, with random weights, which take as long as
    any. The first five epochs include computing the features. All variants take turns, because the
    speed of a machine changes."""
    data = numpy.load(SHARED / "data" / "cifar10_8k_2k.npz")
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        arrays = {"x_train": data["x_train"][:images], "y_train": data["y_train"][:images]}
        arrays |= {"x_val": data["x_test"][: images // 4], "y_val": data["y_test"][: images // 4]}
        numpy.savez(folder / "set.npz", **arrays)
        weights = at_random()
        torch.save(weights, folder / "weights.pt")
        spec = FROZEN.replace("DATA", str(folder / "set.npz"))
        spec = spec.replace("WEIGHTS", str(folder / "weights.pt"))
        if auto:
            spec = spec.replace("  deterministic\n  precision fp32\n", "")
        kinds: dict[str, dict[str, object]] = {
            "plain": {}, "cached": {"transfer.cache": "features"},
        }  # fmt: skip
        heads: dict[str, list[torch.Tensor]] = {}
        first_five: dict[str, list[float]] = {name: [] for name in ("by hand", *kinds)}
        warm: dict[str, list[float]] = {name: [] for name in first_five}

        def note(name: str, ends: list[float], began: float) -> None:
            later = [b - a for a, b in pairwise(ends)]
            warm[name].append(statistics.median(later))
            first_five[name].append(ends[-1] - began)
            print(f"{name:7} warm epoch {1000 * warm[name][-1]:9.1f} ms;"
                  f" first five {first_five[name][-1]:.2f} s", flush=True)  # fmt: skip

        for number in range(rounds):
            began = SECONDS()
            note("by hand", by_hand(arrays, weights), began)
            for name, changes in kinds.items():
                run = folder / f"{name}-{number}" / "run"
                epochs = Epochs()
                trained(spec, run, changes, epochs)
                state = read_checkpoint(run / "last.ckpt")["model"]
                heads[name] = [state[key] for key in ("fc.weight", "fc.bias")]
                note(name, epochs.ends, BEGAN[run])
        same = all(map(torch.equal, heads["plain"], heads["cached"]))
        for name in ("plain", "by hand"):
            ratios = [sum(found[name]) / sum(found["cached"]) for found in (warm, first_five)]
            each = [a / b for a, b in zip(first_five[name], first_five["cached"], strict=True)]
            print(f"beside {name}: a warm epoch {ratios[0]:.0f}x faster, the first five together"
                  f" {ratios[1]:.2f}x ({', '.join(f'{one:.2f}' for one in each)})")  # fmt: skip
        print(f"head weights {'identical' if same else 'NOT identical'} to plain")


def by_hand(arrays: Mapping[str, numpy.ndarray], weights: dict[str, torch.Tensor]) -> list[float]:
    """The same as a plain torch loop, in which only the new head has gradients. Returns the seconds
    at the end of each epoch."""
    module = dotcnn.load("resnet18")
    module.load_state_dict(weights)
    module.requires_grad_(False).eval()
    module.fc = torch.nn.Linear(512, 10)
    optimizer = torch.optim.SGD(module.fc.parameters(), lr=0.01, momentum=0.9)
    mean = torch.tensor([0.485, 0.456, 0.406])[:, None, None]
    std = torch.tensor([0.229, 0.224, 0.225])[:, None, None]

    def images(part: str) -> torch.Tensor:
        small = torch.from_numpy(arrays[f"x_{part}"]).permute(0, 3, 1, 2)
        return torch.nn.functional.interpolate(small, 96, mode="bilinear", antialias=True)

    pixels = {part: images(part) for part in ("train", "val")}
    labels = {part: torch.from_numpy(arrays[f"y_{part}"]).long() for part in pixels}

    def loss(part: str, places: torch.Tensor) -> torch.Tensor:
        logits = module((pixels[part][places].float() / 255 - mean) / std)
        return torch.nn.functional.cross_entropy(logits, labels[part][places])

    ends = []
    for _epoch in range(5):
        for places in torch.randperm(len(pixels["train"])).split(64):
            optimizer.zero_grad()
            loss("train", places).backward()
            optimizer.step()
        with torch.no_grad():
            for places in torch.arange(len(pixels["val"])).split(64):
                loss("val", places)
        ends.append(SECONDS())
    return ends


def at_random() -> dict[str, torch.Tensor]:
    """Random weights of a ResNet-18, with norms that keep the scale of activations."""
    torch.manual_seed(1)
    module = dotcnn.load("resnet18")
    for part in module.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = 1.0
    with torch.no_grad():
        module.train()(torch.randn(16, 3, 96, 96))
    return module.state_dict()


BEGAN: dict[Path, float] = {}
"""The time at which the data of each run had been read."""


def trained(
    spec: str, folder: Path, changes: Mapping[str, object], callback: Callback | None = None
) -> Result:
    """Trains without report.html, which takes as long for all variants."""
    import dotcnn.training.page.write as page
    import dotcnn.training.trainer.setup as setup

    page.write_report = lambda folder, *others: folder / page.NAME
    original = setup.set_up_transfer

    def started(*arguments: object) -> object:
        BEGAN[folder] = SECONDS()
        return original(*arguments)  # type: ignore[arg-type]

    setup.set_up_transfer = started  # type: ignore[assignment]
    try:
        return dotcnn.train(spec, output=folder, device="cpu", set=changes, callback=callback)
    finally:
        setup.set_up_transfer = original


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parts = ["published", "cases", "cache"]
    parser.add_argument("what", nargs="?", choices=parts, help="all of them without")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--case", default="", help="1, 2, 3 or scratch; all of them without")
    parser.add_argument("--images", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--auto", action="store_true", help="numbers as a run chooses them")
    options = parser.parse_args()
    for part in [options.what] if options.what else parts:
        match part:
            case "published":
                published()
            case "cases":
                cases(options.seeds, options.case)
            case "cache":
                cache(options.images, options.rounds, options.auto)


if __name__ == "__main__":
    main()
