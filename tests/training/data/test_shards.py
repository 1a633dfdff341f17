"""`data shards`: tar files as WebDataset's own writer makes them, damaged and hostile ones."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image

import dotcnn
from dotcnn import SpecError
from dotcnn.cli import main
from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.opened import Opened
from dotcnn.training.data.sources.given import given
from dotcnn.training.data.sources.tar_index import tar_index
from dotcnn.training.request import request
from dotcnn.training.untrusted.bad_file import BadFile

from ..small import Looker, equal, last

SPEC = """network N {{
  input 3x8x8
  conv 4 3x3 same, bn, relu
  {end}
}}
train {{ data shards {data}, epochs 2, batch 4, workers 0, {more} }}
"""
END = "flatten\n  fc classes"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("DOTCNN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def png(value: int, size: tuple[int, ...] = (8, 8, 3)) -> bytes:
    file = io.BytesIO()
    Image.fromarray(numpy.full(size, value, numpy.uint8)).save(file, "PNG")
    return file.getvalue()


def packed(path: Path, members: Mapping[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            data = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


def classes(start: int, count: int = 8, ending: str = "cls") -> dict[str, bytes | str]:
    """Samples whose images say their number."""
    return {
        name: content
        for n in range(start, start + count)
        for name, content in ((f"{n:04}.png", png(10 * n)), (f"{n:04}.{ending}", f"{n % 2}\n"))
    }


def opened(root: Path, data: str, more: str = "", end: str = END) -> Opened:
    text = SPEC.format(data=data, more=more, end=end)
    made = request(Source("net.cnn", text), base=root, here=root)
    return open_data(made.plan, made.base)


def failure(root: Path, data: str) -> str:
    with pytest.raises(SpecError) as caught:
        opened(root, data)
    return str(caught.value)


def numbers(data: Opened, part: str) -> list[int]:
    return [int(data.image(part, i)[0, 0, 0]) // 10 for i in range(len(data.stores[part]))]


def right(data: Opened) -> bool:
    return all(
        number % 2 == int(data.stores[part].labels[index])
        for part in data.stores
        for index, number in enumerate(numbers(data, part))
    )


# ---- which files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "counts"),
    [
        ('"set"', [16, 8]),
        ('"set/train-{0000..0001}.tar" val=25%', [12, 4]),
        ('"set/{train-0000,train-0001,val-0000}.tar"', [16, 8]),
        ('"set/train-*.tar" val="set/val-0000.tar"', [16, 8]),
        ('"set/val-0000.tar" val=50%', [4, 4]),
    ],
)
def test_tar_files_are_named(tmp_path: Path, written: str, counts: list[int]) -> None:
    for place, name in enumerate(("train-0000", "train-0001", "val-0000")):
        packed(tmp_path / "set" / f"{name}.tar", classes(8 * place))
    data = opened(tmp_path, written)
    assert [part.count for part in data.dataset.parts] == counts
    assert right(data)
    everything = sorted(number for part in data.stores for number in numbers(data, part))
    assert len({*everything}) == sum(counts)


def test_tar_files_that_are_not_there(tmp_path: Path) -> None:
    packed(tmp_path / "set" / "train-0000.tar", classes(0))
    assert "there is no tar file train-0001.tar" in failure(
        tmp_path, '"set/train-{0000..0001}.tar"'
    )
    assert "has no tar file" in failure(tmp_path, '"set/x*.tar"')
    misspelled = failure(tmp_path, '"sett"')
    assert "there is no file or folder sett" in misspelled
    assert "did you mean `set`, beside it?" in misspelled
    assert "commands are not run" in failure(tmp_path, '"pipe:cat a.tar"')
    assert "a signature or key in it" in failure(tmp_path, '"https://host/a.tar?sig=abc"')
    assert "abc" not in failure(tmp_path, '"https://host/a.tar?sig=abc"')
    assert "more than 100,000" in failure(tmp_path, '"train-{0..1000000000}.tar"')


def test_a_folder_of_tar_files_is_known(tmp_path: Path) -> None:
    packed(tmp_path / "set" / "train-0000.tar", classes(0))
    for path in ("set", "set/train-0000.tar", "set/train-{0000..0000}.tar"):
        call = given(path, tmp_path).call
        assert call is not None
        assert call.span.text.startswith("data shards")


# ---- what is in them ---------------------------------------------------------------------------


def images(count: int, *more: tuple[str, Any]) -> dict[str, bytes | str]:
    members: dict[str, bytes | str] = {}
    for n in range(count):
        members[f"dir/{n:04}.v1.png"] = png(10 * n)
        for ending, content in more:
            members[f"dir/{n:04}.{ending}"] = content(n)
    return members


LABELS = {
    "text": (("cls", lambda n: "ab"[n % 2]), "", "classification", ("a", "b")),
    "field": (("json", lambda n: json.dumps({"label": n % 2, "url": "x"})), "", "classification",
              ("0", "1")),
    "inner field": (("json", lambda n: json.dumps({"a": {"kind": "pq"[n % 2]}})),
                    'label="a.kind"', "classification", ("p", "q")),
    "several": (("json", lambda n: json.dumps({"tags": ["a", "b"][: 1 + n % 2]})), "",
                "multi_label", ("a", "b")),
    "numbers": (("json", lambda n: json.dumps({"x": n + 0.5, "y": 2 * n})), "label=(x, y)",
                "regression", ("x", "y")),
    "few texts": (("txt", lambda n: ["day", "night"][n % 2]), "", "classification",
                  ("day", "night")),
    "masks": (("seg.png", lambda n: png(n % 3, (8, 8))), "", "segmentation", ("0", "1", "2")),
}  # fmt: skip


@pytest.mark.parametrize("kind", LABELS)
def test_labels_are_what_samples_have(tmp_path: Path, kind: str) -> None:
    more, written, task, names = LABELS[kind]
    packed(tmp_path / "a.tar", images(12, more, ("caption", lambda n: "one of many")))
    ends = "conv classes 1x1" if task == "segmentation" else END
    data = opened(tmp_path, f'"a.tar" val=25% {written}', end=ends)
    assert (data.dataset.task, data.dataset.classes) == (task, names)
    for part, store in data.stores.items():
        for index, number in enumerate(numbers(data, part)):
            if task == "segmentation":
                assert data.mask(part, index).unique().tolist() == [number % 3]
            elif task == "multi_label":
                assert store.labels[index].tolist() == [1, number % 2]
            elif task == "regression":
                truth = data.task.truth(store.labels[index][None])[0]
                assert truth.tolist() == pytest.approx([number + 0.5, 2 * number], abs=1e-4)
            else:
                assert int(store.labels[index]) == number % 2


def test_captions_are_no_classes(tmp_path: Path) -> None:
    """As img2dataset writes them: what there is, is told."""
    facts = ("json", lambda n: json.dumps({"caption": f"{n}", "sha256": "0"}))
    packed(tmp_path / "00000.tar", images(12, ("txt", lambda n: f"photo {n}"), facts))
    said = failure(tmp_path, '"00000.tar"')
    for words in ("has no usual labels", ".txt", "`caption` and `sha256`", "label=cls"):
        assert words in said


def test_names_of_classes_beside_them(tmp_path: Path) -> None:
    packed(tmp_path / "set" / "train.tar", classes(0))
    (tmp_path / "set" / "classes.txt").write_text("even\nodd\n")
    assert opened(tmp_path, '"set" val=25%').dataset.classes == ("even", "odd")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_what_webdataset_writes_is_what_it_reads(tmp_path: Path) -> None:
    """Its writer and its reader: the same samples, pixels and labels."""
    webdataset = pytest.importorskip("webdataset")
    random = numpy.random.default_rng(0)
    pattern = str(tmp_path / "train-%04d.tar")
    with webdataset.ShardWriter(pattern, maxcount=7, verbose=0) as sink:
        for n in range(20):
            pixels = random.integers(0, 255, (8, 8, 3)).astype(numpy.uint8)
            extra = {"json": {"label": n % 5}, "txt": f"caption {n}"}
            sink.write({"__key__": f"{n:06}", "jpg": pixels, "cls": n % 3, **extra})
    data = opened(tmp_path, '"train-{0000..0002}.tar" val=25%')
    ours = {
        data.name(part, i).rpartition("/")[2].removesuffix(".jpg"):
            (data.image(part, i), int(store.labels[i]))
        for part, store in data.stores.items() for i in range(len(store))
    }  # fmt: skip
    files = str(tmp_path / "train-{0000..0002}.tar")
    count = 0
    for sample in webdataset.WebDataset(files, shardshuffle=False).decode("rgb8"):
        image, label = ours[sample["__key__"]]
        assert (image.numpy().transpose(1, 2, 0) == sample["jpg"]).all()
        assert label == sample["cls"]
        count += 1
    assert count == len(ours) == 20


# ---- reading them ------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("no_report")
def test_a_run_is_that_on_the_files_alone_and_is_resumed(tmp_path: Path) -> None:
    """From tar files that stay where they are, with random crops, bit by bit."""
    packed(tmp_path / "train-0.tar", classes(0, 12))
    packed(tmp_path / "train-1.tar", classes(12, 12))
    spec = SPEC.format(data=f'"{tmp_path}/train-{{0..1}}.tar" val=25%', more="", end=END)
    spec += "augment { crop, flip horizontal }"
    spec = spec.replace("classes", "2")

    def run(name: str, **more: Any) -> Any:
        return dotcnn.train(spec, output=tmp_path / name, device="cpu", **more)

    whole = run("whole", callback=Looker())
    assert run("part", callback=Looker(stop_after=3)).interrupted
    dotcnn.train(spec, resume=tmp_path / "part", device="cpu", callback=Looker())
    assert equal(last(tmp_path / "part"), last(whole.folder))
    stays = open_data(
        request(Source("x", spec), base=tmp_path).plan, tmp_path, budget=0, device="cpu"
    )
    assert stays.where == "files"
    in_memory = open_data(request(Source("x", spec), base=tmp_path).plan, tmp_path)
    for index in range(len(stays.stores["train"])):
        assert torch.equal(stays.image("train", index), in_memory.image("train", index))


def test_an_index_is_kept_until_the_file_changes(tmp_path: Path, cache: Path) -> None:
    path = packed(tmp_path / "a.tar", classes(0))
    first = tar_index(path)
    (kept,) = (cache / "shards").iterdir()
    assert tar_index(path) == first
    kept.write_text("damaged")
    assert tar_index(path) == first
    os.utime(path, ns=(1, 1))
    packed(path, classes(0, 3))
    assert len(tar_index(path).samples) == 3


# ---- damaged and hostile ones --------------------------------------------------------------------


def test_damage_is_named(tmp_path: Path) -> None:
    """What is before it is used."""
    whole = packed(tmp_path / "a-0.tar", classes(0)).read_bytes()
    packed(tmp_path / "a-1.tar", classes(8))
    cut = tmp_path / "a-2.tar"
    cut.write_bytes(whole[: len(whole) // 2 + 600])
    header = tmp_path / "a-3.tar"
    place = whole.index(b"0004.png")
    header.write_bytes(whole[:place] + b"X" + whole[place + 1 :])
    (tmp_path / "a-4.tar").write_bytes(b"")
    (tmp_path / "a-5.tar").write_bytes(b"no tar file" * 100)
    broken = bytearray(whole)
    start = tar_index(tmp_path / "a-0.tar").samples[2].members["png"].offset
    broken[start : start + 40] = bytes(40)
    (tmp_path / "a-6.tar").write_bytes(broken)
    assert "the limit is 1%" in failure(tmp_path, '"a-{0..6}.tar" val=25%')
    data = opened(tmp_path, '"a-{0..6}.tar" val=25% bad=90%')
    bad = {each.name: each.reason for each in data.dataset.bad}
    assert "cut short" in next(why for name, why in bad.items() if name.startswith("a-2.tar"))
    assert f"damaged at byte {place:,}" in bad["a-3.tar"]
    assert {"a-4.tar", "a-5.tar"} <= {*bad}
    assert "not an image" in bad["a-6.tar/0002.png"]
    assert right(data)


def test_compressed_ones_are_refused(tmp_path: Path) -> None:
    import gzip

    whole = packed(tmp_path / "a.tar", classes(0)).read_bytes()
    (tmp_path / "a.tar").write_bytes(gzip.compress(whole))
    assert "is compressed: unpack it" in failure(tmp_path, '"a.tar"')
    (tmp_path / "set").mkdir()
    (tmp_path / "a.tar").rename(tmp_path / "set/a.tar.gz")
    assert "help: a.tar.gz is compressed" in failure(tmp_path, '"set"')


def test_a_tar_that_ends_early_is_named(tmp_path: Path) -> None:
    """Cut between two members, it differs from a whole one by the blocks at the end alone."""
    whole = packed(tmp_path / "a.tar", classes(0)).read_bytes()
    end = tar_index(tmp_path / "a.tar").samples[5].members["png"]
    (tmp_path / "a.tar").write_bytes(whole[: end.offset + (end.size + 511) // 512 * 512])
    message = failure(tmp_path, '"a.tar"')
    assert "a.tar: it is cut short" in message
    assert "a.tar/0005: it has no .cls" in message


def test_members_that_are_not_side_by_side(tmp_path: Path) -> None:
    """All images first, then all labels; and files that are not samples."""
    members = {"README.md": "about", **classes(0)}
    packed(tmp_path / "a.tar", dict(sorted(members.items(), key=lambda each: each[0][::-1])))
    data = opened(tmp_path, '"*.tar"')
    assert right(data)
    assert sum(map(len, data.stores.values())) == 8
    assert "files that are not samples: 1 of .md" in data.dataset.notes
    assert data.dataset.name == tmp_path.name


def test_keys_end_at_the_first_dot(tmp_path: Path) -> None:
    packed(tmp_path / "a.tar", {f"v.{name}": content for name, content in classes(0).items()})
    assert "8 images are one sample, `v`: the key" in failure(tmp_path, '"a.tar"')


def entry(name: str, kind: bytes = tarfile.REGTYPE, size: int = 0, link: str = "") -> bytes:
    header = tarfile.TarInfo(name)
    header.type, header.size, header.linkname = kind, size, link
    return header.tobuf(tarfile.GNU_FORMAT)


def test_hostile_ones_do_no_harm(tmp_path: Path) -> None:
    """Names are no paths, links lead nowhere, and sizes are not believed."""
    secret = tmp_path / "secret.png"
    secret.write_bytes(png(200))
    good = packed(tmp_path / "good.tar", classes(0)).read_bytes()[: -10240 % 512 or None]
    good = good[: good.rstrip(b"\0").__len__() // 512 * 512 + 512]
    outside = packed(tmp_path / "b.tar", {"../../x.png": png(0), "../../x.cls": "0"})
    assert tar_index(outside).samples[0].key == "../../x"
    assert not (tmp_path.parent / "x.png").exists()
    hostile = {
        "link": entry("z.png", tarfile.SYMTYPE, link=str(secret)),
        "hard": entry("z.png", tarfile.LNKTYPE, link=str(secret)),
        "pipe": entry("z.png", tarfile.FIFOTYPE),
        "huge": entry("z.png", size=2**60),
        "negative": entry("z.png", size=-(2**40)),
        "name": entry("z.png", tarfile.GNUTYPE_LONGNAME, size=2**40),
        "pax": entry("z.png", tarfile.XHDTYPE, size=2**40),
    }
    for name, header in hostile.items():
        path = tmp_path / f"{name}.tar"
        path.write_bytes(good + header)
        found = tar_index(path)
        assert len(found.samples) == 8, name
        assert found.bad, name
    with pytest.raises(BadFile):
        tar_index(tmp_path)


def test_a_spec_is_written_for_them(tmp_path: Path) -> None:
    packed(tmp_path / "train.tar", classes(0, 24))
    spec = tmp_path / "net.cnn"
    assert main(["new", str(spec), "--data", str(tmp_path / "train.tar")]) == 0
    assert "data shards" in spec.read_text()
