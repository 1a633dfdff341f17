"""How well a network fits: it overfits, underfits, still improves, or is well."""

from __future__ import annotations

from ....compiler.plan.augment.mixing import Mixing
from .facts import Facts, Finding, both, changes_on_the_way, complete, last_accuracies, percent
from .limits import LIMITS


def overfits(facts: Facts) -> Finding | None:
    """Training accuracy is far above that of validation."""
    train, val = last_accuracies(facts)
    if train is None or val is None:
        return None
    grades = (
        (LIMITS.memorized, LIMITS.memorized_gap, "it has memorized the training images"),
        (LIMITS.overfit_top1, LIMITS.overfit_gap, "it overfits"),
        (LIMITS.overfit_early, LIMITS.overfit_early_gap, "it overfits"),
    )
    gaps = ((gap, how) for least, gap, how in grades if train >= least)
    gap, how = next(gaps, (1.0, ""))
    if train - val < max(gap, facts.deviation(val)):
        return None
    if facts.early:
        # In the first epoch, every image is new when its accuracy is measured.
        return Finding(
            "early",
            f"{both(facts, train, val)}: {facts.early} to tell whether it overfits. Train for at"
            f" least {LIMITS.epochs}.",
        )
    return Finding("overfits", f"{both(facts, train, val)}: {how}. {against_overfitting(facts)}")


def overfits_in_loss(facts: Facts) -> Finding | None:
    """The validation loss rises, while that of training falls."""
    val = facts.val_loss()
    train = complete(facts.validated, "train", "loss")
    if len(val) < LIMITS.epochs or not train or changes_on_the_way(facts):
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
        f" {against_overfitting(facts)}",
    )


def against_overfitting(facts: Facts) -> str:
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


def improves(facts: Facts) -> Finding | None:
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
    train, val = last_accuracies(facts)
    if train is not None and val is not None and train - val > LIMITS.improving_gap:
        return None
    what = "pixel accuracy" if facts.masks else "accuracy"
    grown = f" and {what} rose from {percent(top1[start])} to {percent(top1[-1])}" if top1 else ""
    span = f"{epochs} epochs" if epochs > 1 else "epoch"
    return Finding(
        "improves",
        f"in the last {span}, the validation loss fell from {first:.4g} to"
        f" {last:.4g}{grown}: it still improves. Try more epochs.",
    )


def underfits(facts: Facts) -> Finding | None:
    """Training accuracy is low, and no longer rises."""
    losses = facts.train_loss()
    train, val = last_accuracies(facts)
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
        f"{both(facts, train, val)}: it underfits, and cannot tell even the training images apart."
        f" What helps: {listed}.",
    )


def well(facts: Facts) -> Finding | None:
    """Both accuracies are high, and about the same."""
    train, val = last_accuracies(facts)
    if train is None or val is None or len(facts.validated) < 2:
        return None
    if val < LIMITS.well_top1 or train - val > LIMITS.well_gap:
        return None
    if val < facts.guess.shares[facts.accuracy] + facts.deviation(val) + LIMITS.well_gap:
        return None
    what = both(facts, train, val)
    if val - train > LIMITS.well_gap:
        what = f"validation accuracy {percent(val)}, training {percent(train)} of harder images"
        what += " (augmentation, dropout)"
    return Finding("well", f"{what}: it has learned, and does not overfit.")


def similar_losses(facts: Facts) -> str | None:
    """In words, that the losses of training and validation are about the same at the end; None if
    they are not."""
    last = facts.validated[-1]
    train, val = last.train.get("loss", 0.0), last.val.get("loss", 0.0)
    if not 0 < val <= LIMITS.well_loss * train:
        return None
    return f"the loss ({val:.4g}) is about that of training ({train:.4g})"
