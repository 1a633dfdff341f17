"""The export formats by file ending, and which options and packages they need. Needs no torch."""

from __future__ import annotations

import importlib.util
import re
from importlib import metadata
from pathlib import PurePath
from typing import Literal

from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic

Format = Literal["onnx", "pt2", "safetensors"]

ENDINGS: dict[str, Format] = {".onnx": "onnx", ".pt2": "pt2", ".safetensors": "safetensors"}

EXPORTED = re.compile(rb"dotcnn\.spec_sha256")
"""A mark in all exported files: these may be replaced without --force."""

SCRIPT = re.compile(rb"Written by `cnn export --script`")
"""The same mark in scripts."""

SCRIPT_MARK = SCRIPT.pattern.decode()

OPSET = 23
"""The default ONNX opset, the newest that torch 2.13 writes; onnxruntime supports it since 1.23."""

OLDEST_OPSET = 18
"""The opset in which the operations of torch's exporter are defined."""

_KNOWN_ELSEWHERE = {
    ".pt": ".pt2 for the network, or .safetensors for its weights alone",
    ".pth": ".pt2 for the network, or .safetensors for its weights alone",
    ".ckpt": ".safetensors",
    ".bin": ".safetensors",
    ".ort": ".onnx",
    ".py": "`cnn emit`, which writes the module as Python",
}
_CALLED = {"onnx": "ONNX", "pt2": "torch.export", "safetensors": "weights alone"}

_NEEDED: dict[Format, tuple[str, tuple[str, ...]]] = {
    "onnx": ("dotcnn[onnx]", ("torch", "onnx", "onnxscript", "onnxruntime")),
    "pt2": ("dotcnn[torch]", ("torch",)),
    "safetensors": ("dotcnn[torch]", ("torch", "safetensors")),
}

OLDEST_TORCH = {"onnx": "2.9"}
"""Of formats that need a later torch than training does."""


def script_name(model: PurePath) -> str:
    """The file name of the script beside an ONNX file."""
    return f"{model.stem}_predict.py"


def format_of(path: str) -> Format | None:
    return ENDINGS.get(PurePath(path).suffix.lower())


def unknown(path: str) -> str:
    """The error message for an unknown ending."""
    suffix = PurePath(path).suffix.lower()
    known = ", ".join(f"{ending} ({_CALLED[format]})" for ending, format in ENDINGS.items())
    meant = _KNOWN_ELSEWHERE.get(suffix) or closest(suffix, ENDINGS, cutoff=0.5)
    which = f"{path} ends in {suffix}" if suffix else f"{path} has no ending"
    return f"{which}; known are {known}" + (f"\n  did you mean {meant}?" if meant else "")


def not_installed(format: Format) -> Diagnostic | None:
    """The error for missing packages that a format needs; None if all are installed."""
    extra, packages = _NEEDED[format]
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        what = f"{' and '.join(missing)}, not installed here"
    elif _release(metadata.version("torch")) < _release(oldest := OLDEST_TORCH.get(format, "2")):
        what = f"torch {oldest} or later; {metadata.version('torch')} is installed here"
    else:
        return None
    return Diagnostic(
        "missing-package", f"writing {format} needs {what}", help=f'pip install "{extra}"'
    )


def _release(version: str) -> tuple[int, ...]:
    return tuple(map(int, re.findall(r"\d+", version)[:2]))


def misfit(
    format: Format,
    fold: bool,
    predict: bool,
    batch: int | None,
    opset: int | None,
    script: bool = False,
    whole: bool = False,
) -> str:
    """The error message for options that do not fit the format; empty if they do."""
    if format == "safetensors" and fold:
        return "--fold changes the weights, which then fit no network; use onnx or pt2"
    if format == "safetensors" and (predict or batch is not None):
        return "--predict and --batch are for onnx and pt2, not for weights alone"
    if whole and format != "onnx":
        return f"--whole is for onnx, not {format}"
    if whole and (predict or batch is not None or script):
        return (
            "--whole answers for photographs, one or several of the same size: leave out --predict,"
            " --batch and --script"
        )
    if script and format != "onnx":
        return f"--script is for onnx, not {format}"
    if opset is not None and format != "onnx":
        return f"--opset is for onnx, not {format}"
    if opset is not None and not OLDEST_OPSET <= opset <= OPSET:
        return f"--opset may be {OLDEST_OPSET} to {OPSET}, not {opset}"
    return ""
