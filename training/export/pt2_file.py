"""Writes .pt2 files (torch.export), and runs them."""

from __future__ import annotations

import io
import json
import warnings
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

METADATA = "dotcnn.json"
"""The file of the metadata in the archive."""


def write_pt2(program: ExportedProgram, file: Path, metadata: Mapping[str, str]) -> None:
    # Not written by torch directly: if the disk is full, it aborts the whole process.
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations
        torch.export.save(program, buffer, extra_files={METADATA: json.dumps(dict(metadata))})
    file.write_bytes(buffer.getbuffer())


class Loaded:
    """Runs a .pt2 file."""

    def __init__(self, file: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.module: nn.Module = torch.export.load(file).module()

    def __call__(self, *images: Tensor) -> object:
        with torch.no_grad():
            return self.module(*images)
