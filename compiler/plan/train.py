"""Directives of the train section except data, optimizer, schedule and loss: epochs, batch,
precision, EMA, early stopping, seed, checkpoints.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Self

from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, Edit
from ..language.kinds import (
    choice,
    custom,
    either,
    flag,
    layer_names,
    number,
    real_number,
    switch,
    whole,
    words,
)
from ..language.problems import Problem
from ..language.signature import ArgumentError, Field
from ..language.values import Duration, Word, exact, in_units, read_duration, show
from ..language.words_in_force import words_in_force
from ..shapes import axes_of
from .data import Data
from .directive import Context, Directive, conflict, unknown_parts
from .loss import ends_in_map, learns_images
from .metric_names import METRICS, PER_CLASS, TRAIN_LOSS, is_metric

UNREACHED = "unreached"
"""The code of the warning that something would happen only after the last epoch."""

SINGLE = tuple(METRICS)
"""The metrics that are a single number, for comparing epochs."""


def metric_of(doc: str, default: str | None) -> Any:
    """What decides between epochs: a metric of the validation like `top1`, or `age.mae` of the
    output `age`; or the training loss."""
    doc = doc.format(f"a validation metric, or `{TRAIN_LOSS}`, the loss of the training data")

    def field(own: Sequence[str]) -> Any:
        return choice(doc, (*SINGLE, *own, TRAIN_LOSS), default, keyword_only=True)

    return of_metrics(field)


def least_improvement() -> Any:
    return number(
        "smallest change that counts as an improvement", 0.0, minimum=0, keyword_only=True,
        elsewhere="min_delta",
    )  # fmt: skip


def outputs_named(
    directive: Directive, names: Sequence[str], argument: str, context: Context
) -> Iterator[Problem]:
    """The error for a metric of an output that the network does not have: `agee.mae`."""
    place = directive.place(argument)
    if context.network is None or place is None:
        return
    outputs = [output.name for output in context.network.outputs]
    listed = ", ".join(f"`{name}`" for name in outputs)
    for name in names:
        output, dot, metric = name.rpartition(".")
        if not dot or (len(outputs) > 1 and output in outputs):
            continue
        if len(outputs) == 1:
            has, help = "one output", f"write `{metric}`"
        else:
            close = closest(output, outputs)
            has, help = f"the outputs {listed}", f"write `{close}.{metric}`" if close else ""
        yield Problem(
            "unknown-name",
            f"`{name}` is a metric of the output `{output}`, and the network has {has}",
            place,
            help=help,
        )


def of_metrics(make: Callable[[Sequence[str]], Field]) -> Any:
    """An argument that takes metrics, made for those of plug-ins: also of one output."""
    field = make(())

    def read(value: object) -> Any:
        names = [str(each) for each in value] if isinstance(value, (tuple, list)) else [str(value)]
        inner = [name.rpartition(".")[2] if is_metric(name) else name for name in names]
        words = tuple(map(Word, inner)) if isinstance(value, (tuple, list)) else Word(inner[0])
        own = sorted(words_in_force().metrics)
        known = (make(own) if own else field).read(words)
        return tuple(names) if isinstance(known, tuple) else names[0]

    return replace(field, read=read)


def unreached(directive: Directive, name: str, message: str) -> Iterator[Diagnostic]:
    place = directive.place(name)
    if place is not None:
        help = "train for more epochs, or make it earlier"
        yield Diagnostic(UNREACHED, message, place, help=help, severity="warning")


def _epochs(value: object) -> float:
    number = real_number(value)
    if not 0 < number <= _MOST_EPOCHS:
        raise ArgumentError(f"{show(value)} is not {_EPOCHS}")
    return int(number) if number.is_integer() else number


_MOST_EPOCHS = 10**6
_EPOCHS = "a number above 0 and at most 1000000"


class Epochs(Directive):
    """Passes over the training set.

    Of `epochs 9.9`, the tenth ends after nine tenths of its steps.
    """

    section = "train"
    word = "epochs"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "epochs": "num_epochs n_epochs max_epochs nb_epochs epoch"
    }

    count: float = custom("number of epochs", _epochs, _EPOCHS, example="30", write=exact)

    @property
    def whole(self) -> int:
        """The number of epochs, with the last one even if it is not complete."""
        return math.ceil(self.count)

    @classmethod
    def usual(cls, context: Context) -> Epochs:
        return cls(count=30)


class Batch(Directive):
    """Images in a training step (mini-batch)."""

    section = "train"
    word = "batch"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "batch": "batch_size batchsize bs train_batch_size minibatch"
    }

    size: int = whole("number of images", maximum=10**6, example="64")
    drop_last: bool = flag("drop the last batch of an epoch if it is smaller")

    @classmethod
    def usual(cls, context: Context) -> Batch:
        return cls.make(size=64)


class Accumulate(Directive):
    """Gradient accumulation: the number of batches whose gradients are summed before a step."""

    section = "train"
    word = "accumulate"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "accumulate": "subdivisions iter_size accumulate_grad_batches gradient_accumulation_steps"
        " grad_accum grad_accum_steps gradientaccumulation",
    }

    batches: int = whole("number of batches", maximum=10**6, example="4")

    @classmethod
    def usual(cls, context: Context) -> Accumulate:
        return cls(batches=1)


class Clip(Directive):
    """Gradient clipping."""

    section = "train"
    word = "clip"
    may_be_off = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "clip": "clip_gradients gradient_clip_val clip_grad clip_grad_norm grad_clip clipnorm"
        " gradientclip",
        "clip by=value": "clipvalue clip_grad_value",
    }

    limit: float = number("the largest norm or value", 1.0, minimum=0, above=True)
    by: str = choice(
        "`norm` limits the norm of all gradients together, `value` limits each number separately",
        ("norm", "value"),
        "norm",
        keyword_only=True,
    )


class Ema(Directive):
    """An exponential moving average of the weights, which is what is evaluated and saved."""

    section = "train"
    word = "ema"
    may_be_off = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "ema": "model_ema model_ema_decay averaged_model swa emacallback SwapEMAWeights"
    }

    decay: float = number(
        "share of the average that each step keeps", 0.999,
        minimum=0, maximum=1, above=True, below=True,
    )  # fmt: skip


class Lookahead(Directive):
    """Every few steps, the weights return to a slow average of themselves (arXiv:1907.08610).

    The average first moves towards them. Zhang et al. have `keep=0.5`; airbench lets it rise.
    """

    section = "train"
    word = "lookahead"
    may_be_off = True

    every: int = whole("steps of the optimizer between two steps of the average", 5, elsewhere="k")
    keep: float = number(
        "share of itself that the average keeps", 0.5, minimum=0, maximum=1, below=True
    )
    rise: float = number(
        "`keep` is multiplied by this power of the share of training that is done", 0.0,
        minimum=0, maximum=100,
    )  # fmt: skip


class FreezeAfter(Directive):
    """Layers that are trained in the first epochs only."""

    section = "train"
    word = "freeze_after"
    may_be_off = True
    example = "freeze_after 3 stem"

    epochs: int = whole("number of epochs in which they are trained", example="3")
    parts: tuple[str, ...] = layer_names("the layers or scopes to freeze then", example="stem")

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from unknown_parts(self.parts, self, context)

    def warnings(self, context: Context) -> Iterator[Diagnostic]:
        epochs = context.get(Epochs).count
        if self.epochs >= epochs:
            message = f"training ends after {exact(epochs)} epochs, before they are frozen"
            yield from unreached(self, "epochs", message)


class EarlyStop(Directive):
    """Stop training when a metric no longer improves."""

    section = "train"
    word = "early_stop"
    may_be_off = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "early_stop": "early_stopping earlystoppingcallback patience"
    }

    patience: int = whole("epochs without improvement before training stops", 10)
    metric: str = metric_of("what has to improve: {}", "loss")
    by: float = least_improvement()

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from outputs_named(self, [self.metric], "metric", context)

    def warnings(self, context: Context) -> Iterator[Diagnostic]:
        epochs = context.get(Epochs).count
        if self.patience >= epochs:
            message = f"training ends after {exact(epochs)} epochs, before this patience does"
            yield from unreached(self, "patience", message)


# ---- precision and hardware --------------------------------------------------------------------


class Precision(Directive):
    """Numeric precision: `auto` chooses the fastest one on this device that is accurate enough."""

    section = "train"
    word = "precision"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "precision": "GradScaler amp mixed_precision dtype autocast mixedprecision",
        "precision fp16": "fp16 half to_fp16 float16",
        "precision bf16": "bf16 bfloat16 to_bf16",
        "precision fp32": "fp32 float32 full_precision",
    }

    mode: str = choice(
        "float32, or mixed precision with bfloat16 or float16",
        ("auto", "fp32", "bf16", "fp16"),
        "auto",
        elsewhere={
            "float32": "fp32", "full": "fp32", "single": "fp32", "bfloat16": "bf16",
            "float16": "fp16", "half": "fp16", "mixed": "auto", "amp": "auto",
        },
    )  # fmt: skip
    tf32: bool = switch(
        "TF32 for float32 matrix products and convolutions, if the GPU supports it", True
    )


class ChannelsLast(Directive):
    """Memory format: the channels of a pixel side by side (NHWC)."""

    section = "train"
    word = "channels_last"
    elsewhere: ClassVar[Mapping[str, str]] = {"channels_last": "memory_format nhwc"}

    mode: bool | str = choice("`auto`: if that is faster", ("auto",), True, switches=True)

    @classmethod
    def usual(cls, context: Context) -> ChannelsLast:
        return cls(mode=False if axes_of(context.shape) in (1, 3) else "auto")

    def settle(self, context: Context) -> ChannelsLast:
        return self.usual(context) if self.mode == "auto" else self

    def problems(self, context: Context) -> Iterator[Problem]:
        if context.network is None or self.span is None or self.mode is not True:
            return
        if axes_of(context.shape) in (1, 3):
            yield context.unfit(
                self.span, "`channels_last` is for images", "take it out", (Edit(self.span, ""),)
            )


class _Switch(Directive):
    """A directive that is on when it is written, unless its argument is `off`."""

    on: bool = switch("on or off", True, keyword_only=False)

    @classmethod
    def usual(cls, context: Context) -> Self:
        return cls(on=False)


class Compile(Directive):
    """Compile the network with torch.compile: a slow start, then faster steps."""

    section = "train"
    word = "compile"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "compile": "torch_compile torchcompile jit jit_compile dynamo"
    }

    on: bool | str = choice(
        "`auto`: on a GPU, if the run is long enough to pay for compiling",
        ("auto",),
        True,
        switches=True,
    )
    mode: str = choice(
        "torch.compile's mode: `reduce_overhead` uses CUDA graphs, for small networks;"
        " `max_autotune` also times kernels, and compiles for long",
        ("default", "reduce_overhead", "max_autotune", "max_autotune_no_cudagraphs"),
        "default",
        keyword_only=True,
        elsewhere={
            "reduce-overhead": "reduce_overhead", "max-autotune": "max_autotune",
            "max-autotune-no-cudagraphs": "max_autotune_no_cudagraphs",
        },
    )  # fmt: skip

    @classmethod
    def usual(cls, context: Context) -> Compile:
        return cls.make(on="auto")


class Recompute(Directive):
    """Gradient checkpointing: the backward pass computes activations again (arXiv:1604.06174).

    Saves memory and costs time: of the layers that are named, only the inputs are kept.
    """

    section = "train"
    word = "recompute"
    may_be_off = True
    example = "recompute layer3"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "recompute": "gradient_checkpointing checkpointing grad_checkpointing use_checkpoint"
        " activation_checkpointing set_grad_checkpointing remat rematerialization",
    }

    parts: tuple[str, ...] = layer_names(
        "layers or scopes; of a loop, each iteration by itself", example="layer3"
    )

    def problems(self, context: Context) -> Iterator[Problem]:
        if context.network is None or self.origin is None:
            return
        yield from unknown_parts(self.parts, self, context)


class Seed(Directive):
    """Seed of all random numbers: weights, shuffling, augmentation."""

    section = "train"
    word = "seed"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "seed": "random_seed manual_seed random_state seed_everything set_seed"
    }

    value: int = whole(
        "the same seed gives the same run", minimum=0, maximum=2**32 - 1, example="0"
    )

    @classmethod
    def usual(cls, context: Context) -> Seed:
        return cls(value=0)


class Deterministic(_Switch):
    """Deterministic algorithms: runs are reproducible bit for bit, but slower."""

    section = "train"
    word = "deterministic"
    usage = "deterministic on/off"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "deterministic": "use_deterministic_algorithms reproducible cudnn_deterministic"
    }


class SyncBn(_Switch):
    """Synchronized batch norm: statistics over the batches of all GPUs together."""

    section = "train"
    word = "sync_bn"
    usage = "sync_bn on/off"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "sync_bn": "sync_batchnorm syncbatchnorm convert_sync_batchnorm synchronized"
    }


def _workers(value: object) -> int:
    return _WORKERS.read(value)  # type: ignore[no-any-return]


_WORKERS = whole("", minimum=0, maximum=1024)


class Workers(Directive):
    """Processes that load images while the network trains."""

    section = "train"
    word = "workers"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "workers": "data_workers num_workers n_workers nthreads"
    }

    count: int | str = either(
        "number of processes", "auto", _workers, "a whole number from 0 to 1024", "auto"
    )


class Ensemble(Directive):
    """Several networks, trained one after the other, whose predictions are averaged."""

    section = "train"
    word = "ensemble"
    elsewhere: ClassVar[Mapping[str, str]] = {"ensemble": "n_models bagging snapshots"}

    count: int = whole("number of networks", maximum=1000, example="5")

    @classmethod
    def usual(cls, context: Context) -> Ensemble:
        return cls(count=1)

    def problems(self, context: Context) -> Iterator[Problem]:
        data = context.get(Data)
        if self.count > 1 and self.origin and data.cross_validated:
            yield conflict(
                f"`folds={data.folds}` trains a network for each fold; an ensemble of each is not"
                " trained",
                self,
                data,
                help="take one of them out; or train the ensemble of one fold, `fold=1`",
            )


# ---- validation, metrics, checkpoints, logs --------------------------------------------------


class Validate(Directive):
    """Validate after every so many epochs, and after the last."""

    section = "train"
    word = "validate"
    example = "validate 5"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "validate": "check_val_every_n_epoch val_interval validation_freq"
        " validation_frequency val_freq eval_freq eval_every eval_interval validate_every"
        " val_every val_every_n_epochs eval_epochs evaluate_every test_every valid_interval",
    }

    every: int = whole("number of epochs from one validation to the next", 1, maximum=10**6)

    def follows(self, epoch: int, epochs: int) -> bool:
        """Whether an epoch, counted from 1, is followed by validation."""
        return epoch % self.every == 0 or epoch == epochs

    def since(self, epoch: int) -> int:
        """How many epochs ago the last validation before this epoch was."""
        return (epoch - 1) % self.every + 1


class Metrics(Directive):
    """Metrics that are measured on the validation set."""

    section = "train"
    word = "metrics"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "metrics": "metric",
        "metrics top1": "SparseCategoricalAccuracy CategoricalAccuracy accuracy acc"
        " sparse_categorical_accuracy categorical_accuracy top_1",
        "metrics top5": "top_5 top_k_categorical_accuracy topk top_k_accuracy"
        " TopKCategoricalAccuracy SparseTopKCategoricalAccuracy sparse_top_k_categorical_accuracy",
        "metrics recall": "Recall recall",
        "metrics precision": "Precision_metric",
        "metrics f1": "f1_score F1Score f1score",
        "metrics auroc": "auc roc_auc roc_auc_score rocauc",
        "metrics map": "average_precision average_precision_score mean_average_precision",
        "metrics ece": "calibration calibration_error expected_calibration_error",
        "metrics brier": "brier_score brier_score_loss",
        "metrics miou": "iou mean_iou MeanIoU jaccard jaccard_index iou_score IOUScore",
        "metrics dice": "dice_score dice_coef dice_coefficient DiceMulti",
        "metrics pixels": "pixel_accuracy pixel_acc",
        "metrics rmse": "RootMeanSquaredError root_mean_squared_error",
        "metrics r2": "r2_score R2Score",
    }

    names: tuple[str, ...] = of_metrics(
        lambda own: words("their names", (*SINGLE, *own, PER_CLASS))
    )

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from outputs_named(self, self.names, "names", context)

    @classmethod
    def usual(cls, context: Context) -> Metrics:
        if learns_images(context):
            return cls(names=("loss", "psnr", "ssim", "mae", "per_class"))
        if ends_in_map(context):
            return cls(names=("loss", "miou", "pixels", "boundary", "per_class"))
        outputs = context.network.output.shape[0] if context.network else 0
        five = ("top5",) if outputs >= TOP5_FROM else ()
        return cls(names=("loss", "top1", *five, "per_class"))


TOP5_FROM = 10
"""From so many classes on, top-5 accuracy is among the metrics by default: of six, five are nearly
all."""


def _every(value: object) -> int | str:
    """A whole number, or a time as text: `10min`."""
    if isinstance(value, (Duration, Word)):
        seconds = value if isinstance(value, Duration) else read_duration(value)
        if not 1 <= seconds <= _LONGEST:
            raise ArgumentError(f"{show(value)} is not from 1s to {in_units(_LONGEST)}")
        return in_units(seconds, exact)
    return _WHOLE.read(value)  # type: ignore[no-any-return]


_WHOLE = whole("")
_LONGEST = 1000 * 3600.0


class Checkpoint(Directive):
    """When checkpoints are written, and which state is the best."""

    section = "train"
    word = "checkpoint"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "checkpoint": "snapshot modelcheckpoint checkpoints save_every save savemodelcallback"
    }

    every: int | str = custom(
        "epochs between two checkpoints, or a time, also within an epoch",
        _every,
        "a number of epochs, or a time like 10min",
        1,
        write=str,
    )
    steps: bool = flag("`every` counts steps of the optimizer, also within an epoch")
    keep: int = whole(
        "checkpoints that are kept, the last one included; an older one is taken if the last one is"
        " damaged",
        2,
        elsewhere="save_top_k save_total_limit max_to_keep keep_last",
    )
    metric: str | None = metric_of(
        "what decides which state is the best: {}; by default `top1` of classes,"
        " `map` of several classes, `miou` of masks, `mae` of numbers and `loss` of several"
        " outputs",
        None,
    )

    @property
    def every_epochs(self) -> int:
        """The number of epochs between two checkpoints; 1 if they are not counted."""
        return self.every if isinstance(self.every, int) and not self.steps else 1

    @property
    def every_steps(self) -> int | None:
        return self.every if isinstance(self.every, int) and self.steps else None

    @property
    def seconds(self) -> float | None:
        """The time between two checkpoints; None if they do not go by the clock."""
        return float(read_duration(self.every)) if isinstance(self.every, str) else None

    def check(self) -> None:
        if self.steps and isinstance(self.every, str):
            raise ArgumentError(f"{self.every} is a time, not a number of steps", drop="steps")

    def problems(self, context: Context) -> Iterator[Problem]:
        yield from outputs_named(self, [self.metric or ""], "metric", context)
