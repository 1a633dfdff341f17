"""`data idx`, and MNIST and similar data sets by name: compressed or not, damaged or not."""

from __future__ import annotations

import gzip
import hashlib
import struct
from pathlib import Path

import pytest
import torch

from dotcnn.training.data.sources.idx import looks_like_idx
from support import shared

from .sets import opened, planned, refused

WHOLE = [("train", 40), ("t10k", 10)]


def file(kind: int, *sizes: int, numbers: bytes | None = None) -> bytes:
    count = 1
    for size in sizes:
        count *= size
    numbers = bytes(i * 7 % 256 for i in range(count)) if numbers is None else numbers
    return struct.pack(f">BBBB{len(sizes)}I", 0, 0, kind, len(sizes), *sizes) + numbers


def write(
    root: Path, *, packed: bool = False, dot: str = "-", prefix: str = "", classes: int = 4
) -> Path:
    root.mkdir(parents=True, exist_ok=True)
    for part, count in WHOLE:
        numbers = bytes(i % classes for i in range(count))
        for what, data in (
            (f"images{dot}idx3", file(8, count, 8, 8)),
            (f"labels{dot}idx1", file(8, count, numbers=numbers)),
        ):
            name = f"{prefix}{part}-{what}-ubyte"
            if packed:
                (root / f"{name}.gz").write_bytes(gzip.compress(data))
            else:
                (root / name).write_bytes(data)
    return root


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dot", ["-", "."])
def test_the_four_files(tmp_path: Path, packed: bool, dot: str) -> None:
    write(tmp_path / "set", packed=packed, dot=dot)
    found = opened('idx "set"', tmp_path, input="1x8x8")
    assert found.dataset.name == "set"
    assert [(p.name, p.counts) for p in found.dataset.parts] == [
        ("train", (10,) * 4),
        ("val", (3, 3, 2, 2)),
    ]
    assert found.image("train", 0).flatten().tolist()[:3] == [0, 7, 14]
    assert planned('idx "set"', tmp_path, input="1x8x8").outputs == (4,)
    assert looks_like_idx(tmp_path / "set")
    assert not looks_like_idx(tmp_path)


def test_training_files_are_enough(tmp_path: Path) -> None:
    write(tmp_path)
    for path in tmp_path.glob("t10k*"):
        path.unlink()
    found = opened(f'idx "{tmp_path}"', input="1x8x8")
    assert [p.counts for p in found.dataset.parts] == [(8,) * 4, (2,) * 4]


IMAGES, LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        (IMAGES, b"", "it is empty"),
        (IMAGES, b"\0\0", "starts with"),
        (IMAGES, file(8, 40, 8, 8)[:9], "its header is truncated"),
        (IMAGES, file(8, 40, 8, 8)[:-1], "its header says 2,560 bytes, but it has 2,559"),
        (IMAGES, file(8, 40, 8, 8) + b"x", "but it has more"),
        (IMAGES, file(8, 2**31, 2**10, 2**10, numbers=b""), "claims to hold"),
        (IMAGES, file(9, 40, 8, 8), "starts with 0000 0903, not with 0000 0803"),
        (IMAGES, gzip.compress(file(8, 40, 8, 8))[:-20], "it is truncated"),
        (IMAGES, gzip.compress(file(8, 40, 8, 8))[:-8] + bytes(8), "compression is broken"),
        (LABELS, file(8, 39), "40 images in train-images-idx3-ubyte, and 39 labels"),
        (LABELS, file(8, 40, 1, 1), "starts with"),
        (IMAGES, file(8, 0, 8, 8), "0 images"),
    ],
)
def test_damaged_files_are_named(tmp_path: Path, name: str, data: bytes, words: str) -> None:
    write(tmp_path)
    (tmp_path / name).write_bytes(data)
    wrong = refused(f'idx "{tmp_path}"', input="1x8x8", head="4")
    assert wrong.code == "data-damaged"
    assert words in wrong.message
    assert name in wrong.message or "labels" in wrong.message


def test_missing_files(tmp_path: Path) -> None:
    wrong = refused(f'idx "{tmp_path}"', input="1x8x8")
    assert (wrong.code, wrong.notes) == ("no-data-files", ("the folder is empty",))
    write(tmp_path)
    (tmp_path / LABELS).unlink()
    wrong = refused(f'idx "{tmp_path}"', input="1x8x8")
    assert f"has {IMAGES}, but not the labels" in wrong.message


# ---- by name ---------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["MNIST/raw", "."])
def test_by_name_where_torchvision_puts_them_or_directly(tmp_path: Path, place: str) -> None:
    write(tmp_path / place, packed=True, classes=10)
    found = opened(f'mnist root="{tmp_path}"', input="1x8x8", head="10")
    assert (found.dataset.name, found.dataset.classes) == ("mnist", tuple("0123456789"))
    assert found.dataset.licence


def test_emnist_letters_are_transposed(tmp_path: Path) -> None:
    """EMNIST's are written column by column, and letters begin with 1."""
    write(tmp_path, prefix="emnist-letters-", classes=26)
    for part, count in WHOLE:
        numbers = bytes(1 + i % 26 for i in range(count))
        name = f"emnist-letters-{part.replace('t10k', 'test')}-labels-idx1-ubyte"
        (tmp_path / name).write_bytes(file(8, count, numbers=numbers))
    (tmp_path / "emnist-letters-t10k-labels-idx1-ubyte").unlink()
    found = opened(f'emnist part=letters root="{tmp_path}"', input="1x8x8")
    assert found.plan.outputs == (26,)
    assert found.dataset.classes[:2] == ("A", "B")
    assert int(found.stores["train"].labels.min()) == 0
    assert found.image("train", 0)[0, :3, 0].tolist() == [0, 7, 14]


# ---- real ones -------------------------------------------------------------------------------


def test_fashion_mnist() -> None:
    """Its published files, to the last byte, and its published mean and deviation."""
    root = shared("data/fashion-mnist")
    found = opened(f'fashion_mnist root="{root}" download=off', input="1x28x28")
    assert found.dataset.classes[-1] == "Ankle boot"
    assert [p.count for p in found.dataset.parts] == [60000, 10000]
    assert set(found.dataset.train.counts) == {6000}
    assert found.preparation.mean == pytest.approx((0.2860,), abs=1e-4)
    assert found.preparation.std == pytest.approx((0.3530,), abs=1e-4)
    pixels = found.stores["val"].images.numpy().tobytes()  # type: ignore[union-attr]
    published = gzip.decompress((root / "t10k-images-idx3-ubyte.gz").read_bytes())[16:]
    assert hashlib.sha1(pixels).digest() == hashlib.sha1(published).digest()
    batch = next(found.training(batch=600)(0))
    prepared = found.preparation.prepare(batch.images)
    assert abs(float(prepared.mean())) < 0.1
    assert float(prepared.std()) == pytest.approx(1, abs=0.1)
    assert torch.equal(batch.labels, found.stores["train"].labels[batch.indices])
