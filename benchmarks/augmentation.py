"""Augmentation speed compared with torchvision v2, kornia and albumentations, in images per second.

    python benchmarks/augmentation.py [--rounds 15] [--sizes 32 224] [--device cuda] [--threads 1]
    python benchmarks/augmentation.py --agreement

All libraries do the same: flip, rotate 15, shift 10 %, scale 0.9 to 1.1, shear 10, brightness,
contrast, saturation 20 % each, noise 0.05, erase at 50 %, normalization; from uint8 images in
memory to a float32 batch. Each of the others is timed twice: operation by operation, the obvious
way to write it; and merged, with one affine transform for all geometry, its fastest form.
torchvision and albumentations work image by image, as they are designed to; kornia and this package
work on the batch, the latter as in the training loop.

On a CPU, process time is measured; on a GPU, wall-clock time. In each round, every library is timed
once, in a different order. Printed are the medians over the rounds, and the median and the middle
half of the ratios. Libraries that are not installed are left out:
`pip install kornia albumentations opencv-python-headless torchvision`.

`--agreement` times nothing. It prints how far the result of each directive alone is from that of
torchvision with the same parameters, in levels of 255 at the worst pixel of noise; and how far all
directives in one pass are from one directive after the other, on pictures.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from dotcnn.compiler.plan import plan
from dotcnn.compiler.plan.fusion import fuse
from dotcnn.training.augment import Augmenter
from dotcnn.training.runtime.allocator import freed_memory_kept
from dotcnn.training.runtime.import_torchvision import torchvision

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
BATCHES = {32: 256, 224: 64}

Run = Callable[[], object]

AUGMENT = """
  flip horizontal, rotate 15, shift 10%, scale 0.9..1.1, shear 10
  color brightness=0.2 contrast=0.2 saturation=0.2
  noise 0.05
  erase p=50%
"""


# ---- the libraries ---------------------------------------------------------------------------


def ours(images: Tensor) -> Augmenter:
    from dotcnn.compiler.build.elaborate import elaborate
    from dotcnn.dsl.program import load_program
    from dotcnn.dsl.source import Source

    size = images.shape[-1]
    text = (
        f"network Net {{ input 3x{size}x{size}, conv 4, pool avg global, flatten, fc 10 }}\n"
        f"augment {{ {AUGMENT} }}"
    )
    network = elaborate(load_program(Source("bench", text)))
    factor = torch.tensor([1 / 255 / std for std in STD])
    offset = torch.tensor([-mean / std for mean, std in zip(MEAN, STD, strict=True)])
    fusion = fuse(plan(network, needs_data=False))
    return Augmenter(fusion, (factor, offset), seed=0, classes=10, reuse=True)


def of_ours(images: Tensor) -> Iterator[tuple[str, Run]]:
    augment = ours(images)
    labels, indices = torch.zeros(len(images), dtype=torch.int64), torch.arange(len(images))
    yield "dotcnn", lambda: augment(images, labels, indices, 0)


def of_torchvision(images: Tensor) -> Iterator[tuple[str, Run]]:
    v2: Any = torchvision("transforms.v2")
    bilinear = torchvision("transforms").InterpolationMode.BILINEAR
    images = images.cpu()
    colours = [v2.ColorJitter(0.2, 0.2, 0.2)]
    rest = [
        v2.ToDtype(torch.float32, scale=True),
        v2.GaussianNoise(sigma=0.05),
        v2.RandomErasing(p=0.5),
        v2.Normalize(MEAN, STD),
    ]
    flip = v2.RandomHorizontalFlip()
    apart = [
        v2.RandomRotation(15, bilinear),
        v2.RandomAffine(0, (0.1, 0.1), interpolation=bilinear),
        v2.RandomAffine(0, scale=(0.9, 1.1), interpolation=bilinear),
        v2.RandomAffine(0, shear=10, interpolation=bilinear),
    ]
    merged = [v2.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), 10, interpolation=bilinear)]
    for name, geometry in (("torchvision v2", apart), ("torchvision v2, merged", merged)):
        whole = v2.Compose([flip, *geometry, *colours, *rest])
        yield name, lambda whole=whole: torch.stack([whole(image) for image in images])


def of_kornia(images: Tensor) -> Iterator[tuple[str, Run]]:
    from kornia import augmentation as k

    flip = k.RandomHorizontalFlip(p=0.5)
    apart = [
        k.RandomAffine(15, p=1.0),
        k.RandomAffine(0, translate=(0.1, 0.1), p=1.0),
        k.RandomAffine(0, scale=(0.9, 1.1), p=1.0),
        k.RandomAffine(0, shear=10, p=1.0),
    ]
    merged = [k.RandomAffine(15, (0.1, 0.1), (0.9, 1.1), 10, p=1.0)]
    rest = [
        k.ColorJiggle(0.2, 0.2, 0.2, p=1.0),
        k.RandomGaussianNoise(0.0, 0.05, p=1.0),
        k.RandomErasing(p=0.5),
        k.Normalize(torch.tensor(MEAN), torch.tensor(STD)),
    ]
    for name, geometry in (("kornia", apart), ("kornia, merged", merged)):
        whole = k.AugmentationSequential(flip, *geometry, *rest, data_keys=["input"])
        yield name, lambda whole=whole: whole(images.float() / 255)


def of_albumentations(images: Tensor) -> Iterator[tuple[str, Run]]:
    import albumentations as a

    arrays = [image.permute(1, 2, 0).contiguous().numpy() for image in images.cpu()]
    flip = a.HorizontalFlip(p=0.5)
    apart = [
        a.Affine(rotate=(-15, 15), p=1),
        a.Affine(translate_percent=(-0.1, 0.1), p=1),
        a.Affine(scale=(0.9, 1.1), p=1),
        a.Affine(shear=(-10, 10), p=1),
    ]
    merged = [
        a.Affine(
            rotate=(-15, 15), translate_percent=(-0.1, 0.1), scale=(0.9, 1.1), shear=(-10, 10), p=1
        )
    ]
    rest = [
        a.ColorJitter((0.8, 1.2), (0.8, 1.2), (0.8, 1.2), (0, 0), p=1),
        a.GaussNoise(std_range=(0.05, 0.05), p=1),
        a.Erasing(scale=(0.02, 0.33), ratio=(0.3, 3.3), p=0.5),
        a.Normalize(MEAN, STD),
    ]
    for name, geometry in (("albumentations", apart), ("albumentations, merged", merged)):
        whole = a.Compose([flip, *geometry, *rest])

        def run(whole: Any = whole) -> object:
            made = [torch.from_numpy(whole(image=array)["image"]) for array in arrays]
            return torch.stack([image.permute(2, 0, 1) for image in made]).contiguous()

        yield name, run


PEERS = {
    "torchvision": of_torchvision,
    "kornia": of_kornia,
    "albumentations": of_albumentations,
}


# ---- agreement -------------------------------------------------------------------------------


def augmenter_of(text: str, size: int, apart: bool = False) -> Augmenter:
    from dotcnn.compiler.build.elaborate import elaborate
    from dotcnn.compiler.plan.fusion import fused, separate
    from dotcnn.dsl.program import load_program
    from dotcnn.dsl.source import Source

    spec = f"network Net {{ input 3x{size}x{size}, conv 4, pool avg global, flatten, fc 10 }}\n"
    network = elaborate(load_program(Source("bench", f"{spec}augment {{ {text} }}")))
    directives = plan(network, needs_data=False).augment
    fusion = (separate if apart else fused)(directives, (size, size), 3)
    return Augmenter(fusion, (torch.ones(3), torch.zeros(3)), seed=0, classes=10)


def done(text: str, images: Tensor, apart: bool = False) -> Tensor:
    count = len(images)
    augment = augmenter_of(text, images.shape[-1], apart)
    labels = torch.zeros(count, dtype=torch.int64)
    return augment(images, labels, torch.arange(count))[0]  # type: ignore[no-any-return]


def agreement() -> None:
    f: Any = torchvision("transforms.v2.functional")
    linear = torchvision("transforms").InterpolationMode.BILINEAR
    cases: dict[str, Callable[[Tensor], Tensor]] = {
        "flip both p=1": lambda x: f.vertical_flip(f.horizontal_flip(x)),
        "rotate 20..20": lambda x: f.rotate(x, 20, interpolation=linear),
        "scale 1.3..1.3": lambda x: f.affine(x, 0, [0, 0], 1.3, [0, 0], interpolation=linear),
        "shift x=10%..10%": lambda x: f.affine(
            x, 0, [0.1 * x.shape[-1], 0], 1, [0, 0], interpolation=linear
        ),
        "shear 12..12 y=-7..-7": lambda x: f.affine(
            x, 0, [0, 0], 1, [12, -7], interpolation=linear
        ),
        "color brightness=1.4..1.4": lambda x: f.adjust_brightness(x, 1.4),
        "color contrast=1.6..1.6": lambda x: f.adjust_contrast(x, 1.6),
        "color saturation=0.3..0.3": lambda x: f.adjust_saturation(x, 0.3),
        "color hue=0.1..0.1": lambda x: f.adjust_hue(x, 0.1),
        "grayscale p=1": lambda x: f.rgb_to_grayscale(x, 3),
        "blur 1.3..1.3": lambda x: f.gaussian_blur(x, [9, 9], [1.3, 1.3]),
    }
    generator = torch.Generator().manual_seed(0)
    noise = torch.randint(0, 256, (8, 3, 96, 96), dtype=torch.uint8, generator=generator)
    print(f"{'directive':<30}{'float32':>10}{'bytes':>8}")
    for text, theirs in cases.items():
        exact = (done(text, noise.float()) - theirs(noise / 255) * 255).abs().max()
        found = (done(text, noise) + 0.01).floor()
        bytes = (found - theirs(noise).float()).abs().max()
        print(f"{text:<30}{exact:>10.4f}{bytes:>8.0f}")
    picture = pictures(64, 96)
    geometry = "flip horizontal, rotate 15, shift 10%, scale 0.9..1.1, shear 10"
    colours = "color brightness=0.2, color contrast=0.2, color saturation=0.2"
    for name, text in (("geometry", geometry), ("colours", colours)):
        apart = (done(text, picture) - done(text, picture, apart=True)).abs()
        share = (apart > 1).float().mean()
        print(
            f"{name}, together and one by one: {apart.mean():.3f} levels apart on average;"
            f" {share:.1%} of numbers by more than one, the worst by {apart.max():.0f}"
        )


def pictures(count: int, size: int) -> Tensor:
    """Smoothed coarse noise, about as rough as photographs."""
    generator = torch.Generator().manual_seed(0)
    coarse = torch.rand(count, 3, size // 8 + 1, size // 8 + 1, generator=generator) * 255
    made = torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")
    return made.round().byte()


# ---- timing ----------------------------------------------------------------------------------


def seconds(run: Run, device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
        began = time.perf_counter()
        run()
        torch.cuda.synchronize()
        return time.perf_counter() - began
    began = time.process_time()
    run()
    return time.process_time() - began


def compare(size: int, rounds: int, device: torch.device, peers: list[str]) -> None:
    batch = BATCHES.get(size, 64)
    images = pictures(batch, size).to(device)
    runs = dict(of_ours(images))
    for name in peers:
        runs.update(PEERS[name](images))
    times: dict[str, list[float]] = {name: [] for name in runs}
    for run in runs.values():
        run()
    for _ in range(rounds):
        order = list(runs)
        random.shuffle(order)
        for name in order:
            times[name].append(seconds(runs[name], device) / batch)
    print(f"\n{batch} images of 3x{size}x{size} on {device}")
    for name, taken in times.items():
        ratios = [one / mine for one, mine in zip(taken, times["dotcnn"], strict=True)]
        low, median, high = statistics.quantiles(ratios, n=4)
        speed = 1 / statistics.median(taken)
        print(
            f"  {name:<24}{speed:>10,.0f} images/s   dotcnn is {median:6.2f} times as fast"
            f" ({low:.2f} to {high:.2f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--sizes", type=int, nargs="+", default=[32, 224])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(PEERS), choices=list(PEERS))
    parser.add_argument("--agreement", action="store_true")
    options = parser.parse_args()
    if options.agreement:
        agreement()
        return
    torch.set_num_threads(options.threads)
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"
    if importlib.util.find_spec("cv2"):
        import cv2

        cv2.setNumThreads(options.threads)
    random.seed(0)
    peers = [name for name in options.only if importlib.util.find_spec(name)]
    left_out = [name for name in PEERS if name not in peers]
    versions = [f"torch {torch.__version__}"]
    for name in [*peers, "cv2"]:
        if importlib.util.find_spec(name):
            module = torchvision() if name == "torchvision" else importlib.import_module(name)
            versions.append(f"{name} {module.__version__}")
    print(f"{platform.machine()}, {options.threads} thread(s); {', '.join(versions)}")
    if left_out:
        print(f"left out: {', '.join(left_out)}")
    with freed_memory_kept(torch.device(options.device)):  # as in a training, and for everybody
        for size in options.sizes:
            compare(size, options.rounds, torch.device(options.device), peers)


if __name__ == "__main__":
    main()
