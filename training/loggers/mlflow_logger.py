"""`log mlflow`: an MLflow run with parameters, metrics, tags and files.

    mlflow ui --backend-store-uri sqlite:///runs/net/mlflow/mlflow.db

shows it, unless `uri` or MLFLOW_TRACKING_URI names a store for all runs. mlflow.json in the run
folder has the run's identifier, so that a run that goes on does so in MLflow. MLflow keeps every
value that it is given: epochs that a run repeats, which it has already, are not given again.
"""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

from ... import __version__
from ...compiler.plan.log import Log
from ...dsl.atomic_file import write_whole
from ..checkpoint.run_folder import PLAN, SPEC, inner_folder
from ..trainer.callbacks import EpochRecord, RunEnd, RunStart, Step
from ..untrusted.bad_file import BadFile
from ..untrusted.json_text import load_json, misfit
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

FOLDER, DATABASE, ARTIFACTS = "mlflow", "mlflow.db", "artifacts"
IDENTIFIER = "mlflow.json"
ADDRESS = "MLFLOW_TRACKING_URI"
_SQLITE = "sqlite:///"
_AT_ONCE = 90
"""What a batch may have: MLflow takes 100 parameters and 1,000 metrics."""
_PATIENCE = {
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
    "MLFLOW_DISABLE_TELEMETRY": "true",
}
"""A server that is gone holds training up only once, and nobody else is told anything. What the
environment says instead, counts."""


_KIND = {"mlflow.experimentKind": "custom_model_development"}
"""By this, MLflow's page shows an experiment as training, and not as what it has for chatbots."""


class MlflowLogger(Logger):
    tool = "MLflow"

    def __init__(self, log: Log, base: Path) -> None:
        """Raises SpecError if MLflow, or what it needs for a database, is not installed."""
        address = log.uri or os.environ.get(ADDRESS) or ""
        self._address = _absolute(address, base)
        in_file = not address or self._address.startswith("sqlite:")
        for package in ("mlflow", *(("sqlalchemy", "alembic") if in_file else ())):
            must_be_installed(package, "mlflow", log.place("to"))
        self._experiment = log.experiment
        self._start: RunStart | None = None

    def started(self, start: RunStart) -> None:
        for name, value in _PATIENCE.items():
            os.environ.setdefault(name, value)
        from mlflow import MlflowClient

        for name in ("mlflow", "alembic"):  # they tell of the tables of a new database
            logging.getLogger(name).setLevel(logging.WARNING)
        self._own_files: Path | None = None
        """Where files must be, if the store is in the run folder, which may be of somebody else."""
        address = self._address
        if not address:
            folder = inner_folder((group_of(start) or start.folder) / FOLDER)
            database = folder / DATABASE
            if database.is_symlink():
                raise OSError(f"{database} is a link")
            self._own_files = folder.absolute() / ARTIFACTS
            address = f"{_SQLITE}{database.absolute().as_posix()}"
        self._client = MlflowClient(tracking_uri=address)
        self._points = StepPoints(start)
        run = self._earlier_run(start, address)
        self._last_epoch, self._last_step = -1, 0
        if run is None:
            run = self._new_run(start)
            write_whole(start.folder / IDENTIFIER, json.dumps(
                {"uri": address, "run": run.info.run_id}, indent=2).encode())  # fmt: skip
        else:
            history = self._client.get_metric_history
            self._last_epoch = max(_steps(history(run.info.run_id, "epoch")), default=-1)
            self._last_step = max(_steps(history(run.info.run_id, "steps/loss")), default=0)
        self._run: str = run.info.run_id
        self._start = start
        self._keeps_files = self._own_files is None or _inside(
            run.info.artifact_uri, self._own_files
        )
        self._describe(start, run)

    def before_training(self, record: EpochRecord) -> None:
        self._log_epoch(record, {})

    def step(self, step: Step) -> None:
        if self._points.add(step):
            self._log({}, 0, self._points.take())

    def epoch(self, record: EpochRecord) -> None:
        others = {
            "lr": record.lr,
            "images_per_second": record.images_per_second,
            "waiting": record.waiting,
        }
        self._log_epoch(record, others)

    def finished(self, end: RunEnd) -> None:
        start = self._start
        if start is None or end.folder != start.folder:  # that of an ensemble
            return
        self._log({}, 0, self._points.take())
        metrics = {
            f"{'best' if part == 'val' else part}/{name}": value
            for part, values in last_metrics(end).items()
            for name, value in values.items()
        }
        self._log(metrics, end.epochs, ())
        self._set_tags(
            {"state": state_of(end), "reason": end.reason, "why": end.why,
             "best_epoch": end.best_epoch, "verdict": " ".join(end.verdict)}
        )  # fmt: skip
        if self._keeps_files:
            for title, image in confusion_matrices(end, start):
                self._client.log_image(self._run, image, f"{title}.png")
            for number, mistake in enumerate(end.mistakes(), 1):
                kind = f"{mistake.label}_as_{mistake.predicted}"
                name = "".join(sign if sign.isalnum() or sign in "-_" else "_" for sign in kind)
                file = f"mistakes/{number:02}_{name[:60]}.png"
                self._client.log_image(self._run, picture(mistake), file)
            if end.report is not None:
                self._client.log_artifact(self._run, str(end.report))
        self._ended(state_of(end))

    def close(self) -> None:
        if self._start is not None:  # training failed with an unexpected error
            self._set_tags({"state": FAILED})
            self._ended(FAILED)

    # ---- the run ----

    def _earlier_run(self, start: RunStart, address: str) -> Any:
        """The run in MLflow that a resumed run goes on with, also if it was stopped before its
        first checkpoint; None if there is none."""
        from mlflow.exceptions import MlflowException

        try:
            known = load_json(read_text(start.folder / IDENTIFIER, 10_000))
        except BadFile:
            return None
        if misfit(known, {"run": str, "uri": str}):
            return None
        if known["uri"] != address and self._own_files is None:
            return None
        try:
            run = self._client.get_run(known["run"])
            self._client.update_run(run.info.run_id, status="RUNNING")
        except MlflowException:
            return None
        return run

    def _new_run(self, start: RunStart) -> Any:
        from mlflow.exceptions import MlflowException

        name = self._experiment or start.network
        experiment: Any = self._client.get_experiment_by_name(name)
        if experiment is None:
            place = self._own_files.as_uri() if self._own_files is not None else None
            with suppress(MlflowException):  # another process was faster
                self._client.create_experiment(name, artifact_location=place, tags=_KIND)
            experiment = self._client.get_experiment_by_name(name)
        return self._client.create_run(experiment.experiment_id, run_name=name_of(start))

    def _describe(self, start: RunStart, run: Any) -> None:
        """Parameters, tags and files. A parameter cannot change: another value that a run goes on
        with is a tag."""
        from mlflow.entities import Param

        known = run.data.params
        values = {name: str(value)[:6000] for name, value in hyperparameters(start).items()}
        params = [Param(name, value) for name, value in values.items() if name not in known]
        for part in _parts(params):
            self._client.log_batch(self._run, params=part)
        changed = {
            f"resumed.{name}": value
            for name, value in values.items()
            if known.get(name, value) != value
        }
        group, notes = group_of(start), notes_of(start)
        self._set_tags(
            {"dotcnn": __version__, "device": start.device, "folder": str(start.folder.absolute()),
             "group": group.name if group else "", "state": "running",
             "tags": ", ".join(notes.tags), "mlflow.note.content": notes.note, **changed}
        )  # fmt: skip
        if self._keeps_files and not known:
            self._client.log_text(self._run, start.spec, SPEC)
            self._client.log_text(self._run, start.plan.to_json(), PLAN)
            page = drawing(start, "html")
            if page:
                self._client.log_text(self._run, page, "network.html")

    def _ended(self, state: str) -> None:
        self._start = None
        status = {FAILED: "FAILED", INTERRUPTED: "KILLED"}.get(state, "FINISHED")
        self._client.set_terminated(self._run, status)

    # ---- values ----

    def _log_epoch(self, record: EpochRecord, others: Mapping[str, float]) -> None:
        values = {"epoch": float(record.epoch)} if record.epoch > self._last_epoch else {}
        if values:
            values |= others
            values |= {f"train/{name}": value for name, value in record.train.items()}
            values |= {f"val/{name}": value for name, value in record.val.items()}
        self._log(values, record.epoch, self._points.take())

    def _log(self, values: Mapping[str, float], step: int, points: Iterable[Point]) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        for point in points:
            if point.step > self._last_step:
                metrics.append(Metric("steps/loss", point.loss, now, point.step))
                metrics.append(Metric("steps/lr", point.lr, now, point.step))
        for part in _parts(metrics):
            self._client.log_batch(self._run, metrics=part)

    def _set_tags(self, tags: Mapping[str, object]) -> None:
        from mlflow.entities import RunTag

        given = [RunTag(name, str(value)[:5000]) for name, value in tags.items() if value != ""]
        for part in _parts(given):
            self._client.log_batch(self._run, tags=part)


def _parts(items: list[Any]) -> Iterator[list[Any]]:
    for first in range(0, len(items), _AT_ONCE):
        yield items[first : first + _AT_ONCE]


def _steps(history: Iterable[Any]) -> list[int]:
    return [metric.step for metric in history]


def _absolute(address: str, base: Path) -> str:
    """A path in an address is relative to the folder of the spec."""
    if address.startswith(_SQLITE):
        path = base.absolute() / address.removeprefix(_SQLITE)
        return f"{_SQLITE}{path.as_posix()}"
    if address and ":" not in address.replace(":\\", ""):  # a folder; `C:\` is one, too
        return (base.absolute() / address).as_uri()
    return address


def _inside(address: str, folder: Path) -> bool:
    """Whether the files of a run are in this folder."""
    url = urlparse(address)
    path = Path(unquote(url.path))
    return url.scheme in ("", "file") and folder in path.parents and ".." not in path.parts
