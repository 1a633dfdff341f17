"""The lines at the start of a training, after each epoch, and at its end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ...compiler.report.figures import exact, plural
from ...compiler.report.style import PLAIN, Style, laid_out
from ...dsl.render import show
from ..checkpoint.run_folder import shown
from ..trainer.callbacks import EpochRecord, RunEnd, RunStart
from .number_format import duration, loss, metric, percent, rate, speed


def beginning(start: RunStart, style: Style = PLAIN) -> list[str]:
    """Network, device, choices, data and run."""
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
        where = f"epoch {exact(epoch)}" + (f", image {exact(image)}" if image else "")
        lines.append(("resumed", f"at {where}"))
    return laid_out(lines, style, indent="")


def epochs_of(count: int) -> str:
    return f"{exact(count)} {'epoch' if count == 1 else 'epochs'}"


def _batches(count: int) -> str:
    return f"{exact(count)} {'batch' if count == 1 else 'batches'}"


def epoch_line(record: EpochRecord, epochs: int, width: int = 100) -> str:
    """One epoch. What there is no room for is left out, the least important first; room is kept
    for every column at its widest, so that all lines of a run have the same columns."""
    digits = len(str(epochs))
    fields: list[tuple[int, str]] = [(0, f"epoch {record.epoch:>{digits}}/{epochs}")]

    def column(priority: int, text: str, widest: str) -> None:
        fields.append((priority, text.ljust(len(widest))))

    if "loss" in record.train:
        column(1, f"loss {loss(record.train['loss'])}", "loss 1.3e+04")
    for place, (name, value) in enumerate(record.val.items()):
        label = "val loss" if name == "loss" else name
        widest = f"{label} {metric(name, 1e4 if name == 'loss' else 1)}"
        column(2 if place < _METRICS else 8, f"{label} {metric(name, value)}", widest)
    column(5, f"lr {rate(record.lr)}", "lr 0.000123")
    column(6, speed(record.images_per_second), "123,456 images/s")
    column(4, f"waited {percent(record.waiting)}", "waited 100 %")
    column(3, duration(record.seconds), "1:23:45")
    column(2, "best" if record.best else "", "best")
    return fitting(fields, width).rstrip()


_METRICS = 2


def fitting(fields: Sequence[tuple[int, str]], width: int) -> str:
    """The fields side by side; those with the highest numbers are left out where it is narrow."""
    left = list(fields)
    while len(left) > 1 and sum(len(text) + 2 for _, text in left) - 2 > width:
        left.remove(max(left, key=lambda field: field[0]))
    return "  ".join(text for _, text in left)


def end(finished: RunEnd, start: RunStart | None) -> list[str]:
    """Why it ended, the best epoch with the plan's metrics, and the files."""
    lines = [f"{finished.reason}: {epochs_of(finished.epochs)} in {duration(finished.seconds)}"]
    if finished.best_epoch is not None:
        wanted = start.plan.train.metrics.names if start is not None else ()
        best = {key: value for key, value in finished.best.items() if key in wanted}
        lines.append(f"best: epoch {finished.best_epoch}, {metrics(best or finished.best)}")
    lines.append(f"run: {show(shown(finished.folder))}")
    if finished.report is not None:
        lines.append(f"report: {show(shown(finished.report))}")
    return lines


def metrics(values: Mapping[str, float]) -> str:
    """`top1 97.50 %, loss 0.0512`."""
    return ", ".join(f"{name} {metric(name, value)}" for name, value in values.items())
