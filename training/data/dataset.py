"""A description of a data set: its classes, the images of each part, and what was left out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import NamedTuple

from ...compiler.plan.loss import IMAGES
from ..tasks.answer import NO_SCALE, Answer, Scale
from ..tasks.regression import Regression
from .diagnostic import counted, listed, plural_noun, point_of
from .images.pixel_statistics import Measured
from .left_out import BadFile
from .loader.windowed_order import ShuffleWindow


@dataclass(frozen=True)
class Part:
    """The training, validation or test set."""

    name: str
    count: int
    counts: tuple[int, ...]
    """The number of images of each class."""


class Band(NamedTuple):
    """The figures of a band of the training images, in the numbers of their files."""

    number: int
    mean: float
    deviation: float
    low: float
    """2 % of the pixels are below it."""
    high: float
    """2 % of the pixels are above it."""


def bands_in(found: Measured, scale: float, depth: int) -> tuple[Band, ...]:
    """The figures of each band, from those of levels; those of photographs are not listed."""
    if len(found.mean) <= 3 and depth == 8:
        return ()
    unit = {8: 1.0, 16: 257.0, 32: 1 / 255}[depth]
    return tuple(
        Band(number, unit * mean / scale, unit * std / scale, unit * low, unit * high)
        for number, (mean, std, low, high) in enumerate(zip(*found, strict=True), 1)
    )


@dataclass(frozen=True)
class Dataset:
    """The data set of a run, described."""

    name: str
    classes: tuple[str, ...]
    parts: tuple[Part, ...]
    """`train`, `val` and, if there is one, `test`."""
    origin: str
    """Where the data comes from: the path in the spec, or a description."""
    licence: str = ""
    """Empty if it is not known."""
    task: str = "classification"
    """What the labels ask for (`tasks/`)."""
    answers: tuple[Answer, ...] = ()
    """Of a network with several outputs: what the labels of each are."""
    scale: Scale = NO_SCALE
    """By which numbers are standardized, if labels are numbers."""
    weighted: bool = False
    """Whether the plan has class weights; then no note suggests them."""
    bad: tuple[BadFile, ...] = ()
    """Files that were left out, each with the reason."""
    notes: tuple[str, ...] = ()
    drawn: tuple[str, ...] = ()
    """The parts that are no parts of the data, but were drawn from its training images."""
    noun: str = "image"
    """What one of them is called: `image`, `series`, `scan`, `clip`."""
    bands: tuple[Band, ...] = ()
    """The figures of each band of images of more than three, or of more than 8 bits, if they were
    measured."""
    window: ShuffleWindow | None = None
    """Training images are shuffled within it; None: over the whole set."""

    def part(self, name: str) -> Part | None:
        return next((part for part in self.parts if part.name == name), None)

    @property
    def train(self) -> Part:
        return self.parts[0]

    @property
    def multi_label(self) -> bool:
        """Whether an image may be of several classes at once."""
        return self.task == "multi_label"

    def lines(self) -> Iterator[str]:
        """The lines that are shown before training starts."""
        names = listed(list(self.classes), 12)
        if self.answers:
            labels = f"{counted(len(self.answers), 'label')} for each {self.noun}"
            yield f"{self.name}: {labels} ({names})"
            yield from (_line_of(answer, plural_noun(self.noun)) for answer in self.answers)
        elif self.task == Regression.word:
            numbers = f"{counted(len(self.classes), 'number')} ({names})"
            yield f"{self.name}: {numbers} for each {self.noun}"
        elif self.task == IMAGES:
            channels = counted(len(self.classes), "channel")
            yield f"{self.name}: an image of {channels} ({names}) for each image"
        else:
            yield f"{self.name}: {counted(len(self.classes), 'class', 'classes')} ({names})"
        sizes = ", ".join(f"{part.count:,} for {USES[part.name]}" for part in self.parts)
        yield f"{plural_noun(self.noun)}: {sizes}"
        yield f"from {self.origin}" + (f"; licence: {self.licence}" if self.licence else "")
        yield from self.notes
        if self.window is not None:
            yield in_words(self.window, plural_noun(self.noun))
        yield from bad_lines(self.bad)
        yield from self.band_table()
        if self.task == Regression.word:
            yield from self.numbers()
        elif not self.answers and self.task != IMAGES:
            yield from self.imbalance()
            yield from self.unmeasured()

    def band_table(self) -> Iterator[str]:
        """The figures of each band, in the numbers of the files."""
        if self.bands:
            names = ("mean", "deviation", "2 % below", "2 % above")
            yield "  band " + " ".join(f"{name:>10}" for name in names)
        for band in self.bands:
            figures = " ".join(f"{figure:>10.5g}" for figure in band[1:])
            yield f"  {band.number:>4} {figures}"

    def numbers(self) -> Iterator[str]:
        """The mean and the deviation of each number, by which it is standardized."""
        for name, mean, deviation in zip(self.classes[:_LISTED], *self.scale, strict=False):
            yield f"  {name}: {mean:.5g} on average, with a standard deviation of {deviation:.5g}"

    def imbalance(self) -> Iterator[str]:
        """A short table of the classes if the largest has more than three times as many images, or
        pixels, as the smallest."""
        counts = self.train.counts
        smallest, largest = min(counts), max(counts)
        if largest <= UNEVEN * smallest:
            return
        times = f"{largest / smallest:.1f} times" if smallest else "far more than"
        of_points = self.task == "segmentation"
        what = f"{point_of(self.noun)}s" if of_points else plural_noun(self.noun)
        advice = "" if self.weighted else "; `weights balanced` gives them equal weight"
        yield f"the classes are uneven: the largest has {times} the {what} of the smallest{advice}"
        order = sorted(range(len(counts)), key=lambda label: (-counts[label], label))
        shown = order if len(order) <= 2 * _SHOWN + 1 else [*order[:_SHOWN], *order[-_SHOWN:]]
        width = max(len(self.classes[label]) for label in shown)
        for place, label in enumerate(shown):
            if place == _SHOWN and len(shown) < len(order):
                yield f"  {'…':{width}}"
            bar = "▆" * max(1, round(_BAR * counts[label] / largest)) if counts[label] else ""
            yield f"  {self.classes[label]:{width}} {counts[label]:>9,} {bar}".rstrip()

    def unmeasured(self) -> Iterator[str]:
        """The classes with so few images that none was drawn for validation."""
        val = self.part("val")
        if val is None or "val" not in self.drawn:
            return
        counts = zip(self.classes, val.counts, strict=True)
        lacking = [name for name, count in counts if not count]
        if lacking:
            nouns = plural_noun(self.noun)
            yield f"too few {nouns}, so that none is left for validation: {listed(lacking)}"

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def in_words(window: ShuffleWindow | None, nouns: str) -> str:
    """How training images are shuffled."""
    if window is None:
        return f"{nouns} are shuffled over the whole set"
    places = f"from {window.lanes:,} places of the files at a time"
    return f"{nouns} are shuffled within a window of {window.images:,}, {places}"


def _line_of(answer: Answer, nouns: str) -> str:
    """What the labels of one output are."""
    if answer.task == Regression.word:
        each = zip(answer.classes, *answer.scale, strict=True)
        what = ", ".join(f"{name} {mean:.5g} ± {deviation:.3g}" for name, mean, deviation in each)
        text = f"{counted(len(answer.classes), 'number')} ({what})"
    elif answer.is_image:
        channels = counted(len(answer.classes), "channel")
        text = f"an image of {channels} ({', '.join(answer.classes)})"
    else:
        several = "any of " if answer.task == "multi_label" else ""
        names = listed(list(answer.classes), 12)
        text = f"{several}{counted(len(answer.classes), 'class', 'classes')} ({names})"
    return f"  {answer.output}: {text}" + ("" if answer.complete else f", not for all {nouns}")


UNEVEN = 3
_SHOWN = 5
_LISTED = 12
_BAR = 20
USES = {"train": "training", "val": "validation", "test": "testing"}
_BAD_SHOWN = 10


def bad_lines(bad: tuple[BadFile, ...]) -> Iterator[str]:
    """A summary of the files that cannot be used: their number, and the reason for each."""
    if not bad:
        return
    yield f"{counted(len(bad), 'file was', 'files were')} left out:"
    for file in bad[:_BAD_SHOWN]:
        yield f"  {file.name}: {file.reason}"
    if len(bad) > _BAD_SHOWN:
        yield f"  and {len(bad) - _BAD_SHOWN:,} more"
