"""A file of numpy's: which of its arrays are meant, and its labels. Nothing is unpickled.

Needs numpy, not torch.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy

from ....compiler.plan.data import Npz
from ....dsl.diagnostics import SpecError
from ..diagnostic import listed, problem
from .file_names import clean, resolve
from .labels import Labels, Unfit, as_labels

_IMAGES = "x X images image data imgs"
_LABELS = "y Y labels label target targets classes_of_images"
_PARTS = {"train": "train training", "val": "val valid validation dev", "test": "test testing"}
_CLASSES = "class_names classes label_names target_names names categories"


_BROKEN = (
    ValueError, EOFError, KeyError, OSError, MemoryError, OverflowError, NotImplementedError,
    zipfile.BadZipFile, zlib.error,
)  # fmt: skip
"""What numpy raises over an archive that was cut short or written over."""


def count(data: Npz, base: Path) -> int:
    """How many classes a file has; the images are not looked at."""
    with opened(data, resolve(data.path, base)) as archive:
        return len(labels_of(data, archive, named_pairs(data, archive.files)).classes)


# ---- which arrays are meant ------------------------------------------------------------------


def named_pairs(data: Npz, there: list[str]) -> dict[str, tuple[str, str]]:
    """By part: the array of images, and that of their labels."""
    if data.images or data.labels:
        return {"train": (_given(data, "images", there), _given(data, "labels", there))}
    pairs = {}
    for part, words in _PARTS.items():
        images = _first(there, _names(_IMAGES, words))
        labels = _first(there, _names(_LABELS, words))
        if images and labels:
            pairs[part] = images, labels
        elif images or labels:
            raise problem(
                "no-such-array",
                f"{data.path} has `{images or labels}`, but not the"
                f" {'labels' if images else 'images'} that belong to it",
                data,
                notes=(f"there is {listed([f'`{name}`' for name in there], 12)}",),
                help='say which they are: `images="…" labels="…"`',
            )
    if "train" in pairs:
        return pairs
    images, labels = _first(there, _IMAGES.split()), _first(there, _LABELS.split())
    if images and labels and not pairs:
        return {"train": (images, labels)}
    if there == ["arr_0", "arr_1"]:
        return {"train": ("arr_0", "arr_1")}
    raise problem(
        "no-such-array",
        f"{data.path} has no arrays to learn from under a usual name",
        data,
        notes=(f"there is {listed([f'`{name}`' for name in there], 12)}",) if there else (),
        help="`x_train` and `y_train` are usual, with `x_test` and `y_test`, or `images` and"
        ' `labels`; else say which they are: `images="…" labels="…"`',
    )


def _names(stems: str, parts: str) -> list[str]:
    return [
        name
        for part in parts.split()
        for stem in stems.split()
        for name in (f"{stem}_{part}", f"{part}_{stem}")
    ]


def _first(there: list[str], names: list[str]) -> str:
    return next((name for name in names if name in there), "")


def _given(data: Npz, argument: str, there: list[str]) -> str:
    name: str | None = getattr(data, argument)
    usual = _first(there, (_IMAGES if argument == "images" else _LABELS).split())
    if name is None and usual:
        return usual
    if name is not None and name in there:
        return name
    raise problem(
        "no-such-array",
        f"{data.path} has no array `{name}`"
        if name
        else f"nothing says which array the {argument} are",
        data,
        argument=argument,
        notes=(f"there is {listed([f'`{name}`' for name in there], 12)}",),
        help=f'say which they are: `{argument}="…"`',
    )


# ---- reading ---------------------------------------------------------------------------------


@contextmanager
def opened(data: Npz, path: Path) -> Iterator[Any]:
    """The archive, as long as its file is open."""
    if path.is_dir():
        message = f"{data.path} is a folder, not a file of numpy's"
        raise problem("not-a-file", message, data, help=f'write `data folder "{data.path}"`')
    if not path.exists():
        note = f"looked for at {clean(str(path.absolute()))}"
        raise problem("no-such-file", f"there is no file {data.path}", data, notes=(note,))
    try:
        file = path.open("rb")
    except OSError as error:
        message = f"cannot read {data.path}: {error.strerror or error}"
        raise problem("unreadable", message, data) from None
    with file:
        try:
            archive = numpy.load(file, allow_pickle=False)
        except _BROKEN:
            raise _damaged(data, "it is not an archive that numpy has written") from None
        if not hasattr(archive, "files"):
            message = f"{data.path} is a single array; images and labels are needed"
            help = 'numpy.savez("data.npz", x_train=images, y_train=labels)'
            raise problem("data-shape", message, data, help=help)
        yield archive


def read(data: Npz, archive: Mapping[str, Any], name: str) -> Any:
    try:
        return archive[name]
    except _BROKEN as error:
        if "allow_pickle" in str(error):
            raise problem(
                "data-code",
                f"`{name}` in {data.path} holds objects of Python, not numbers; nothing is run to"
                " read them",
                data,
                help="save plain numbers: array.astype(numpy.uint8)",
            ) from None
        raise _damaged(data, f"`{name}` cannot be read") from None


def labels_of(data: Npz, archive: Any, pairs: Mapping[str, tuple[str, str]]) -> Labels:
    arrays = [read(data, archive, label) for _, label in pairs.values()]
    names = _class_names(data, archive)
    try:
        return as_labels(arrays, names)
    except Unfit as error:
        which = listed([f"`{label}`" for _, label in pairs.values()])
        message = f"{which} in {data.path} cannot be labels: {error}"
        raise problem("data-shape", message, data, argument="labels") from None


def _class_names(data: Npz, archive: Any) -> tuple[str, ...]:
    name = _first(archive.files, _CLASSES.split())
    if not name:
        return ()
    array = read(data, archive, name)
    return tuple(map(str, array.tolist())) if array.ndim == 1 and array.dtype.kind == "U" else ()


def _damaged(data: Npz, reason: str) -> SpecError:
    message = f"{data.path} is damaged: {reason}"
    help = "fetch it again: it may have been cut short"
    return problem("data-damaged", message, data, help=help)
