"""Data sets in files: `data npz` and `data idx`, packed with gzip or not."""

from __future__ import annotations

import gzip
import io
from collections.abc import Sequence

import numpy

from dotcnn.compiler.plan.data import Idx, Npz
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.data.sources.read import contents
from fuzz.frame import Target, register, scratch
from fuzz.targets.weights import NPY, ZIP, inside

WANTED = (3, 4, 4)


def _contents(data: Npz | Idx) -> str:
    try:
        found = contents(data, scratch(), WANTED)
    except SpecError as error:
        return "\n".join(
            f"{d.code} {d.message} {d.notes} {d.help}".replace(str(scratch()), "")
            for d in error.diagnostics
        )
    parts = {part: (source.labels.shape, len(source)) for part, source in found.parts.items()}
    return f"{found.classes} {found.task} {parts}"


def read_npz(data: bytes) -> str:
    (scratch() / "set.npz").write_bytes(data)
    return _contents(Npz.make(path="set.npz"))


def npz_files() -> Sequence[bytes]:
    random = numpy.random.default_rng(0)
    images = random.integers(0, 256, (6, 4, 4, 3)).astype(numpy.uint8)
    labels = numpy.arange(6) % 3
    found = []
    for more in (
        {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels},
        {"images": images.astype("f4") / 255, "labels": numpy.array(["a", "b"] * 3)},
        {
            "x": images[..., 0],
            "y": numpy.eye(3)[labels],
            "class_names": numpy.array(["a", "b", "c"]),
        },
    ):
        stream = io.BytesIO()
        numpy.savez_compressed(stream, **more)
        found.append(stream.getvalue())
    return found


def read_idx(data: bytes) -> str:
    """The first byte says where the images end and the labels begin."""
    folder = scratch() / "idx"
    folder.mkdir(exist_ok=True)
    end = int.from_bytes(data[:2], "big")
    (folder / "train-images-idx3-ubyte.gz").write_bytes(data[2 : 2 + end])
    (folder / "train-labels-idx1-ubyte").write_bytes(data[2 + end :])
    return _contents(Idx.make(path="idx"))


def idx_files() -> Sequence[bytes]:
    images = b"\0\0\x08\x03" + b"".join(n.to_bytes(4, "big") for n in (5, 4, 4)) + bytes(range(80))
    labels = b"\0\0\x08\x01" + (5).to_bytes(4, "big") + bytes([0, 1, 2, 1, 0])
    return [
        len(packed).to_bytes(2, "big") + packed + labels
        for packed in (images, gzip.compress(images, mtime=0))
    ]


register(Target("data-npz", read_npz, npz_files, [*ZIP, *NPY], draw=inside(npz_files, NPY)))
register(Target("data-idx", read_idx, idx_files, [b"\x1f\x8b\x08", b"\0\0\x08\x03", b"\xff" * 4]))
