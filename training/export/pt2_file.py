"""Writing what torch.export makes (`.pt2`), and running what was written."""

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
"""The name under which the archive holds it."""


def write_pt2(program: ExportedProgram, file: Path, metadata: Mapping[str, str]) -> None:
    # Not to the file itself: where the disk is full, torch ends the whole process.
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's, about torch
        torch.export.save(program, buffer, extra_files={METADATA: json.dumps(dict(metadata))})
    file.write_bytes(buffer.getbuffer())


class Loaded:
    """The file, as it is loaded again."""

    def __init__(self, file: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.module: nn.Module = torch.export.load(file).module()

    def __call__(self, images: Tensor) -> Tensor:
        with torch.no_grad():
            result: Tensor = self.module(images)
        return result
