"""`data folder "flowers"`: a folder with one folder of images for each class."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch

from ....compiler.plan.data import Folder
from ....compiler.shapes import Shape
from ..diagnostic import counted, listed, problem
from ..images.mask_file import MaskCode
from ..loader.image_source import Contents, Files, MaskFiles
from ..loader.packed_strings import Strings
from ..samples.sample_endings import is_sample, may_hold
from .file_names import clean, is_image, resolve
from .folder_tree import (
    ImageTree,
    Unreadable,
    Wanted,
    by_ending,
    images_in,
    loose_images,
    must_be_folder,
    parts_in,
)
from .mask_folder import MaskSet, mask_set, masks_of_no_image, without_masks
from .sample_files import of_sample_files
from .several_inputs import Inputs, input_folders, no_files_of_samples, with_further_inputs
from .shards import has_shards
from .tags import TagSet, label_rows, merged, tag_set

LAYOUT = "one folder of images for each class; or such folders inside `train` and `val`"


def folder(data: Folder, base: Path, shape: Shape = (), inputs: Inputs = ()) -> Contents:
    """The data set in a folder; raises SpecError if the folder is not one. `shape` is that of a
    sample, if it is not an image; `inputs` are those of a network that has several."""
    root = resolve(data.path, base)
    must_be_folder(root, data.path, data)
    try:
        if inputs:
            return _of_inputs(data, root, base, shape, inputs)
        return _folder(data, root, base, shape)
    except Unreadable as error:
        raise problem("unreadable", str(error), data) from None


def _of_inputs(data: Folder, root: Path, base: Path, shape: Shape, inputs: Inputs) -> Contents:
    """A data set with a folder for each input: the first has the labels, or masks are beside it."""
    if is_sample(shape):
        raise no_files_of_samples(data, inputs)
    places = input_folders(data, root, base, [each.name for each in inputs])
    first = {part: folders[0] for part, folders in places.items()}
    masks = mask_set(data, root, first)
    if masks is not None:
        return with_further_inputs(places, _with_masks(data, root, masks), inputs)
    return with_further_inputs(places, _of_classes(data, root, first, is_image, None), inputs)


def _folder(data: Folder, root: Path, base: Path, shape: Shape) -> Contents:
    samples = shape if is_sample(shape) else None
    wanted = is_image if samples is None else partial(may_hold, shape=samples)
    masks = mask_set(data, root) if samples is None else None
    if masks is not None:
        return _with_masks(data, root, masks)
    tags = tag_set(data, root) if samples is None else None
    if tags is not None:
        several = any(len(each) != 1 for part in tags.parts.values() for each in part.tags)
        return _with_tags(data, root, tags, several)
    places = part_folders(data, root)
    if isinstance(data.val, str):
        place = resolve(data.val, base)
        must_be_folder(place, data.val, data, "val")
        places["val"] = place
    return _of_classes(data, root, places, wanted, samples)


def _of_classes(
    data: Folder, root: Path, places: Mapping[str, Path], wanted: Wanted, samples: Shape | None
) -> Contents:
    """A data set with a folder for each class, in the folder of each part."""
    parts = {part: images_in(path, wanted) for part, path in places.items()}
    train = parts["train"]
    _must_be_classes(data, train, wanted)
    classes = tuple(train.classes)
    notes = []
    if "test" in parts and _is_unlabelled(parts["test"], classes):
        notes.append(_left_out(parts.pop("test"), wanted))
    for part, part_images in parts.items():
        _must_agree(data, part, part_images, classes)
        lacking = [name for name in classes if not part_images.classes.get(name)]
        if lacking:
            notes.append(f"{part} has no images of {listed(lacking)}")
        if part_images.other_files:
            note = f"{part}: files that are not images: {part_images.other_files}"
            advice = part_images.unread_photographs
            notes.append(f"{note}; {advice}" if advice else note)
    if samples is None:
        several_classes, note = merged(data, parts)
        notes += [note] if note else []
        if several_classes:
            found = TagSet(classes, several_classes, [])
            return replace(_with_tags(data, root, found, True), notes=tuple(notes))
    whole = Contents(
        clean(root.resolve().name),
        classes,
        {part: _files(part_images, classes) for part, part_images in parts.items()},
        origin=data.path,
        notes=tuple(notes),
    )
    return whole if samples is None else of_sample_files(data, whole, samples)


def _with_masks(data: Folder, root: Path, found: MaskSet) -> Contents:
    """A data set whose labels are masks."""
    known = found.classes
    code = MaskCode(len(known.names), data.ignored, known.colors, known.two_valued)
    return Contents(
        clean(root.resolve().name),
        known.names,
        {
            part: Files(
                pairs.root,
                Strings(pairs.images),
                torch.zeros(len(pairs.images), dtype=torch.int64),
                (MaskFiles(pairs.root, Strings(pairs.masks), code),),
            )
            for part, pairs in found.parts.items()
        },
        origin=data.path,
        notes=(*found.notes, *masks_of_no_image(found.parts)),
        task="segmentation",
        bad=tuple(without_masks(found.parts, root)),
    )


def _with_tags(data: Folder, root: Path, found: TagSet, several: bool) -> Contents:
    """A data set whose images may have `several` classes."""
    return Contents(
        clean(root.resolve().name),
        found.classes,
        {
            part: Files(
                tagged.root,
                Strings(tagged.images),
                label_rows(tagged.tags, found.classes, several),
            )
            for part, tagged in found.parts.items()
        },
        origin=data.path,
        task="multi_label" if several else "classification",
        bad=tuple(found.bad),
    )


def part_folders(data: Folder, root: Path) -> dict[str, Path]:
    """The folder of each part; the folder itself if it is not divided."""
    parts = parts_in(root)
    if "train" in parts:
        return parts
    if parts:
        names = sorted(path.name for path in parts.values())
        raise problem(
            "no-training-folder",
            f"{data.path} has {listed([f'`{name}`' for name in names])}, but no folder `train`",
            data,
            help="move the training images into `train`; or, if these are classes, rename them",
        )
    return {"train": root}


def _files(images: ImageTree, classes: tuple[str, ...]) -> Files:
    labels = [
        label
        for label, name in enumerate(classes)
        for _ in range(len(images.classes.get(name, ())))
    ]
    paths = Strings(path for name in classes for path in images.classes.get(name, ()))
    return Files(images.root, paths, torch.tensor(labels, dtype=torch.int64))


def _must_be_classes(data: Folder, images: ImageTree, wanted: Wanted) -> None:
    root = clean(images.root)
    empty = [name for name, files in images.classes.items() if not files]
    if not images.classes:
        loose = loose_images(images.root, wanted)
        lie = f"; {counted(loose, 'image is', 'images are')} directly in it" if loose else ""
        bare = not os.listdir(images.root)
        tars = has_shards(Path(images.root))
        raise problem(
            "no-class-folders",
            f"{root} is empty" if bare else f"{root} has no folders, so it has no classes{lie}",
            data,
            help=f'it has tar files: `data shards "{clean(data.path)}"`'
            if tars
            else f"the expected layout: {LAYOUT}; or `images` and `masks`, or a table of the images"
            ' and their labels: `data table "labels.csv"`',
        )
    if len(empty) == len(images.classes):
        message = f"no folder in {root} has images in it{_instead(images.other_files)}"
        advice = images.unread_photographs or f"the expected layout: {LAYOUT}"
        if has_shards(Path(images.root)):
            advice = f'it has tar files: `data shards "{clean(data.path)}"`'
        raise problem("no-images", message, data, help=advice)
    if empty:
        described = [f"`{name}`{_instead(by_ending(images.others[name]))}" for name in empty]
        raise problem(
            "empty-class",
            f"no images in {listed(described)}, in {root}",
            data,
            help=images.unread_photographs or "add images, or remove the folder",
        )
    if len(images.classes) == 1:
        (only,) = images.classes
        inside = parts_in(Path(images.root) / only) or {
            file.split("/")[1] for file in images.classes[only] if file.count("/") > 1
        }
        help = f"the classes seem to be inside `{only}`: name that folder" if inside else LAYOUT
        if not inside and only.lower() in ("images", "image", "imgs", "img"):
            help = (
                f"for masks, put them into a folder `masks` beside `{only}`; for classes: {LAYOUT}"
            )
        raise problem("one-class", f"{root} has only one class, `{only}`", data, help=help)


def _instead(files: str) -> str:
    return f" (other files there: {files})" if files else ""


def _is_unlabelled(test: ImageTree, classes: tuple[str, ...]) -> bool:
    """Whether no image of a test part is in the folder of a class, as in many competitions, where
    the test images have no labels."""
    return not any(test.classes.get(name) for name in classes)


def _left_out(test: ImageTree, wanted: Wanted) -> str:
    count = loose_images(test.root, wanted) + sum(map(len, test.classes.values()))
    root = clean(test.root)
    if not count:
        return f"{root} has no images and is left out"
    return (
        f"{root} has no class folders and is left out: `cnn predict` can classify its"
        f" {counted(count, 'image')}"
    )


def _must_agree(data: Folder, part: str, images: ImageTree, classes: tuple[str, ...]) -> None:
    strange = [name for name, files in images.classes.items() if files and name not in classes]
    if strange:
        raise problem(
            "unknown-class",
            f"{clean(images.root)} has {counted(len(strange), 'class', 'classes')} unknown"
            f" to the training set: {listed([f'`{name}`' for name in strange])}",
            data,
            argument="val" if part == "val" and isinstance(data.val, str) else "path",
            help="the class folders of all parts must have the same names",
        )
    if not any(images.classes.values()):
        message = f"{clean(images.root)} has no images in class folders"
        raise problem("no-images", message, data, help="add images, or remove the folder")
