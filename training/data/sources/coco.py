"""`data coco "annotations.json"`: images whose masks are the regions of COCO annotations.

Classes are `background` and the categories, in the order of their ids. Where regions overlap, the
smaller one is on top, and of equally large ones the later; pixels of a crowd, which no other region
has, have no label.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import isfile  # False, and no error, for names that are too long
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....compiler.plan.data import UNLABELLED, Coco
from ...untrusted.bad_file import BadFile as Unreadable
from ...untrusted.json_text import load_json
from ...untrusted.open_file import read_text
from ..diagnostic import counted, listed, problem
from ..left_out import BadFile
from .file_names import clean, resolve
from .folder_tree import files_below, parts_in
from .read_once import ReadOnce

if TYPE_CHECKING:
    from ..loader.image_source import Contents

MAX_BYTES = 2**31
BACKGROUND = "background"


@dataclass
class CocoPart:
    """The images of one file of annotations."""

    root: str
    images: list[str] = field(default_factory=list)
    """Paths relative to `root`."""
    regions: list[str] = field(default_factory=list)
    """For each image, as JSON: its height and width, and its regions (`CocoMasks`)."""


@dataclass
class CocoSet:
    classes: tuple[str, ...]
    parts: dict[str, CocoPart] = field(default_factory=dict)
    bad: list[BadFile] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def coco(data: Coco, base: Path) -> Contents:
    """The data set of COCO annotations; raises SpecError."""
    import torch

    from ..images.coco_masks import CocoMasks
    from ..loader.image_source import Contents, Files
    from ..loader.packed_strings import Strings

    found = read_coco(data, base, last=True)
    return Contents(
        clean(resolve(data.path, base).resolve().stem),
        found.classes,
        {
            name: Files(
                part.root,
                Strings(part.images),
                torch.zeros(len(part.images), dtype=torch.int64),
                (CocoMasks(Strings(part.regions)),),
            )
            for name, part in found.parts.items()
        },
        origin=data.path,
        notes=tuple(found.notes),
        task="segmentation",
        bad=tuple(found.bad),
    )


_read_once: ReadOnce[CocoSet] = ReadOnce()


def read_coco(data: Coco, base: Path, *, last: bool = False) -> CocoSet:
    """The classes, images and regions of annotations; they are kept for the next call, unless this
    is the `last`. Raises SpecError."""
    path = resolve(data.path, base)
    return _read_once(lambda: _read(data, base), path, str(data), str(base.absolute()), last=last)


def _read(data: Coco, base: Path) -> CocoSet:
    files = _files(data, base)
    documents = {part: _document(data, path) for part, path in files.items()}
    first = next(iter(documents.values()))
    numbers, classes = _classes(data, files["train"], first)
    found = CocoSet(classes)
    for part, document in documents.items():
        path = files[part]
        if part != "train" and _classes(data, path, document) != (numbers, classes):
            raise problem(
                "unknown-class",
                f"{clean(path.name)} has other categories than {clean(files['train'].name)}",
                data,
                help="all files of annotations must have the same categories, with the same ids",
            )
        root = resolve(data.root, base) if data.root is not None else _root(path, document)
        found.parts[part] = _part(document, path, root, numbers, found.bad)
        if not found.parts[part].images:
            raise problem(
                "no-images",
                f"{clean(path.name)} has no image that can be used",
                data,
                notes=tuple(f"{bad.name}: {bad.reason}" for bad in found.bad[:5]),
                help=f'images were looked for in {clean(str(root))}; `root="…"` names their folder',
            )
    regions = sum(len(document["annotations"]) for document in documents.values())
    found.notes.append(f"masks are drawn from {counted(regions, 'region')}: smaller ones on top")
    return found


def _files(data: Coco, base: Path) -> dict[str, Path]:
    """The file of annotations of each part."""
    path = resolve(data.path, base)
    if not path.is_dir():
        files = {"train": path}
        if isinstance(data.val, str):
            files["val"] = resolve(data.val, base)
        return files
    inside = parts_in(path)
    files = {part: file for part, folder in inside.items() if (file := _only_json(folder))}
    for folder in (path / "annotations", path):
        for part in ("train", "val"):
            instances = sorted(folder.glob(f"instances_{part}*.json"))
            if instances:
                files.setdefault(part, instances[-1])
    if "train" not in files and (single := _only_json(path)):
        files["train"] = single
    if "train" not in files:
        raise problem(
            "no-such-file",
            f"{data.path} has no annotations",
            data,
            help="name the file; or a folder with one in each of `train` and `val`, or with"
            " `annotations/instances_train….json`",
        )
    return files


def _only_json(folder: Path) -> Path | None:
    known = folder / "_annotations.coco.json"
    if known.is_file():
        return known
    files = sorted(folder.glob("*.json"))
    return files[0] if len(files) == 1 else None


def _document(data: Coco, path: Path) -> Mapping[str, Any]:
    """The JSON of a file of annotations; raises SpecError if it is not one."""
    name = clean(path.name)
    try:
        document = load_json(read_text(path, MAX_BYTES))
    except Unreadable as error:
        missing = error.kind == "missing"
        message = f"there is no file {name}" if missing else f"{name} {error}"
        notes = (f"looked for at {clean(str(path.absolute()))}",) if missing else ()
        code = "no-such-file" if missing else "data-damaged"
        raise problem(code, message, data, notes=notes) from None
    lists = ("images", "annotations", "categories")
    missing_lists = [
        key for key in lists if not isinstance(document, dict) or not _dicts(document.get(key))
    ]
    if missing_lists:
        raise problem(
            "data-shape",
            f"{name} is not a file of COCO annotations: it has no list of"
            f" {listed([f'`{key}`' for key in missing_lists])}",
            data,
            help="it needs `images`, `annotations` and `categories`",
        )
    if not any(one.get("segmentation") for one in document["annotations"]):
        raise problem(
            "data-shape",
            f"{name} has no regions: no annotation has a `segmentation`",
            data,
            help="boxes alone are not masks; polygons or run lengths are needed",
        )
    assert isinstance(document, dict)
    return document


def _id(entry: Mapping[str, Any], key: str = "id") -> int | str | None:
    """What an entry is called by; None for what is neither a number nor a text."""
    value = entry.get(key)
    return value if isinstance(value, int | str) else None


def _dicts(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) for one in value)


def _classes(
    data: Coco, path: Path, document: Mapping[str, Any]
) -> tuple[dict[int, int], tuple[str, ...]]:
    """The class number of each category, and the names of the classes. A category that only stands
    above the others, and has no annotations, is left out."""
    categories = document["categories"]
    if not all(type(one.get("id")) is int and isinstance(one.get("name"), str)
               for one in categories):  # fmt: skip
        message = f"a category of {clean(path.name)} has no number as its `id`, or no `name`"
        raise problem("data-shape", message, data)
    above = {_id(one, "supercategory") for one in categories}
    used = {_id(one, "category_id") for one in document["annotations"]}
    kept = [
        one for one in sorted(categories, key=lambda one: int(one["id"]))
        if one["id"] in used or one["name"] not in above or one.get("supercategory") == one["name"]
    ]  # fmt: skip
    names, numbers = [BACKGROUND], {}
    for one in kept:
        if one["name"].lower() == BACKGROUND:
            numbers[one["id"]] = 0
            continue
        numbers[one["id"]] = len(names)
        names.append(one["name"])
    if len(names) < 2 or len(names) > UNLABELLED or len(set(names)) < len(names):
        message = f"{clean(path.name)} has {counted(len(names) - 1, 'category', 'categories')}"
        twice = len(set(names)) < len(names)
        said = (
            ", two of them with the same name" if twice else f"; masks have 1 to {UNLABELLED - 1}"
        )
        raise problem("no-classes", message + said, data)
    return numbers, tuple(names)


def _root(path: Path, document: Mapping[str, Any]) -> Path:
    """The folder of the images: that of the file, or one beside it that has the first image."""
    name = next((str(one.get("file_name", "")) for one in document["images"]), "")
    around = [path.parent, path.parent / "images", path.parent.parent]
    part = path.stem.rpartition("_")[2]
    around += [path.parent.parent / folder for folder in (part, "images", f"images/{part}")]
    return next((folder for folder in around if name and isfile(folder / name)), path.parent)


def _part(
    document: Mapping[str, Any],
    path: Path,
    root: Path,
    numbers: Mapping[int, int],
    bad: list[BadFile],
) -> CocoPart:
    """The images with their regions; those that cannot be used are added to `bad`."""
    name = clean(path.name)
    by_image: dict[object, list[list[Any]]] = {}
    wrong: dict[object, str] = {}
    ids = {_id(one) for one in document["images"]}
    for place, one in enumerate(document["annotations"]):
        image, about = _id(one, "image_id"), f"annotation {one.get('id', f'#{place}')}"
        if image not in ids:
            bad.append(BadFile(f"{about} of {name}", f"there is no image {image}"))
        elif _id(one, "category_id") not in numbers:
            wrong.setdefault(image, f"{about} has no known category: {one.get('category_id')}")
        elif not one.get("segmentation"):
            wrong.setdefault(image, f"{about} has no region")
        else:
            number = UNLABELLED if one.get("iscrowd") else numbers[one["category_id"]]
            by_image.setdefault(image, []).append([number, one["segmentation"], about])
    part = CocoPart(str(root))
    there: dict[str, str] | None = None
    seen: set[str] = set()
    for one in document["images"]:
        file, size = str(one.get("file_name", "")), [one.get("height"), one.get("width")]
        reason = wrong.get(_id(one), "")
        if not reason and not all(type(side) is int and 0 < side < 2**16 for side in size):
            reason = "its height or width is missing"
        if not reason and not isfile(root / file):
            if there is None:
                there = {Path(each).name: each for each in files_below(root)}
            file = there.get(Path(file).name, "")
            reason = "" if file else f"there is no image {clean(str(one.get('file_name', '')))}"
        if not reason and file in seen:
            reason = "another image has the same file"
        if reason:
            bad.append(BadFile(f"image {one.get('id')} of {name}", reason))
            continue
        seen.add(file)
        part.images.append(file)
        part.regions.append(json.dumps([*size, by_image.get(_id(one), [])]))
    return part
