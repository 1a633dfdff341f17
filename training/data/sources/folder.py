"""`data folder "flowers"`: a folder with a folder of images for each class."""

from __future__ import annotations

from pathlib import Path

import torch

from ....compiler.plan.data import Folder
from ..diagnostic import counted, listed, problem
from ..loader.image_source import Contents, Files
from ..loader.packed_strings import Strings
from .file_names import clean, resolve
from .folder_tree import (
    Found,
    Unreadable,
    by_ending,
    images_in,
    is_folder,
    loose_images,
    parts_in,
)

LAYOUT = "one folder for each class, the images in it; or such folders in `train` and `val`"


def folder(data: Folder, base: Path) -> Contents:
    """What a folder holds; raises SpecError where that is no data set."""
    root = resolve(data.path, base)
    is_folder(root, data.path, data)
    try:
        return _folder(data, root, base)
    except Unreadable as error:
        raise problem("unreadable", str(error), data) from None


def _folder(data: Folder, root: Path, base: Path) -> Contents:
    found = {part: images_in(path) for part, path in part_folders(data, root).items()}
    if isinstance(data.val, str):
        place = resolve(data.val, base)
        is_folder(place, data.val, data, "val")
        found["val"] = images_in(place)
    train = found["train"]
    _must_be_classes(data, train)
    classes = tuple(train.classes)
    notes = []
    if "test" in found and _is_unlabelled(found["test"], classes):
        notes.append(_left_out(found.pop("test")))
    for part, part_found in found.items():
        _must_agree(data, part, part_found, classes)
        lacking = [name for name in classes if not part_found.classes.get(name)]
        if lacking:
            notes.append(f"{part} has no images of {listed(lacking)}")
        if part_found.other_files:
            notes.append(f"{part}: files that are not images: {part_found.other_files}")
    return Contents(
        clean(root.resolve().name),
        classes,
        {part: _files(part_found, classes) for part, part_found in found.items()},
        origin=data.path,
        notes=tuple(notes),
    )


def part_folders(data: Folder, root: Path) -> dict[str, Path]:
    """Where each part lies; the folder itself where it is not divided."""
    parts = parts_in(root)
    if "train" in parts:
        return parts
    if parts:
        names = sorted(path.name for path in parts.values())
        raise problem(
            "no-training-folder",
            f"{data.path} has {listed([f'`{name}`' for name in names])}, but no folder `train`",
            data,
            help="put the classes to learn from into `train`; if these are classes themselves, give"
            " them other names",
        )
    return {"train": root}


def _files(found: Found, classes: tuple[str, ...]) -> Files:
    labels = [
        label for label, name in enumerate(classes) for _ in range(len(found.classes.get(name, ())))
    ]
    paths = Strings(path for name in classes for path in found.classes.get(name, ()))
    return Files(found.root, paths, torch.tensor(labels, dtype=torch.int64))


def _must_be_classes(data: Folder, found: Found) -> None:
    root = clean(found.root)
    empty = [name for name, files in found.classes.items() if not files]
    if not found.classes:
        loose = loose_images(found.root)
        lie = f"; {counted(loose, 'image lies', 'images lie')} in it directly" if loose else ""
        raise problem(
            "no-class-folders",
            f"{root} has no folders, and so no classes{lie}",
            data,
            help=f"what is needed: {LAYOUT}",
        )
    if len(empty) == len(found.classes):
        message = f"no folder in {root} has images in it{_instead(found.other_files)}"
        raise problem("no-images", message, data, help=f"what is needed: {LAYOUT}")
    if empty:
        described = [f"`{name}`{_instead(by_ending(found.others[name]))}" for name in empty]
        raise problem(
            "empty-class",
            f"no images in {listed(described)}, in {root}",
            data,
            help="put images in, or take the folder away",
        )
    if len(found.classes) == 1:
        (only,) = found.classes
        inside = parts_in(Path(found.root) / only) or {
            file.split("/")[1] for file in found.classes[only] if file.count("/") > 1
        }
        help = f"the classes seem to lie in `{only}`: name that folder" if inside else LAYOUT
        raise problem("one-class", f"{root} has one class only, `{only}`", data, help=help)


def _instead(files: str) -> str:
    return f" (there are files {files})" if files else ""


def _is_unlabelled(test: Found, classes: tuple[str, ...]) -> bool:
    """Images to be predicted, as competitions have them: none lies in the folder of a class."""
    return not any(test.classes.get(name) for name in classes)


def _left_out(test: Found) -> str:
    count = loose_images(test.root) + sum(map(len, test.classes.values()))
    root = clean(test.root)
    if not count:
        return f"{root} has no images and is left out"
    return (
        f"{root} has no folders of the classes and is left out: `cnn predict` can classify its"
        f" {counted(count, 'image')}"
    )


def _must_agree(data: Folder, part: str, found: Found, classes: tuple[str, ...]) -> None:
    strange = [name for name, files in found.classes.items() if files and name not in classes]
    if strange:
        raise problem(
            "unknown-class",
            f"{clean(found.root)} has {counted(len(strange), 'class', 'classes')} that"
            f" are not in the training set: {listed([f'`{name}`' for name in strange])}",
            data,
            argument="val" if part == "val" and isinstance(data.val, str) else "path",
            help="the folders of all parts have the same names",
        )
    if not any(found.classes.values()):
        message = f"{clean(found.root)} has no images in folders of classes"
        raise problem("no-images", message, data, help="put images in, or take the folder away")
