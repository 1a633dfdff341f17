"""Weights that never learn in a run: written once, beside checkpoints that go without them.

The file is named by what is in it, so that a checkpoint always finds the one that it was written
with; others are taken away after the next checkpoint is there.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load
from torch import Tensor

from ...dsl.atomic_file import write_whole
from ...dsl.diagnostics import Diagnostic, SpecError
from .tensors_file import pieces

_NAME = re.compile(r"still-[0-9a-f]{16}\.safetensors")


def write_frozen(folder: Path, tensors: Mapping[str, Tensor]) -> str:
    """The name of the file, which is written where it is not there; raises OSError."""
    data = pieces(tensors)
    path = folder / _name_of(*data)
    if not path.exists():
        write_whole(path, *data)
    return path.name


def read_frozen(folder: Path, name: str, asked_by: str) -> dict[str, Tensor]:
    """Raises SpecError where it is not there, or another one."""
    try:
        if not _NAME.fullmatch(name):
            raise ValueError("no file of a run is called so")
        data = (folder / name).read_bytes()
        if _name_of(data) != name:
            raise ValueError("it is not what was written")
        return dict(load(data))
    except (OSError, ValueError, SafetensorError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        message = f"{asked_by} needs {name}, with the weights that do not learn: {why}"
        help = "copy a run with all of its files; the best weights so far are in best.safetensors"
        raise SpecError([Diagnostic("checkpoint", message, help=help)]) from None


def remove_others(folder: Path, name: str) -> None:
    for path in folder.glob("still-*.safetensors"):
        if path.name != name:
            path.unlink(missing_ok=True)


def _name_of(*pieces: bytes | memoryview) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return f"still-{digest.hexdigest()[:16]}.safetensors"
