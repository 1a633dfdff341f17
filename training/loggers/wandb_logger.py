"""`log wandb`: a run of Weights & Biases with its configuration, curves, images and files.

Offline unless you are logged in or `mode=online` asks for it: the files are then in `wandb/` of the
run folder, and `wandb sync runs/net/wandb/offline-run-*` sends them. wandb.json in the run folder
has the run's identifier and what was logged last, so that a run that goes on does so in W&B, and
epochs that it repeats are not logged twice.
"""

from __future__ import annotations

import json
import netrc
import os
import secrets
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from ... import __version__
from ...compiler.plan.log import Log
from ...dsl.atomic_file import write_whole
from ...dsl.diagnostics import Diagnostic, SpecError
from ..checkpoint.run_folder import SPEC, inner_folder
from ..trainer.callbacks import EpochRecord, RunEnd, RunStart, Step
from ..untrusted.bad_file import BadFile
from ..untrusted.json_text import load_json, misfit, natural
from ..untrusted.open_file import read_text
from .files_of_run import confusion_matrices, drawing, picture
from .hyperparameters import hyperparameters
from .logger import (
    FAILED,
    INTERRUPTED,
    Logger,
    group_of,
    last_metrics,
    must_be_installed,
    name_of,
    notes_of,
    state_of,
)
from .step_points import Point, StepPoints

FOLDER, IDENTIFIER = "wandb", "wandb.json"
_SERVER = "https://api.wandb.ai"
_PATIENCE = 30
"""Seconds that a server may take to answer at the start."""
_FLUSH = 0.2
"""Seconds after which what was logged is in W&B's file."""
_CODES = {FAILED: 1, INTERRUPTED: 130}


class WandbLogger(Logger):
    tool = "W&B"

    def __init__(self, log: Log) -> None:
        """Raises SpecError if wandb is not installed, or cannot be online."""
        must_be_installed("wandb", "wandb", log.place("to"))
        self._log_directive = log
        self._mode: Any = log.mode
        if log.mode is None:
            self._mode = os.environ.get("WANDB_MODE") or ("online" if _logged_in() else "offline")
        elif log.mode == "online" and not _logged_in():
            message = "`log wandb mode=online` needs an account, and nobody is logged in"
            help = "run `wandb login`, or set WANDB_API_KEY; `mode=offline` needs no account"
            raise SpecError([Diagnostic("not-logged-in", message, log.place("mode"), help=help)])
        self._start: RunStart | None = None

    def started(self, start: RunStart) -> None:
        import wandb

        self._file = start.folder / IDENTIFIER
        self._state = _earlier(self._file)
        self._points = StepPoints(start)
        inner_folder(start.folder / FOLDER)
        group, notes, log = group_of(start), notes_of(start), self._log_directive
        self._run = wandb.init(
            project=log.project or start.network,
            entity=log.entity,
            id=self._state["run"],
            resume="allow",
            name=name_of(start),
            group=group.name if group else None,
            tags=notes.tags or None,
            notes=notes.note or None,
            config=dict(hyperparameters(start)),
            reinit="create_new",
            settings=wandb.Settings(
                mode=self._mode,
                root_dir=str(start.folder.absolute()),
                console="off",  # the display is ours
                silent=True,
                disable_git=True,
                save_code=False,
                init_timeout=_PATIENCE,
                **_often(wandb.Settings),
            ),
        )
        self._start = start
        for names, axis in (("train/*", "epoch"), ("val/*", "epoch"), ("steps/*", "step")):
            self._run.define_metric(names, step_metric=axis)
        for name in ("lr", "images_per_second", "waiting"):
            self._run.define_metric(name, step_metric="epoch")
        self._run.summary.update(
            {"state": "running", "device": start.device, "dotcnn": __version__}
        )
        if not self._state["rows"]:
            self._save_file(start.folder / SPEC)
            page = drawing(start, "html")
            if page:
                self._log({"network": wandb.Html(page, inject=False)})
        self._remember()

    def before_training(self, record: EpochRecord) -> None:
        self._log_epoch(record, {})

    def step(self, step: Step) -> None:
        if self._points.add(step):
            self._log_points(self._points.take())
            self._remember()

    def epoch(self, record: EpochRecord) -> None:
        others = {
            "lr": record.lr,
            "images_per_second": record.images_per_second,
            "waiting": record.waiting,
        }
        self._log_points(self._points.take())
        self._log_epoch(record, others)

    def finished(self, end: RunEnd) -> None:
        import wandb

        start = self._start
        if start is None or end.folder != start.folder:  # that of an ensemble
            return
        self._log_points(self._points.take())
        images = {title: [wandb.Image(image)] for title, image in confusion_matrices(end, start)}
        mistakes = [wandb.Image(picture(one), caption=str(one)) for one in end.mistakes()]
        if mistakes:
            images["mistakes"] = mistakes
        if images:
            self._log(images)
        self._remember()
        if end.report is not None:
            self._save_file(end.report)
        for part, metrics in last_metrics(end).items():
            place = "best" if part == "val" else part
            self._run.summary.update({f"{place}/{name}": v for name, v in metrics.items()})
        self._run.summary.update(
            {"reason": end.reason, "why": end.why, "best_epoch": end.best_epoch,
             "verdict": " ".join(end.verdict)}
        )  # fmt: skip
        self._ended(state_of(end))

    def close(self) -> None:
        if self._start is not None:  # training failed with an unexpected error
            self._ended(FAILED)

    def _ended(self, state: str) -> None:
        self._start = None
        self._run.summary["state"] = state
        self._run.finish(exit_code=_CODES.get(state, 0))

    # ---- values ----

    def _log_epoch(self, record: EpochRecord, others: Mapping[str, float]) -> None:
        if record.epoch <= self._state["epoch"]:  # -1 for a new run
            return
        values = {f"train/{name}": value for name, value in record.train.items()}
        values |= {f"val/{name}": value for name, value in record.val.items()}
        self._log({"epoch": record.epoch, **others, **values})
        self._state["epoch"] = record.epoch
        self._remember()

    def _log_points(self, points: Iterable[Point]) -> None:
        for point in points:
            if point.step > self._state["step"]:
                values = {"step": point.step, "steps/loss": point.loss, "steps/lr": point.lr}
                self._log(values)
                self._state["step"] = point.step

    def _log(self, values: Mapping[str, Any]) -> None:
        """Logs a row. Its number is given, since W&B counts from 0 again when a run goes on."""
        self._run.log(dict(values), step=self._state["rows"], commit=True)
        self._state["rows"] += 1

    def _save_file(self, path: Path) -> None:
        """Adds a copy to the files of the run: W&B would put a link there."""
        copy = Path(self._run.dir) / path.name
        shutil.copyfile(path, copy)
        self._run.save(str(copy), base_path=self._run.dir, policy="now")

    def _remember(self) -> None:
        write_whole(self._file, json.dumps(self._state, indent=2).encode())


def _often(settings: Any) -> dict[str, Any]:
    """W&B writes its file from a process of its own, which ends with ours, every 15 seconds: too
    seldom for a run that may be killed. Versions that do not have this setting write at once."""
    name = "x_transaction_log_flush_interval"
    return {name: _FLUSH} if name in getattr(settings, "model_fields", {}) else {}


def _new() -> dict[str, Any]:
    return {"run": secrets.token_hex(4), "epoch": -1, "step": 0, "rows": 0}


def _earlier(path: Path) -> dict[str, Any]:
    """What was logged of a run that goes on; nothing if that is not known."""
    try:
        state = load_json(read_text(path, 10_000))
    except BadFile:
        return _new()
    form = {"run": _identifier, "epoch": lambda value: value == -1 or natural(value),
            "step": natural, "rows": natural}  # fmt: skip
    return _new() if misfit(state, form) else {name: state[name] for name in form}


def _identifier(value: object) -> bool:
    return isinstance(value, str) and value.isalnum() and value.isascii() and len(value) <= 64


def _logged_in() -> bool:
    """Whether there is an account for W&B's server: in the environment, or where `wandb login`
    remembers it."""
    if os.environ.get("WANDB_API_KEY"):
        return True
    host = urlparse(os.environ.get("WANDB_BASE_URL") or _SERVER).hostname or ""
    named = os.environ.get("NETRC")
    files = [Path(named)] if named else [Path.home() / ".netrc", Path.home() / "_netrc"]
    for file in files:
        try:
            if host in netrc.netrc(file).hosts:
                return True
        except (OSError, netrc.NetrcParseError):
            continue
    return False
