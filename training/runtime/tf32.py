"""TF32 for float32 products and convolutions on GPUs (`precision … tf32=on`).

torch has two interfaces for it since 2.9: `allow_tf32`, and `fp32_precision`, a word for each kind
of operation. Once a process has used the second one, reading the first one may raise RuntimeError.
torch.compile reads the first one. So both are set here, to the same; the second one is restored.
torch 2.9 warns of the first one.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch

_MATMUL, _CUDNN = torch.backends.cuda.matmul, torch.backends.cudnn


@contextmanager
def tf32(allowed: bool) -> Iterator[None]:
    """A context in which TF32 is allowed or not; all settings are restored afterwards."""
    kinds = (_MATMUL, getattr(_CUDNN, "conv", None), getattr(_CUDNN, "rnn", None))
    with _unwarned():
        switches = _readable([(_MATMUL, "allow_tf32"), (_CUDNN, "allow_tf32")])
        words = _readable([(kind, "fp32_precision") for kind in kinds])
        _MATMUL.allow_tf32 = allowed
        _CUDNN.allow_tf32 = allowed
        for owner, name, _ in words:  # for cuDNN, `allow_tf32 = False` may mean "as all else"
            setattr(owner, name, "tf32" if allowed else "ieee")
    try:
        yield
    finally:
        # The words last: setting a switch changes its words, too.
        with _unwarned():
            for owner, name, value in (*switches, *words):
                setattr(owner, name, value)


@contextmanager
def _unwarned() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Please use the new API settings to control TF32")
        yield


def _readable(settings: list[tuple[Any, str]]) -> list[tuple[Any, str, Any]]:
    """The settings that this torch has and that can be read now, with their values."""
    readable = []
    for owner, name in settings:
        with suppress(AttributeError, RuntimeError):
            readable.append((owner, name, getattr(owner, name)))
    return readable
