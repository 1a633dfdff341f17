"""Whether a network learns at all: it guesses, gets worse, or learns too slowly."""

from __future__ import annotations

from itertools import pairwise
from math import hypot, isfinite

from ....compiler.plan.augment.mixing import Mixing
from ...data.dataset import Part
from ...trainer.callbacks import BEFORE_TRAINING
from ..guessing import Guessing
from .against_guessing import against_guessing
from .facts import Facts, Finding, changes_on_the_way, class_found, percent
from .image_rules import no_better_than_input
from .limits import LIMITS
from .mask_rules import guesses_masks
from .number_rules import guesses_numbers


def guesses(facts: Facts) -> Finding | None:
    """In no epoch, validation or training is better than giving every image the same answer."""
    if len(facts.trained) < 2 or facts.steps < LIMITS.steps or not facts.validated:
        return None
    if facts.masks:
        return guesses_masks(facts)
    if facts.numbers:
        return guesses_numbers(facts)
    if facts.images:
        return no_better_than_input(facts)
    if facts.outputs:
        return None
    losses, top1, guess = facts.val_loss(), facts.val_top1(), facts.guess
    if not losses or min(losses) < LIMITS.guessing_loss * guess.loss:
        return None
    if not facts.multi_label:
        if not top1 or max(top1) > guess.shares[facts.accuracy] + by_chance(
            facts, guess, facts.val
        ):
            return None
        mixed = any(isinstance(one, Mixing) for one in facts.plan.augment)
        trained, base = facts.train_top1(), facts.train_guess
        at_most = base.shares[facts.accuracy] + by_chance(facts, base, facts.train)
        if not mixed and (not trained or max(trained) > at_most):
            return None
    elif min(facts.train_loss()) < LIMITS.guessing_loss * facts.train_guess.loss:
        return None
    if max(losses) <= guess.loss * (2 - LIMITS.guessing_loss):
        what = f"the loss stays at {guess.loss_text}: the network guesses"
    else:
        best = f"{min(losses):.4g}"
        what = f"the validation loss is {best} at best, that of guessing {guess.loss_text}: the"
        what += " network guesses"
    if facts.predicted and sum(count > 0 for count in facts.predicted) == 1:
        what += f", and takes every image for {class_found(facts)}"
    return Finding("guesses", f"{what}. {against_guessing(facts)}.")


def by_chance(facts: Facts, guess: Guessing, part: Part) -> float:
    """So much above guessing, an accuracy may still be that of guessing."""
    return max(LIMITS.guessing_top1, facts.deviation(guess.shares[facts.accuracy], part.count))


def worse(facts: Facts) -> Finding | None:
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
        f"before training, validation accuracy was {percent(before)}, and the best epoch has"
        f" {percent(max(top1))}: training destroys what the weights knew. Try a tenth of the"
        f" learning rate ({facts.plan.train.optimizer.lr:.3g}), or freeze layers.",
    )


def rises(facts: Facts) -> Finding | None:
    """The training loss has risen, and stays high."""
    losses, top1 = facts.train_loss(), facts.train_top1()
    if len(losses) < LIMITS.epochs or changes_on_the_way(facts):
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


def undecided(facts: Facts) -> Finding | None:
    """Many validation images get the same answer for every class, as the head gives only zeros."""
    if facts.no_accuracy or facts.masks:
        return None
    if facts.undecided < max(2, LIMITS.undecided * facts.val.count):
        return None
    what = (
        f"for {facts.undecided:,} of {facts.val.count:,} validation images, every class is exactly"
        " as likely as the others: what reaches the end of the network is zero"
    )
    rate = f"a tenth of the learning rate ({facts.plan.train.optimizer.lr:.3g})"
    if facts.ends_in_relu:
        return Finding(
            "undecided",
            f"{what}, by the `relu` after its last layer. Take that `relu` out, or try {rate}.",
        )
    return Finding("undecided", f"{what}. Try {rate}.")


def one_class(facts: Facts) -> Finding | None:
    """All validation images are put into one class."""
    counts = facts.predicted
    if facts.no_accuracy or sum(counts) < 2 * len(facts.classes) or facts.steps < LIMITS.steps:
        return None
    there = sum(count > 0 for count in facts.val.counts)
    if there < 2 or sum(count > 0 for count in counts) != 1:
        return None
    index = next(place for place, count in enumerate(counts) if count)
    of_what = "pixels" if facts.masks else f"{sum(counts):,} validation images"
    what = f"all {of_what} are taken for {class_found(facts)}"
    if facts.val.counts[index] == max(facts.val.counts) > 2 * min(facts.val.counts):
        return Finding(
            "one-class",
            f"{what}, the most frequent class: {percent(facts.guess.shares[facts.accuracy])} is the"
            " accuracy of guessing. Try `weights balanced`, or more"
            f" {'pixels' if facts.masks else 'images'} of the other classes.",
        )
    return Finding("one-class", f"{what}: the network does not tell the classes apart.")


def too_slow(facts: Facts) -> Finding | None:
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
