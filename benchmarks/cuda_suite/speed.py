"""`speed`: training compared with bare loops; each directive beside kornia and torchvision v2; and
reading images from JPEG files compared with packed ones."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from torch import Tensor

import dotcnn
from dotcnn.compiler.plan.directive import Directive
from dotcnn.compiler.plan.fusion import fuse
from dotcnn.training.augment import Augmenter
from dotcnn.training.runtime.import_torchvision import torchvision
from dotcnn.training.trainer.callbacks import Callback, EpochRecord

from .cases import CLASSES, augmentation, directives
from .check import Check, Facts, Setting, Skipped, require
from .checkpoints import speed_checks
from .loops import PROFILED, BareLoop, ours
from .measure import launches, milliseconds
from .run import run_program
from .training import images, without_report

_NETWORKS = (("resnet20", 32, 512), ("resnet18", 224, 256), ("resnet50", 224, 256))
"""With the side of images, and the batch."""


def checks(setting: Setting) -> Iterator[Check]:
    networks = [("resnet20", 32, 16)] if setting.small else _NETWORKS
    for kind in directives("augment"):
        yield Check("a batch augmented", kind.word, partial(_directive, setting, kind))
    for way in ("JPEG", "packed"):
        yield Check("reading images", way, partial(_reading, setting, way))
    for name, side, batch in networks:
        for compiled in (False,) if setting.small else (False, True):
            title = f"{name}, {side} px, {batch}, {'compiled' if compiled else 'eager'}"
            run = partial(_training, setting, name, side, batch, compiled)
            yield Check("images per second in training", title, run)
    yield from speed_checks(setting)


# ---- training ------------------------------------------------------------------------------------


def _training(setting: Setting, name: str, side: int, batch: int, compiled: bool) -> Facts:
    gpu = setting.device.startswith("cuda")
    precision, steps = ("bf16", 20) if gpu else ("fp32", 4)
    bare = BareLoop(name, side, batch, setting.device, precision, compiled)
    theirs = bare.images_per_second(steps)
    counted = {"bare": bare.launches()}
    del bare
    own = ours(setting, name, side, batch, steps, precision, compiled)
    counted["our"] = own.launches
    speed = own.images_per_second
    facts: dict[str, object] = {"ours": speed, "bare loop": theirs, "ratio": speed / theirs}
    for whose, found in counted.items():
        facts[f"launches of {whose} step"] = found.count // PROFILED
        if found.idle is not None:
            facts[f"idle in {whose} step"] = found.idle
    return facts


# ---- directives ----------------------------------------------------------------------------------


def _directive(setting: Setting, kind: type[Directive]) -> Facts:
    """Milliseconds and launches for a batch, ours and those of others that do the same."""
    side, count = (32, 8) if setting.small else (224, 256)
    rounds = 2 if setting.small else 10
    random = torch.Generator().manual_seed(0)
    pixels = torch.randint(0, 256, (count, 3, side, side), dtype=torch.uint8, generator=random)
    pixels = pixels.to(setting.device)
    facts: dict[str, object] = {}
    for name, work in _works(kind, pixels, side):
        facts[f"{name} ms"] = milliseconds(work, setting.device, rounds)
        facts[f"{name} launches"] = launches(work, setting.device).count
    return facts


def _works(
    kind: type[Directive], pixels: Tensor, side: int
) -> Iterator[tuple[str, Callable[[], object]]]:
    plan = augmentation(kind.shown().replace("256", str(side + 32)), side)
    fusion = fuse(plan)
    plain = (torch.full((3,), 1 / 64), torch.full((3,), -2.0))
    augment = Augmenter(fusion, plain, seed=0, classes=CLASSES, reuse=True)
    count = len(pixels)
    if fusion.input_size != (side, side):
        pixels = torch.nn.functional.interpolate(pixels.float(), fusion.input_size).to(torch.uint8)
    indices = torch.arange(count + augment.guests) % count  # on the CPU, as in training
    there = indices.to(pixels.device)
    labels, given = there % CLASSES, pixels[there]
    yield "ours", lambda: augment(given, labels, indices, 0)
    for name, make in (("kornia", _kornia), ("v2", _torchvision)):
        try:
            work = make(kind.word, pixels, side)
        except (ImportError, AttributeError):
            continue
        if work is not None:
            yield name, work


def _kornia(word: str, pixels: Tensor, side: int) -> Callable[[], object] | None:
    from kornia import augmentation as k  # type: ignore[import-not-found, unused-ignore]

    makers: dict[str, Callable[[], Any]] = {
        "flip": lambda: k.RandomHorizontalFlip(p=0.5),
        "rotate": lambda: k.RandomRotation(20, p=1.0),
        "scale": lambda: k.RandomAffine(0, scale=(0.9, 1.1), p=1.0),
        "shift": lambda: k.RandomAffine(0, translate=(0.1, 0.1), p=1.0),
        "shear": lambda: k.RandomAffine(0, shear=10, p=1.0),
        "perspective": lambda: k.RandomPerspective(0.5, p=0.5),
        "elastic": lambda: k.RandomElasticTransform(p=1.0),
        "crop": lambda: k.RandomCrop((side, side), padding=4),
        "color": lambda: k.ColorJiggle(0.2, 0.2, p=1.0),
        "grayscale": lambda: k.RandomGrayscale(p=0.1),
        "noise": lambda: k.RandomGaussianNoise(0.0, 0.05, p=1.0),
        "blur": lambda: k.RandomGaussianBlur((9, 9), (0.1, 2.0), p=1.0),
        "erase": lambda: k.RandomErasing(p=0.5),
        "mixup": lambda: k.RandomMixUpV2(p=1.0),
        "cutmix": lambda: k.RandomCutMixV2(p=1.0),
    }
    if word not in makers:
        return None
    module = makers[word]()
    labels = torch.arange(len(pixels), device=pixels.device) % CLASSES
    if word in ("mixup", "cutmix"):
        return lambda: module(pixels.float() / 255, labels)
    return lambda: module(pixels.float() / 255)


def _torchvision(word: str, pixels: Tensor, side: int) -> Callable[[], object] | None:
    """Its transforms draw once for a whole batch: less work than an image each."""
    v2: Any = torchvision("transforms.v2")
    makers: dict[str, Callable[[], Any]] = {
        "flip": lambda: v2.RandomHorizontalFlip(),
        "rotate": lambda: v2.RandomRotation(20),
        "scale": lambda: v2.RandomAffine(0, scale=(0.9, 1.1)),
        "shift": lambda: v2.RandomAffine(0, translate=(0.1, 0.1)),
        "shear": lambda: v2.RandomAffine(0, shear=10),
        "perspective": lambda: v2.RandomPerspective(0.5, p=1.0),
        "elastic": lambda: v2.ElasticTransform(),
        "crop": lambda: v2.RandomCrop(side, padding=4),
        "color": lambda: v2.ColorJitter(0.2, 0.2),
        "grayscale": lambda: v2.RandomGrayscale(p=1.0),
        "blur": lambda: v2.GaussianBlur(9, (0.1, 2.0)),
        "erase": lambda: v2.RandomErasing(p=1.0),
        "mixup": lambda: v2.MixUp(num_classes=CLASSES),
        "cutmix": lambda: v2.CutMix(num_classes=CLASSES),
        "randaugment": lambda: v2.RandAugment(),
        "trivial": lambda: v2.TrivialAugmentWide(),
    }
    if word not in makers:
        return None
    transform = makers[word]()
    labels = torch.arange(len(pixels), device=pixels.device) % CLASSES
    to_float = v2.ToDtype(torch.float32, scale=True)
    if word in ("mixup", "cutmix"):
        return lambda: transform(to_float(pixels), labels)
    return lambda: to_float(transform(pixels))


# ---- reading images ------------------------------------------------------------------------------


def _reading(setting: Setting, way: str) -> Facts:
    """An epoch of a network that costs next to nothing, so that reading is what takes time."""
    folder = _photographs(setting)
    source = str(folder)
    if way == "packed":
        packed = setting.folder / "packed"
        command = [sys.executable, "-m", "dotcnn", "pack", str(folder), "-o", str(packed)]
        result = run_program(command, setting, 60)
        if result.code == 2:
            raise Skipped("there is no `cnn pack`")
        require(result.code == 0, f"exit code {result.code}: {result.last}")
        source = str(packed)
    epochs: list[EpochRecord] = []

    class Speed(Callback):
        def epoch(self, record: EpochRecord) -> None:
            epochs.append(record)

    side = 32 if setting.small else 224
    spec = f"""
network Net {{ input 3x{side}x{side}, conv 4 8x8 stride=8, relu, pool avg global, flatten, fc 2 }}
train {{ batch 32\n epochs 2\n precision fp32\n channels_last off\n log off }}
augment {{ crop scale=35%..100%, flip horizontal }}
"""
    # As if memory were too small, so that files are read in each epoch.
    from dotcnn.training.data.images import image_store

    place = image_store.place
    image_store.place = lambda needed, device, on_disk, *rest: "files"  # type: ignore[assignment]
    try:
        with without_report():
            dotcnn.train(
                spec, data=source, device=setting.device, callback=Speed(),
                output=setting.new_folder("reading"),
            )  # fmt: skip
    finally:
        image_store.place = place
    last = epochs[-1]
    return {"images per second": last.images_per_second, "waiting for images": last.waiting}


def _photographs(setting: Setting) -> Any:
    """A folder of JPEG files as smooth as photographs."""
    folder = setting.folder / "photographs"
    if folder.exists():
        return folder
    from PIL import Image

    count, side = (40, 48) if setting.small else (2000, 400)
    pixels, labels = images(40, (3, 12, 12), 2)
    for number in range(count):
        place = folder / f"class{labels[number % 40]}"
        place.mkdir(parents=True, exist_ok=True)
        coarse = Image.fromarray(pixels[number % 40].transpose(1, 2, 0))
        coarse.resize((side, side), Image.Resampling.BICUBIC).save(
            place / f"{number}.jpg", quality=90
        )
    return folder
