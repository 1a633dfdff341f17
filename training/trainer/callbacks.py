"""Callbacks: the events of a run, which displays, loggers and your own code can follow.

Training calls the methods of a Callback when their events happen. A callback cannot change the
results of training; it can end it after an epoch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ...compiler.plan.plan import TrainPlan

if TYPE_CHECKING:
    from ...compiler.network import Network
    from ..metrics.mistake import Mistake
    from ..metrics.outcome import Outcome


class RunStart(NamedTuple):
    """The facts about a run that are known before the first step."""

    folder: Path
    network: str
    plan: TrainPlan
    device: str
    """As printed: `cpu (2 cores)`, `cuda:0 (NVIDIA …)`."""
    choices: Sequence[str]
    """One line for each choice and its reason: precision, memory format, where images are kept."""
    images: Mapping[str, int]
    """The number of images of each part of the data: train, val, test."""
    classes: Sequence[str]
    parameters: int
    trainable: int
    epochs: int
    batches: int
    """The number of batches of an epoch."""
    metrics: Sequence[str]
    """The metrics of a validation, in the order of `EpochRecord.val`."""
    resumed: tuple[int, int] | None
    """The epoch, and the image in it, at which a run continues; None for a new run."""
    running: Sequence[str] = ("loss", "top1")
    """The metrics that are measured while training, in the order of `EpochRecord.train`."""
    noun: str = "image"
    """What an image is called: `series`, `scan`, `clip`."""
    total_steps: int = 0
    """The number of steps of the optimizer in the whole run."""
    first_step: int = 0
    """The number of steps that were made before; 0 for a new run."""
    spec: str = ""
    """The text of the spec."""
    graph: Network | None = None
    """The compiled network."""
    group: Path | None = None
    """The folder of the ensemble, or of the cross-validation, that the network belongs to."""


class Step(NamedTuple):
    epoch: int
    batch: int
    """Counted from 1 within the epoch."""
    loss: float
    lr: float
    images_per_second: float
    waiting: float
    """The share of the epoch's time that was spent waiting for images."""
    steps: int = 0
    """The number of steps since the start of the run."""


BEFORE_TRAINING = 10_000
"""The most validation images that epoch 0 is measured on: its accuracy is then off by half a
percentage point (a standard error) at most, and a huge validation set does not delay the start."""


class EpochRecord(NamedTuple):
    """A line of metrics.jsonl."""

    epoch: int
    """The number of completed epochs, counted from 1; 0 for the validation before training, on
    at most `BEFORE_TRAINING` images."""
    steps: int
    """The number of steps since the start of the run."""
    lr: float
    train: Mapping[str, float]
    """The loss and the running metric of the task, like `top1`, measured while the weights change
    and images are augmented; empty for epoch 0."""
    val: Mapping[str, float]
    """The metrics of the plan on the validation set, by name; empty for an epoch that is not
    followed by validation (`validate 5`)."""
    best: bool
    """Whether it is the best epoch so far, by the metric of `checkpoint`."""
    seconds: float
    images_per_second: float
    waiting: float


class RunEnd(NamedTuple):
    folder: Path
    reason: str
    """`done`, `early stop`, `callback stop`, `interrupted`, `diverged` or `stopped`."""
    epochs: int
    best_epoch: int | None
    best: Mapping[str, float]
    seconds: float
    report: Path | None
    comparisons: Sequence[str] = ()
    """What test-time augmentation and an ensemble gain or lose, a line each."""
    verdict: Sequence[str] = ()
    """What the metrics of the run show, in one or two sentences; empty if nothing is certain."""
    why: str = ""
    """The reason that a callback gave for its stop, or the error that stopped training."""
    outcome: Outcome | None = None
    """The evaluation of the best weights on the validation set: metrics, figures of each class,
    confusion matrix, answers; None if training was interrupted or failed."""
    test: Outcome | None = None
    """The same on the test set; None if there is none."""
    mistakes: Callable[[], Sequence[Mistake]] = tuple
    """The most confident mistakes on the validation set, with their images, which are read when
    this is called; empty where images do not have one class each."""


class Stop(str):
    """A reason to end training, as `Callback.epoch` returns it, that also says in which state.

    A run that ends as `pruned`, a trial of a sweep that is not worth more time, is not evaluated
    any more; one that ends as `interrupted` is to be resumed.
    """

    state: str

    def __new__(cls, reason: str, state: str) -> Stop:
        stop = super().__new__(cls, reason)
        stop.state = state
        return stop

    def __reduce__(self) -> tuple[type[Stop], tuple[str, str]]:
        return Stop, (str(self), self.state)


class Callback:
    """The base class for callbacks: override the methods that you need. They are called in the
    order of this class. In distributed training, only the first process calls them."""

    is_callback: ClassVar[bool] = True
    """By this, plug-ins are known to have callbacks."""

    def reading(self, what: str, done: int, total: int | None) -> None:
        """Called while data is being read, checked or measured."""

    def started(self, start: RunStart) -> None:
        """Called before the first step."""

    def before_training(self, record: EpochRecord) -> None:
        """Called before the first step with the metrics of the starting weights on the validation
        set, as epoch 0."""

    def step(self, step: Step) -> None:
        """Called after each step of the optimizer. On a GPU it is called one step later, when the
        loss has been read while the GPU computes the next step; at the end of an epoch, for all
        steps that are left."""

    def evaluating(self, part: str, batch: int, batches: int) -> None:
        """Called after each batch of an evaluation."""

    def epoch(self, record: EpochRecord) -> str | None:
        """Called after each epoch and its validation, if there is one.

        A text ends training here: it is the reason, which is shown and recorded. The run is then
        evaluated like one that stopped early; `--resume` goes on from this epoch. (In an ensemble,
        the network that is being trained ends, and the next one begins.)"""

    def note(self, line: str) -> None:
        """Called with a note or a warning for the user."""

    def finished(self, end: RunEnd) -> None:
        """Called when all files are written, and also after a failure."""

    def close(self) -> None:
        """Called at the very end, whatever happened, to clean up the terminal or close files."""
