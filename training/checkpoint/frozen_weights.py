"""Frozen weights: written once, to a file beside the checkpoints, which leave them out.

The name of the file is a hash of its contents, so a checkpoint always finds the weights that it was
written with. Old files are removed after the next checkpoint is written. In runs of early 0.1, the
name starts with `still-`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load
from torch import Tensor

from ...dsl.atomic_file import write_whole
from ...dsl.diagnostics import Diagnostic, SpecError
from ..untrusted.bad_file import BadFile, damaged, guarded
from ..untrusted.open_file import read_bytes
from .tensors_file import pieces

MAX_BYTES = 2**40
_NAME = re.compile(r"(?:frozen|still)-[0-9a-f]{16}\.safetensors")


def write_frozen(folder: Path, tensors: Mapping[str, Tensor]) -> str:
    """Writes the weights, unless the file exists, and returns its name; raises OSError."""
    data = pieces(tensors)
    path = folder / _name_of(*data)
    if not path.exists():
        write_whole(path, *data)
    return path.name


def read_frozen(folder: Path, name: str, asked_by: str) -> dict[str, Tensor]:
    """Reads the frozen weights; raises SpecError if the file is missing or has changed."""
    try:
        if not _NAME.fullmatch(name):
            raise damaged("a run has no file with this name")
        data = read_bytes(folder / name, MAX_BYTES)
        if _name_of(data).partition("-")[2] != name.partition("-")[2]:
            raise damaged("its contents have changed")
        with guarded():
            return dict(load(data))
    except BadFile as error:
        message = f"{asked_by} needs {name}, which holds the frozen weights; it {error}"
        help = "copy the run with all of its files; the best weights so far are in best.safetensors"
        raise SpecError([Diagnostic("checkpoint", message, help=help)]) from None


def remove_others(folder: Path, name: str) -> None:
    for path in folder.glob("*.safetensors"):
        if path.name != name and _NAME.fullmatch(path.name):
            path.unlink(missing_ok=True)


def _name_of(*pieces: bytes | memoryview) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return f"frozen-{digest.hexdigest()[:16]}.safetensors"
