"""The train section as a whole: one of each of its directives."""

from __future__ import annotations

from dataclasses import dataclass

from .data import Data, Split
from .loss import Loss, Weights
from .optimizer import Optimizer
from .run import (
    Accumulate,
    Batch,
    ChannelsLast,
    Checkpoint,
    Clip,
    Compile,
    Deterministic,
    EarlyStop,
    Ema,
    Ensemble,
    Epochs,
    Log,
    Metrics,
    Precision,
    Seed,
    SyncBn,
    Workers,
)
from .schedule import Schedule


@dataclass(frozen=True)
class Train:
    """How the network learns."""

    data: Data
    split: Split
    epochs: Epochs
    batch: Batch
    accumulate: Accumulate
    optimizer: Optimizer
    schedule: Schedule
    loss: Loss
    weights: Weights
    precision: Precision
    channels_last: ChannelsLast
    compile: Compile
    clip: Clip | None
    ema: Ema | None
    early_stop: EarlyStop | None
    seed: Seed
    deterministic: Deterministic
    sync_bn: SyncBn
    workers: Workers
    ensemble: Ensemble
    metrics: Metrics
    checkpoint: Checkpoint
    log: Log | None
