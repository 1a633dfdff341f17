"""Batches of raw packs, which threads copy out of mapped memory: the same as without threads."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy
import pytest
import torch
from PIL import Image

from dotcnn import SpecError
from dotcnn.training.data.loader.batches import Batches
from dotcnn.training.data.loader.mapped_stream import MappedStream
from dotcnn.training.data.loader.worker_processes import Stream
from dotcnn.training.data.packs.packed_files import PackFiles

from ...commands import run
from .packing import KINDS, Kind, make_sets, opened, seen, spec

COLORS = KINDS["classes"]
GRAYS = Kind('folder "grays"', COLORS.network)
CUT = Kind('folder "flowers"', COLORS.network, sections="evaluate { resize 17x21, crop 16 }")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    make_sets(folder)
    random = numpy.random.default_rng(0)
    for number in range(8):
        path = folder / f"grays/{'ab'[number % 2]}/{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 255, (18, 20), numpy.uint8)).save(path)
    return folder


@pytest.fixture(autouse=True)
def here(sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(sets)
    yield
    shutil.rmtree(sets / "pack", ignore_errors=True)


def packed(kind: Kind, capfd: pytest.CaptureFixture[str], size: str = "20KB") -> None:
    Path("net.cnn").write_text(spec(kind).text)
    options = f"--shard-size {size} --workers 1 --as raw -o pack"
    assert not run(capfd, "pack", "net.cnn", *options.split()).code


def batches(kind: Kind, folder: Path) -> Batches:
    return opened(kind, folder, 'shards "pack"', workers=2).training()


@pytest.mark.parametrize(
    ("kind", "copies"),
    [
        (COLORS, True),
        (CUT, True),
        (GRAYS, True),
        (KINDS["masks"], True),
        (KINDS["inputs"], True),
        (KINDS["crops"], False),  # cut and resized at random
    ],
)
def test_the_same_batches(
    kind: Kind, copies: bool, sets: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    packed(kind, capfd)
    each = batches(kind, sets)
    assert isinstance(each._stream, MappedStream if copies else Stream)
    each.close()
    if copies:
        threads = opened(kind, sets, 'shards "pack"', workers=2)
        assert seen(threads) == seen(opened(kind, sets, 'shards "pack"'))


def test_a_network_is_evaluated(sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """In inference mode, which threads that copy images are not in."""
    packed(COLORS, capfd)
    with torch.inference_mode():
        each = batches(COLORS, sets)
        assert sum(len(batch.images) for batch in each(0)) == len(each.store)
        each.close()


def test_what_must_be_resized_is_left_to_processes(
    sets: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    packed(CUT, capfd)
    larger = CUT._replace(sections="evaluate { resize 40, crop 16 }")
    each = batches(larger, sets)
    assert isinstance(each._stream, Stream)
    each.close()


def test_a_pack_that_is_made_again_is_read_in_the_next_epoch(
    sets: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    packed(COLORS, capfd, "1MB")
    each = batches(COLORS, sets)
    assert sum(len(batch.images) for batch in each(0))
    tar = sets / "pack/train-00000.tar"
    content = bytearray(tar.read_bytes())
    source = each.store.source
    assert isinstance(source, PackFiles)
    for _, offset, size in source.members.places.tolist():
        content[offset + 128 : offset + size] = bytes(size - 128)
    other = sets / "pack/other"
    other.write_bytes(content)
    os.replace(other, tar)
    assert not any(batch.images.any() for batch in each(1))
    each.close()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        ("short", "it is cut short: the tar file has changed"),
        ("header", "damaged: it is not an array that `cnn pack` writes"),
        ("gone", "cannot be read: No such file or directory"),
    ],
)
def test_what_is_damaged_is_named(
    damage: str, message: str, sets: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    packed(COLORS, capfd, "1MB")
    each = batches(COLORS, sets)
    tar = sets / "pack/train-00000.tar"
    source = each.store.source
    assert isinstance(source, PackFiles)
    _, offset, _ = source.members.places[0].tolist()
    if damage == "gone":
        tar.unlink()
    else:
        content = tar.read_bytes()
        short = content[: offset + 60]
        tar.write_bytes(short if damage == "short" else short + b"?" + content[len(short) + 1 :])
    with pytest.raises(SpecError) as error:
        list(each(0))
    (diagnostic,) = error.value.diagnostics
    assert diagnostic.code == "bad-file"
    assert message in diagnostic.message
    named = source.paths[0] if damage == "header" else ""
    assert f"pack/train-00000.tar/{named}" in diagnostic.message
    each.close()


def test_batches_are_independent(sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """What was handed over is not written to again."""
    packed(COLORS, capfd)
    each = batches(COLORS, sets)
    kept = [batch.images for batch in each(0)]
    again = [batch.images.clone() for batch in each(0)]
    assert all(map(torch.equal, kept, again))
    each.close()
