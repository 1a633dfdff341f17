"""`cnn show --dream LAYER[:channel]`: an image that excites a channel as much as possible.

Activation maximization as described by Olah et al. (Feature Visualization, distill.pub, 2017). Free
optimization of pixels ends in noise that excites the network and says nothing. Three things
prevent it: the image is described by its Fourier spectrum and not by pixels, so that all scales are
equally easy to change; its colors are decorrelated, as those of photographs are not; and in each
step the network sees it shifted and scaled at random, so that only what survives that is drawn.

The random numbers depend only on the seed, the channel and the step, and all operations are
deterministic on a CPU: the same command draws the same picture.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ....compiler.analysis.field import fields
from ....compiler.network import Node
from ....compiler.report.grid import Column, grid
from ....compiler.report.style import BOLD, Style, wrapped
from ....dsl.diagnostics import Diagnostic, SpecError
from ....dsl.printable import show as printable
from ...data.images.image_file import BadImage
from ...data.loader.thread_pool import Progress, unwatched
from ...runtime.devices import using
from ..choose_layer import Chosen
from ..data_images import DataImages
from ..pictures.adjust import fitted, in_color
from ..pictures.picture_sheet import Cell, Group, PictureSheet
from ..subject import Subject
from .patches import channel_name

STEPS = 128
CHANNELS = 4
"""The number of channels that are drawn unless some are named."""
_RATE = 0.05
_SCALES = 0.08
"""The network sees the image larger or smaller by up to this share."""
_MIDDLE = 6
"""Maps of this size are excited in the middle as much as on the whole."""
_CONTRASTS = (0.01, 0.1, 1.0, 5.0)
"""Of the noise that an image starts from: more, if the network gives no gradient for less."""
_AT_A_TIME = 2**20
_LEAST_SIDE = 32
"""Smaller images are drawn in multiples of this, so that halves fit wherever paths meet."""
_SIDES = ((1, 540), (4, 270), (9, 370), (64, 212))
"""The size of pictures, by their number at most: three or five in a row."""
_BATCH = 16

_COLORS = ((0.231, 0.101, 0.063), (0.223, 0.046, -0.083), (0.229, -0.146, 0.018))
"""From decorrelated colors to red, green and blue: a root of their covariance, measured on 67
photographs. The first of the three is lightness, and varies most."""


@dataclass(frozen=True, eq=False)
class Dream:
    """The picture of a channel."""

    channel: int
    picture: Tensor
    """uint8; of the size of the network's input, or smaller for a layer that sees little of it."""
    mean: float
    """The mean of the channel over all positions, for this picture."""
    greatest: float
    start: float
    """The mean for the noise that it began from."""
    dead: bool
    """Whether no gradient was found, so that nothing was drawn."""
    best_mean: float | None = None
    best_greatest: float | None = None
    """The largest of any image of the data, if it was compared with some."""


@dataclass(frozen=True, eq=False)
class Dreams:
    node: Node
    which: str
    dreams: tuple[Dream, ...]
    steps: int
    seed: int
    compared: str
    """With which images it was compared; empty if with none."""


def dream(
    subject: Subject,
    chosen: Chosen,
    *,
    images: DataImages | None = None,
    steps: int = STEPS,
    seed: int = 0,
    progress: Progress = unwatched,
) -> Dreams:
    """Draws an image for each channel; with `images`, also says what the best of these reaches.
    Raises SpecError if the weights are random."""
    subject.must_have_learned("--dream")
    node = chosen.node
    if not node.inputs:
        message = f"{node.name} is the image itself, which nothing computes"
        help = f"the first layer is `{subject.network.nodes[1].name}`"
        raise SpecError([Diagnostic("no-channel", message, help=help)])
    channels = chosen.channels_or(CHANNELS)
    size = drawn_size(subject, node)
    inputs = subject.network.input.shape[0] * math.prod(size)
    together = max(1, min(len(channels), _AT_A_TIME // inputs))
    deterministic = torch.backends.cudnn.flags(deterministic=True, benchmark=False)
    dreams: list[Dream] = []
    with using(subject.device), deterministic:
        for start in range(0, len(channels), together):
            some = channels[start : start + together]

            def watch(step: int, start: int = start, count: int = len(some)) -> None:
                progress("dreaming", start * steps + step * count, len(channels) * steps)

            dreams += _draw(subject, node, some, size, steps, seed, watch)
        if images is not None:
            dreams = _compared(subject, node, dreams, images, progress)
    return Dreams(
        node,
        chosen.which(CHANNELS),
        tuple(dreams),
        steps,
        seed,
        f"{images.count:,} images of {images.origin}" if images is not None else "",
    )


def drawn_size(subject: Subject, node: Node) -> tuple[int, int]:
    """The size of a dream: that of the input, or less for layers that see little of it. The
    convolutions before them take any size, and twice the receptive field shows a pattern and its
    surroundings."""
    _, height, width = subject.network.input.shape
    field = fields(subject.network)[node.index]
    if len(node.shape) != 3 or any(axis.whole for axis in field):
        return height, width
    smaller = [
        min(side, max(_LEAST_SIDE, -(-2 * sees // _LEAST_SIDE) * _LEAST_SIDE))
        for side, sees in zip((height, width), field.size, strict=True)
    ]
    if (height, width) == tuple(smaller):
        return height, width
    noise = torch.rand(1, subject.network.input.shape[0], *smaller, device=subject.device)
    try:
        with torch.no_grad():
            output = subject.layers(noise, [node])[node.index]
    except RuntimeError:  # a layer that needs its own size
        return height, width
    fits = output.ndim == 4 and output.shape[1] == node.shape[0] and output.numel() > 0
    return (smaller[0], smaller[1]) if fits else (height, width)


def _draw(
    subject: Subject,
    node: Node,
    channels: Sequence[int],
    size: tuple[int, int],
    steps: int,
    seed: int,
    watch: Callable[[int], None],
) -> list[Dream]:
    # An activation is largest where its input is, and that has a gradient everywhere.
    target = node.inputs[0] if node.op.kind == "activation" else node
    canvas = _Canvas(subject, *size)

    def excitement(pixels: Tensor) -> Tensor:
        """Of each image, the mean of its channel, which fills the image, plus its value in the
        middle, so that one position gets all that it looks for: neighbors share what they see."""
        output = subject.layers(subject.preparation.prepare(pixels), [target])[target.index]
        own = torch.stack([output[place, channel] for place, channel in enumerate(channels)])
        if own.ndim < 3:
            return own.float()
        middle = own[:, own.shape[1] // 2, own.shape[2] // 2]
        # Of large maps less, so that the surroundings are drawn, too.
        share = min(1.0, _MIDDLE / (own.shape[1] * own.shape[2]) ** 0.5)
        excited: Tensor = own.float().mean((1, 2)) + share * middle.float()
        return excited

    def reached_by(pictures: Tensor) -> Tensor:
        """The channel of each picture, as the network computes it."""
        output = subject.layers(subject.preparation.prepare(pictures), [node])[node.index]
        return torch.stack([output[place, channel] for place, channel in enumerate(channels)])

    spectrum = canvas.start(seed, channels, _CONTRASTS[0])
    dead = torch.ones(len(channels), dtype=torch.bool)
    for contrast in _CONTRASTS:
        with torch.enable_grad():
            some = spectrum.clone().requires_grad_()
            pixels = canvas.draw(some)
            (gradient,) = torch.autograd.grad(
                excitement(canvas.window(pixels, 0, seed)).sum(), some
            )
        dead = (gradient.flatten(1) == 0).all(1).cpu()
        if not bool(dead.any()):
            break
        stronger = canvas.start(seed, channels, contrast * 10)
        spectrum[dead] = stronger[dead]
    with torch.no_grad():
        start = (
            reached_by(canvas.center(canvas.draw(spectrum)))
            .float()
            .reshape(len(channels), -1)
            .mean(1)
        )
    spectrum.requires_grad_()
    optimizer = torch.optim.Adam([spectrum], lr=_RATE)
    with torch.enable_grad():
        for step in range(steps):
            watch(step)
            optimizer.zero_grad()
            reached = excitement(canvas.window(canvas.draw(spectrum), step, seed))
            (spectrum.grad,) = torch.autograd.grad(-reached.sum(), spectrum)
            optimizer.step()
    watch(steps)
    with torch.no_grad():
        pictures = canvas.center(canvas.draw(spectrum)).round().clamp(0, 255)
        reached = reached_by(pictures).float().reshape(len(channels), -1)
    subject.must_be_finite(reached, f"the output of {node.name}")
    return [
        Dream(
            channel,
            pictures[place].to(torch.uint8).cpu(),
            float(reached[place].mean()),
            float(reached[place].max()),
            float(start[place]),
            bool(dead[place]),
        )
        for place, channel in enumerate(channels)
    ]


class _Canvas:
    """Images that are described by their spectrum; larger than the network's input, so that there
    is something beyond the border when they are shifted."""

    def __init__(self, subject: Subject, height: int, width: int) -> None:
        self.device = subject.device
        self.channels = subject.network.input.shape[0]
        self.height, self.width = height, width
        self.shift = [max(1, side // 14) for side in (self.height, self.width)]
        self.sides = [
            math.ceil(side * (1 + _SCALES)) + 2 * shift
            for side, shift in zip((self.height, self.width), self.shift, strict=True)
        ]
        rows, columns = self.sides
        vertical = torch.fft.fftfreq(rows)[:, None]
        horizontal = torch.fft.rfftfreq(columns)[None]
        frequency = (vertical.square() + horizontal.square()).sqrt()
        # In photographs the magnitude falls with the frequency.
        scale = (rows * columns) ** 0.5 / frequency.clamp(min=1 / max(rows, columns))
        self.scale = scale.to(self.device)
        self.colors = torch.tensor(_COLORS, device=self.device) if self.channels == 3 else None

    def start(self, seed: int, channels: Sequence[int], contrast: float) -> Tensor:
        """Noise, of its own for each channel."""
        rows, columns = self.sides
        spectra = [
            torch.randn(
                self.channels, rows, columns // 2 + 1, 2,
                generator=torch.Generator().manual_seed(_seed(seed, channel)),
            )
            for channel in channels
        ]  # fmt: skip
        return (torch.stack(spectra) * contrast).to(self.device)

    def draw(self, spectrum: Tensor) -> Tensor:
        """Pixels from 0 to 255."""
        waves = torch.view_as_complex(spectrum) * self.scale
        numbers = torch.fft.irfft2(waves, s=self.sides) / 4
        if self.colors is not None:
            numbers = torch.einsum("rd,ndhw->nrhw", self.colors / self.colors.abs().max(), numbers)
        return torch.sigmoid(numbers) * 255

    def center(self, pixels: Tensor) -> Tensor:
        """The part in the middle that the network sees at last."""
        top, left = ((side - inner) // 2 for side, inner in zip(
            self.sides, (self.height, self.width), strict=True
        ))  # fmt: skip
        return pixels[:, :, top : top + self.height, left : left + self.width]

    def window(self, pixels: Tensor, step: int, seed: int) -> Tensor:
        """What the network sees in a step: shifted and scaled at random."""
        draws = torch.rand(
            4, generator=torch.Generator().manual_seed(_seed(seed, 500_000_003 + step))
        ).tolist()
        rows = self._samples(0, self.height, draws[0], draws[2])
        columns = self._samples(1, self.width, draws[1], draws[3])
        # As products of matrices: interpolation by index has no deterministic gradient on a GPU.
        return rows @ pixels @ columns.T

    def _samples(self, axis: int, side: int, place: float, size: float) -> Tensor:
        """The matrix that interpolates along an axis."""
        whole = self.sides[axis]
        step = 1 + _SCALES * (2 * size - 1)
        middle = (whole - 1) / 2 + self.shift[axis] * (2 * place - 1)
        where = middle + (torch.arange(side) - (side - 1) / 2) * step
        distance = (where.clamp(0, whole - 1)[:, None] - torch.arange(whole)[None]).abs()
        return (1 - distance).clamp(min=0).to(self.device)


def _seed(seed: int, number: int) -> int:
    """A seed of its own for each channel and step; torch takes 64 bits."""
    return (seed * 1_000_003 + number) % 2**63


def _compared(
    subject: Subject,
    node: Node,
    dreams: Sequence[Dream],
    images: DataImages,
    progress: Progress,
) -> list[Dream]:
    """The dreams with what the best images reach."""
    channels = [each.channel for each in dreams]
    best = torch.full((2, len(channels)), -math.inf)
    with torch.no_grad():
        for part in images.batches(_BATCH, "comparing", progress):
            readable = [image for _, image in part if not isinstance(image, BadImage)]
            if not readable:
                continue
            batch = subject.preparation.prepare(torch.stack(readable).to(subject.device))
            output = subject.layers(batch, [node])[node.index][:, channels].float().cpu()
            flat = output.flatten(2) if output.ndim > 2 else output[:, :, None]
            best[0] = torch.maximum(best[0], flat.mean(2).amax(0))
            best[1] = torch.maximum(best[1], flat.amax((0, 2)))
    return [
        Dream(
            each.channel, each.picture, each.mean, each.greatest, each.start, each.dead,
            float(mean), float(greatest),
        )
        for each, mean, greatest in zip(dreams, best[0], best[1], strict=True)
    ]  # fmt: skip


# ---- text and pictures -------------------------------------------------------------------------


def dream_lines(subject: Subject, result: Dreams, style: Style) -> Iterator[str]:
    """What each picture reaches."""

    def name(each: Dream) -> str:
        return channel_name(subject, result.node, each.channel).removeprefix("channel ")

    is_map = len(result.node.shape) == 3
    columns: list[Column[Dream]] = [
        Column("channel", name, True, optional=False),
        Column("noise", lambda each: f"{each.start:.4g}", True),
        Column("mean" if is_map else "value", lambda each: f"{each.mean:.4g}", True),
    ]
    if is_map:
        columns.append(Column("greatest", lambda each: f"{each.greatest:.4g}", True))
    if result.compared:
        columns.append(Column("best image", lambda each: f"{each.best_mean:.4g}", True))
    if result.compared and is_map:
        columns.append(Column("best patch", lambda each: f"{each.best_greatest:.4g}", True))
    yield from wrapped(f"{result.node.name}: {result.which}", style, code=BOLD)
    yield from grid([columns], result.dreams, style)
    for note in _notes(result):
        yield from wrapped(printable(note), style)


def _notes(result: Dreams) -> list[str]:
    notes = [
        f"{result.steps} steps from noise with seed {result.seed}. A picture shows what the channel"
        " answers to; that need not look like anything that exists."
    ]
    if result.compared:
        notes.append(
            f"Compared with {result.compared}: {_better(result)} of the {len(result.dreams)}"
            " pictures exceed all of them."
        )
    dead = [str(each.channel) for each in result.dreams if each.dead]
    if dead:
        notes.append(
            f"Nothing was drawn for {', '.join(dead)}: no noise that was tried gave a gradient, as"
            " for a channel that is zero everywhere."
        )
    return notes


def _better(result: Dreams) -> int:
    """How many pictures have a larger value, somewhere, than all images that they are compared
    with."""
    return sum(
        each.best_greatest is not None and each.greatest > each.best_greatest
        for each in result.dreams
    )


def dream_sheet(subject: Subject, result: Dreams) -> PictureSheet:
    side = next(side for most, side in _SIDES if len(result.dreams) <= most)
    cells = []
    for each in result.dreams:
        name = channel_name(subject, result.node, each.channel)
        reached = f"{each.greatest:.3g}"
        what = "patch" if len(result.node.shape) == 3 else "image"
        best = f" (best {what} {each.best_greatest:.3g})" if each.best_greatest is not None else ""
        picture = fitted(in_color(each.picture), side)
        cells.append(Cell(picture, (name, reached + best), f"what excites {name} most"))
    return PictureSheet(
        f"Dreams of {result.node.name}",
        f"{subject.name}: {result.which}; below each, the largest value that it reaches",
        (Group("", tuple(cells)),),
        None,
        tuple(_notes(result)),
    )


def dream_data(subject: Subject, result: Dreams) -> dict[str, Any]:
    """What each picture reaches, for JSON."""
    return {
        "layer": result.node.name,
        "steps": result.steps,
        "seed": result.seed,
        "compared": result.compared or None,
        "channels": [
            {
                "channel": each.channel,
                "name": channel_name(subject, result.node, each.channel),
                "drawn": not each.dead,
                "noise": each.start,
                "mean": each.mean,
                "greatest": each.greatest,
                "best_image_mean": each.best_mean,
                "best_image_greatest": each.best_greatest,
            }
            for each in result.dreams
        ],
    }
