"""`data folder` where an image may have several classes: a text of tags beside each image, or the
same image in the folders of several classes.

`a.jpg` and `a.txt`: tags are divided by commas, semicolons or lines; if no text has these, by
blanks. An empty text is an image without any of the classes.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

from ....compiler.plan.data import Folder
from ...untrusted.bad_file import BadFile as Unreadable
from ...untrusted.open_file import read_text
from ..diagnostic import counted, listed, problem
from ..left_out import BadFile
from .file_names import clean, is_image
from .folder_tree import ImageTree, files_below, parts_in

if TYPE_CHECKING:
    from torch import Tensor

MAX_BYTES = 2**20
_MARKS = re.compile(r"[,;|\t\r\n]+")
_BOX = re.compile(r"^\d+(\s+[-+.\de]+){4,}$")
_SHARED = 0.05
"""From this share of images on that are in several class folders, that is meant so."""
_LOOKED = 500
"""Images of the same name whose contents are compared to find that out."""


@dataclass
class Tagged:
    """The images of a part with their tags."""

    root: str
    images: list[str] = field(default_factory=list)
    tags: list[tuple[str, ...]] = field(default_factory=list)


@dataclass
class TagSet:
    classes: tuple[str, ...]
    parts: dict[str, Tagged]
    bad: list[BadFile]


def tag_set(data: Folder, root: Path) -> TagSet | None:
    """The images of a folder with the texts beside them; None if there are no texts. Raises
    SpecError."""
    folders = parts_in(root)
    folders = folders if "train" in folders else {"train": root}
    if data.type == "class" or not _has_texts(folders["train"]):
        return None
    bad: list[BadFile] = []
    texts = {part: list(_texts(folder, bad)) for part, folder in folders.items()}
    every = [text for each in texts.values() for _, text in each]
    if every and all(map(_BOX.match, (line for text in every for line in text.splitlines()))):
        raise problem(
            "no-classes",
            f"the texts beside the images of {data.path} are boxes of objects, not tags",
            data,
            help="boxes cannot be learned; write tags instead, like `beach, sunset`",
        )
    marks = any(map(_MARKS.search, (text.strip() for text in every)))
    parts = {}
    for part, each in texts.items():
        parts[part] = Tagged(str(folders[part]))
        for image, text in each:
            pieces = _MARKS.split(text) if marks else text.split()
            names = (" ".join(piece.split()) for piece in pieces)
            parts[part].images.append(image)
            parts[part].tags.append(tuple(dict.fromkeys(filter(None, names))))
    classes = {tag for each in parts.values() for tags in each.tags for tag in tags}
    if not classes:
        raise problem("no-classes", f"the texts beside the images of {data.path} are empty", data)
    return TagSet(tuple(sorted(classes)), parts, bad)


def _has_texts(folder: Path) -> bool:
    """Whether most images that are directly in a folder have a text beside them."""
    names = {entry.name for entry in os.scandir(folder)}
    images = [name for name in names if is_image(name) and not name.startswith(".")]
    having = sum(os.path.splitext(name)[0] + ".txt" in names for name in images)
    return bool(images) and having >= len(images) / 2


def _texts(folder: Path, bad: list[BadFile]) -> Iterator[tuple[str, str]]:
    for image in files_below(folder):
        text = os.path.splitext(image)[0] + ".txt"
        try:
            yield image, read_text(folder / text, MAX_BYTES).removeprefix("\ufeff")
        except Unreadable as error:
            missing = error.kind == "missing"
            reason = f"there is no {clean(text)}" if missing else f"{clean(text)} {error}"
            bad.append(BadFile(clean(image), f"{reason}, which would have its tags"))


def label_rows(tags: Sequence[tuple[str, ...]], classes: Sequence[str], several: bool) -> Tensor:
    """Labels of images: a row of 0 and 1 for each, or, if none has `several`, its class."""
    import torch

    index = {name: number for number, name in enumerate(classes)}
    if not several:
        return torch.tensor([index[names[0]] for names in tags], dtype=torch.int64)
    labels = torch.zeros(len(tags), len(classes))
    for row, names in enumerate(tags):
        labels[row, [index[name] for name in names]] = 1.0
    return labels


# ---- the same image in several folders ---------------------------------------------------------


def merged(data: Folder, parts: Mapping[str, ImageTree]) -> tuple[dict[str, Tagged], str]:
    """The images of class folders, each once with all its classes, and a note; no parts if images
    have one class. With `type=several`, images of other names may be the same, too."""
    if data.type == "class":
        return {}, ""
    train = parts["train"]
    if data.type == "auto":
        alike = _shared(train)
        images = sum(map(len, train.classes.values()))
        if not alike:
            return {}, ""
        if len(alike) < _SHARED * images:
            some = listed([" = ".join(map(clean, one)) for one in alike], 2)
            return {}, f"{counted(len(alike), 'image is', 'images are')} in several classes: {some}"
    found = {part: _by_content(tree, any_name=data.type == "several")
             for part, tree in parts.items()}  # fmt: skip
    several = sum(len(tags) > 1 for tags in found["train"].tags)
    how = "" if data.type == "several" else "; `type=class` if that is a mistake"
    return found, (
        f"{counted(several, 'image is', 'images are')} in the folders of several classes, and"
        f" {'has' if several == 1 else 'have'} these classes{how}"
    )


def _shared(tree: ImageTree) -> list[list[str]]:
    """Groups of files of one name, in the folders of several classes, that are the same image; of
    many, those among the first."""
    groups: dict[str, list[str]] = {}
    for files in tree.classes.values():
        for file in files:
            groups.setdefault(_inside(file), []).append(file)
    several = [files for files in groups.values() if len(files) > 1]
    looked = several[:_LOOKED]
    alike = [files for files in looked if len(set(map(_content(tree.root), files))) < len(files)]
    return several if len(alike) == len(looked) else alike


def _inside(file: str) -> str:
    """The name of a file within the folder of its class."""
    return file.partition("/")[2]


def _content(root: str) -> Callable[[str], bytes]:
    """A function of a file's name: a digest of what is in it."""

    def of(file: str) -> bytes:
        path = os.path.join(root, file)
        try:
            with open(path, "rb") as opened:
                return blake2b(opened.read(), digest_size=16).digest()
        except OSError:
            return os.fsencode(path)  # it will be named when it is decoded

    return of


def _by_content(tree: ImageTree, *, any_name: bool) -> Tagged:
    """The images of a part, each once, with the names of all its folders."""
    files = [(name, file) for name, own in tree.classes.items() for file in own]
    alike: dict[object, int] = {}
    for _, file in files:
        key = _first_key(tree.root, file, any_name)
        alike[key] = alike.get(key, 0) + 1
    content = _content(tree.root)
    places: dict[object, int] = {}
    found, classes = Tagged(tree.root), []
    for name, file in files:
        key = _first_key(tree.root, file, any_name)
        whole = (key, content(file)) if alike[key] > 1 else key
        place = places.setdefault(whole, len(found.images))
        if place == len(found.images):
            found.images.append(file)
            classes.append([name])
        elif name not in classes[place]:
            classes[place].append(name)
    found.tags = [tuple(names) for names in classes]
    return found


def _first_key(root: str, file: str, any_name: bool) -> object:
    """What two files that are the same image have in common, without reading them."""
    try:
        size = os.path.getsize(os.path.join(root, file))
    except OSError:
        size = -1
    return size if any_name else (_inside(file), size)
