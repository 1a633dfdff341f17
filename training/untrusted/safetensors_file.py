"""Reads .safetensors files: tensors and metadata."""

from __future__ import annotations

from pathlib import Path

from torch import Tensor

from .bad_file import BadFile, damaged, guarded, too_large
from .json_text import load_json, misfit, natural
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
    with guarded(_MISFIT):
        return load_file(path, device="cpu")


def about_safetensors(path: Path) -> dict[str, str]:
    """The metadata of a file; raises BadFile."""
    from safetensors import safe_open

    _check_header(path)
    with guarded(_MISFIT), safe_open(path, framework="pt") as file:
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
        header = file.read(length)
    count = header.count(b'"data_offsets"')
    if count > MAX_TENSORS:
        raise too_large(f"has {count:,} tensors, more than {MAX_TENSORS:,}")
    _check_form(header, size - 8 - length)


def _check_form(header: bytes, size: int) -> None:
    """Checks what the header says of the tensors, whose data has `size` bytes; raises BadFile."""
    try:
        tensors = load_json(header.decode("utf-8"))
    except (BadFile, UnicodeDecodeError):
        raise damaged("its header is not JSON") from None
    about = tensors.pop("__metadata__", {}) if isinstance(tensors, dict) else {}
    place = misfit(tensors, {str: _TENSOR}) or misfit(about, {str: str}, "__metadata__")
    if place:
        where = "" if place == "it" else f": `{place}` is missing, or not of the expected type"
        raise damaged(f"its header does not describe tensors{where}")
    end = max((tensor["data_offsets"][1] for tensor in tensors.values()), default=0)
    if end > size:
        raise damaged(f"it is truncated: {size:,} of the {end:,} bytes of its tensors are left")
    if end < size:
        raise damaged(f"{size - end:,} bytes follow its last tensor")


def _begin_and_end(value: object) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(natural, value))


_TENSOR = {"dtype": str, "shape": [natural], "data_offsets": _begin_and_end}
_MISFIT = "its header describes tensors that do not fit its data"
