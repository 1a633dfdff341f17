"""Progress messages of a run: at its start, after each epoch, and at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...compiler.report.figures import exact, plural
from ...compiler.report.style import PLAIN, Style, laid_out
from ...dsl.printable import show
from ..checkpoint.run_folder import shown
from ..trainer.callbacks import EpochRecord, RunEnd, RunStart
from .number_format import duration, is_share, metric, percent, rate, speed


def start_lines(start: RunStart, style: Style = PLAIN) -> list[str]:
    """The network, the device, what was chosen automatically, and the run folder."""
    size = f"{plural(start.parameters, 'parameter')}"
    if start.trainable != start.parameters:
        size += f", {exact(start.trainable)} trainable"
    epochs = f"{epochs_of(start.epochs)} of {_batches(start.batches)}"
    lines = [
        ("network", f"{show(start.network)}: {size}"),
        ("device", show(start.device)),
        *(("", show(choice)) for choice in start.choices),
        ("run", f"{show(shown(start.folder))}: {epochs}"),
    ]
    if start.resumed is not None:
        epoch, image = start.resumed
        where = f"at epoch {exact(epoch)}" + (f", {start.noun} {exact(image)}" if image else "")
        if epoch > start.epochs:
            where = "after its last epoch: `--set train.epochs=N` trains it for more"
        lines.append(("resumed", where))
    return laid_out(lines, style, indent="")


def epochs_of(count: int) -> str:
    return f"{exact(count)} {'epoch' if count == 1 else 'epochs'}"


def _batches(count: int) -> str:
    return f"{exact(count)} {'batch' if count == 1 else 'batches'}"


def epoch_line(
    record: EpochRecord,
    epochs: int,
    width: int = 100,
    metrics: Sequence[str] = (),
    running: Sequence[str] = ("loss", "top1"),
    noun: str = "image",
) -> str:
    """The line of an epoch. If `width` is too small, the least important columns are left out.
    Each column is as wide as its widest value, so that the lines of a run align. The columns of
    `metrics`, those of a validation, are empty after an epoch without one, and those of training
    before it."""
    digits = len(str(epochs))
    fields: list[tuple[int, str]] = [(0, f"epoch {record.epoch:>{digits}}/{epochs}")]

    def column(priority: int, text: str, widest: str) -> None:
        fields.append((priority, text.ljust(len(widest))))

    trained = record.epoch > 0
    if trained:
        for name in running:
            column(1, _figure(name, name, record.train), _widest(name, name))
    else:
        column(1, "before training", "  ".join(_widest(name, name) for name in running))
    for place, name in enumerate(record.val or metrics):
        label = f"val {name}"
        priority = 8 if place >= _METRICS else 2 if name == "loss" else 1
        column(priority, _figure(label, name, record.val), _widest(label, name))
    column(6, f"lr {rate(record.lr)}" if trained else "", "lr 0.000123")
    column(7, speed(record.images_per_second, noun) if trained else "", speed(123456, noun))
    column(5, f"data wait {percent(record.waiting)}" if trained else "", "data wait 100 %")
    column(4, duration(record.seconds), "1:23:45")
    column(3, "best" if record.best else "", "best")
    return fitting(fields, width).rstrip()


_METRICS = 2
"""Metrics of the validation set that are left out last."""


def _figure(label: str, name: str, values: Mapping[str, float]) -> str:
    return f"{label} {metric(name, values[name])}" if name in values else ""


def _widest(label: str, name: str) -> str:
    return f"{label} {metric(name, 1 if is_share(name) else _WIDE)}"


_WIDE = 2e5


def fitting(fields: Sequence[tuple[int, str]], width: int) -> str:
    """The fields side by side. If `width` is too small, those with the highest numbers are left
    out."""
    kept = list(fields)
    while len(kept) > 1 and sum(len(text) + 2 for _, text in kept) - 2 > width:
        kept.remove(max(kept, key=lambda field: field[0]))
    return "  ".join(text for _, text in kept)


def end_lines(finished: RunEnd, start: RunStart | None) -> list[str]:
    """Why the run ended, the metrics of the best epoch, and where the results are."""
    asked = finished.reason == "callback stop"
    why = f" ({show(finished.why)})" if asked else ""
    lines = [
        f"{finished.reason}{why}: {epochs_of(finished.epochs)} in {duration(finished.seconds)}"
    ]
    if finished.best_epoch is not None:
        wanted = start.metrics if start is not None else ()
        best = {key: value for key, value in finished.best.items() if key in wanted}
        figures = {f"val {key}": value for key, value in (best or finished.best).items()}
        lines.append(f"best: epoch {finished.best_epoch}{', ' * bool(figures)}{metrics(figures)}")
    lines += map(show, finished.comparisons)
    if finished.verdict:
        lines.append(f"verdict: {show(' '.join(finished.verdict))}")
    lines.append(f"run: {show(shown(finished.folder))}")
    if finished.report is not None:
        lines.append(f"report: {show(shown(finished.report))}")
    return lines


def metrics(values: Mapping[str, float]) -> str:
    """`val top1 97.50 %, val loss 0.0512`."""
    return ", ".join(
        f"{name} {metric(name.removeprefix('val '), value)}" for name, value in values.items()
    )
