"""A run that is there: what `cnn evaluate` and `cnn predict` begin with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from ..compiler.elaborate import elaborate
from ..compiler.graph import Network
from ..compiler.overrides import OverrideError, SectionOverride, read_override
from ..compiler.plan.plan import PlanError, TrainPlan
from ..dsl.diagnostics import Diagnostic, SpecError
from ..dsl.program import load_program
from .asked import no_run, read_record, spec_of
from .data.preparation import NoPreparation, Preparation
from .load import live
from .request import Beside
from .run_folder import BEST, METRICS, PLAN, RECORD, shown
from .watch import EpochRecord
from .weights import read_weights


@dataclass(frozen=True, eq=False)
class SavedRun:
    """A run's folder, read."""

    folder: Path
    record: Mapping[str, Any]
    network: Network
    plan: TrainPlan
    preparation: Preparation
    classes: tuple[str, ...]
    several: bool
    """Whether an image may be of several classes at once."""
    base: Path
    """The folder from which the paths of data begin."""

    @property
    def has_weights(self) -> bool:
        return (self.folder / BEST).exists()

    def weights(self) -> dict[str, Tensor]:
        """The best ones; raises SpecError where there are none yet."""
        if not self.has_weights:
            name = shown(self.folder)
            message = f"the run {name} has no weights yet: no epoch of it is done"
            help = f"go on with it: `cnn train --resume {name}`"
            raise SpecError([Diagnostic("no-weights", message, help=help)])
        return read_weights(self.folder / BEST)

    def module(self) -> nn.Module:
        """The network with its best weights, in evaluation mode, on the CPU."""
        weights = self.weights()
        module = live(self.network, str(self.record["dotcnn"]))
        module.load_state_dict(weights)
        return module.eval()

    def history(self) -> list[EpochRecord]:
        """What each epoch came to."""
        try:
            lines = (self.folder / METRICS).read_text(encoding="utf-8").splitlines()
        except OSError:
            return []
        return [found for line in lines if (found := _epoch(line)) is not None]

    @cached_property
    def members(self) -> list[SavedRun]:
        """Of an ensemble, its networks; else none."""
        count = int(self.plan.train.ensemble.count)
        if count == 1:
            return []
        folders = [self.folder / member_name(number) for number in range(1, count + 1)]
        return [open_run(folder) for folder in folders if folder.is_dir()]


def member_name(number: int) -> str:
    """The folder of a network of an ensemble, counted from 1, in that of the whole."""
    return f"member{number}"


def open_run(folder: Path) -> SavedRun:
    """Raises SpecError for what is no run."""
    record = read_record(folder)
    try:
        beside = Beside.from_json(record["made_with"])
        parameters = {
            name: value
            for name, value in map(read_override, beside.set)
            if not isinstance(value, SectionOverride)
        }
        return SavedRun(
            folder,
            record,
            elaborate(
                load_program(spec_of(folder)),
                network=beside.network,
                overrides=parameters,
                input_shape=beside.input,
                classes=beside.classes,
            ),
            TrainPlan.from_json((folder / PLAN).read_text(encoding="utf-8")),
            Preparation.from_json(json.dumps(record["preparation"])),
            tuple(map(str, record["dataset"]["classes"])),
            bool(record["dataset"]["several"]),
            Path(record["base"]),
        )
    except (KeyError, TypeError, ValueError, OverrideError, PlanError, NoPreparation) as error:
        raise no_run(folder, f"its {RECORD} or {PLAN} cannot be read: {error}") from None
    except OSError as error:
        raise no_run(folder, f"{error.filename}: {error.strerror}") from None


def _epoch(line: str) -> EpochRecord | None:
    """None for half a line, of a process that died while it wrote."""
    try:
        data = json.loads(line)
        numbers = {
            part: {k: float("nan") if v is None else float(v) for k, v in data[part].items()}
            for part in ("train", "val")
        }
        return EpochRecord(**{**data, **numbers})
    except (ValueError, TypeError, KeyError):
        return None
