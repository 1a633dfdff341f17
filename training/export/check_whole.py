"""Checks a file of `cnn export --whole`: it answers for photographs as `cnn predict` does."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn

from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.images.color_modes import in_channels
from ..data.images.decode import decode
from ..data.images.image_file import BadImage
from ..data.images.preprocessing import Preparation
from ..data.sources.file_names import clean
from ..inference.whole_image import resized_outputs
from ..tasks.task import Task
from .answering import answering
from .compare import TOLERANCE
from .onnx_file import Session

LEVELS = 2
"""The largest difference of a resized pixel from that of evaluation, of 255. One is what torch and
Pillow differ by; of noise, two."""
UNEQUAL = 1e-3
"""The share of the pixels of a mask that rounding may change."""

Photographs = dict[str, Tensor]
"""Images by what they are called: uint8, height x width x channels."""


def check_whole(
    file: Path,
    pixels: Path,
    module: nn.Module,
    preparation: Preparation,
    task: Task,
    photographs: Photographs,
    say: Callable[[str], None],
) -> None:
    """Compares the answers of the file `file` with those of the module; raises SpecError if they
    differ. `pixels` is an ONNX file of its first part alone, up to the resized bytes."""
    whole, resized = Session(file), Session(pixels)
    names = [each.name for each in whole.session.get_outputs()]
    for name, photograph in photographs.items():
        batch = photograph[None]
        own = resized(batch)
        assert isinstance(own, Tensor)
        wanted = preparation.fit(_colors(batch, preparation.channels))
        levels = (own.int() - wanted.int()).abs()
        found = whole(batch)
        found = found if isinstance(found, list) else [found]
        size = (photograph.shape[0], photograph.shape[1])
        exact = answers(module, preparation, task, own, size)
        predicted = answers(module, preparation, task, wanted, size)
        where = f"{name} ({size[1]}x{size[0]})"
        if levels.max() > LEVELS:
            note = f"a pixel differs by {int(levels.max())} levels of 255; {LEVELS} are allowed"
            raise _differs(where, "is resized in another way than in evaluation", note)
        for key, one, other in zip(names, found, exact, strict=True):
            _must_be_equal(where, key, one, other)
        apart = ", ".join(
            f"{key} {_apart(one, other)}"
            for key, one, other in zip(names, found, predicted, strict=True)
        )
        share = float((levels > 0).float().mean())
        say(
            f"{where}: {apart}, against `cnn predict`; {_share(share)} of the resized values are"
            " one level of 255 off"
        )


def answers(
    module: nn.Module,
    preparation: Preparation,
    task: Task,
    pixels: Tensor,
    size: tuple[int, int],
) -> list[Tensor]:
    """What `cnn predict` answers for images that are resized, from photographs of `size`."""
    with torch.inference_mode():
        outputs = module(preparation.prepare(pixels))
        found: list[Tensor] = []
        each = outputs if isinstance(outputs, tuple) else (outputs,)
        # In evaluation, the module returns auxiliary outputs after its own, if at all.
        for (_, one), own in zip(answering(task), each, strict=False):
            own = resized_outputs(own.float(), size) if one.dense else own.float()
            found += one.exported(one.answers(own)).values()
        return found


def _colors(batch: Tensor, channels: int) -> Tensor:
    """Photographs as the network takes them: images x channels x height x width."""
    return in_channels(batch.permute(0, 3, 1, 2), channels)


def _must_be_equal(where: str, key: str, found: Tensor, wanted: Tensor) -> None:
    """Raises SpecError unless answers to the same pixels are equal, up to rounding."""
    if found.shape != wanted.shape:
        raise _differs(where, f"gets `{key}` of {tuple(found.shape)}, not {tuple(wanted.shape)}")
    if not found.is_floating_point():
        share = float((found != wanted).float().mean())
        if found.numel() > 1 and share > UNEQUAL:
            raise _differs(where, f"gets another `{key}`: {_share(share)} of it")
        return
    largest = float(wanted.abs().max().clamp(min=1e-30))
    apart = float((found - wanted).abs().max())
    if not apart <= 10 * TOLERANCE * max(largest, 1e-3):
        raise _differs(where, f"gets another `{key}`: {apart:.2g} apart, of {largest:.2g}")


def _apart(found: Tensor, wanted: Tensor) -> str:
    """How far answers are apart, in words."""
    if not found.is_floating_point():
        share = float((found != wanted).float().mean())
        return "equal" if not share else f"equal but for {_share(share)}"
    return f"{float((found - wanted).abs().max()):.1e} apart at most"


def _share(share: float) -> str:
    return f"{100 * share:.2g} %" if share else "none"


def _differs(where: str, what: str, *notes: str) -> SpecError:
    message = f"{where} {what}; no file is written"
    return SpecError([Diagnostic("export-check", message, notes=notes)])


def real(path: str, preparation: Preparation) -> Photographs:
    """A file, if it can be read."""
    channels = 3 if preparation.channels in (1, 3) else preparation.channels
    try:
        return {clean(os.path.basename(path)): decode(path, channels).permute(1, 2, 0).contiguous()}
    except BadImage:
        return {}


def generated(preparation: Preparation) -> Photographs:
    """Images like photographs, smooth with some noise: wide, high, and smaller than the input."""
    channels = 3 if preparation.channels in (1, 3) else preparation.channels
    height, width = preparation.size
    generator = torch.Generator().manual_seed(0)
    found = {}
    for name, (rows, columns) in {
        "a wide image": (height + height // 2 + 1, 2 * width + 3),
        "a high image": (2 * height + 1, width + 1),
        "a small image": (max(2, height // 2 + 1), max(2, 2 * width // 3)),
    }.items():
        coarse = torch.rand((1, channels, 5, 7), generator=generator) * 255
        smooth = torch.nn.functional.interpolate(coarse, (rows, columns), mode="bicubic")[0]
        noise = 8 * torch.randn(smooth.shape, generator=generator)
        found[name] = (smooth + noise).clamp(0, 255).byte().permute(1, 2, 0).contiguous()
    return found
