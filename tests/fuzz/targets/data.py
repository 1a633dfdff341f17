"""Data sets in files of every kind: what the `data` line names, and what `cnn new --data` surveys.

Each target writes the bytes into a folder that is otherwise sound, and opens it as training does:
labels are read and divided, samples are decoded or their files checked, statistics are measured.
"""

from __future__ import annotations

import gzip
import io
import json
import struct
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

import numpy
from PIL import Image

from dotcnn.compiler.plan.data import Data, Idx, Npz
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.source import Source
from dotcnn.training.data.open import open_data
from dotcnn.training.data.sources.read import contents
from dotcnn.training.recipe.choices import choose_input, found
from dotcnn.training.recipe.survey import survey
from dotcnn.training.request import request
from fuzz.frame import Target, register, scratch
from fuzz.targets.weights import JSON, NPY, ZIP, inside

WANTED = (3, 4, 4)


def drawn(number: int = 0) -> numpy.random.Generator:
    """Made anew each time, so that files do not depend on what was drawn before."""
    return numpy.random.default_rng(number)


def _contents(data: Data) -> str:
    try:
        found = contents(data, scratch(), WANTED)
    except SpecError as error:
        return _said(error)
    parts = {part: (source.labels.shape, len(source)) for part, source in found.parts.items()}
    return f"{found.classes} {found.task} {parts}"


def _said(error: SpecError) -> str:
    return "\n".join(
        f"{d.code} {d.message} {d.notes} {d.help}".replace(str(scratch()), "")
        for d in error.diagnostics
    )


def read_npz(data: bytes) -> str:
    (scratch() / "set.npz").write_bytes(data)
    return _contents(Npz.make(path="set.npz"))


def npz_files() -> Sequence[bytes]:
    images = drawn().integers(0, 256, (6, 4, 4, 3)).astype(numpy.uint8)
    labels = numpy.arange(6) % 3
    return [
        packed(**more)
        for more in (
            {"x_train": images, "y_train": labels, "x_test": images, "y_test": labels},
            {"images": images.astype("f4") / 255, "labels": numpy.array(["a", "b"] * 3)},
            {
                "x": images[..., 0],
                "y": numpy.eye(3)[labels],
                "class_names": numpy.array(["a", "b", "c"]),
            },
        )
    ]


def packed(**arrays: numpy.ndarray) -> bytes:
    stream = io.BytesIO()
    numpy.savez_compressed(stream, **arrays)
    return stream.getvalue()


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


# ---- opened as for training ------------------------------------------------------------------


def opening(
    name: str, network: str, train: str, fixed: Callable[[Path], None], where: str
) -> Callable[[bytes], str]:
    """Opens data of which the file at `where` has the bytes, and all else is `fixed`; then surveys
    it for a recipe."""

    @cache
    def folder() -> Path:
        root = scratch() / name
        root.mkdir()
        fixed(root)
        return root

    def run(data: bytes) -> str:
        (folder() / where).write_bytes(data)
        said = []
        for step in (_opened, _surveyed):
            try:
                said.append(step(folder(), f"{network}\ntrain {{ {train} }}\n"))
            except SpecError as error:
                said.append(_said(error))
        return "\n".join(said)

    return run


def _opened(folder: Path, text: str) -> str:
    asked = request(Source("net.cnn", text), base=folder)
    data = open_data(asked.plan, folder, threads=1)
    train = data.stores["train"]
    first = [train.read(n).float().sum().item() for n in range(min(4, len(train)))]
    return f"{data.dataset} {data.preparation.mean} {[round(n, 2) for n in first]}"


def _surveyed(folder: Path, text: str) -> str:
    asked = request(Source("net.cnn", text), base=folder)
    seen = survey(asked.plan.train.data, folder)
    return f"{choose_input(seen, 'small')} {list(found(seen))}"


SERIES = "network N { input 1x24, conv 4 3 same, pool avg global, flatten, fc classes }"
IMAGES = "network N { input 3x8x8, conv 4 3x3 same, pool avg global, flatten, fc classes }"
DENSE = "network N { input 3x12x16, conv classes 1x1 }"
NUMBERS = "network N { input 3x8x8, conv 4 3x3 same, pool avg global, flatten, fc 2 }"
SEVERAL = """network N {
  input 3x8x8, conv 4 3x3 same, pool avg global
  features: flatten
  output age: fc 1
  output sex { from features, fc 2 }
}"""
ANSWERS = "network N { input 3x8x8, conv 3 3x3 same }"
MAPS = """network N {
  input 3x12x16
  features: conv 4 3x3 same
  output mask: conv 3 1x1
  output depth { from features, conv 1 1x1 }
  output kind { from features, pool avg global, flatten, fc 2 }
}"""
ARRAY_MAPS = MAPS.replace("  output depth { from features, conv 1 1x1 }\n", "")


# ---- sound -----------------------------------------------------------------------------------


def wav(values: numpy.ndarray, rate: int = 8000, kind: int = 1, bits: int = 16) -> bytes:
    """A WAV file of some channels."""
    channels = 1 if values.ndim == 1 else values.shape[1]
    body = values.tobytes()
    wide = channels * bits // 8
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * wide, wide, bits)
    inner = b"WAVEfmt " + struct.pack("<I", len(form)) + form
    inner += b"data" + struct.pack("<I", len(body)) + body
    return b"RIFF" + struct.pack("<I", len(inner)) + inner


def sound_files() -> Sequence[bytes]:
    noise = drawn().integers(-20_000, 20_000, 60).astype("<i2")
    return [
        wav(noise),
        wav(noise[:50].reshape(25, 2)),
        wav(noise, rate=11_025),
        wav((noise / 30_000).astype("<f4"), kind=3, bits=32),
        wav(drawn().integers(0, 255, 70).astype(numpy.uint8), bits=8),
        wav(drawn().integers(0, 255, 90).astype(numpy.uint8), bits=24),
    ]


def sound_folder(root: Path) -> None:
    for label in "ab":
        (root / "sound" / label).mkdir(parents=True)
        for number in range(4):
            noise = drawn(number).integers(-9999, 9999, 40 + number).astype("<i2")
            (root / "sound" / label / f"{number}.wav").write_bytes(wav(noise))


SOUND = [
    b"RIFF", b"RIFX", b"WAVE", b"fmt ", b"data", b"LIST", b"\x01\x00", b"\x03\x00", b"\xfe\xff",
    b"\x55\x00", b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\x80\x3e\x00\x00", b"\x45\xac\x00\x00",
    b"\x01\x00\x00\x00", b"\x00\x00\xc0\x7f",
]  # fmt: skip


# ---- text ------------------------------------------------------------------------------------


def lines_of_series(separator: str = "\t", header: str = "") -> bytes:
    rows = [
        separator.join(
            [str(number % 2 + 1), *(f"{value:.3f}" for value in drawn(number).normal(size=24))]
        )
        for number in range(8)
    ]
    return "\n".join([header, *rows][not header :]).encode()


CELLS = [
    b"NaN", b"?", b"inf", b"-1e309", b"1e400", b"\t", b",", b";", b"|", b'"', b'""', b"\n", b"\r\n",
    b"\xef\xbb\xbf", b"\x00", b"0x1", b"1_0", "é".encode(), b"\xff", b"class_a", b"-", b" ", b"1.0",
    b"image", b"label", b"age", b"sex", b"split", b"group", b"weight", b"train", b"test", b"../",
    b"0.png", b"/etc/passwd", b"m f", b"2,5",
]  # fmt: skip


def pictures(root: Path, count: int = 8, size: tuple[int, int] = (8, 8)) -> None:
    for number in range(count):
        pixels = drawn(number).integers(0, 256, (size[1], size[0], 3)).astype(numpy.uint8)
        Image.fromarray(pixels).save(root / f"{number}.png")


def tables() -> Sequence[bytes]:
    rows = [f"{n}.png,{'ab'[n % 2]},{20 + n},{n / 8},{'mf'[n % 2]}" for n in range(8)]
    whole = "\n".join(["image,label,age,weight,sex", *rows])
    parts = [f"{n}.png;{'a b' if n % 3 else 'b'};{'train' if n < 6 else 'test'}" for n in range(8)]
    return [
        whole.encode(),
        whole.replace(",", "\t").encode("utf-8-sig"),
        "\n".join(["file;labels;split", *parts]).encode(),
        "\n".join(["path,x,y", *(f"{n}.png,{n},{n}.5" for n in range(8))]).encode(),
        "\n".join(["image,age,sex", *(f"{n}.png,{n},{'mf'[n % 2]}" for n in range(8))]).encode(),
    ]


# ---- masks -----------------------------------------------------------------------------------


def coco_folder(root: Path) -> None:
    pictures(root, size=(16, 12))


def coco_files() -> Sequence[bytes]:
    square, runs = [2, 2, 6, 2, 6, 6, 2, 6], {"counts": [30, 20, 142], "size": [12, 16]}
    images = [{"id": n, "file_name": f"{n}.png", "height": 12, "width": 16} for n in range(8)]
    regions = [
        {"id": n, "image_id": n, "category_id": n % 2 * 4 + 3, "iscrowd": n % 3 // 2,
         "segmentation": runs if n % 3 == 2 else [square]}
        for n in range(8)
    ]  # fmt: skip
    text = {"counts": "R2f08", "size": [12, 16]}
    categories = [{"id": 3, "name": "square"}, {"id": 7, "name": "bar"}]
    plain = {"images": images, "annotations": regions, "categories": categories}
    packed = {**plain, "annotations": [{**regions[0], "segmentation": text}, *regions[1:]]}
    return [json.dumps(plain).encode(), json.dumps(packed, indent=1).encode()]


COCO = [
    b'"counts"', b'"size"', b'"segmentation"', b'"iscrowd":1', b'"category_id":99', b"[]", b"{}",
    b"[[1,2]]", b"[1e9,-5]", b'"R2f08"', b'"' + b"o" * 80 + b'"', b"NaN", b"1e400", b"-1",
    b'"file_name":"../0.png"', b'"height":100000', b'"width":0', b"true",
]  # fmt: skip


def mask_folder(root: Path) -> None:
    for part in ("images", "masks"):
        (root / part).mkdir()
    pictures(root / "images", size=(16, 12))
    for number in range(8):
        pixels = drawn(number).integers(0, 3, (12, 16)).astype(numpy.uint8)
        Image.fromarray(pixels).save(root / "masks" / f"{number}.png")


def mask_files() -> Sequence[bytes]:
    pixels = drawn().integers(0, 3, (12, 16)).astype(numpy.uint8)
    palette = Image.fromarray(pixels).convert("P")
    palette.putpalette([0, 0, 0, 255, 0, 0, 0, 255, 0])
    color = Image.fromarray(drawn().integers(0, 2, (12, 16, 3)).astype(numpy.uint8) * 255)
    deep = Image.fromarray(pixels.astype(numpy.uint16))
    found = []
    for image in (Image.fromarray(pixels), palette, color, deep, Image.fromarray(pixels > 1)):
        stream = io.BytesIO()
        image.save(stream, "PNG")
        found.append(stream.getvalue())
    return found


def npy_mask_folder(root: Path) -> None:
    mask_folder(root)
    (root / "masks" / "0.png").unlink()


def npy_masks() -> Sequence[bytes]:
    found = []
    pixels = drawn().integers(0, 3, (12, 16))
    for array in (pixels, pixels.astype("<u2"), pixels > 1, pixels[None] - 1.0):
        stream = io.BytesIO()
        numpy.save(stream, array)
        found.append(stream.getvalue())
    return found


def tables_of_maps() -> Sequence[bytes]:
    lines = [
        f"images/{n}.png,masks/{n}.png,{'masks/1.png' if n % 3 else ''},{'ab'[n % 2]}"
        for n in range(8)
    ]
    return ["\n".join(["image,mask,depth,kind", *lines]).encode()]


def arrays_of_maps() -> Sequence[bytes]:
    images = drawn().integers(0, 256, (8, 12, 16, 3)).astype(numpy.uint8)
    mask, kind = drawn(1).integers(0, 3, (8, 12, 16)), numpy.arange(8) % 2
    return [packed(x=images, mask=mask, kind=kind), packed(x=images, mask=mask[:, None], kind=kind)]


def color_tables() -> Sequence[bytes]:
    return [
        b"name,r,g,b\nsky,0,0,0\nroad,255,0,0\ncar,0,255,0\n",
        b"0 0 0 sky\n255 0 0 road\n0 255 0 car\n",
    ]


def colored_folder(root: Path) -> None:
    mask_folder(root)
    colors = numpy.array([[0, 0, 0], [255, 0, 0], [0, 255, 0]], numpy.uint8)
    for number in range(8):
        pixels = colors[drawn(number).integers(0, 3, (12, 16))]
        Image.fromarray(pixels).save(root / "masks" / f"{number}.png")


# ---- arrays ----------------------------------------------------------------------------------


def series_arrays() -> Sequence[bytes]:
    series, labels = drawn().normal(size=(8, 1, 24)).astype("f4"), numpy.arange(8) % 2
    return [
        packed(x=series, y=labels),
        packed(x_train=series[:, 0], y_train=labels, x_test=series[:, 0], y_test=labels),
        packed(x=series.astype("i2"), y=numpy.array(["a", "b"] * 4)),
    ]


def several_arrays() -> Sequence[bytes]:
    images = drawn().integers(0, 256, (8, 8, 8, 3)).astype(numpy.uint8)
    labels = {"age": numpy.arange(8) / 3, "sex": numpy.array(["m", "f"] * 4)}
    return [packed(x=images, **labels), packed(images=images, age=labels["age"], sex=labels["age"])]


def image_arrays() -> Sequence[bytes]:
    images = drawn().integers(0, 256, (8, 3, 8, 8)).astype(numpy.uint8)
    return [packed(x=images), packed(x=images, y=images), packed(x=images, y=255 - images)]


def npy_folder(root: Path) -> None:
    numpy.save(root / "labels.npy", numpy.arange(8) % 2)
    numpy.save(root / "x.npy", drawn().normal(size=(8, 1, 24)).astype("f4"))


def npy_arrays() -> Sequence[bytes]:
    found = []
    for array in (drawn().normal(size=(8, 1, 24)).astype("f4"), numpy.ones((8, 24), "<i2")):
        stream = io.BytesIO()
        numpy.save(stream, array)
        found.append(stream.getvalue())
    return found


def nothing(root: Path) -> None:
    """All is in the file."""


register(Target("data-npz", read_npz, npz_files, [*ZIP, *NPY], draw=inside(npz_files, NPY)))
register(Target("data-idx", read_idx, idx_files, [b"\x1f\x8b\x08", b"\0\0\x08\x03", b"\xff" * 4]))

KINDS: dict[str, tuple[str, str, Callable[[Path], None], str, Callable[[], Sequence[bytes]],
                       Sequence[bytes]]] = {
    "sound": (SERIES, 'data folder "sound" bad=50%', sound_folder, "sound/a/0.wav", sound_files,
              SOUND),
    "slow-sound": (SERIES, 'data folder "sound" bad=50% rate=16000', sound_folder,
                   "sound/a/0.wav", sound_files, SOUND),
    "series": (SERIES, 'data series "s_TRAIN.tsv" bad=50%', nothing, "s_TRAIN.tsv",
               lambda: [lines_of_series(), lines_of_series(",", "class,a,b")], CELLS),
    "table": (IMAGES, 'data table "t.csv" bad=50%', pictures, "t.csv", tables, CELLS),
    "table-numbers": (NUMBERS, 'data table "t.csv" bad=50%, loss mse', pictures, "t.csv", tables,
                      CELLS),
    "table-outputs": (SEVERAL, 'data table "t.csv" bad=50%, loss age mae', pictures, "t.csv",
                      tables, CELLS),
    "coco": (DENSE, 'data coco "a.json" bad=50%', coco_folder, "a.json", coco_files,
             [*COCO, *JSON]),
    "mask": (DENSE, 'data folder "." bad=50%', mask_folder, "masks/0.png", mask_files,
             [b"IHDR", b"IDAT", b"PLTE", b"tRNS", b"IEND"]),
    "npy-mask": (DENSE, 'data folder "." bad=50%', npy_mask_folder, "masks/0.npy", npy_masks, NPY),
    "table-maps": (MAPS, 'data table "t.csv" bad=50%, loss depth l1', mask_folder, "t.csv",
                   tables_of_maps, CELLS),
    "data-maps": (ARRAY_MAPS, 'data npz "a.npz"', nothing, "a.npz", arrays_of_maps, [*ZIP, *NPY]),
    "color-table": (DENSE, 'data folder "." bad=50%', colored_folder, "classes.csv", color_tables,
                    CELLS),
    "data-outputs": (SEVERAL, 'data npz "a.npz", loss age mae', nothing, "a.npz", several_arrays,
                     [*ZIP, *NPY]),
    "data-series": (SERIES, 'data npz "a.npz" bad=50%', nothing, "a.npz", series_arrays,
                    [*ZIP, *NPY]),
    "data-images": (ANSWERS, 'data npz "a.npz", degrade noise 25', nothing, "a.npz", image_arrays,
                    [*ZIP, *NPY]),
    "npy": (SERIES, 'data npy "." bad=50%', npy_folder, "x.npy", npy_arrays, NPY),
}  # fmt: skip
"""By name: the network, the lines of `train`, the folder, the file in it that is mutated, sound
contents of that file, and pieces that mean something in it."""

for _name, (_network, _train, _fixed, _where, _seeds, _words) in KINDS.items():
    register(
        Target(
            _name,
            opening(_name, _network, _train, _fixed, _where),
            _seeds,
            _words,
            draw=inside(_seeds, NPY) if _where.endswith(".npz") else None,
            few=5,
        )
    )
