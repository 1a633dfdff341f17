"""`data folder "photos"` where the answer is an image: pairs of files, or images alone.

Layouts of pairs, where a data set may be divided into parts (`train`, `val`, `test`):

- `train/noisy/a.png` and `train/clean/a.png`; also `noisy/train/…` and `clean/train/…`
- `train/a.png` and `train/a_clean.png`, beside it

Other names are found as well: `input` and `target`, `low` and `high`, `blurry` and `sharp`, …; or
`target="…"` gives that of the folder of targets. An image and its target have the same name, up to
something that all targets have before or after it. Without pairs, every image in the folder and
below it is a target, and its own input.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

from ....compiler.plan.data import Folder
from ..diagnostic import counted, listed, problem
from ..loader.image_source import Contents, ImageSource
from .file_names import clean, resolve
from .folder_tree import files_below, folders, must_be_folder, parts_in
from .images_wanted import ImagesWanted
from .mask_folder import IMAGES, MASKS, matched

PAIRS = (
    ("noisy", "clean"), ("input", "target"), ("inputs", "targets"), ("low", "high"), ("lr", "hr"),
    ("blurry", "sharp"), ("blurred", "sharp"), ("blur", "sharp"), ("gray", "color"),
    ("grey", "color"), ("grey", "colour"), ("degraded", "clean"), ("damaged", "clean"),
    ("rainy", "clean"), ("hazy", "clear"), ("before", "after"), ("source", "target"),
)  # fmt: skip
"""Names of folders that belong together, whatever else there is."""

_INPUTS = (*dict.fromkeys(one for one, _ in PAIRS), "x", "rain", "haze", "dark", *IMAGES)
_TARGETS = (*dict.fromkeys(other for _, other in PAIRS), "y", "gt", "original", "originals",
            "reference", "bright", "clear", *MASKS)  # fmt: skip
"""Names of folders that are pairs if there are no others."""

_BESIDE = re.compile(
    r"^(.+)[_.-](target|clean|gt|hr|high|sharp|clear|color|colour|original|after)$", re.IGNORECASE
)
"""The name of a target that is in the folder of its image, without its ending."""


def image_folder(data: Folder, base: Path, wanted: ImagesWanted) -> Contents:
    """The images in a folder, with their targets, if there are any. Raises SpecError."""
    root = resolve(data.path, base)
    must_be_folder(root, data.path, data)
    places = _part_folders(data, root, base)
    pairs = _pairs_of_parts(data, root, places)
    parts: dict[str, ImageSource] = {}
    notes: list[str] = []
    for part, folder in places.items():
        if pairs:
            parts[part], more = _paired(data, part, *pairs[part], wanted)
            notes += more
        else:
            images = tuple(files_below(folder))
            if not images:
                raise problem(
                    "no-images", f"there are no images in {clean(str(folder))}", data,
                    help="name a folder of images, or one with pairs of them: `noisy` and `clean`",
                )  # fmt: skip
            parts[part] = wanted.files(str(folder), images, None)
    if pairs:
        one, other = pairs["train"]
        same = "" if one != other else ", in the same folder"
        names = f"`{clean(one.name)}` and `{clean(other.name)}`" if one != other else "files"
        notes.insert(0, f"images and their targets are pairs of {names}{same}")
    return wanted.of_files(clean(root.resolve().name), parts, data.path, tuple(notes))


def _part_folders(data: Folder, root: Path, base: Path) -> dict[str, Path]:
    """The folder of each part: of pairs, where the folders of both are, or the folder of inputs."""
    inside = parts_in(root)
    if "train" not in inside:
        kinds = _kinds(root, data.target)
        below = parts_in(kinds[0]) if kinds else {}
        inside = below if "train" in below else {"train": root}
    if isinstance(data.val, str):
        place = resolve(data.val, base)
        must_be_folder(place, data.val, data, "val")
        inside["val"] = place
    return inside


def _pairs_of_parts(
    data: Folder, root: Path, places: dict[str, Path]
) -> dict[str, tuple[Path, Path]]:
    """The folders of inputs and targets of each part; empty if there are no pairs."""
    whole = _kinds(root, data.target)
    found: dict[str, tuple[Path, Path]] = {}
    for part, folder in places.items():
        pair = _kinds(folder, data.target) or beside(folder)
        if pair is None and whole is not None and folder.parent == whole[0]:
            other = whole[1] / folder.name
            pair = (folder, other) if other.is_dir() else None
        if pair is not None:
            found[part] = pair
    if found and len(found) < len(places):
        lacking = next(part for part in places if part not in found)
        raise problem(
            "no-targets",
            f"{data.path} has pairs of images for {listed(list(found))}, and none for {lacking}",
            data,
            help=f"put the targets of {lacking} where those of {next(iter(found))} are",
        )
    if data.target is not None and not found:
        raise problem(
            "no-targets",
            f"{data.path} has no folder `{data.target}` beside one of images",
            data,
            argument="target",
            help=f"the expected layout: `{data.target}` beside a folder of the inputs; or both"
            " inside `train` and `val`",
        )
    return found


def _kinds(folder: Path, target: str | None) -> tuple[Path, Path] | None:
    """The folders of inputs and of targets in a folder."""
    by_name = {name.lower(): Path(path) for name, path in folders(str(folder))}
    if target is not None:
        labels = by_name.pop(target.lower(), None)
        names = [*(name for name in _INPUTS if name in by_name), *by_name]
        return None if labels is None or not names else (by_name[names[0]], labels)
    for one, other in PAIRS:
        if one in by_name and other in by_name:
            return by_name[one], by_name[other]
    if len(by_name) == 2:
        one_name = next((name for name in _INPUTS if name in by_name), None)
        target_name = next((name for name in _TARGETS if name in by_name), None)
        if one_name and target_name and one_name != target_name:
            return by_name[one_name], by_name[target_name]
    return None


def beside(folder: Path) -> tuple[Path, Path] | None:
    """Targets in the folder of their images: most images have one."""
    files = files_below(folder)
    stems = {_stem(file) for file in files}
    targets = [match[1] for file in files if (match := _BESIDE.match(_stem(file)))]
    have = sum(name in stems for name in targets)
    return (folder, folder) if have and have >= (len(files) - len(targets)) / 2 else None


def _paired(
    data: Folder, part: str, inputs: Path, targets: Path, wanted: ImagesWanted
) -> tuple[ImageSource, list[str]]:
    """The pairs of a part, and notes about images without a partner."""
    if inputs == targets:
        every = files_below(inputs)
        others = [file for file in every if _BESIDE.match(_stem(file))]
        images = [file for file in every if file not in {*others}]
    else:
        images, others = files_below(inputs), files_below(targets)
    found = matched(images, others)
    if not found:
        raise problem(
            "no-targets",
            f"no image in {clean(str(inputs))} has a target in {clean(str(targets))}",
            data,
            notes=(f"images: {_first(images)}", f"targets: {_first(others)}"),
            help="an image and its target have the same name, up to a beginning or an ending that"
            " all targets have",
        )
    root = os.path.commonpath([str(inputs.absolute()), str(targets.absolute())])

    def below(folder: Path, file: str) -> str:
        return os.path.relpath(os.path.join(folder.absolute(), file), root)

    have = [file for file in images if file in found]
    source = wanted.files(
        root,
        tuple(below(inputs, file) for file in have),
        tuple(below(targets, found[file]) for file in have),
    )
    return source, list(_alone(part, images, others, found))


def _alone(
    part: str, images: list[str], targets: list[str], found: dict[str, str]
) -> Iterator[str]:
    """Notes about files without a partner, which are left out."""
    for what, files in (
        ("target", [file for file in images if file not in found]),
        ("image", sorted({*targets} - {*found.values()})),
    ):
        if files:
            one, more = ("image has", "images have") if what == "target" else (
                "target has", "targets have")  # fmt: skip
            names = listed([clean(file) for file in files], 3)
            yield f"{part}: {counted(len(files), one, more)} no {what}: {names}"


def _stem(file: str) -> str:
    return os.path.splitext(file)[0]


def _first(files: list[str]) -> str:
    return listed([clean(file) for file in files[:3]]) if files else "none"
