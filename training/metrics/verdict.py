"""The verdict on a run: overfits, underfits, guesses, loss rises, still improving, and so on.

    for finding in verdict(facts): print(finding.text)

Each rule looks at the metrics of all epochs, and either says what it sees, with the figures, or
nothing. It speaks only where the figures leave no doubt: differences of accuracies have to be far
larger than chance explains for so many validation images. The thresholds are all in `LIMITS`.

Training metrics are measured while the weights change, with dropout and augmentation, so they are
worse than those of the final weights would be. Rules take that into account: what is said of a
training accuracy of 99 % holds all the more for the true one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import hypot, isfinite, sqrt
from typing import NamedTuple

from ...compiler.network import Network
from ...compiler.plan.augment.mixing import Mixing
from ...compiler.plan.loss import IMAGES
from ...compiler.plan.plan import TrainPlan
from ..data.dataset import Dataset, Part
from ..data.diagnostic import in_nouns
from ..trainer.callbacks import BEFORE_TRAINING, EpochRecord
from .comparison import INPUT, Comparison
from .guessing import Guessing, guessing, guessing_masks, guessing_numbers


class Limits(NamedTuple):
    """The thresholds of all rules. Accuracies are shares from 0 to 1."""

    sigmas: float = 3.0
    """Differences of accuracies count from this many standard errors on."""
    epochs: int = 3
    """With fewer epochs, nothing is said of a trend."""
    steps: int = 30
    """With fewer steps, nothing is said of a network that has not learned."""

    guessing_loss: float = 0.98
    """A loss of at least this times that of guessing is guessing."""
    guessing_top1: float = 0.02
    """Up to this much above guessing, an accuracy is guessing."""
    guessing_r2: float = 0.05
    """Up to this R2, numbers are guessed, …"""
    guessing_numbers_fall: float = 0.8
    """… if the training loss never falls to this times that of the first epoch."""
    guessing_jump: float = 1.1
    """If the training loss rises by this factor after the second epoch, steps are too large."""

    rise_loss: float = 1.25
    """The training loss rises if it ends at this many times its minimum or more, …"""
    rise_top1: float = 0.03
    """… and training accuracy has fallen by this much."""

    worse: float = 0.03
    """Training has made the network worse from this loss of accuracy on."""

    slow_rate: float = 0.05
    """A learning rate of at most this times the usual one of the optimizer can be too small."""
    slow_fall: float = 0.3
    """It is, if the training loss falls by at most this share in the whole run, …"""
    slow_steady: float = 0.5
    """… and in the second half of the run at least by this times as much as in the first."""

    by_heart: float = 0.99
    """From this training accuracy on, the network knows the training images by heart."""
    overfit_top1: float = 0.9
    """Overfitting begins with this training accuracy, …"""
    overfit_gap: float = 0.08
    """… and a validation accuracy that is lower by this, …"""
    by_heart_gap: float = 0.05
    """… or by this, if the network knows the training images by heart."""
    overfit_early: float = 0.7
    """Already from this training accuracy on, it overfits, …"""
    overfit_early_gap: float = 0.15
    """… if that of validation is lower by this."""
    overfit_rise: float = 1.2
    """It also shows in a validation loss of at least this many times its minimum, …"""
    overfit_fall: float = 0.8
    """… while the training loss has fallen to at most this times what it was then, …"""
    overfit_loss: float = 0.1
    """… and the validation loss is at least this times that of guessing."""

    improving_fall: float = 0.02
    """The network still improves if the validation loss falls by this share in each epoch of the
    last third, …"""
    improving_top1: float = 0.01
    """… its accuracy rises by this in it, …"""
    improving_gap: float = 0.05
    """… and training accuracy is at most this much higher than that of validation."""

    underfit_top1: float = 0.8
    """Underfitting: training and validation accuracy are below this, …"""
    underfit_gap: float = 0.05
    """… differ by at most this, …"""
    underfit_fall: float = 0.01
    """… and the training loss falls by less than this share in each epoch of the last third."""

    uncertain: float = 0.07
    """Validation images are too few if the accuracy is uncertain by this, to either side."""
    uncertain_deviations: float = 1.96
    """Standard errors of that: 95 % confidence."""

    well_top1: float = 0.9
    """All is well with a validation accuracy of at least this, …"""
    well_gap: float = 0.03
    """… and a training accuracy that is at most this much higher."""
    better_psnr: float = 0.1
    """Images: a PSNR of up to this much more than that of the input, in dB, restores nothing."""
    well_psnr: float = 2.0
    """Images: all is well with this much more than the input has, …"""
    well_r2: float = 0.9
    """Numbers: all is well with an R2 of at least this on the validation set, …"""
    well_loss: float = 1.3
    """… whose loss is at most this times that of training."""


LIMITS = Limits()


class Finding(NamedTuple):
    """What a rule has found."""

    rule: str
    """`overfits`, `guesses`, …: for programs."""
    text: str


_JUDGED = ("classification", "multi_label", "segmentation", "regression", IMAGES)
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
    input_psnr: float | None = None
    """The PSNR of the inputs themselves; None if answers are not images, or not known."""
    dropout: bool = False
    """Whether the network has dropout."""
    predicted: Sequence[int] = ()
    """How many validation images the best weights put into each class; empty if not known."""
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
            next((each.base["psnr"] for each in comparisons if each.against == INPUT), None),
            dropout=any(node.op.kind == "dropout" for node in network.nodes),
            predicted=predicted,
            spec=source.name if source.path is not None else "NET",
            stopped_early=stopped_early,
            noun=dataset.noun,
        )

    @property
    def no_accuracy(self) -> bool:
        """Whether answers are neither right nor wrong; or, of several classes, rarely right."""
        return self.multi_label or self.numbers or self.images

    @property
    def accuracy(self) -> str:
        """The metric that is called accuracy here."""
        return "pixels" if self.masks else "top1"

    # ---- series ----

    @cached_property
    def trained(self) -> list[EpochRecord]:
        """The epochs of training, with a loss."""
        return [each for each in self.epochs if each.epoch and _finite(each.train.get("loss"))]

    @cached_property
    def validated(self) -> list[EpochRecord]:
        """The epochs of training that were followed by validation."""
        return [each for each in self.epochs if each.epoch and each.val]

    @property
    def steps(self) -> int:
        return max((each.steps for each in self.trained), default=0)

    def train_loss(self) -> list[float]:
        return [each.train["loss"] for each in self.trained]

    def train_top1(self) -> list[float]:
        """Empty unless all epochs have it, and for images with several classes: then `top1` asks
        for all of them."""
        if self.no_accuracy:
            return []
        return _complete(self.trained, "train", self.accuracy)

    def val_loss(self) -> list[float]:
        return _complete(self.validated, "val", "loss")

    def val_top1(self) -> list[float]:
        if self.no_accuracy:
            return []
        return _complete(self.validated, "val", self.accuracy)

    # ---- chance ----

    @cached_property
    def guess(self) -> Guessing:
        return self._guessing(self.val)

    @cached_property
    def train_guess(self) -> Guessing:
        return self._guessing(self.train)

    def _guessing(self, part: Part) -> Guessing:
        separate = self.plan.train.loss.several_labels
        if self.numbers or self.images:
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


def _finite(value: float | None) -> bool:
    return value is not None and isfinite(value)


def _complete(records: Sequence[EpochRecord], part: str, name: str) -> list[float]:
    """A metric of all these epochs; empty if one of them lacks it."""
    values = [getattr(record, part).get(name) for record in records]
    return values if all(map(_finite, values)) else []


def verdict(facts: Facts) -> tuple[Finding, ...]:
    """At most two findings. What keeps a network from learning comes first, and alone; then how
    well it fits; then whether the validation set is large enough to tell."""
    found = [
        next(filter(None, (rule(facts) for rule in rules)), None)
        for rules in (TROUBLE, FIT, CERTAINTY)
    ]
    trouble, fit, certainty = (
        each and each._replace(text=in_nouns(each.text, facts.noun)) for each in found
    )
    if trouble is not None:
        return (trouble,)
    if certainty is not None and fit is not None and fit.rule == "well":
        fit = None
    return tuple(finding for finding in (fit, certainty) if finding is not None)


# ---- it does not learn -----------------------------------------------------------------------


def _guesses(facts: Facts) -> Finding | None:
    """In no epoch, validation or training is better than giving every image the same answer."""
    if len(facts.trained) < 2 or facts.steps < LIMITS.steps or not facts.validated:
        return None
    if facts.masks:
        return _guesses_masks(facts)
    if facts.numbers:
        return _guesses_numbers(facts)
    if facts.images:
        return _no_better_than_input(facts)
    losses, top1, guess = facts.val_loss(), facts.val_top1(), facts.guess
    if not losses or min(losses) < LIMITS.guessing_loss * guess.loss:
        return None
    if not facts.multi_label:
        if not top1 or max(top1) > guess.shares[facts.accuracy] + _by_chance(
            facts, guess, facts.val
        ):
            return None
        mixed = any(isinstance(one, Mixing) for one in facts.plan.augment)
        trained, base = facts.train_top1(), facts.train_guess
        at_most = base.shares[facts.accuracy] + _by_chance(facts, base, facts.train)
        if not mixed and (not trained or max(trained) > at_most):
            return None
    elif min(facts.train_loss()) < LIMITS.guessing_loss * facts.train_guess.loss:
        return None
    if max(losses) <= guess.loss * (2 - LIMITS.guessing_loss):
        what = f"the loss stays at {guess.loss_text}: the network guesses"
    else:
        what = f"the validation loss never falls below {guess.loss_text}: the network guesses"
    if facts.predicted and sum(count > 0 for count in facts.predicted) == 1:
        what += f", and takes every image for {_class(facts)}"
    return Finding("guesses", f"{what}. {_against_guessing(facts)}.")


def _guesses_masks(facts: Facts) -> Finding | None:
    """In no epoch, pixels are better told apart than by giving all of them the same class."""
    pixels, overlap = facts.val_top1(), _complete(facts.validated, "val", "miou")
    if not pixels or not overlap:
        return None
    at_most = {name: share + LIMITS.guessing_top1 for name, share in facts.guess.shares.items()}
    trained = facts.train_guess.shares["pixels"] + LIMITS.guessing_top1
    if max(pixels) > at_most["pixels"] or max(overlap) > at_most["miou"]:
        return None
    if max(facts.train_top1(), default=1.0) > trained:
        return None
    return Finding(
        "guesses",
        f"mean IoU stays at {_share(max(overlap))}, about that of one class for all pixels: the"
        f" network guesses. {_against_guessing(facts)}.",
    )


def _guesses_numbers(facts: Facts) -> Finding | None:
    """In no epoch, numbers are better than their mean, nor does the training loss fall."""
    r2, losses = _complete(facts.validated, "val", "r2"), facts.train_loss()
    if not r2 or max(r2) > LIMITS.guessing_r2:
        return None
    if losses[0] > 0 and min(losses) < LIMITS.guessing_numbers_fall * losses[0]:
        return None
    return Finding(
        "guesses",
        f"R2 stays at {max(r2):.2f} or below, about that of predicting the mean for every image:"
        f" the network guesses. {_against_guessing(facts)}.",
    )


def _no_better_than_input(facts: Facts) -> Finding | None:
    """In no epoch, answers are closer to their targets than the inputs are."""
    psnr, base = _complete(facts.validated, "val", "psnr"), facts.input_psnr
    if not psnr or base is None or max(psnr) > base + LIMITS.better_psnr:
        return None
    return Finding(
        "no-better-than-input",
        f"PSNR is {max(psnr):.2f} dB, and that of the input itself {base:.2f} dB: the network"
        " restores nothing. Let it add to its input what is missing, `residual { … }` around the"
        f" layers, or train for longer. {_against_guessing(facts)}.",
    )


def _against_guessing(facts: Facts) -> str:
    """What to try if a network guesses."""
    optimizer = facts.plan.train.optimizer
    losses = facts.train_loss()
    rose = any(later > LIMITS.guessing_jump * sooner for sooner, later in pairwise(losses[1:]))
    tries = f"`cnn show {facts.spec} --gradients` shows whether gradients reach the first layers"
    if optimizer.lr <= LIMITS.slow_rate * optimizer.usual_lr:
        tries = f"try ten times the learning rate ({optimizer.lr:.3g}); {tries}"
    elif optimizer.lr > optimizer.usual_lr or rose:
        tries = f"try a tenth of the learning rate ({optimizer.lr:.3g}); {tries}"
    return f"{tries[0].upper()}{tries[1:]}"


def _by_chance(facts: Facts, guess: Guessing, part: Part) -> float:
    """So much above guessing, an accuracy may still be that of guessing."""
    return max(LIMITS.guessing_top1, facts.deviation(guess.shares[facts.accuracy], part.count))


def _worse(facts: Facts) -> Finding | None:
    """The weights that training started from were better than those of any epoch."""
    top1 = facts.val_top1()
    before = next((each.val.get(facts.accuracy) for each in facts.epochs if not each.epoch), None)
    if not top1 or before is None or not isfinite(before):
        return None
    # Two accuracies, each with its own error.
    images = min(facts.val.count, BEFORE_TRAINING)
    error = hypot(facts.deviation(before, images), facts.deviation(before))
    if before - max(top1) < max(LIMITS.worse, error):
        return None
    return Finding(
        "worse",
        f"before training, validation accuracy was {_share(before)}, and the best epoch has"
        f" {_share(max(top1))}: training destroys what the weights knew. Try a tenth of the"
        f" learning rate ({facts.plan.train.optimizer.lr:.3g}), or freeze layers.",
    )


def _rises(facts: Facts) -> Finding | None:
    """The training loss has risen, and stays high."""
    losses, top1 = facts.train_loss(), facts.train_top1()
    if len(losses) < LIMITS.epochs or _changes_on_the_way(facts):
        return None
    least = min(losses)
    lowest = losses.index(least)
    after = losses[lowest + 1 :]
    if len(after) < 2 or least <= 0 or min(after[-2:]) < LIMITS.rise_loss * least:
        return None
    if not facts.no_accuracy and (not top1 or max(top1) - max(top1[-2:]) < LIMITS.rise_top1):
        return None
    epoch, rate = facts.trained[lowest].epoch, facts.plan.train.optimizer.lr
    return Finding(
        "rises",
        f"the training loss rises, from {least:.4g} in epoch {epoch} to {losses[-1]:.4g}: the"
        f" learning rate ({rate:.3g}) is too large. Try a tenth of it.",
    )


def _one_class(facts: Facts) -> Finding | None:
    """All validation images are put into one class."""
    counts = facts.predicted
    if facts.no_accuracy or sum(counts) < 2 * len(facts.classes):
        return None
    there = sum(count > 0 for count in facts.val.counts)
    if there < 2 or sum(count > 0 for count in counts) != 1:
        return None
    index = next(place for place, count in enumerate(counts) if count)
    of_what = "pixels" if facts.masks else f"{sum(counts):,} validation images"
    what = f"all {of_what} are taken for {_class(facts)}"
    if facts.val.counts[index] == max(facts.val.counts) > 2 * min(facts.val.counts):
        return Finding(
            "one-class",
            f"{what}, the most frequent class: {_share(facts.guess.shares[facts.accuracy])} is the"
            " accuracy of guessing. Try `weights balanced`, or more"
            f" {'pixels' if facts.masks else 'images'} of the other classes.",
        )
    return Finding("one-class", f"{what}: the network does not tell the classes apart.")


def _too_slow(facts: Facts) -> Finding | None:
    """The loss falls steadily, but hardly, with a small learning rate."""
    losses, top1 = facts.train_loss(), facts.train_top1()
    rate, usual = facts.plan.train.optimizer.lr, facts.plan.train.optimizer.usual_lr
    if len(losses) < LIMITS.epochs or facts.steps < LIMITS.steps or facts.plan.transfer:
        return None
    if rate > LIMITS.slow_rate * usual or any(later > sooner for sooner, later in pairwise(losses)):
        return None
    fall, middle = losses[0] - losses[-1], losses[len(losses) // 2]
    share = (len(losses) - 1 - len(losses) // 2) / max(1, len(losses) // 2)
    if not 0 < fall <= LIMITS.slow_fall * losses[0]:
        return None
    if middle - losses[-1] < LIMITS.slow_steady * share * (losses[0] - middle):
        return None
    if top1 and max(top1) >= LIMITS.underfit_top1:
        return None
    return Finding(
        "slow",
        f"the training loss falls steadily, but only from {losses[0]:.4g} to {losses[-1]:.4g} in"
        f" {len(losses)} epochs: the learning rate ({rate:.3g}) is too small. Try ten times as"
        " much.",
    )


# ---- how well it fits ------------------------------------------------------------------------


def _overfits(facts: Facts) -> Finding | None:
    """Training accuracy is far above that of validation."""
    train, val = _last_accuracies(facts)
    if train is None or val is None:
        return None
    grades = (
        (LIMITS.by_heart, LIMITS.by_heart_gap, "it knows the training images by heart"),
        (LIMITS.overfit_top1, LIMITS.overfit_gap, "it overfits"),
        (LIMITS.overfit_early, LIMITS.overfit_early_gap, "it overfits"),
    )
    gaps = ((gap, how) for least, gap, how in grades if train >= least)
    gap, how = next(gaps, (1.0, ""))
    if train - val < max(gap, facts.deviation(val)):
        return None
    return Finding("overfits", f"{_both(facts, train, val)}: {how}. {_against_overfitting(facts)}")


def _overfits_in_loss(facts: Facts) -> Finding | None:
    """The validation loss rises, while that of training falls."""
    val = facts.val_loss()
    train = _complete(facts.validated, "train", "loss")
    if len(val) < LIMITS.epochs or not train or _changes_on_the_way(facts):
        return None
    least = min(val)
    lowest, top1 = val.index(least), facts.val_top1()
    if len(val) - 1 - lowest < 2 or least <= 0 or train[lowest] <= 0:
        return None
    if (
        min(val[-2:]) < LIMITS.overfit_rise * least
        or train[-1] > LIMITS.overfit_fall * train[lowest]
    ):
        return None
    if val[-1] < LIMITS.overfit_loss * facts.guess.loss:  # never if that is not known
        return None
    if top1 and max(top1[-2:]) > top1[lowest]:  # then it only gets too confident
        return None
    epoch = facts.validated[lowest].epoch
    return Finding(
        "overfits",
        f"since epoch {epoch}, the validation loss rises ({least:.4g} to {val[-1]:.4g}) while that"
        f" of training falls ({train[lowest]:.4g} to {train[-1]:.4g}): it overfits."
        f" {_against_overfitting(facts)}",
    )


def _against_overfitting(facts: Facts) -> str:
    """The remedies that the plan does not have yet."""
    ways = ["more data"]
    if not facts.plan.augment:
        ways.append("`augment`")
    if not facts.dropout:
        ways.append("dropout")
    if not float(getattr(facts.plan.train.optimizer, "weight_decay", 1.0)):
        ways.append("weight decay")
    if len(ways) == 1:
        ways.append("stronger augmentation")
    return f"What helps: {', '.join(ways[:-1])} or {ways[-1]}."


def _improves(facts: Facts) -> Finding | None:
    """Validation was still getting better when training ended."""
    losses, top1 = facts.val_loss(), facts.val_top1()
    if len(losses) < LIMITS.epochs or facts.stopped_early:
        return None
    start = len(losses) - 1 - max(1, len(losses) // 3)
    epochs = facts.validated[-1].epoch - facts.validated[start].epoch
    first, last = losses[start], losses[-1]
    if last > min(losses) or not 0 < last <= first * (1 - LIMITS.improving_fall) ** epochs:
        return None
    if top1 and top1[-1] - top1[start] < max(LIMITS.improving_top1, facts.deviation(top1[-1]) / 3):
        return None
    train, val = _last_accuracies(facts)
    if train is not None and val is not None and train - val > LIMITS.improving_gap:
        return None
    what = "pixel accuracy" if facts.masks else "accuracy"
    grown = f" and {what} rose from {_share(top1[start])} to {_share(top1[-1])}" if top1 else ""
    span = f"{epochs} epochs" if epochs > 1 else "epoch"
    return Finding(
        "improves",
        f"in the last {span}, the validation loss fell from {first:.4g} to"
        f" {last:.4g}{grown}: it still improves. Try more epochs.",
    )


def _underfits(facts: Facts) -> Finding | None:
    """Training accuracy is low, and no longer rises."""
    losses = facts.train_loss()
    train, val = _last_accuracies(facts)
    if len(losses) < LIMITS.epochs or facts.steps < LIMITS.steps or train is None or val is None:
        return None
    if max(train, val) >= LIMITS.underfit_top1 or abs(train - val) > LIMITS.underfit_gap:
        return None
    if facts.val.count < 100 or any(isinstance(one, Mixing) for one in facts.plan.augment):
        return None
    last_third = max(1, len(losses) // 3)
    first = losses[-1 - last_third]
    if losses[-1] < first * (1 - LIMITS.underfit_fall) ** last_third:
        return None
    ways = ["a larger network"]
    if facts.plan.train.optimizer.lr < facts.plan.train.optimizer.usual_lr:
        ways.append("a larger learning rate")
    if facts.dropout:
        ways.insert(0, "less dropout")
    if facts.plan.augment:
        ways.insert(0, "less augmentation")
    listed = ways[0] if len(ways) == 1 else f"{', '.join(ways[:-1])} or {ways[-1]}"
    return Finding(
        "underfits",
        f"{_both(facts, train, val)}: it underfits, and cannot tell even the training images apart."
        f" What helps: {listed}.",
    )


def _well_numbers(facts: Facts) -> Finding | None:
    """Most of what numbers differ by is explained, and the losses are about the same."""
    r2 = _complete(facts.validated, "val", "r2")
    if not facts.numbers or len(r2) < 2 or r2[-1] < LIMITS.well_r2:
        return None
    last = facts.validated[-1]
    train, val = last.train.get("loss", 0.0), last.val.get("loss", 0.0)
    if not 0 < val <= LIMITS.well_loss * train:
        return None
    return Finding(
        "well",
        f"R2 is {r2[-1]:.3f} on the validation set, whose loss ({val:.4g}) is about that of"
        f" training ({train:.4g}): it has learned, and does not overfit.",
    )


def _well_images(facts: Facts) -> Finding | None:
    """Answers are much closer to their targets than inputs are, also of new images."""
    psnr, base = _complete(facts.validated, "val", "psnr"), facts.input_psnr
    if len(psnr) < 2 or base is None or psnr[-1] < base + LIMITS.well_psnr:
        return None
    last = facts.validated[-1]
    train, val = last.train.get("loss", 0.0), last.val.get("loss", 0.0)
    if not 0 < val <= LIMITS.well_loss * train:
        return None
    return Finding(
        "well",
        f"PSNR is {psnr[-1]:.2f} dB on the validation set, {psnr[-1] - base:.2f} dB more than that"
        f" of the input itself, and the loss ({val:.4g}) is about that of training ({train:.4g}):"
        " it has learned, and does not overfit.",
    )


def _well(facts: Facts) -> Finding | None:
    """Both accuracies are high, and about the same."""
    train, val = _last_accuracies(facts)
    if train is None or val is None or len(facts.validated) < 2:
        return None
    if val < LIMITS.well_top1 or train - val > LIMITS.well_gap:
        return None
    if val < facts.guess.shares[facts.accuracy] + facts.deviation(val) + LIMITS.well_gap:
        return None
    what = _both(facts, train, val)
    if val - train > LIMITS.well_gap:
        what = f"validation accuracy {_share(val)}, training {_share(train)} of harder images"
        what += " (augmentation, dropout)"
    return Finding("well", f"{what}: it has learned, and does not overfit.")


# ---- whether there are enough images to tell -------------------------------------------------


def _few(facts: Facts) -> Finding | None:
    """With so few validation images, another set of them could give a very different accuracy."""
    top1 = facts.val_top1()
    images = facts.val.count
    if not top1 or not images or facts.masks:
        return None
    low, high = interval(max(top1), images)
    if (high - low) / 2 < LIMITS.uncertain:
        return None
    best = [each.epoch for each in facts.validated if each.val["top1"] == max(top1)]
    tied = f"; {len(best)} epochs have it" if len(best) > 1 else ""
    return Finding(
        "few",
        f"{images:,} validation images are few: on others of this kind, the best accuracy,"
        f" {_share(max(top1))}, could as well be {_share(low)} or {_share(high)}{tied}.",
    )


def _never_found(facts: Facts) -> Finding | None:
    """Of some classes of masks, no pixel is found: they are rare, and the loss hardly sees them."""
    if not facts.masks or not facts.predicted:
        return None
    lost = [
        f"`{name}`"
        for name, found, there in zip(facts.classes, facts.predicted, facts.val.counts, strict=True)
        if there and not found
    ]
    if not lost:
        return None
    shown = ", ".join(lost[:_NAMED])
    more = f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else ""
    ways = ["more epochs"]
    if facts.plan.train.weights.classes == "equal" and facts.plan.train.loss.weighted:
        ways.append("`weights balanced`")
    if facts.plan.train.loss.weighted and not getattr(facts.plan.train.loss, "dice", None):
        ways.append("a loss with `dice=1`")
    return Finding("never-found", f"no pixel is taken for {shown}{more}. Try {' or '.join(ways)}.")


_NAMED = 4


def interval(share: float, images: int) -> tuple[float, float]:
    """The interval of Wilson (1927) for a share that was measured on so many images."""
    z2 = LIMITS.uncertain_deviations**2
    center = (share + z2 / (2 * images)) / (1 + z2 / images)
    half = sqrt(z2 * (share * (1 - share) / images + z2 / (4 * images**2))) / (1 + z2 / images)
    return max(0.0, center - half), min(1.0, center + half)


# ---- shared ----------------------------------------------------------------------------------


Rule = Callable[[Facts], Finding | None]

TROUBLE: tuple[Rule, ...] = (_rises, _guesses, _worse, _one_class, _too_slow)
FIT: tuple[Rule, ...] = (
    _overfits,
    _overfits_in_loss,
    _improves,
    _underfits,
    _well_numbers,
    _well_images,
    _well,
)
CERTAINTY: tuple[Rule, ...] = (_few, _never_found)


def _last_accuracies(facts: Facts) -> tuple[float | None, float | None]:
    """Training and validation accuracy of the last epoch that was followed by validation."""
    if facts.no_accuracy or not facts.validated:
        return None, None
    last = facts.validated[-1]
    train, val = last.train.get(facts.accuracy), last.val.get(facts.accuracy)
    return (train, val) if _finite(train) and _finite(val) else (None, None)


def _changes_on_the_way(facts: Facts) -> bool:
    """Whether layers or images change between epochs, so that losses cannot be compared."""
    plan = facts.plan
    staged = plan.transfer is not None and bool(plan.transfer.unfreeze)
    return staged or bool(plan.train.freeze_after) or any(one.by_epoch for one in plan.augment)


def _class(facts: Facts) -> str:
    place = next(place for place, count in enumerate(facts.predicted) if count)
    return f"`{facts.classes[place]}`"


def _both(facts: Facts, train: float, val: float) -> str:
    of_what = "pixel accuracy" if facts.masks else "accuracy"
    return f"training {of_what} {_share(train)}, validation {_share(val)}"


def _share(share: float) -> str:
    return f"{100 * share:.1f} %"
