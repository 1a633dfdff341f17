"""`cnn pack`: training sees the same as with the data that was packed, whatever the labels are; and
what interrupts packing, or damages a pack."""

from __future__ import annotations

import errno
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

from dotcnn import SpecError
from dotcnn.training.data.packs.columns import PackNames
from dotcnn.training.data.packs.open_pack import local_pack
from dotcnn.training.data.packs.pack_index import load_index
from dotcnn.training.pack import tar_writer

from ...commands import run
from .packing import COUNT, KINDS, make_sets, opened, seen, spec


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    make_sets(folder)
    return folder


@pytest.fixture(autouse=True)
def here(sets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(sets)
    yield
    for folder in sets.glob("pack*"):
        shutil.rmtree(folder)


def files(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


PACK = "--shard-size 20KB --workers 1 -o pack".split()


# ---- what training sees --------------------------------------------------------------------------


QUICK = ("classes", "outputs", "arrays")


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=() if n in QUICK else pytest.mark.slow) for n in KINDS]
)
def test_training_sees_the_same(name: str, sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    kind = KINDS[name]
    (sets / "net.cnn").write_text(spec(kind).text)
    arrays = "arrays" in name or name == "digits"
    size = ["--shard-size", "1MB"] if name == "digits" else []
    wanted = seen(opened(kind, sets))
    for how in ("raw",) if arrays else ("jpeg", "raw"):
        folder = f"pack-{how}"
        result = run(capfd, "pack", "net.cnn", *PACK, *size, "--as", how, "-o", folder)
        assert not result.code, result.err
        assert f'train with `data shards "{folder}"`' in result.out
        packed = f'shards "{folder}"'
        assert seen(opened(kind, sets, packed)) == wanted, how
        assert seen(opened(kind, sets, packed, in_memory=True)) == wanted, how
        assert run(capfd, "pack", "--verify", folder).code == 0


def test_fit_stores_resized_images(sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (sets / "net.cnn").write_text(spec(KINDS["masks"]).text)
    assert not run(capfd, "pack", "net.cnn", *PACK, "--as", "fit", "--quality", "95").code
    index, _ = load_index(sets / "pack")
    assert index.about["quality"] == 95
    before = opened(KINDS["masks"], sets)
    after = opened(KINDS["masks"], sets, 'shards "pack"')
    assert after.stores["train"].source.known_sizes.tolist() == [[16, 16]]  # type: ignore[union-attr]
    for place in range(len(before.stores["train"])):
        image, packed = (each.stores["train"].read(place) for each in (before, after))
        assert torch.equal(image[3:], packed[3:])  # masks are not mixed
        assert (image[:3].float() - packed[:3].float()).abs().mean() < 6


def test_a_pack_of_data_without_a_spec(sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert not run(capfd, "pack", "flowers", *PACK, "--split").code
    index, _ = load_index(sets / "pack")
    assert {part: index.count(part) for part in index.parts} == {"train": 14, "val": 4}
    kind = KINDS["classes"]
    assert seen(opened(kind, sets, 'shards "pack"')) == seen(opened(kind, sets))
    assert "to `fit` images" in run(capfd, "pack", "flowers", "-o", "pack2", "--as", "fit").err
    assert not run(
        capfd, "pack", "flowers", *PACK, "-o", "pack3", "--as", "fit", "--resize", "16"
    ).code
    sizes = local_pack(sets / "pack3").columns["train"].pixels
    assert set(sizes.min(1)) == {16}


def test_names_and_bad_files(sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(sets / "flowers", sets / "pack-data")
    bad = sets / "pack-data/a/bad.jpg"
    bad.write_bytes((sets / "flowers/b/1.jpg").read_bytes()[:200])
    (sets / "pack-data/a/text.png").write_text("nothing")
    result = run(capfd, "pack", "pack-data", *PACK)
    assert not result.code
    assert "2 files were left out:\n  a/bad.jpg: cut short" in result.err
    pack = local_pack(sets / "pack")
    assert [name for name, _ in pack.index.left_out] == ["a/bad.jpg", "a/text.png"]
    columns = pack.columns["train"]
    names = [*PackNames(columns.names, columns.name_ends)]
    assert len(names) == COUNT
    assert names[:2] == ["a/0.png", "a/10.jpg"]
    with pytest.raises(SpecError) as error:  # as with the folder: more than 1 % are too many
        opened(KINDS["classes"], sets, 'shards "pack"')
    assert "a/bad.jpg" in str(error.value.diagnostics)
    data = opened(KINDS["classes"], sets, 'shards "pack" bad=20%')
    assert [each.name for each in data.dataset.bad] == ["a/bad.jpg", "a/text.png"]
    assert data.stores["train"].source.path(0).endswith("pack/train-00000.tar/a/0.png")


def test_the_split_does_not_depend_on_what_can_be_read(
    sets: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """The folder draws validation images from all names, so the pack does, too."""
    shutil.copytree(sets / "flowers", sets / "pack-data")
    for number in range(24):
        (sets / f"pack-data/{'aab'[number % 3]}/bad {number}.jpg").write_bytes(b"")
    assert not run(capfd, "pack", "pack-data", *PACK).code
    assert not run(capfd, "pack", "pack", *PACK, "-o", "pack-again").code
    for more in ("", " val=40%", " folds=3"):
        for split in ("", "split stratified=off"):
            kind = KINDS["classes"]._replace(more=split)
            wanted = opened(kind, sets, f'folder "pack-data" bad=90%{more}')
            for pack in ("pack", "pack-again"):
                found = opened(kind, sets, f'shards "{pack}" bad=90%{more}')
                assert seen(found) == seen(wanted), (more, split, pack)
    groups = "".join(f"missing{n}.jpg,a,p{n % 9},1\n" for n in range(9))
    for number in range(9):
        (sets / f"missing{number}.jpg").write_bytes(b"")
    (sets / "bad.csv").write_text((sets / "groups.csv").read_text() + groups)
    asked = 'table "bad.csv" group=who weight=often'
    assert not run(capfd, "pack", asked, *PACK, "-o", "pack-groups").code
    kind = KINDS["groups"]
    wanted = opened(kind, sets, f"{asked} bad=90%")
    assert seen(opened(kind, sets, 'shards "pack-groups" bad=90%')) == seen(wanted)


def test_a_pack_of_arrays_is_packed_again(sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert not run(capfd, "pack", 'npz "set.npz"', *PACK).code
    kind = KINDS["arrays"]
    wanted = seen(opened(kind, sets))
    assert not run(capfd, "pack", "pack", *PACK, "-o", "pack-raw").code  # raw by default
    assert seen(opened(kind, sets, 'shards "pack-raw"')) == wanted
    fit = ["--as", "fit", "--resize", "16", "-o", "pack-fit"]
    assert not run(capfd, "pack", "pack", *PACK, *fit).code
    assert local_pack(sets / "pack-fit").index.kind == "fit"
    result = run(capfd, "pack", "pack", *PACK, "--as", "jpeg", "-o", "pack-jpeg")
    assert "the images are arrays" in result.err


def test_columns_are_made_again(sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert not run(capfd, "pack", 'table "tags.csv"', *PACK).code
    wanted = seen(opened(KINDS["tags"], sets, 'shards "pack"'))
    shutil.rmtree(sets / "pack/columns")
    assert seen(opened(KINDS["tags"], sets, 'shards "pack"')) == wanted
    stamp = sets / "pack/columns/stamp.json"
    stamp.write_text(stamp.read_text().replace('"index": "', '"index": "0'))
    numpy.save(sets / "pack/columns/train.labels.npy", numpy.zeros((COUNT, 2), "f4"))
    assert seen(opened(KINDS["tags"], sets, 'shards "pack"')) == wanted


# ---- interrupted -------------------------------------------------------------------------------


def test_packing_goes_on(
    sets: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk is full after each number of members: what is written last is the same as if it had
    been written at once, by any number of workers."""
    assert not run(capfd, "pack", "flowers", *PACK, "--workers", "2").code
    whole = files(sets / "pack")
    assert "columns/stamp.json" in whole
    add = tar_writer.TarWriter.add
    left = 0

    def limited(self: Any, *arguments: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return add(self, *arguments)

    monkeypatch.setattr(tar_writer.TarWriter, "add", limited)
    for left in (0, 3, 17, 18, 5):  # noqa: B007
        result = run(capfd, "pack", "flowers", *PACK, "-o", "pack2")
        assert result.code == 1
        assert "No space left on device" in result.err
        assert "the same command goes on" in result.err
        assert "is not complete" in run(capfd, "pack", "--verify", "pack2").err
        assert not list((sets / "pack2").glob(".train*"))
    left = 1000
    assert not run(capfd, "pack", "flowers", *PACK, "-o", "pack2").code
    assert files(sets / "pack2") == whole
    assert left > 990  # what was there was not written again
    again = run(capfd, "pack", "flowers", *PACK, "-o", "pack2")
    assert "all of it was there already" in again.out
    (sets / "pack2/train-00001.tar").unlink()
    assert not run(capfd, "pack", "flowers", *PACK, "-o", "pack2").code
    assert files(sets / "pack2") == whole


@pytest.mark.slow
def test_packing_goes_on_after_kills(sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert not run(capfd, "pack", "flowers", *PACK).code
    command = [sys.executable, "-m", "dotcnn", "pack", "flowers", *PACK]
    command += ["--workers", "2", "-o", "pack2"]
    draw = random.Random(0)
    killed = 0
    for _ in range(60):
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        while not (sets / "pack2").exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(draw.random() * 0.15)
        process.send_signal(signal.SIGKILL)
        if process.wait() == 0:
            break
        killed += 1
    assert not run(capfd, "pack", "flowers", *PACK, "-o", "pack2").code
    assert killed > 1
    assert files(sets / "pack2") == files(sets / "pack")


def test_nothing_else_is_overwritten(sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "has other files" in run(capfd, "pack", "flowers", "-o", "noise").err
    assert "is a file" in run(capfd, "pack", "flowers", "-o", "tags.csv").err
    assert not run(capfd, "pack", "flowers", *PACK).code
    before = files(sets / "pack")
    for other in (["--as", "raw"], ["--shard-size", "30KB"], ["--split"]):
        assert "of other options" in run(capfd, "pack", "flowers", *PACK, *other).err
    assert "of other data" in run(capfd, "pack", "streets", *PACK).err
    assert files(sets / "pack") == before


def test_files_that_change_are_packed_again(
    sets: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(sets / "flowers", sets / "pack-data")
    assert not run(capfd, "pack", "pack-data", *PACK).code
    shutil.copy(sets / "flowers/b/1.jpg", sets / "pack-data/a/10.jpg")
    assert "already" not in run(capfd, "pack", "pack-data", *PACK).out
    assert not run(capfd, "pack", "pack-data", *PACK, "-o", "pack-new").code
    assert files(sets / "pack") == files(sets / "pack-new")
    # Of another size, so that all shards after it begin with another image; and interrupted.
    Image.new("RGB", (20, 20)).save(sets / "pack-data/a/0.png")
    end = tar_writer.TarWriter.end
    monkeypatch.setattr(tar_writer.TarWriter, "end", lambda self: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(capfd, "pack", "pack-data", *PACK)
    monkeypatch.setattr(tar_writer.TarWriter, "end", end)
    with pytest.raises(SpecError) as error:
        opened(KINDS["classes"], sets, 'shards "pack"')
    assert "the pack pack is not complete" in str(error.value.diagnostics)
    assert not run(capfd, "pack", "pack-data", *PACK).code
    assert run(capfd, "pack", "--verify", "pack").code == 0
    kind = KINDS["classes"]
    wanted = seen(opened(kind, sets, 'folder "pack-data"'))
    assert seen(opened(kind, sets, 'shards "pack"')) == wanted
    assert seen(opened(kind, sets, 'shards "pack/index.json"')) == wanted


# ---- damaged -----------------------------------------------------------------------------------


def test_verify_names_what_is_damaged(sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert not run(capfd, "pack", "flowers", *PACK).code
    tar = sets / "pack/train-00001.tar"
    whole = tar.read_bytes()
    sample = json.loads((sets / "pack/train-00001.json").read_bytes())["samples"][2]
    offset, size, _ = sample["members"]["jpg"]
    broken = bytearray(whole)
    broken[offset + size // 2] ^= 1
    tar.write_bytes(broken)
    result = run(capfd, "pack", "--verify", "pack")
    assert result.code == 1
    assert f"train-00001.tar: {sample['key']}.jpg ({sample['name']}) is not what" in result.out
    tar.write_bytes(whole[:-512])
    assert "bytes, not" in run(capfd, "pack", "--verify", "pack").out
    tar.unlink()
    assert "train-00001.tar: does not exist" in run(capfd, "pack", "--verify", "pack").out
    tar.write_bytes(whole)
    (sets / "pack/train-00009.tar").write_bytes(whole)
    assert "train-00009.tar: index.json does not list" in run(capfd, "pack", "--verify", "pack").out
    (sets / "pack/train-00009.tar").unlink()
    labels = sets / "pack/columns/train.labels.npy"
    before = labels.read_bytes()
    labels.write_bytes(before[:-1] + b"\x09")
    assert "columns/train.labels.npy: it is not" in run(capfd, "pack", "--verify", "pack").out
    opened(KINDS["classes"], sets, 'shards "pack"')  # no class has this number: they are made again
    assert labels.read_bytes() == before
    (sets / "pack/index.json").unlink()
    assert not run(capfd, "pack", "flowers", *PACK).code  # written again
    assert "is not a pack" in run(capfd, "pack", "--verify", "flowers").err
    index = sets / "pack/train-00000.json"
    index.write_bytes(index.read_bytes().replace(b"a/0.png", b"a/1.png"))
    assert "train-00000.json: " in run(capfd, "pack", "--verify", "pack").out
    shutil.rmtree(sets / "pack/columns")
    with pytest.raises(SpecError) as error:
        opened(KINDS["classes"], sets, 'shards "pack"')
    assert "train-00000.json" in str(error.value.diagnostics)


# ---- others read it ----------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_webdataset_reads_it(sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    webdataset = pytest.importorskip("webdataset")
    (sets / "net.cnn").write_text(spec(KINDS["masks"]).text)
    assert not run(capfd, "pack", "flowers", *PACK).code
    assert not run(capfd, "pack", "net.cnn", *PACK, "-o", "pack2", "--as", "raw").code
    urls = sorted(map(str, (sets / "pack").glob("*.tar")))
    pack = local_pack(sets / "pack")
    names = PackNames(pack.columns["train"].names, pack.columns["train"].name_ends)
    found = list(webdataset.WebDataset(urls, shardshuffle=False).decode("rgb8"))
    assert [sample["cls"] for sample in found] == pack.columns["train"].labels.tolist()
    for sample, name in zip(found, names, strict=True):
        pixels = sample.get("jpg", sample.get("png"))
        assert numpy.array_equal(pixels, numpy.array(Image.open(sets / "flowers" / name)))
    urls = sorted(map(str, (sets / "pack2").glob("*.tar")))
    first = next(iter(webdataset.WebDataset(urls, shardshuffle=False).decode()))
    assert first["npy"].shape == (3, 16, 16)
    assert first["seg.npy"].shape == (1, 16, 16)


def test_other_readers_of_tars(sets: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Without its index, a pack is tar files like any others, also for `data shards`."""
    assert not run(capfd, "pack", "flowers", *PACK).code
    with tarfile.open(sets / "pack/train-00000.tar") as tar:
        assert tar.getnames()[:2] == ["000000000.png", "000000000.cls"]
    wanted = opened(KINDS["classes"], sets, 'shards "pack"')
    for path in (sets / "pack").glob("*.json"):
        path.unlink()
    found = opened(KINDS["classes"], sets, 'shards "pack"')
    assert found.dataset.classes == wanted.dataset.classes == ("a", "b")
    assert len(found.stores["train"]) == len(wanted.stores["train"])


def test_a_tar_file_that_is_cut_short_is_named_at_once(
    sets: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    kind = KINDS["classes"]
    assert not run(capfd, "pack", kind.data, *PACK, "--as", "raw", "--resize", "16").code
    tar = sets / "pack/train-00000.tar"
    size = tar.stat().st_size
    os.truncate(tar, 1000)
    with pytest.raises(SpecError, match=f"train-00000.tar has 1,000 bytes, and had {size:,} when"):
        opened(kind, sets, 'shards "pack"')
    tar.unlink()
    with pytest.raises(SpecError, match=r"train-00000\.tar cannot be read: No such file"):
        opened(kind, sets, 'shards "pack"')
