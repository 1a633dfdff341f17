"""The report's learning curves: loss, metrics and learning rate over epochs, from before training
(epoch 0) on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import isfinite, nan
from typing import Any, NamedTuple

from ...compiler.plan.metric_names import is_metric, metric_named
from ...compiler.report.figures import exact
from ..data.diagnostic import in_nouns
from ..display.number_format import duration, is_share, loss, metric, rate
from ..metrics.guessing import Guessing
from ..trainer.callbacks import BEFORE_TRAINING, EpochRecord
from .chart import Line, chart
from .contents import Contents
from .markup import Html, details, element, section, table


def curves(contents: Contents) -> Html | None:
    epochs = contents.epochs
    if not epochs:
        return None
    wanted = contents.shown_metrics
    best, guess = contents.best, contents.guess

    noun = contents.data.dataset.noun
    own = {name: metric_named(name).title for name in _names(epochs) if is_metric(name)}
    titles = {name: in_nouns(title, noun) for name, title in own.items()}
    titles.update(contents.data.task.titles)

    changed = [(entry.place, entry.text) for entry in resumptions(contents.record) if entry.text]

    def charts(enlarged: bool) -> Html:
        drawn = _charts(epochs, wanted, best, guess, enlarged, titles, changed)
        each = (element("div", element("h3", _title(name, titles)), chart) for name, chart in drawn)
        return element("div", *each, class_="charts")

    marks = []
    if best is not None:
        marks.append(f"The vertical line marks the best epoch, {best}.")
    if guess is not None:
        marks.append(
            "The horizontal one is what guessing would give, without a look at the"
            f" {contents.nouns}" + (f": a loss of {guess.loss_text}." if guess.loss_text else ".")
        )
    if any(each.epoch == 0 for each in epochs):
        marks.append(f"Epoch 0 is before training{_on_a_part(contents)}.")
    if changed:
        marks.append("A dotted line is where the run went on with changes.")
    marked = element("p", " ".join(marks), class_="faint")
    closer = details("Enlarged: axes with the range of the values", charts(True))
    every = details("All epochs as a table", _every_epoch(epochs))
    changes = [element("p", f"{text}.", class_="faint") for _, text in changed]
    return section("curves", "Learning curves", charts(False), marked, *changes, closer, every)


class Resumption(NamedTuple):
    """Where a run went on after an interruption."""

    place: float
    """In epochs."""
    text: str
    """What changed; empty if nothing did."""


def resumptions(record: Mapping[str, Any]) -> list[Resumption]:
    return [
        Resumption(
            entry["epoch"] - (0.5 if entry["position"] else 1),
            f"{entry['time'].replace('T', ' ')[:16]}: {'; '.join(entry['said'])}"
            if entry["said"]
            else "",
        )
        for entry in record.get("resumptions") or ()
    ]


def _on_a_part(contents: Contents) -> str:
    """What to say of epoch 0 if it is measured on a part of the validation set."""
    val = contents.data.dataset.part("val")
    if val is None or val.count <= BEFORE_TRAINING:
        return ""
    return f", on {exact(BEFORE_TRAINING)} of the {exact(val.count)} validation {contents.nouns}"


def _title(name: str, titles: Mapping[str, str]) -> str:
    title = metric_named(name).title if is_metric(name) else _OTHERS.get(name, name)
    title = titles.get(name, title)
    return title[:1].upper() + title[1:]


_OTHERS = {"lr": "learning rate"}


def _charts(
    epochs: Sequence[EpochRecord],
    wanted: Sequence[str],
    best: int | None,
    guess: Guessing | None,
    enlarged: bool,
    titles: Mapping[str, str],
    changed: Sequence[tuple[float, str]],
) -> Iterator[tuple[str, Html]]:
    if enlarged:
        epochs = [each for each in epochs if each.epoch]
    base = {"loss": guess.loss, **guess.shares} if guess is not None else {}
    base = {name: value for name, value in base.items() if isfinite(value)}
    for name in _names(epochs):
        if name != "loss" and name not in wanted:
            continue
        lines = [
            line
            for line in (
                Line("training", "one", _points(epochs, "train", name)),
                Line("validation", "two", _points(epochs, "val", name)),
            )
            if any(isfinite(y) for _, y in line.points)
        ]
        if lines:
            share = is_share(name)
            value = _percent if share else _short
            yield (
                name,
                chart(
                    _title(name, titles), lines, value, best=best, share=share,
                    guess=base.get(name), enlarged=enlarged, marks=changed,
                ),
            )  # fmt: skip
    rates = [(each.epoch, each.lr) for each in epochs if each.epoch]
    if rates and not enlarged:
        yield (
            "lr",
            chart("Learning rate", [Line("learning rate", "one", rates)], rate, marks=changed),
        )


def _names(epochs: Sequence[EpochRecord]) -> list[str]:
    """The metrics of any epoch, the loss first."""
    names = {name: None for each in epochs for name in (*each.train, *each.val)}
    return sorted(names, key=lambda name: name != "loss")


def _points(epochs: Sequence[EpochRecord], part: str, name: str) -> list[tuple[float, float]]:
    values = [(each.epoch, each.train if part == "train" else each.val) for each in epochs]
    return [(epoch, metrics[name]) for epoch, metrics in values if name in metrics]


def _percent(share: float) -> str:
    return f"{100 * share:.4g} %"


def _short(value: float) -> str:
    return f"{value:.4g}"


def _about_epoch(epoch: int, best: int | None) -> str:
    if epoch == 0:
        return " (before training)"
    return " (best)" if epoch == best else ""


def _every_epoch(epochs: Sequence[EpochRecord]) -> Html:
    names = _names(epochs)
    train = [name for name in names if any(name in each.train for each in epochs)]
    val = [name for name in names if any(name in each.val for each in epochs)]
    head = ["epoch", *train, *(f"val {name}" for name in val), "lr", "time"]

    def cell(name: str, values: dict[str, float]) -> str:
        return metric(name, values[name]) if isfinite(values.get(name, nan)) else ""

    best = max((each.epoch for each in epochs if each.best), default=None)
    rows = [
        [
            f"{each.epoch}{_about_epoch(each.epoch, best)}",
            *(cell(name, dict(each.train)) for name in train),
            *(cell(name, dict(each.val)) for name in val),
            "" if not each.epoch else loss(each.lr) if each.lr >= 1 else rate(each.lr),
            duration(each.seconds),
        ]
        for each in epochs
    ]
    return table("All epochs", head, rows)
