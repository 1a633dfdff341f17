"""Weights from files: safetensors, torch's own, numpy's, ONNX. Nothing in them is ever run.

What cannot be read ends in a SpecError that says what is wrong with the file: none, cut short,
damaged, of another kind, or one that holds code.
"""

from __future__ import annotations

import errno
import pickle
import re
import warnings
import zipfile
import zlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...dsl.diagnostics import Diagnostic, SpecError
from .match.wrappers import unwrapped
from .onnx import arrays_of


def read_weights(path: str | Path) -> dict[str, Tensor]:
    """The tensors of a file, on the CPU, under the names that they had in the module: what is
    usually put around them is taken off (see `unwrapped`)."""
    file = Path(path)
    name = str(path)
    read = _READERS.get(file.suffix.lower())
    _must_be_a_file(file, name)
    if read is None:
        known = ", ".join(_READERS)
        raise _problem("weights-kind", f"{name} is no file of weights", name, f"it may be {known}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the age of a file, where it can be read
            found = read(file, name)
    except _DAMAGED as error:
        raise _damaged(name, _first_line(error)) from None
    except OSError as error:
        if error.errno == errno.EINVAL:  # to where the file says that it goes on, and does not
            raise _damaged(name, "it ends too early") from None
        reason = error.strerror or type(error).__name__
        raise _problem("unreadable", f"cannot read {name}: {reason}", name) from None
    tensors = unwrapped(found) if isinstance(found, Mapping) else {}
    if not tensors:
        what = "a dict without tensors" if isinstance(found, Mapping) else type(found).__name__
        help = "save a module's `state_dict()`"
        raise _problem("no-weights", f"{name} holds no weights, but {what}", name, help)
    if any(tensor.is_meta for tensor in tensors.values()):
        help = "save a module whose weights are there, not one of the device `meta`"
        raise _problem("no-weights", f"{name} holds shapes of weights, but no values", name, help)
    return tensors


def _must_be_a_file(file: Path, name: str) -> None:
    try:
        if file.is_dir():
            raise _problem("not-a-file", f"{name} is a folder, not a file", name)
        if not file.exists():
            raise _problem("no-such-file", f"there is no file {name}", name, _similar(file))
        if not file.is_file():  # a pipe would be waited for
            raise _problem("not-a-file", f"{name} is not a file of its own", name)
        if not file.stat().st_size:
            raise _damaged(name, "it is empty")
    except OSError as error:
        raise _problem("unreadable", f"cannot read {name}: {error.strerror}", name) from None
    except ValueError:  # a NUL in the name
        raise _problem("unreadable", f"{name!r} is no file's name", name) from None


def _similar(file: Path) -> str:
    import difflib

    try:
        beside = [path.name for path in file.parent.iterdir() if path.suffix.lower() in _READERS]
    except OSError:
        return ""
    close = difflib.get_close_matches(file.name, beside, n=1)
    return f"did you mean {file.with_name(close[0])}?" if close else ""


# ---- each kind of file --------------------------------------------------------------------------


def _safetensors(file: Path, name: str) -> object:
    try:
        from safetensors import SafetensorError
        from safetensors.torch import load_file
    except ImportError:
        help = "pip install safetensors"
        raise _problem("missing-package", f"{name} needs `safetensors`", name, help) from None
    try:
        return load_file(file, device="cpu")
    except SafetensorError as error:
        raise _damaged(name, _first_line(error)) from None


def _torch(file: Path, name: str) -> object:
    try:
        return torch.load(file, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError) as error:
        text = str(error)
        if "TorchScript" in text:
            raise _holds_code(name, "a TorchScript program") from None
        wanted = re.search(r"GLOBAL ([\w.]+)|[Uu]nsupported class ([\w.]+)", text)
        if wanted:
            raise _holds_code(name, f"a call of {wanted[1] or wanted[2]}") from None
        if isinstance(error, pickle.UnpicklingError):
            raise _damaged(name, "it is not one that torch has written") from None
        raise


def _numpy(file: Path, name: str) -> object:
    try:
        import numpy
    except ImportError:
        raise _problem(
            "missing-package", f"{name} needs `numpy`", name, "pip install numpy"
        ) from None
    try:
        with file.open("rb") as stream, numpy.load(stream, allow_pickle=False) as archive:
            return {key: _from_array(key, archive[key], name) for key in archive.files}
    except ValueError as error:
        if "allow_pickle" in str(error) and zipfile.is_zipfile(file):
            raise _holds_code(name, "objects of Python") from None
        raise _damaged(name, "it is not an archive that numpy has written") from None


def _onnx(file: Path, name: str) -> object:
    try:
        import onnx
    except ImportError:
        help = "pip install onnx"
        raise _problem("missing-package", f"{name} needs `onnx`", name, help) from None
    try:
        arrays = arrays_of(onnx.load(str(file)).graph)
    except Exception as error:  # noqa: BLE001 (protobuf has errors of its own)
        raise _damaged(name, _first_line(error) or "it is no graph of ONNX") from None
    return {key: _from_array(key, array, name) for key, array in arrays.items()}


def _from_array(key: str, array: Any, name: str) -> Tensor:
    if array.dtype.name == "bfloat16":  # which numpy itself does not know
        array = array.astype("float32")
    try:
        native = array.astype(array.dtype.newbyteorder("="), order="C", copy=True)
        return torch.from_numpy(native)
    except TypeError:
        message = f"{key} in {name} is of {array.dtype}, which are no numbers for torch"
        raise _problem("weights-kind", message, name) from None


_READERS: dict[str, Callable[[Path, str], object]] = {
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

_DAMAGED = (
    EOFError, KeyError, IndexError, RuntimeError, UnicodeDecodeError, pickle.UnpicklingError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What readers raise over files that were cut short or written over."""


# ---- what is said -------------------------------------------------------------------------------


def _problem(code: str, message: str, name: str, help: str = "") -> SpecError:
    return SpecError([Diagnostic(code, message, help=help, file=name)])


def _damaged(name: str, reason: str) -> SpecError:
    message = f"{name} is damaged: {reason}" if reason else f"{name} is damaged"
    return _problem("weights-damaged", message, name, "fetch it again: it may have been cut short")


def _holds_code(name: str, what: str) -> SpecError:
    message = f"{name} holds {what}, not weights alone; what it would run is not run"
    help = "where it was made, save the weights alone: torch.save(module.state_dict(), …)"
    return _problem("weights-code", message, name, help)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
