"""An augmentation: it keeps shapes, and depends on the numbers that it is given alone."""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from torch import Tensor

from ..compiler.plan.own_augmentation import Augmentation
from .as_plugin import refusal
from .built import values
from .checked import Checked

IMAGES = 6
SIZES: dict[str, tuple[tuple[int, ...], ...]] = {
    "images": ((3, 8, 8), (3, 12, 9), (1, 7, 10)),
    "series": ((2, 16), (1, 25)),
    "scans": ((1, 4, 6, 5), (2, 5, 5, 5)),
}


def check_augmentation(kind: type[Augmentation], seed: int) -> Checked:
    checked = Checked()
    refused = refusal(kind)
    if refused:
        checked.failures.append(refused)
        return checked
    for directive in _variants(kind):
        for size in (size for samples in kind.samples for size in SIZES[samples]):
            if kind.works_on == "colors" and size[0] != 3:
                continue
            try:
                _check(checked, directive, size, seed)
            except Exception as error:
                what = f"`{directive}` fails on {'x'.join(map(str, size))}"
                checked.failures.append(f"{what}: {type(error).__name__}: {error}")
    return checked


def _variants(kind: type[Augmentation]) -> Iterator[Augmentation]:
    needed = {field.name: values(field)[0] for field in kind.needed()}
    yield kind(**needed)
    for name, field in kind.fields.items():
        if name != "p":
            for value in values(field)[1:3]:
                yield kind(**{**needed, name: value})


def _check(checked: Checked, directive: Augmentation, size: tuple[int, ...], seed: int) -> None:
    draw = torch.Generator().manual_seed(seed)
    images = torch.randint(256, (IMAGES, *size), generator=draw).float()
    has_pixels = len(size) == 3
    if not has_pixels:
        images = (images - 128) / 75
    drawn = torch.rand(directive.draws, IMAGES, generator=draw).clamp(1e-6, 1 - 1e-6)

    def changed(numbers: Tensor, part: slice = slice(None)) -> Tensor:
        result: Tensor = directive.change(images[part].clone(), numbers[:, part])
        return result

    first, of = changed(drawn), f"`{directive}` of {'x'.join(map(str, size))}"
    checked.that(
        first.shape == images.shape,
        f"{of} gives {tuple(first.shape)}, and has to keep {tuple(images.shape)}",
    )
    if first.shape != images.shape:
        return
    checked.that(first.dtype == torch.float32, f"{of} gives {first.dtype}, and has to give float32")
    checked.that(bool(first.isfinite().all()), f"{of} gives numbers that are not finite")
    low, high = float(first.min()), float(first.max())
    checked.that(  # what lies a little outside is clipped
        not has_pixels or (low >= -255 and high <= 510),
        f"{of} gives {low:.4g} to {high:.4g}, and pixels are 0 to 255",
    )
    torch.manual_seed(seed + 1)
    random.seed(seed + 1)
    again = changed(drawn)
    checked.that(
        torch.equal(first, again),
        f"{of} differs for the same numbers: it draws others, and a run could not be repeated",
    )
    part = slice(2, 5)
    checked.that(
        torch.allclose(changed(drawn, part), first[part], atol=1e-3),
        f"{of} depends on which images are in the batch",
    )
    if directive.draws:
        other = torch.stack([changed(1 - drawn), changed(drawn.flip(1)), changed(drawn**3)])
        checked.that(
            not bool((other == first).all()), f"{of} takes no notice of the numbers it is given"
        )
    masks = torch.randint(4, (IMAGES, 1, *size[1:]), generator=draw).to(torch.uint8)
    moved = directive.change_masks(masks.clone(), drawn)
    kept = moved.shape == masks.shape and moved.dtype == masks.dtype
    checked.that(
        kept and set(moved.unique().tolist()) <= {*range(4), 255},
        f"{of}: `change_masks` has to keep the shape and the numbers of classes",
    )
