"""CamVid: street scenes at 240x180, eleven classes, learned on a CPU; beside a loop by hand.

    python benchmarks/camvid.py reach [--epochs 30]   a U-Net on Tiny Darknet's weights: test mIoU
    python benchmarks/camvid.py peer [--epochs 10]    a U-Net of segmentation_models_pytorch, from
                                                      random weights, by dotcnn and by hand

`peer` needs segmentation_models_pytorch, and what that needs, on PYTHONPATH. Both train the same
network with the same batch size, flips, loss and learning rates, and the seconds of a step are
compared: run it when nothing else runs, or go by those of the processor. Both need ../shared (see
tests/support.py), of which --images N takes N images of each part.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import Any

import numpy
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor, nn

import dotcnn
from dotcnn.training.runtime.import_torchvision import torchvision
from dotcnn.training.trainer.callbacks import Callback, Step

SHARED = Path(__file__).resolve().parents[2] / "shared"
VOID = 11
BATCH = 8

REACH = """
import "darknet/blocks.cnn"

block up(other, lateral, width) {
  upsample like=other mode=bilinear
  concat { | | from other, conv lateral 1x1, bn, relu }
  conv width 3x3 same, bn, relu
}

network CamVid {
  input image 3x180x240

  unit 16 3x3
  pool max 2x2 ceil
  level1: unit 32 3x3
  pool max 2x2 ceil
  level2: repeat 2 { unit 16, unit 128 3x3 }
  pool max 2x2 ceil
  level3: repeat 2 { unit 32, unit 256 3x3 }
  pool max 2x2 ceil
  level4: repeat 2 { unit 64, unit 512 3x3 }

  conv 96 1x1, bn, relu
  up level3 64 96
  up level2 32 48
  up level1 16 24
  classifier: conv classes 1x1
  upsample like=image mode=bilinear
}

train {
  data folder "DATA" ignore=11
  epochs EPOCHS
  batch 8
  optimizer adamw lr=3e-3 weight_decay=1e-2
  schedule onecycle
  loss cross_entropy dice=1
  channels_last
}

augment {
  crop 180x240 scale=40%..100% ratio=1.1..1.6
  flip horizontal
  color brightness=0.2 contrast=0.2
}

transfer {
  from "WEIGHTS"
  features level4 trained lr=0.3x
}
"""

PEER = """
import "resnet/blocks.cnn"
import "segmentation/decoders.cnn"

network Peer {
  input image 3x180x240

  conv 64 7x7 stride=2 same, bn
  stem: relu
  pool max 3x3 stride=2 same
  layer1: repeat 2 { basic 64 }
  layer2: repeat 2 as i { basic 128 stride=max(1, 2 - i) }

  up layer1 64
  up stem 32
  upsample like=image
  twice 16
  classifier: conv classes 3x3 same
}

train {
  data folder "DATA" ignore=11
  epochs EPOCHS
  batch 8
  optimizer adamw lr=2e-3 weight_decay=1e-2 decay_all=on
  schedule cosine
  loss cross_entropy dice=1
  validate EPOCHS
  precision fp32
}

augment { flip horizontal }
evaluate { normalize imagenet }
"""


def unpacked(folder: Path, images: int | None) -> Path:
    """The data set in a folder; of each part, the first so many images."""
    with zipfile.ZipFile(SHARED / "data" / "camvid_240x180.zip") as archive:
        archive.extractall(folder)
    root = folder / "camvid"
    for kind in root.glob("*/*") if images is not None else ():
        for file in sorted(kind.iterdir())[images:]:
            file.unlink()
    return root


class Clock(Callback):
    """Seconds of the steps of a run, and of the processor in them."""

    def __init__(self) -> None:
        self.latest = 0
        self.count = 0
        self.spent = (0.0, 0.0)
        self.before = now()

    def step(self, step: Step) -> None:
        seconds = now()
        if step.epoch == self.latest:
            self.count += 1
            self.spent = (
                self.spent[0] + seconds[0] - self.before[0],
                self.spent[1] + seconds[1] - self.before[1],
            )
        self.latest, self.before = step.epoch, seconds

    @property
    def each(self) -> tuple[float, float]:
        return self.spent[0] / self.count, self.spent[1] / self.count


def now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def trained(
    text: str, folder: Path, data: Path, epochs: int, clock: Clock | None = None
) -> tuple[dotcnn.Result, float]:
    """A run by dotcnn, and its mean IoU on the test part."""
    weights = shutil.copy(SHARED / "weights" / "tiny_darknet" / "tinydarknet.npz", folder)
    for word, value in (("DATA", data), ("EPOCHS", epochs), ("WEIGHTS", weights)):
        text = text.replace(word, str(value))
    spec = folder / "net.cnn"
    spec.write_text(text)
    result = dotcnn.train(spec, output=folder / "run", device="cpu", callback=clock)
    outcome = dotcnn.evaluate(folder / "run", part="test", device="cpu")
    for name, figures in outcome.per_class.items():
        print(f"  {name:12} iou {figures['iou']:6.1%}")
    return result, outcome.metrics["miou"]


def reach(folder: Path, data: Path, epochs: int) -> None:
    began, used = time.perf_counter(), time.process_time()
    _, miou = trained(REACH, folder, data, epochs)
    print(
        f"{epochs} epochs: test miou {miou:.1%}; {(time.perf_counter() - began) / 60:.1f} minutes,"
        f" {(time.process_time() - used) / 60:.1f} of them on the processor"
    )


# ---- the loop by hand ------------------------------------------------------------------------


def part(data: Path, name: str) -> tuple[Tensor, Tensor]:
    files = sorted((data / name / "images").iterdir())
    images = numpy.stack([numpy.array(Image.open(file).convert("RGB")) for file in files])
    masks = [numpy.array(Image.open(data / name / "masks" / f"{file.stem}.png")) for file in files]
    return torch.from_numpy(images).permute(0, 3, 1, 2), torch.from_numpy(numpy.stack(masks))


def prepared(images: Tensor) -> Tensor:
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    return (images.float() / 255 - mean[:, None, None]) / std[:, None, None]


def by_hand(smp: Any, data: Path, classes: int, epochs: int) -> tuple[tuple[float, float], float]:
    """Seconds of a step, also on the processor, and the mean IoU on the test part."""
    torch.manual_seed(0)
    model: nn.Module = smp.Unet(
        "resnet18", encoder_weights=None, encoder_depth=3, decoder_channels=(64, 32, 16),
        classes=classes,
    )  # fmt: skip
    dice = smp.losses.DiceLoss("multiclass", ignore_index=VOID)
    images, masks = part(data, "train")
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-2)
    steps = epochs * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    model.train()
    began = now()
    for _ in range(epochs):
        for indices in torch.randperm(len(images)).split(BATCH):
            batch, truth = images[indices], masks[indices].long()
            flips = torch.rand(len(indices)) < 0.5
            batch = torch.where(flips[:, None, None, None], batch.flip(-1), batch)
            truth = torch.where(flips[:, None, None], truth.flip(-1), truth)
            outputs = model(prepared(batch))
            loss = F.cross_entropy(outputs, truth, ignore_index=VOID) + dice(outputs, truth)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    ended = now()
    seconds = (ended[0] - began[0]) / steps, (ended[1] - began[1]) / steps
    images, masks = part(data, "test")
    table = torch.zeros(classes, classes)
    model.eval()
    with torch.inference_mode():
        for batch, truth in zip(images.split(BATCH), masks.split(BATCH), strict=True):
            known = truth != VOID
            pairs = classes * truth.long()[known] + model(prepared(batch)).argmax(1)[known]
            table += pairs.bincount(minlength=classes**2).view(classes, classes)
    right = table.diagonal()
    return seconds, float((right / (table.sum(0) + table.sum(1) - right)).nanmean())


def peer(folder: Path, data: Path, epochs: int) -> None:
    torchvision()
    try:
        import segmentation_models_pytorch as smp
    except ImportError:
        sys.exit("segmentation_models_pytorch is not installed")
    classes = len((data / "classes.txt").read_text().split())
    theirs, their_miou = by_hand(smp, data, classes, epochs)
    clock = Clock()
    _, our_miou = trained(PEER, folder, data, epochs, clock)
    for name, miou, each in (("by hand", their_miou, theirs), ("dotcnn", our_miou, clock.each)):
        ratios = [one / other for one, other in zip(each, theirs, strict=True)]
        print(
            f"{name:8} test miou {miou:.1%}; a step {each[0]:.3f} s, {each[1]:.3f} of the processor"
            f" ({ratios[0]:.3f} and {ratios[1]:.3f} times by hand)"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=("reach", "peer"), default="reach")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--images", type=int, help="of each part; by default all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = unpacked(Path(folder), options.images)
        {"reach": reach, "peer": peer}[options.what](Path(folder), data, options.epochs)


if __name__ == "__main__":
    main()
