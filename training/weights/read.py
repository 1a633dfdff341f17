"""Reads files of weights: safetensors, torch, NumPy, ONNX. No code in them is ever executed.

If a file cannot be read, a SpecError says why: it is missing, cut short, damaged, of another
format, contains code, or would exhaust memory (`training/untrusted`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, SpecError
from ..untrusted.bad_file import BadFile, Kind, guarded
from .match.state_dict import unwrapped

_CODES: dict[Kind, str] = {
    "damaged": "weights-damaged",
    "limit": "weights-limit",
    "code": "weights-code",
    "kind": "weights-kind",
    "missing": "no-such-file",
    "not-a-file": "not-a-file",
    "unreadable": "unreadable",
    "missing-package": "missing-package",
}


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file, on the CPU, by their names in the module; outer dicts and prefixes of
    checkpoints are removed (see `unwrapped`)."""
    file = Path(path)
    name = str(path)
    read = _READERS.get(file.suffix.lower())
    try:
        if read is None:
            raise _not_weights(file)
        with guarded():
            content = read(file)
    except BadFile as error:
        raise cannot_use(error, file, name) from None
    tensors = unwrapped(content) if isinstance(content, Mapping) else {}
    if not tensors:
        what = "a dict without tensors" if isinstance(content, Mapping) else type(content).__name__
        help = "save a module's `state_dict()`"
        raise _problem("no-weights", f"{name} contains {what}, not weights", name, help)
    if any(tensor.is_meta for tensor in tensors.values()):
        help = "save a module whose weights are on the CPU or a GPU, not on the device `meta`"
        raise _problem(
            "no-weights", f"{name} contains shapes of weights, but no values", name, help
        )
    return tensors


def _not_weights(file: Path) -> BadFile:
    from ..untrusted.open_file import open_regular

    open_regular(file).close()  # a missing file or a folder has its own message
    known = ", ".join(_READERS)
    return BadFile("is not a file of weights", "kind", f"files of weights end in {known}")


def cannot_use(error: BadFile, file: Path, name: str) -> SpecError:
    """What is said of a file that cannot be used."""
    help = error.help
    if error.kind == "missing" and not help:
        help = _similar(file)
    if error.kind == "code" and not help:
        help = "save the weights without code: torch.save(module.state_dict(), …)"
    return _problem(_CODES[error.kind], f"{name} {error}", name, help)


def _similar(file: Path) -> str:
    try:
        beside = [path.name for path in file.parent.iterdir() if path.suffix.lower() in _READERS]
    except OSError:
        return ""
    close = closest(file.name, beside)
    return f"did you mean {file.with_name(close)}?" if close else ""


def _problem(code: str, message: str, name: str, help: str = "") -> SpecError:
    return SpecError([Diagnostic(code, message, help=help, file=name)])


# ---- each kind of file --------------------------------------------------------------------------


def _safetensors(file: Path) -> object:
    from ..untrusted.safetensors_file import read_safetensors

    return read_safetensors(file)


def _torch(file: Path) -> object:
    from ..untrusted.torch_file import read_torch

    return read_torch(file)


def _numpy(file: Path) -> object:
    from ..untrusted.npz import open_npz

    with open_npz(file) as arrays:
        return {key: _from_array(key, array) for key, array in arrays.items()}


def _onnx(file: Path) -> object:
    from ..untrusted.onnx_file import read_onnx
    from .onnx import arrays_of

    return {key: _from_array(key, array) for key, array in arrays_of(read_onnx(file)).items()}


def _from_array(key: str, array: Any) -> Tensor:
    if array.dtype.name == "bfloat16":  # a type that NumPy itself does not have
        array = array.astype("float32")
    try:
        native = array.astype(array.dtype.newbyteorder("="), order="C", copy=True)
        return torch.from_numpy(native)
    except TypeError:
        message = f"has `{key}` of type {array.dtype}, which torch does not support"
        raise BadFile(message, "kind") from None


_READERS: dict[str, Callable[[Path], object]] = {
    ".safetensors": _safetensors,
    ".pt": _torch,
    ".pth": _torch,
    ".th": _torch,
    ".bin": _torch,
    ".ckpt": _torch,
    ".tar": _torch,
    ".npz": _numpy,
    ".onnx": _onnx,
}
