"""What a computer lacks, or what happens to it, while an example of docs/diagnostics runs.

An entry names its situation in a comment: `<!-- situation: without onnx -->`.
"""

from __future__ import annotations

import builtins
import importlib
import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest


def situation(name: str) -> AbstractContextManager[object]:
    """The situation of this name; "" is the usual one. Skips the test where it needs a package that
    is not installed."""
    if not name:
        return nullcontext()
    known = SITUATIONS.get(name)
    if known is not None:
        return known()
    word, _, rest = name.partition(" ")
    if word == "with":
        if find_spec(rest) is None:
            pytest.skip(f"{rest} is not installed")
        return nullcontext()
    if word == "without":
        return _without(rest)
    if word == "torch":
        kind, _, text = rest.removeprefix("raises ").partition(": ")
        return torch_raises(kind, text)
    values = dict(each.split("=", 1) for each in name.split(" "))
    return patch.dict(os.environ, values)


@contextmanager
def _without(package: str) -> Iterator[None]:
    """Importing a package fails. (`patch.dict` would forget what else is imported meanwhile.)"""
    there = {name for name in sys.modules if name.partition(".")[0] == package} | {package}
    before = {name: sys.modules.get(name) for name in there}
    sys.modules.update(dict.fromkeys(there))  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, module in before.items():
            del sys.modules[name]
            if module is not None:
                sys.modules[name] = module


def torch_raises(kind: str, text: str) -> AbstractContextManager[object]:
    """Each convolution raises this error, as torch does on other devices and in other versions."""
    import torch

    module, _, name = kind.rpartition(".")
    error = getattr(importlib.import_module(module) if module else builtins, name)

    def forward(*inputs: object) -> None:
        raise error(text)

    return patch.object(torch.nn.Conv2d, "forward", forward)


@contextmanager
def _no_permission() -> Iterator[None]:
    real = os.open

    def open_(path: Any, *options: Any, **named: Any) -> int:
        if str(path).endswith(".cnn"):
            raise PermissionError(13, "Permission denied")
        return real(path, *options, **named)

    with patch("os.open", open_):
        yield


@contextmanager
def _read_only_folder() -> Iterator[None]:
    real = Path.mkdir

    def mkdir(self: Path, *options: Any, **named: Any) -> None:
        if self.name == "results":
            raise PermissionError(13, "Permission denied")
        real(self, *options, **named)

    with patch.object(Path, "mkdir", mkdir):
        yield


def _packages(entries: dict[str, str]) -> Callable[[], AbstractContextManager[object]]:
    """Installed packages with a plug-in `mine`, by name, and what their entry points name."""

    @contextmanager
    def installed() -> Iterator[None]:
        site = Path("site").absolute()
        for name, value in entries.items():
            info = site / f"{name.replace('-', '_')}-1.0.dist-info"
            info.mkdir(parents=True)
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
            (info / "entry_points.txt").write_text(f"[dotcnn.plugins]\nmine = {value}\n")
        with patch.object(sys, "path", [str(site), *sys.path]):
            yield

    return installed


def _full_disk() -> AbstractContextManager[object]:
    usage = type(shutil.disk_usage("."))(10**9, 10**9 - 5_000, 5_000)
    return patch("shutil.disk_usage", lambda path: usage)


def _no_network() -> AbstractContextManager[object]:
    unknown = socket.gaierror(-2, "Name or service not known")
    return patch("socket.getaddrinfo", side_effect=unknown)


def _changed_file() -> AbstractContextManager[object]:
    from dotcnn.training.data.remote import failures, remote_shards

    def each_opened(urls: list[str]) -> None:
        raise failures.changed(urls[0])

    return patch.object(remote_shards, "each_opened", each_opened)


def _other_process_fails() -> AbstractContextManager[object]:
    from dotcnn.dsl.diagnostics import SpecError
    from dotcnn.training.runtime.process_group import Processes

    def together(self: Processes, work: Callable[[], object]) -> None:
        error = ValueError("could not convert string to float: 'N/A'")
        raise SpecError(self._failure(error).diagnostics)

    return patch.object(Processes, "together", together)


@contextmanager
def _mac_without_operation() -> Iterator[None]:
    import torch

    from dotcnn.training.runtime import errors

    real, mac = errors.missing_operation, torch.device("mps")
    text = "The operator 'aten::special_op' is not currently implemented for the MPS device."
    with (
        torch_raises("NotImplementedError", text),
        patch.object(errors, "missing_operation", lambda error, device: real(error, mac)),
    ):
        yield


def _killed_worker() -> AbstractContextManager[object]:
    from dotcnn.training.data.loader import worker_processes

    text = "DataLoader worker (pid 4711) is killed by signal: Killed."
    error = worker_processes._worker_died(RuntimeError(text))
    return patch("dotcnn.training.data.loader.batches.Batches.__call__", side_effect=error)


def _no_onnx_operator() -> AbstractContextManager[object]:
    from torch.onnx import OnnxExporterError

    from dotcnn.training.export import onnx_file

    error = OnnxExporterError("No ONNX function found for <OpOverload(op='aten.special_op')>")
    return patch.object(onnx_file.torch.onnx, "export", side_effect=error)


def _small_tables() -> AbstractContextManager[object]:
    from dotcnn.training.show.measure import features

    return patch.object(features, "MAX_NUMBERS", 10)


@contextmanager
def _used_run() -> Iterator[None]:
    from dotcnn.training.checkpoint import run_lock

    def acquire(path: Path, name: str, use: str) -> None:
        from dotcnn.dsl.diagnostics import SpecError

        if name.endswith("used"):
            raise SpecError([run_lock._in_use(name, "process 4711 on this machine", use)])

    with patch.object(run_lock, "_acquire", acquire):
        yield


def _wrong_export() -> AbstractContextManager[object]:
    from dotcnn.training.export import weights_file

    return patch.object(weights_file, "_same", lambda one, other: False)


def _wrong_values() -> AbstractContextManager[object]:
    from dotcnn.compiler.plan import write_values

    return patch.object(write_values, "_described", lambda network: [object()])


def _stand_in_for_wandb() -> AbstractContextManager[object]:
    situation("with wandb")
    from dotcnn.training.loggers import wandb_logger

    return patch.object(wandb_logger, "_logged_in", lambda: False)


SITUATIONS: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "no permission to read the spec": _no_permission,
    "no permission to write to results": _read_only_folder,
    "two packages with a plug-in mine": _packages({"cnn-mine": "mine", "cnn-other": "other"}),
    "a package whose plug-in mine is a class": _packages({"cnn-mine": "mine:Involution"}),
    "a full disk": _full_disk,
    "no network": _no_network,
    "a file on a server changes": _changed_file,
    "a Mac whose torch lacks an operation": _mac_without_operation,
    "a table of ten numbers at most": _small_tables,
    "another process fails": _other_process_fails,
    "a worker process is killed": _killed_worker,
    "another process trains the run called used": _used_run,
    "a layer that ONNX does not have": _no_onnx_operator,
    "an export that loses weights": _wrong_export,
    "a text that means something else": _wrong_values,
    "nobody is logged in to W&B": _stand_in_for_wandb,
}
