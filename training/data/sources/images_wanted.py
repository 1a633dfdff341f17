"""What data has to give a network that answers with an image: pairs of images, or images alone.

Where the data has pairs, the second image is the target. Otherwise the image itself is, whatever
else the data says about it, and the input of the network is made from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ....compiler.plan.data import Data
from ....compiler.plan.evaluate import Resize
from ....compiler.plan.loss import IMAGES
from ....compiler.plan.plan import TrainPlan
from ....compiler.shapes import Shape, by
from ..diagnostic import counted, problem
from ..images.color_modes import in_channels
from ..images.image_file import BadImage
from ..loader.image_source import (
    Arrays,
    Contents,
    Files,
    ImageSource,
    TargetFiles,
    with_target,
)
from ..loader.packed_strings import Strings
from .channel_names import channel_names


@dataclass(frozen=True)
class ImagesWanted:
    """The images that a network takes and answers."""

    input: Shape
    output: Shape
    enlarges: int
    degraded: bool
    """Whether the input is made worse than it is in the data."""

    @staticmethod
    def of(plan: TrainPlan) -> ImagesWanted:
        return ImagesWanted(plan.input, plan.outputs, plan.enlarges, bool(plan.train.degrade))

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the channels of answers."""
        return channel_names(self.output[0])

    def sized(self, plan: TrainPlan, train: ImageSource) -> TrainPlan:
        """The plan with `resize auto` decided: images keep their size where their pixels count, and
        whole images are resized where a network learns the images themselves."""
        resize = plan.evaluate.resize
        assert resize is not None
        if resize.side == "auto":
            height, width = self.input[1:]
            whole = height if height == width else (height, width)
            side = "none" if train.targets or self.degraded else whole
            resize = Resize.make(side=side, mode=resize.mode)
            plan = replace(plan, evaluate=replace(plan.evaluate, resize=resize))
        if resize.keeps and isinstance(train, Arrays):
            self._must_be_large(plan, train)
        return plan

    def _must_be_large(self, plan: TrainPlan, train: Arrays) -> None:
        least = tuple(self.enlarges * side for side in self.input[1:])
        have = tuple(train.images.shape[-2:])
        if have[0] >= least[0] and have[1] >= least[1]:
            return
        small = "x".join(str(side // self.enlarges) for side in have)
        raise problem(
            "unfit-input",
            f"the images have {by(have)} pixels, and the network {self._needs(least)}",
            plan.train.data,
            help=f"write `input {self.input[0]}x{small}`, or resize images:"
            f" `evaluate {{ resize {max(self.input[1:])} }}`",
        )

    def cut(self, plan: TrainPlan, train: ImageSource) -> Iterator[str]:
        """A note if only the middle of images is seen."""
        resize = plan.evaluate.resize
        if resize is None or not resize.keeps or not isinstance(train, Arrays):
            return
        seen = tuple(self.enlarges * side for side in self.input[1:])
        have = tuple(train.images.shape[-2:])
        if have != seen:
            yield f"images have {by(have)} pixels; the middle {by(seen)} of each are seen"

    def _needs(self, size: tuple[int, ...]) -> str:
        if self.enlarges == 1:
            return f"takes {by(size)}"
        return f"answers with {by(size)}"

    # ---- what is found ----

    def contents(self, data: Data, found: Contents) -> Contents:
        """A data set without its labels: the images themselves are the targets."""
        parts: dict[str, ImageSource] = {}
        for part, source in found.parts.items():
            labels = torch.zeros(len(source), dtype=torch.int64)
            if isinstance(source, Files):
                parts[part] = replace(
                    source, labels=labels, mask_files=(), target_files=None, image_maps=()
                )
            else:
                assert isinstance(source, Arrays)
                pixels = source.images[:, : source.images.shape[1] - source.masks]
                parts[part] = Arrays(pixels, labels, source.numbers)
        absent = found.absent
        if absent is not None:  # it has no classes, either
            absent = absent._replace(labels=torch.zeros_like(absent.labels))
        return self._answered(replace(found, absent=absent), parts)

    def paired(self, data: Data, found: Contents, targets: Mapping[str, Tensor]) -> Contents:
        """A data set of arrays with the targets of each part."""
        parts: dict[str, ImageSource] = {}
        for part, source in found.parts.items():
            assert isinstance(source, Arrays)
            target = targets[part]
            if len(target) != len(source):
                raise problem(
                    "data-shape",
                    f"{found.origin} has {counted(len(source), 'image')} for {part}, and"
                    f" {counted(len(target), 'target')}",
                    data,
                )
            try:
                target = in_channels(target, self.output[0])
            except ValueError:
                raise problem(
                    "unfit-output",
                    f"the targets have {counted(target.shape[1], 'channel')}, and the network ends"
                    f" in {self.output[0]}",
                    data,
                    help=f"end the network in `conv {target.shape[1]} 3x3 same`",
                ) from None
            try:
                pixels = with_target(source.images, target, self.enlarges)
            except BadImage as error:
                message = error.reason.replace("its target has", "targets have", 1)
                raise problem(
                    "data-shape", message.replace("and the image", "and images", 1), data
                ) from None
            labels = torch.zeros(len(source), dtype=torch.int64)
            parts[part] = Arrays(pixels, labels, source.numbers, targets=self.output[0])
        return self._answered(found, parts, pairs=True)

    def files(self, root: str, images: tuple[str, ...], targets: tuple[str, ...] | None) -> Files:
        """Image files of a part, and the files of their targets."""
        found = None
        if targets is not None:
            found = TargetFiles(root, Strings(targets), self.output[0], self.enlarges)
        labels = torch.zeros(len(images), dtype=torch.int64)
        return Files(root, Strings(images), labels, target_files=found)

    def of_files(
        self, name: str, parts: Mapping[str, ImageSource], origin: str, notes: tuple[str, ...]
    ) -> Contents:
        pairs = any(source.targets for source in parts.values())
        return self._answered(
            Contents(name, (), dict(parts), origin, notes=notes), dict(parts), pairs=pairs
        )

    def _answered(
        self, found: Contents, parts: dict[str, ImageSource], *, pairs: bool = False
    ) -> Contents:
        note = () if pairs else (self._note(),)
        return replace(
            found,
            classes=self.channels,
            parts=parts,
            task=IMAGES,
            notes=(*(found.notes if pairs else ()), *note),
            groups=found.groups,
        )

    def _note(self) -> str:
        if self.degraded:
            return "the network learns the images as they were before `degrade`"
        return "the network learns the images themselves: labels, if there are any, are not used"
