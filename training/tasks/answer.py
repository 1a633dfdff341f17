"""What the labels of one output of a network are, where it has several: as a data set describes
them, and as weights record them. Needs no torch, as the classes of data are counted without it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from ...compiler.plan.loss import IMAGES


class Scale(NamedTuple):
    """By which numbers are standardized."""

    means: tuple[float, ...]
    deviations: tuple[float, ...]


NO_SCALE = Scale((), ())


NO_OUTPUTS: Mapping[str, bool] = MappingProxyType({})
"""Of a network with one output: no names."""

NO_CHANNELS: Mapping[str, int] = MappingProxyType({})
"""Where no output answers with an image."""


class Answer(NamedTuple):
    output: str
    """The name of the output."""
    task: str
    """What its labels ask for: the word of a task."""
    classes: tuple[str, ...]
    """The names of its classes, or of its numbers."""
    scale: Scale = NO_SCALE
    """By which numbers are standardized."""
    thresholds: tuple[float, ...] = ()
    """The probability from which on each of several classes is predicted, once it is known."""
    outputs: int = 0
    """How many numbers the network returns for it."""
    complete: bool = True
    """Whether every image has this label."""
    counts: tuple[int, ...] = ()
    """The number of training images of each class, or of those that have each number; of masks,
    the number of pixels."""
    size: tuple[int, ...] = ()
    """Height and width of an answer for each pixel; empty if it is one for the whole image."""
    ends_in: str = ""
    """`sigmoid` if the output ends in one, which the trained module leaves out."""

    @property
    def is_mask(self) -> bool:
        return self.task == "segmentation"

    @property
    def is_image(self) -> bool:
        return self.task == IMAGES

    @property
    def is_map(self) -> bool:
        """Whether it answers for each pixel."""
        return self.is_mask or self.is_image

    @property
    def labels(self) -> int:
        """How many columns of a row of labels it has. Of a map, which is read with its image, it is
        one that says whether the image has it."""
        return 1 if self.is_map or self.task == "classification" else len(self.classes)

    @property
    def channels(self) -> int:
        """How many channels its map has as a label; none if it is not a map."""
        return len(self.classes) if self.is_image else int(self.is_mask)

    @property
    def shape(self) -> tuple[int, ...]:
        """That of its outputs for an image."""
        return self.outputs, *self.size

    def as_json(self) -> dict[str, Any]:
        """What is needed to turn outputs into answers."""
        return {
            "output": self.output,
            "task": self.task,
            "classes": self.classes,
            "means": self.scale.means,
            "deviations": self.scale.deviations,
            "thresholds": self.thresholds,
            "outputs": self.outputs,
            "size": self.size,
            "ends_in": self.ends_in,
        }

    @staticmethod
    def from_json(entry: Mapping[str, Any]) -> Answer:
        scale = Scale(tuple(map(float, entry["means"])), tuple(map(float, entry["deviations"])))
        classes = tuple(map(str, entry["classes"]))
        thresholds = tuple(map(float, entry["thresholds"]))
        return Answer(
            str(entry["output"]), str(entry["task"]), classes, scale, thresholds,
            int(entry["outputs"]), size=tuple(map(int, entry.get("size", ()))),
            ends_in=str(entry.get("ends_in", "")),
        )  # fmt: skip
