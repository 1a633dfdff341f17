"""The key of cached features: it changes with anything that the features depend on."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence

import torch
from torch import nn

from ..checkpoint.tensors_file import bytes_of
from ..data.loader.image_source import Files
from ..data.loader.store import InMemory, Store
from ..data.opened import Opened
from ..data.samples.sample_store import WholeSamples
from ..optim.precision import Precision

FORMAT = 2


def keys_of(
    early: nn.Module,
    opened: Opened,
    precision: Precision,
    changes: Mapping[str, Sequence[str]],
) -> dict[str, str]:
    """A key for each part. `changes` describes how the images of each part are augmented."""
    common = hashlib.sha256()
    settings = [
        FORMAT, torch.__version__, opened.device.type, precision.word, precision.channels_last,
        opened.preparation.to_json(), getattr(early, "code", ""),
    ]  # fmt: skip
    common.update(repr(settings).encode())
    for name, inner in early.named_modules():
        if not any(True for _ in inner.children()):
            common.update(f"{name} {inner!r}\n".encode())
    for name, tensor in early.state_dict().items():
        common.update(f"{name} {tuple(tensor.shape)}\n".encode())
        common.update(bytes_of(tensor))
    keys = {}
    for part, words in changes.items():
        digest = common.copy()
        digest.update(repr(tuple(words)).encode())
        _add_images(digest, opened.stores[part])
        keys[part] = digest.hexdigest()[:24]
    return keys


def _add_images(digest: hashlib._Hash, store: Store) -> None:
    if isinstance(store, InMemory):
        digest.update(bytes_of(store.images))
        return
    digest.update(repr(store.fit.lines()).encode())
    if store.crop is not None:
        digest.update(f"{store.crop}\n".encode())
    for index in range(len(store)):
        if isinstance(store, WholeSamples) and store.in_memory:
            digest.update(bytes_of(store.whole(index)))
            continue
        source = store.source
        if not isinstance(source, Files):
            _add_file(digest, source.path(index), source.name(index))
            continue
        _add_file(digest, source.container(index), source.name(index))
        masks, targets = source.mask_files, source.target_files
        for each in masks:
            mask = each.read(index)
            digest.update(b"no mask" if mask is None else bytes_of(mask))
        for own in source.image_maps:
            image = own.read(index)
            digest.update(b"no image" if image is None else bytes_of(image))
        if targets is not None:
            _add_file(digest, targets.file(index) or source.container(index), "")


def _add_file(digest: hashlib._Hash, path: str, name: str) -> None:
    status = os.stat(path)
    digest.update(f"{path} {name} {status.st_size} {status.st_mtime_ns}\n".encode())
