"""The metrics of an evaluation, each declared once: what it is called, and which way is better.

Of a network with several outputs, `age.mae` is the metric `mae` of the output `age`.
"""

from __future__ import annotations

from typing import NamedTuple


class Metric(NamedTuple):
    title: str
    """As reports name it."""
    share: bool = True
    """Whether it is between 0 and 1, and shown in percent."""
    higher: bool = True
    """Whether higher is better."""
    in_units: bool = False
    """Whether it is in the units of the data."""
    unit: str = ""
    """Its own unit."""
    of_plugin: str = ""
    """The plug-in that it is from."""


METRICS = {
    "top1": Metric("top-1 accuracy"),
    "top5": Metric("top-5 accuracy"),
    "loss": Metric("loss", share=False, higher=False),
    "precision": Metric("precision"),
    "recall": Metric("recall"),
    "f1": Metric("F1"),
    "map": Metric("mean average precision"),
    "auroc": Metric("AUROC"),
    "ece": Metric("calibration error", higher=False),
    "brier": Metric("Brier score", share=False, higher=False),
    "miou": Metric("mean IoU"),
    "dice": Metric("mean Dice"),
    "pixels": Metric("pixel accuracy"),
    "boundary": Metric("boundary F1"),
    "mae": Metric("mean absolute error", share=False, higher=False, in_units=True),
    "rmse": Metric("root mean squared error", share=False, higher=False, in_units=True),
    "r2": Metric("R2", share=False),
    "psnr": Metric("PSNR", share=False, unit="dB"),
    "ssim": Metric("SSIM", share=False),
}
"""By the name in a spec."""


TRAIN_LOSS = "train_loss"
"""The mean loss of an epoch's batches, which is known after each epoch without a validation. It may
decide about checkpoints, the learning rate and the end of training."""


def is_metric(name: str) -> bool:
    return name.rpartition(".")[2] in METRICS


def metric_named(name: str) -> Metric:
    """What is declared of a metric, also of that of one output."""
    if name == TRAIN_LOSS:
        return METRICS["loss"]._replace(title="training loss")
    output, _, metric = name.rpartition(".")
    known = METRICS[metric]
    return known._replace(title=f"{output}: {known.title}") if output else known


PER_CLASS = "per_class"
"""Not one number, but a table of all classes."""
