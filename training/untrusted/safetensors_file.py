"""Reads .safetensors files: tensors and metadata."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from .bad_file import BadFile, damaged, guarded, too_large
from .open_file import LFS, open_regular, refuse_pointer, size_of

MAX_HEADER = 16 * 2**20
MAX_TENSORS = 100_000


def read_safetensors(path: Path) -> dict[str, Tensor]:
    """The tensors of a file; raises BadFile."""
    _check_header(path)
    try:
        from safetensors.torch import load_file
    except ImportError:
        raise BadFile("needs `safetensors`", "missing-package", "pip install safetensors") from None
    with guarded():
        return load_file(path, device="cpu")


def about_safetensors(path: Path) -> dict[str, str]:
    """The metadata of a file; raises BadFile."""
    from safetensors import safe_open

    _check_header(path)
    with guarded(), safe_open(path, framework="pt") as file:
        return dict(file.metadata() or {})


def _check_header(path: Path) -> None:
    """Checks the size of the header, which the library reads into memory; raises BadFile."""
    with open_regular(path) as file:
        size = size_of(file)
        if not size:
            raise damaged("it is empty")
        refuse_pointer(file.read(len(LFS)))
        file.seek(0)
        length = int.from_bytes(file.read(8), "little")
        if length > size - 8:
            raise damaged(f"its header should have {length:,} bytes, but the file has {size:,}")
        if length > MAX_HEADER:
            raise too_large(f"has a header of {length:,} bytes, more than {MAX_HEADER:,}")
        count = file.read(length).count(b'"data_offsets"')
    if count > MAX_TENSORS:
        raise too_large(f"has {count:,} tensors, more than {MAX_TENSORS:,}")
