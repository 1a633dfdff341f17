"""`data shards "train-{0000..0012}.tar"`: tar files of samples, as WebDataset and img2dataset write
them, on a disk or elsewhere (`shard_storage.py`). Each is indexed once (`tar_index.py`); images are
then read from their places in any order, so that the order of training, and where it resumes, are
those of any other data.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

from ....compiler.plan.data import Shards
from ....dsl.diagnostics import SpecError
from ...untrusted.bad_file import BadFile as Unreadable
from ...untrusted.json_text import load_json
from ..diagnostic import counted, listed, problem
from ..left_out import BadFile
from ..remote.address import as_path, is_remote, shown
from .class_name_file import CLASS_NAMES
from .file_names import clean, is_image, resolve
from .mask_folder import TABLES, MaskClasses, read_table
from .named_files import NamedFiles
from .part_names import part_of_file
from .read_once import ReadOnce
from .scan_masks import classes_in_masks
from .shard_names import shard_set, storage_of_both
from .shard_storage import Storage
from .table_file import Column
from .table_labels import LabelReader, Unusable, reader_of, with_names
from .tar_index import Place, Sample, TarIndex

if TYPE_CHECKING:
    from ..loader.image_source import Contents, ImageSource
    from ..loader.shard_files import Members

_MASKS = frozenset(
    "seg mask masks segmentation label labels cls sem semantic annotation annotations".split()
)
"""What stands before `.png` in the endings of masks."""
_TEXTS = ("cls", "class", "label", "target", "tags")
"""Endings of labels, in the order in which they are looked for."""
_FIELDS = (
    "label", "labels", "class", "classes", "target", "cls", "category", "tags", "class_name",
    "label_name", "fine_label",
)  # fmt: skip
"""Fields of .json that are labels, in the same order."""


@dataclass
class _Rows:
    """The samples of a part that have an image."""

    shards: list[PurePath] = field(default_factory=list)
    """The tar file of each."""
    samples: list[Sample] = field(default_factory=list)
    endings: list[str] = field(default_factory=list)
    """The ending of the image of each."""


@dataclass
class _Found:
    root: PurePath
    storage: Storage
    parts: dict[str, _Rows]
    mask: str = ""
    """The ending of masks, if labels are masks."""
    reader: LabelReader | None = None
    bad: list[BadFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    labels: tuple[str, ...] = ()
    """The endings or the fields that are labels."""

    def name(self, shard: PurePath) -> str:
        return clean(shard.relative_to(self.root).as_posix())


_read_once: ReadOnce[_Found] = ReadOnce()


def shards(data: Shards, base: Path, *, as_numbers: bool = False) -> Contents:
    """The data set of tar files; raises SpecError."""
    import torch

    from ..images.mask_file import MaskCode
    from ..loader.image_source import Contents
    from ..loader.packed_strings import Strings
    from ..loader.shard_files import Members, ShardFiles, ShardMasks

    found = _found(data, base, as_numbers, last=True)
    reader, code = found.reader, None
    classes = reader.classes if reader is not None else ()
    if reader is None:
        known = _mask_classes(data, base, found)
        classes = known.names
        code = MaskCode(len(classes), data.ignored, known.colors, known.two_valued)
    sources: dict[str, ImageSource] = {}
    start = 0
    task = reader.task if reader is not None else "segmentation"
    kind = torch.int64 if task in ("classification", "segmentation") else torch.float32
    for part, rows in found.parts.items():
        good, labels = [], []
        for row, sample in enumerate(rows.samples):
            label = _label(found, sample, start + row)
            if isinstance(label, Unusable):
                name = f"{found.name(rows.shards[row])}/{sample.key}"
                found.bad.append(BadFile(name, _lacks(found, sample) or label.why))
                continue
            good.append(row)
            labels.append(label)
        start += len(rows.samples)
        if not good and part != "train":
            continue

        def members(endings: Sequence[str], rows: _Rows = rows, good: list[int] = good) -> Members:
            files = list(dict.fromkeys(rows.shards))
            numbers = {file: number for number, file in enumerate(files)}
            places = [
                (numbers[rows.shards[row]], *rows.samples[row].members[endings[row]])
                for row in good
            ]
            storage = found.storage
            return Members(
                storage.names(files), torch.tensor(places).view(-1, 3).long(), storage.reader(files)
            )

        masks: tuple[ShardMasks, ...] = ()
        if code is not None:
            masks = (ShardMasks(members([found.mask] * len(rows.samples)), code),)
        sources[part] = ShardFiles(
            str(found.root),
            Strings(
                f"{found.name(rows.shards[row])}/{rows.samples[row].key}.{rows.endings[row]}"
                for row in good
            ),
            torch.tensor(labels, dtype=kind),
            masks,
            members=members(rows.endings),
        )
    if not len(sources["train"]):
        why = tuple(f"{bad.name}: {bad.reason}" for bad in found.bad[:5])
        raise problem("no-images", f"{data.path} has no sample to train on", data, notes=why)
    return Contents(
        _name(data, base, found),
        classes,
        sources,
        origin=shown(data.path),
        notes=tuple(found.notes),
        task=task,
        bad=tuple(found.bad),
    )


def _name(data: Shards, base: Path, found: _Found) -> str:
    if any(sign in data.path for sign in "{*?"):
        return clean(found.root.name)
    return clean((as_path(data.path) if is_remote(data.path) else resolve(data.path, base)).stem)


def count_in_shards(data: Shards, base: Path, *, as_numbers: bool = False) -> int:
    """The number of classes, or of numbers for each image."""
    found = _found(data, base, as_numbers)
    if found.reader is not None:
        return len(found.reader.classes)
    return len(_mask_classes(data, base, found).names)


def has_shards(folder: Path) -> bool:
    """Whether a folder has tar files, at its top or in folders of parts."""
    return any(next(folder.glob(form), None) is not None for form in ("*.tar", "train/*.tar"))


# ---- the tar files -----------------------------------------------------------------------------


def _found(data: Shards, base: Path, as_numbers: bool, *, last: bool = False) -> _Found:
    def read() -> _Found:
        return _read(data, base, as_numbers)

    key = (str(data), str(base.absolute()), as_numbers)
    place = None if is_remote(data.path) else resolve(data.path, base)
    return _read_once(read, place, *key, last=last)


def _read(data: Shards, base: Path, as_numbers: bool) -> _Found:
    root, files, storage = shard_set(data, base, data.path, "path")
    parts: dict[str, list[PurePath]] = {}
    for file in files:
        parts.setdefault(part_of_file(root, file) or "train", []).append(file)
    if len(parts) == 1:
        parts = {"train": files}  # whatever they are called
    if isinstance(data.val, str):
        other, parts["val"], more = shard_set(data, base, data.val, "val")
        root, storage = storage_of_both(data, root, other, storage, more)
    if "train" not in parts:
        message = f"{data.path} has no tar files for training; it has {listed([*parts])}"
        raise problem("no-training-folder", message, data, help='name them: `data shards "…"`')
    found = _Found(root, storage, {})
    every = [file for own in parts.values() for file in own]
    with ThreadPoolExecutor(8) as pool:
        indices = dict(zip(every, pool.map(partial(_index, storage), every), strict=True))
    without: list[tuple[str, Sample]] = []
    for part, own in parts.items():
        rows = found.parts.setdefault(part, _Rows())
        for file in own:
            index, name = indices[file], found.name(file)
            if isinstance(index, str):
                found.bad.append(BadFile(name, index))
                continue
            found.bad += [BadFile(f"{name}/{m}" if m else name, why) for m, why in index.bad]
            for sample in index.samples:
                ending = _image(data, sample)
                if not ending:
                    without.append((name, sample))
                    continue
                rows.shards.append(file)
                rows.samples.append(sample)
                rows.endings.append(ending)
    _sort_out(found, without)
    if not found.parts["train"].samples:
        why = tuple(f"{bad.name}: {bad.reason}" for bad in found.bad[:5])
        raise problem("no-images", f"{data.path} has no images", data, notes=why)
    _find_labels(data, base, found, as_numbers)
    return found


def _sort_out(found: _Found, without: Sequence[tuple[str, Sample]]) -> None:
    """Names samples that lack their image. What has no ending of a sample with an image, such as a
    README.md, is none of them."""
    usual = {
        ending for rows in found.parts.values() for one in rows.samples for ending in one.members
    }
    others: Counter[str] = Counter()
    for file, sample in without:
        if usual and usual.isdisjoint(sample.members):
            others.update(f".{clean(ending)}" for ending in sample.members)
            continue
        has = listed([f".{each}" for each in sample.members])
        found.bad.append(BadFile(f"{file}/{sample.key}", f"it has no image, but {has}"))
    if others:
        many = listed([f"{count:,} of {ending}" for ending, count in others.most_common(5)])
        found.notes.append(f"files that are not samples: {many}")


def _index(storage: Storage, file: PurePath) -> TarIndex | str:
    try:
        return storage.index(file)
    except Unreadable as error:
        return str(error)


# ---- images and labels -------------------------------------------------------------------------


def _image(data: Shards, sample: Sample) -> str:
    """The ending of the image of a sample; empty if it has none."""
    if data.image is not None:
        wanted = data.image.lower().removeprefix(".")
        return wanted if wanted in sample.members else ""
    images = [each for each in sample.members if is_image(f"a.{each}") and not _is_mask(each)]
    return min(images, key=lambda each: each.count("."), default="")


def _is_mask(ending: str) -> bool:
    return is_image(f"a.{ending}") and not _MASKS.isdisjoint(ending.split(".")[:-1])


def _find_labels(data: Shards, base: Path, found: _Found, as_numbers: bool) -> None:
    """Finds what the labels are, and reads them."""
    samples = [sample for rows in found.parts.values() for sample in rows.samples]
    names = tuple(name.removeprefix(".") for name in data.label or _usual(data, found, samples))
    if any(is_image(f"a.{name}") for name in names):
        if len(names) > 1:
            message = f"{listed([f'`{name}`' for name in names])} are not all numbers"
            raise problem("no-labels", message, data, argument="label", help="name one")
        found.mask = names[0].lower()
        found.notes.append(f"masks are in .{clean(found.mask)}")
        return
    found.labels = names
    columns = [Column(name, _values(name, samples)) for name in names]
    for column in columns:
        if not any(column.values):
            raise _no_labels(data, samples, f"no sample has `{clean(column.name)}`", "label")
    nothing = NamedFiles(Path(found.root), lambda name: False)
    reader = reader_of(data, columns, nothing, as_numbers)
    found.reader = with_names(data, reader, found.storage.beside(CLASS_NAMES), base)
    shown = listed([f"`{clean(name)}`" for name in names])
    many = counted(len({*found.parts["train"].shards}), "tar file")
    found.notes.append(f"{many} for training; labels are in {shown}{reader.how}")


def _usual(data: Shards, found: _Found, samples: Sequence[Sample]) -> tuple[str, ...]:
    """The ending or the field of labels that most samples have."""
    counts = Counter(ending for sample in samples for ending in sample.members)
    half = len(samples) / 2
    for ending, count in counts.most_common():
        if _is_mask(ending) and count > half:
            return (ending,)
    for ending in _TEXTS:
        if counts[ending] > half:
            return (ending,)
    fields = Counter(name for sample in samples for name in _json(sample))
    for name in _FIELDS:
        if fields[name] > half:
            return (name,)
    if counts["txt"] > half:
        texts = _values("txt", samples)
        if len({*texts}) <= max(2, len(texts) / 4):  # else they are captions
            return ("txt",)
    raise _no_labels(data, samples, f"{data.path} has no usual labels")


_CROWD = 5
"""So many images are hardly one sample."""


def _no_labels(
    data: Shards, samples: Sequence[Sample], message: str, argument: str = ""
) -> SpecError:
    endings = Counter(f".{ending}" for sample in samples for ending in sample.members)
    fields = Counter(f"`{clean(name)}`" for sample in samples for name in _json(sample))
    notes = [f"samples have {listed([clean(each) for each, _ in endings.most_common(12)], 12)}"]
    crowded = max(samples, key=lambda each: len(each.members))
    images = [each for each in crowded.members if is_image(f"a.{each}")]
    if len(images) > _CROWD:
        notes.append(
            f"{len(images):,} images are one sample, `{clean(crowded.key)}`: the key of a sample"
            " ends at the first dot of a name"
        )
    if fields:
        notes.append(f".json has {listed([each for each, _ in fields.most_common(20)], 20)}")
    help = "name an ending or a field of .json: `label=cls`"
    return problem("no-labels", message, data, argument=argument, notes=tuple(notes), help=help)


def _json(sample: Sample) -> Mapping[str, Any]:
    """What is in the .json of a sample."""
    text = sample.texts.get("json")
    if text is None:
        return {}
    try:
        value = load_json(text)
    except Unreadable:
        return {}
    return value if isinstance(value, dict) else {}


def _values(name: str, samples: Sequence[Sample]) -> list[str]:
    """The labels of samples as text, as a table has them: of an ending, or of a field."""
    if any(name.lower() in sample.texts for sample in samples):
        return [sample.texts.get(name.lower(), "") for sample in samples]
    return [_text(_field(_json(sample), name)) for sample in samples]


def _field(value: Any, name: str) -> Any:
    """A field, or one inside another: `annotation.label`."""
    if isinstance(value, Mapping) and name in value:
        return value[name]
    for part in name.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value


def _text(value: Any) -> str:
    if value is None or isinstance(value, Mapping):
        return ""
    if isinstance(value, list):
        return json.dumps(value)
    return str(value).strip()


def _label(found: _Found, sample: Sample, row: int) -> object:
    if found.reader is not None:
        return found.reader.label(row)
    if found.mask not in sample.members:
        return Unusable(f"it has no mask .{clean(found.mask)}")
    return 0


def _lacks(found: _Found, sample: Sample) -> str:
    """Says which label a sample does not have; empty if it has all."""
    for name in found.labels:
        if name.lower() in sample.texts or name in _json(sample):
            continue
        if any(name.lower() in each.texts for each in found.parts["train"].samples):
            return f"it has no .{clean(name)}"
        if "json" not in sample.members:
            return "it has no .json"
        if _field(_json(sample), name) is None:
            return f"its .json has no `{clean(name)}`"
    return ""


def _mask_classes(data: Shards, base: Path, found: _Found) -> MaskClasses:
    """The classes of masks: those that a file names, or the numbers that occur."""
    beside = filter(None, map(found.storage.beside, TABLES))
    file = next(beside, None) if data.names is None else resolve(data.names, base)
    if file is not None:
        return read_table(data, file)
    names, two_valued = classes_in_masks(data, _masks(found))
    return MaskClasses(names, two_valued=two_valued)


def _masks(found: _Found) -> Iterator[Callable[[], bytes]]:
    for rows in found.parts.values():
        for shard, sample in zip(rows.shards, rows.samples, strict=True):
            if found.mask in sample.members:
                yield partial(_bytes, found.storage, shard, sample.members[found.mask])


def _bytes(storage: Storage, shard: PurePath, place: Place) -> bytes:
    from ..images.image_file import BadImage

    try:
        return storage.content(shard, place)
    except (Unreadable, OSError) as error:
        raise BadImage(str(error)) from None
