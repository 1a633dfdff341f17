"""The metrics of a run, and what is needed to judge them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from math import isfinite, sqrt
from typing import NamedTuple

from ....compiler.network import Network
from ....compiler.plan.loss import IMAGES
from ....compiler.plan.plan import TrainPlan
from ...data.dataset import Dataset, Part
from ...trainer.callbacks import EpochRecord
from ..comparison import INPUT, Comparison
from ..guessing import Guessing, guessing, guessing_masks, guessing_numbers
from .limits import LIMITS


class Finding(NamedTuple):
    """What a rule has found."""

    rule: str
    """`overfits`, `guesses`, …: for programs."""
    text: str


_JUDGED = ("classification", "multi_label", "segmentation", "regression", IMAGES, "multi_task")
"""The tasks whose metrics the rules know."""


@dataclass(frozen=True)
class Facts:
    """The metrics of a run, and what is needed to judge them."""

    plan: TrainPlan
    epochs: Sequence[EpochRecord]
    classes: tuple[str, ...]
    train: Part
    val: Part
    multi_label: bool = False
    masks: bool = False
    """Whether each pixel has a class: then accuracies, and the counts of classes, are of pixels."""
    numbers: bool = False
    """Whether labels are numbers: then there are no accuracies, but R2."""
    images: bool = False
    """Whether answers are images: then there are no accuracies, but PSNR."""
    outputs: bool = False
    """Whether the network has several outputs: then only losses are compared."""
    input_psnr: float | None = None
    """The PSNR of the inputs themselves; None if answers are not images, or not known."""
    dropout: bool = False
    """Whether the network has dropout."""
    predicted: Sequence[int] = ()
    """How many validation images the best weights put into each class; empty if not known."""
    undecided: int = 0
    """For how many validation images the best weights give every class the same probability."""
    ends_in_relu: bool = False
    """Whether a `relu` follows the last layer with weights."""
    spec: str = "NET"
    """The spec, as commands name it."""
    stopped_early: bool = False
    noun: str = "image"
    """What an image is called: `series`, `scan`, `clip`."""

    @staticmethod
    def of(
        plan: TrainPlan,
        network: Network,
        dataset: Dataset,
        epochs: Sequence[EpochRecord],
        *,
        predicted: Sequence[int] = (),
        undecided: int = 0,
        stopped_early: bool = False,
        comparisons: Sequence[Comparison] = (),
    ) -> Facts | None:
        """None if there is no validation set, or the rules do not know the task."""
        val, source = dataset.part("val"), network.program.main.source
        if val is None or dataset.task not in _JUDGED:
            return None
        return Facts(
            plan,
            epochs,
            dataset.classes,
            dataset.train,
            val,
            dataset.multi_label,
            dataset.task == "segmentation",
            dataset.task == "regression",
            dataset.task == IMAGES,
            bool(dataset.answers),
            next((each.base["psnr"] for each in comparisons if each.against == INPUT), None),
            dropout=any(node.op.kind == "dropout" for node in network.nodes),
            predicted=predicted,
            undecided=undecided,
            ends_in_relu=_ends_in_relu(network),
            spec=source.name if source.path is not None else "NET",
            stopped_early=stopped_early,
            noun=dataset.noun,
        )

    @property
    def no_accuracy(self) -> bool:
        """Whether answers are neither right nor wrong; or, of several classes, rarely right."""
        return self.multi_label or self.numbers or self.images or self.outputs

    @property
    def accuracy(self) -> str:
        """The metric that is called accuracy here."""
        return "pixels" if self.masks else "top1"

    # ---- series ----

    @cached_property
    def trained(self) -> list[EpochRecord]:
        """The epochs of training, with a loss."""
        return [each for each in self.epochs if each.epoch and finite(each.train.get("loss"))]

    @cached_property
    def validated(self) -> list[EpochRecord]:
        """The epochs of training that were followed by validation."""
        return [each for each in self.epochs if each.epoch and each.val]

    @property
    def steps(self) -> int:
        return max((each.steps for each in self.trained), default=0)

    @property
    def early(self) -> str:
        """In words, that epochs are too few for a trend; empty if they are enough."""
        count = len(self.trained)
        if count >= LIMITS.epochs:
            return ""
        return f"{count} epochs are too few" if count != 1 else "1 epoch is too few"

    def train_loss(self) -> list[float]:
        return [each.train["loss"] for each in self.trained]

    def train_top1(self) -> list[float]:
        """Empty unless all epochs have it, and for images with several classes: then `top1` asks
        for all of them."""
        if self.no_accuracy:
            return []
        return complete(self.trained, "train", self.accuracy)

    def val_loss(self) -> list[float]:
        return complete(self.validated, "val", "loss")

    def val_top1(self) -> list[float]:
        if self.no_accuracy:
            return []
        return complete(self.validated, "val", self.accuracy)

    # ---- chance ----

    @cached_property
    def guess(self) -> Guessing:
        return self._guessing(self.val)

    @cached_property
    def train_guess(self) -> Guessing:
        return self._guessing(self.train)

    def _guessing(self, part: Part) -> Guessing:
        separate = self.plan.train.loss.several_labels
        if self.numbers or self.images or self.outputs:
            return guessing_numbers()
        if self.masks:
            return guessing_masks(part.counts)
        return guessing(part.counts, part.count, separate=separate, multi_label=self.multi_label)

    def deviation(self, share: float, images: int | None = None) -> float:
        """So far an accuracy may be off by chance (`sigmas` standard errors), for the validation
        images unless another number is given."""
        images = max(1, self.val.count if images is None else images)
        spread = max(share * (1 - share), 1 / (images + 2))  # also if all are right
        return LIMITS.sigmas * sqrt(spread / images)


def _ends_in_relu(network: Network) -> bool:
    last = max((n for n, node in enumerate(network.nodes) if node.weights), default=0)
    return any(node.op.word == "relu" for node in network.nodes[last:])


def finite(value: float | None) -> bool:
    return value is not None and isfinite(value)


def complete(records: Sequence[EpochRecord], part: str, name: str) -> list[float]:
    """A metric of all these epochs; empty if one of them lacks it."""
    values = [getattr(record, part).get(name) for record in records]
    return values if all(map(finite, values)) else []


def last_accuracies(facts: Facts) -> tuple[float | None, float | None]:
    """Training and validation accuracy of the last epoch that was followed by validation."""
    if facts.no_accuracy or not facts.validated:
        return None, None
    last = facts.validated[-1]
    train, val = last.train.get(facts.accuracy), last.val.get(facts.accuracy)
    return (train, val) if finite(train) and finite(val) else (None, None)


def changes_on_the_way(facts: Facts) -> bool:
    """Whether layers or images change between epochs, so that losses cannot be compared."""
    plan = facts.plan
    staged = plan.transfer is not None and bool(plan.transfer.unfreeze)
    return staged or bool(plan.train.freeze_after) or any(one.by_epoch for one in plan.augment)


def class_found(facts: Facts) -> str:
    place = next(place for place, count in enumerate(facts.predicted) if count)
    return f"`{facts.classes[place]}`"


def both(facts: Facts, train: float, val: float) -> str:
    of_what = "pixel accuracy" if facts.masks else "accuracy"
    return f"training {of_what} {percent(train)}, validation {percent(val)}"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"
