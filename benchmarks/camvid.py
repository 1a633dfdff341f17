"""CamVid: street scenes at 240x180, eleven classes, learned on a CPU; beside a loop by hand.

    python benchmarks/camvid.py reach [--epochs 30]   a U-Net on Tiny Darknet's weights: test mIoU
    python benchmarks/camvid.py peer [--epochs 10]    a U-Net of segmentation_models_pytorch, from
                                                      random weights, by dotcnn and by hand
    python benchmarks/camvid.py outputs [--epochs 8]  a small U-Net at 128x96 that answers with a
                                                      mask, a class and a number, by dotcnn and by
                                                      hand; and each answer alone

The class is whether there are people on foot or bicycles (over 1 % of the labeled pixels), the
number the share of sky in percent; both are counted in the masks. `peer` needs
segmentation_models_pytorch, and what that needs, on PYTHONPATH. Both train the same network with
the same batch size, flips, loss and learning rates, and the seconds of a step are compared: run it
when nothing else runs, or go by those of the processor. All need ../shared (see tests/support.py),
of which --images N takes N images of each part.
"""

from __future__ import annotations

import argparse
import csv
import re
import shutil
import sys
import tempfile
import time
import zipfile
from itertools import pairwise
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


OUTPUTS = """
block twice(width) { repeat 2 { conv width 3x3 same, bn, relu } }

network Street {
  input image 3x96x128

  one: twice 16
  pool max 2x2
  two: twice 32
  pool max 2x2
  three: twice 64
  pool max 2x2
  deep: twice 96

  output people { from deep, pool avg global, flatten, fc 2 }
  output sky { from deep, pool avg global, flatten, fc 1 }
  output mask {
    from deep
    upsample 2 mode=bilinear, concat { | | from three }, twice 64
    upsample 2 mode=bilinear, concat { | | from two }, twice 32
    upsample 2 mode=bilinear, concat { | | from one }, twice 16
    conv 11 3x3 same
  }
}

train {
  data table "DATA/scenes.csv" ignore=11
  epochs EPOCHS
  batch 8
  optimizer adamw lr=2e-3 weight_decay=1e-2 decay_all=on
  schedule cosine
  loss mask cross_entropy dice=1
  loss sky mae
  validate EPOCHS
  precision fp32
}

augment { flip horizontal }
evaluate { resize 96x128, normalize imagenet }
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


# ---- several answers at once -----------------------------------------------------------------

SIZE = 96, 128
PEOPLE, SKY = (9, 10), 0


def answers_of(mask: numpy.ndarray) -> tuple[bool, float]:
    """Whether there are people in a scene, and its share of sky in percent."""
    labeled = max(1, int((mask != VOID).sum()))
    people = numpy.isin(mask, PEOPLE).sum() / labeled > 0.01
    return bool(people), 100 * float((mask == SKY).sum() / labeled)


def write_scenes(data: Path) -> None:
    """A table with the mask, the class and the number of each image."""
    with (data / "scenes.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("image", "mask", "people", "sky", "part"))
        for name in ("train", "val", "test"):
            for image in sorted((data / name / "images").iterdir()):
                mask = data / name / "masks" / f"{image.stem}.png"
                people, sky = answers_of(numpy.array(Image.open(mask)))
                files = (each.relative_to(data) for each in (image, mask))
                rows.writerow((*files, "yes" if people else "no", f"{sky:.4f}", name))


class Street(nn.Module):
    """The network of `OUTPUTS`, by hand."""

    def __init__(self) -> None:
        super().__init__()

        def twice(before: int, width: int) -> nn.Sequential:
            layers: list[nn.Module] = []
            for channels in (before, width):
                layers += [nn.Conv2d(channels, width, 3, padding=1, bias=False)]
                layers += [nn.BatchNorm2d(width), nn.ReLU()]
            return nn.Sequential(*layers)

        widths = (3, 16, 32, 64, 96)
        self.down = nn.ModuleList([twice(*pair) for pair in pairwise(widths)])
        self.up = nn.ModuleList([twice(160, 64), twice(96, 32), twice(48, 16)])
        self.mask = nn.Conv2d(16, 11, 3, padding=1)
        self.people, self.sky = nn.Linear(96, 2), nn.Linear(96, 1)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        maps = []
        for place, layers in enumerate(self.down):
            images = layers(F.max_pool2d(images, 2) if place else images)
            maps.append(images)
        vector = images.mean((2, 3))
        for layers, other in zip(self.up, maps[-2::-1], strict=True):
            images = F.interpolate(images, scale_factor=2, mode="bilinear")
            images = layers(torch.cat([images, other], 1))
        return self.mask(images), self.people(vector), self.sky(vector)


def dice_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """One minus the Dice coefficient of each class that an image has."""
    known = (masks != VOID).unsqueeze(1)
    truth = F.one_hot(masks, 12)[..., :11].permute(0, 3, 1, 2) * known
    shares = logits.softmax(1) * known
    both, sizes = (shares * truth).sum((2, 3)), (shares + truth).sum((2, 3))
    there = truth.sum((2, 3)) > 0
    return ((1 - 2 * both / sizes.clamp(min=1e-6)) * there).sum(1).div(there.sum(1)).mean()


def scenes(data: Path, name: str) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Images and masks of the size of the network's input, and the answers."""
    images, masks = part(data, name)
    answers = [answers_of(mask.numpy()) for mask in masks]
    images = F.interpolate(images, SIZE, mode="bilinear", antialias=True)
    masks = F.interpolate(masks[:, None], SIZE, mode="nearest-exact")[:, 0]
    people, sky = zip(*answers, strict=True)
    return images, masks.long(), torch.tensor(people).long(), torch.tensor(sky)


def street_by_hand(data: Path, epochs: int) -> tuple[tuple[float, float], dict[str, float]]:
    """Seconds of a step, also on the processor, and the metrics on the test part."""
    torch.manual_seed(0)
    model = Street()
    images, masks, people, sky = scenes(data, "train")
    mean, deviation = sky.mean(), sky.std(correction=0)
    optimizer = torch.optim.AdamW(model.parameters(), 2e-3, weight_decay=1e-2)
    steps = epochs * -(-len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    began = now()
    for _ in range(epochs):
        for indices in torch.randperm(len(images)).split(BATCH):
            flips = torch.rand(len(indices)) < 0.5
            batch, truth = images[indices], masks[indices]
            batch = torch.where(flips[:, None, None, None], batch.flip(-1), batch)
            truth = torch.where(flips[:, None, None], truth.flip(-1), truth)
            logits, of_people, of_sky = model(prepared(batch))
            each = F.cross_entropy(logits, truth, ignore_index=VOID, reduction="none")
            of_image = each.flatten(1).sum(1) / (truth != VOID).flatten(1).sum(1)
            loss = of_image.mean() + dice_loss(logits, truth)
            loss = loss + F.cross_entropy(of_people, people[indices])
            wanted = (sky[indices] - mean) / deviation
            loss = loss + (of_sky[:, 0] - wanted).abs().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    ended = now()
    seconds = (ended[0] - began[0]) / steps, (ended[1] - began[1]) / steps
    images, masks, people, sky = scenes(data, "test")
    table, right, error = torch.zeros(11, 11), 0, 0.0
    model.eval()
    with torch.inference_mode():
        for indices in torch.arange(len(images)).split(BATCH):
            logits, of_people, of_sky = model(prepared(images[indices]))
            known = masks[indices] != VOID
            pairs = 11 * masks[indices][known] + logits.argmax(1)[known]
            table += pairs.bincount(minlength=121).view(11, 11)
            right += int((of_people.argmax(1) == people[indices]).sum())
            error += float((of_sky[:, 0] * deviation + mean - sky[indices]).abs().sum())
    hits = table.diagonal()
    miou = float((hits / (table.sum(0) + table.sum(1) - hits)).nanmean())
    found = {"mask.miou": miou, "people.top1": right / len(sky), "sky.mae": error / len(sky)}
    return seconds, found


def street(folder: Path, data: Path, epochs: int, outputs: str) -> tuple[Clock, dict[str, float]]:
    """The steps of a run by dotcnn with some of the outputs, and its metrics on the test part."""
    text = OUTPUTS.replace("DATA", str(data)).replace("EPOCHS", str(epochs))
    for name in {"people", "sky", "mask"} - {*outputs.split()}:
        text = re.sub(rf"  output {name} {{(\n    .*)*.*}}?\n( *}}\n)?", "", text)
        text = re.sub(rf"  loss {name} .*\n", "", text)
    if " " not in outputs:  # a network with one output has no names for losses, nor labels
        text = text.replace(f"loss {outputs} ", "loss ")
        text = text.replace('scenes.csv"', f'scenes.csv" label={outputs}')
    clock = Clock()
    (folder / "street.cnn").write_text(text)
    run = folder / outputs.replace(" ", "_")
    dotcnn.train(folder / "street.cnn", output=run, device="cpu", callback=clock)
    metrics = dotcnn.evaluate(run, part="test", device="cpu").metrics
    if " " not in outputs:
        metrics = {f"{outputs}.{name}": value for name, value in metrics.items()}
    return clock, {name: metrics[name] for name in metrics if name in MEASURED}


MEASURED = ("mask.miou", "people.top1", "sky.mae")


def several(folder: Path, data: Path, epochs: int) -> None:
    write_scenes(data)
    theirs, found = street_by_hand(data, epochs)
    print(f"by hand: {found}; a step {theirs[0]:.3f} s, {theirs[1]:.3f} of the processor")
    for outputs in ("people sky mask", "mask", "people", "sky"):
        clock, own = street(folder, data, epochs, outputs)
        ratio = clock.each[1] / theirs[1]
        print(f"{outputs}: {own}; a step {clock.each[0]:.3f} s, {clock.each[1]:.3f} of the"
              f" processor ({ratio:.3f} times by hand)")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", nargs="?", choices=("reach", "peer", "outputs"), default="reach")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--images", type=int, help="of each part; by default all")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = unpacked(Path(folder), options.images)
        kinds = {"reach": reach, "peer": peer, "outputs": several}
        kinds[options.what](Path(folder), data, options.epochs)


if __name__ == "__main__":
    main()
