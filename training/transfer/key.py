"""What kept features go by: a change of anything that they depend on is another key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from ..data.opening import Opened
from ..data.store import InMemory, Store
from ..numerics import Numbers

FORMAT = 1


def key_of(
    early: nn.Module,
    opened: Opened,
    part: str,
    numbers: Numbers,
    changes: Sequence[str],
) -> str:
    """`changes` are what images go through before they are features, in words."""
    digest = hashlib.sha256()
    said = [
        FORMAT, torch.__version__, opened.device.type, numbers.word, numbers.channels_last,
        opened.preparation.to_json(), *changes, getattr(early, "code", ""),
    ]  # fmt: skip
    digest.update(repr(said).encode())
    for name, inner in early.named_modules():
        if not any(True for _ in inner.children()):
            digest.update(f"{name} {inner!r}\n".encode())
    for name, tensor in early.state_dict().items():
        digest.update(f"{name} {tuple(tensor.shape)}\n".encode())
        digest.update(_bytes(tensor))
    _add_images(digest, opened.stores[part])
    return digest.hexdigest()[:24]


def _add_images(digest: hashlib._Hash, store: Store) -> None:
    if isinstance(store, InMemory):
        digest.update(_bytes(store.images))
        return
    digest.update(repr(store.fit.lines()).encode())
    for index in range(len(store)):
        path = Path(store.pile.path(index))
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())


def _bytes(tensor: torch.Tensor) -> bytes:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().tobytes()
