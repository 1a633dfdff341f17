"""`data folder "camvid"` where labels are masks: for each image, an image of class numbers.

Layouts, where a data set may be divided into parts (`train`, `val`, `test`):

- `train/images/a.jpg` and `train/masks/a.png`; also `images/train/…` and `masks/train/…`
- `train/a.jpg` and `train_masks/a.png`
- `train/a.jpg` and `train/a_mask.png`, beside it

An image and its mask have the same name, up to something that all masks have before or after it. A
mask is an image file, or a .npy file of class numbers.
Needs neither torch nor Pillow, except to find out how many classes masks have.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ....compiler.plan.data import PARTS, UNLABELLED, Data, Folder, TableData
from ...untrusted.bad_file import BadFile
from ...untrusted.open_file import read_bytes
from ..diagnostic import counted, listed, problem
from ..left_out import BadFile as BadImageFile
from .file_names import clean, is_image, is_mask
from .folder_tree import files_below, folders

IMAGES = ("images", "image", "imgs", "img", "jpegimages", "photos", "pictures", "inputs", "input")
MASKS = (
    "masks", "mask", "labels", "label", "annotations", "annotation", "annots", "annot", "gt",
    "groundtruth", "ground_truth", "segmentation", "segmentations", "segmentationclass", "targets",
    "target", "labelids",
)  # fmt: skip
"""The folders of images and of masks, under any of their usual names."""

_BESIDE = re.compile(r"^(.+)[_.-](mask|masks|label|labels|gt|seg|annot|labelids)$", re.IGNORECASE)
"""The name of a mask that is in the folder of its image, without its ending."""


@dataclass(frozen=True)
class Pairs:
    """The images and masks of a part, in the same order; paths relative to `root`."""

    root: str
    images: tuple[str, ...]
    masks: tuple[str, ...]
    without_mask: tuple[str, ...] = ()
    """Images that have no mask; they are bad files."""
    without_image: tuple[str, ...] = ()
    """Masks of no image."""


def mask_folders(root: Path, masks: str | None = None) -> dict[str, tuple[Path, Path]]:
    """The folders of images and masks of each part; empty if there are none. Both are the same
    where masks are beside their images. `masks` is the name of the folder of masks, if it is
    given."""
    whole = _kinds(root, masks)
    if whole is not None:
        images, labels = whole
        inside, beside = _parts(images), _parts(labels)
        if "train" in inside and "train" in beside:
            return {part: (inside[part], beside[part]) for part in inside if part in beside}
        return {"train": whole}
    parts = _parts(root)
    found = {}
    for part, folder in (parts or {"train": root}).items():
        pair = _kinds(folder, masks) or _sibling(folder, masks) or _beside(folder)
        if pair is not None:
            found[part] = pair
    return found if "train" in found else {}


def _masks_of(images: Mapping[str, Path], masks: str | None) -> dict[str, tuple[Path, Path]]:
    """The folders of images with those of their masks: `train/masks` of `train/image`, or
    `masks/train` of `image/train`."""
    wanted = MASKS if masks is None else (masks.lower(),)
    found = {}
    for part, folder in images.items():
        for parent, below in ((folder.parent, ""), (folder.parent.parent, folder.name)):
            by_name = {name.lower(): Path(path) for name, path in folders(str(parent))}
            labels = next((by_name[name] / below for name in wanted if name in by_name), None)
            if labels is not None and labels.is_dir():
                found[part] = folder, labels
                break
    return found if "train" in found else {}


@dataclass(frozen=True)
class MaskSet:
    """A data set of images and masks."""

    parts: Mapping[str, Pairs]
    classes: MaskClasses
    notes: tuple[str, ...] = ()


def mask_set(data: Folder, root: Path, images: Mapping[str, Path] | None = None) -> MaskSet | None:
    """The images and masks in a folder; None if it has none. `images` are the folders of images, if
    they are known. Raises SpecError."""
    masks = data.masks
    folders_of = _masks_of(images, masks) if images is not None else mask_folders(root, masks)
    if not folders_of:
        if data.masks is not None:
            raise problem(
                "no-masks",
                f"{data.path} has no folder `{data.masks}` beside one of images",
                data,
                argument="masks",
                help=f"the expected layout: `images` and `{data.masks}`; or both inside `train` and"
                " `val`",
            )
        return None
    parts = {part: pairs_in(data, *pair) for part, pair in folders_of.items()}
    table = table_in(root)
    if table is not None:
        return MaskSet(parts, read_table(data, table), (f"the classes are those of {table.name}",))
    classes = scanned(data, list(parts.values()))
    return MaskSet(parts, classes, tuple(_gap(classes)))


def pairs_in(data: Folder, images: Path, masks: Path) -> Pairs:
    """The images of a folder with their masks. Raises SpecError if no image has one."""
    root = os.path.commonpath([str(images.absolute()), str(masks.absolute())])
    if images == masks:
        every = files_below(images, is_mask)
        labels = [file for file in every if _BESIDE.match(_stem(file))]
        pictures = [file for file in every if is_image(file) and file not in set(labels)]
    else:
        pictures, labels = files_below(images), files_below(masks, is_mask)
    found = matched(pictures, labels)
    have = [(file, found[file]) for file in pictures if file in found]
    if not have:
        raise problem(
            "no-masks",
            f"no image in {clean(str(images))} has a mask in {clean(str(masks))}",
            data,
            notes=_examples(pictures, labels),
            help="an image and its mask have the same name, up to a beginning or an ending that all"
            " masks have",
        )

    def below(folder: Path, file: str) -> str:
        return os.path.relpath(os.path.join(folder.absolute(), file), root)

    return Pairs(
        root,
        tuple(below(images, file) for file, _ in have),
        tuple(below(masks, mask) for _, mask in have),
        tuple(below(images, file) for file in pictures if file not in found),
        tuple(below(masks, file) for file in labels if file not in {*found.values()}),
    )


def matched(images: Sequence[str], masks: Sequence[str]) -> dict[str, str]:
    """The mask of each image that has one: of the same name, or of the name with a beginning and an
    ending that most masks have."""
    by_stem = {_stem(file): file for file in masks}
    before, after = _affixes([_stem(file) for file in images], list(by_stem))
    return {
        image: by_stem[name]
        for image in images
        if (name := _with(_stem(image), before, after)) in by_stem
    }


def _affixes(images: Sequence[str], masks: Sequence[str]) -> tuple[str, str]:
    """What masks have before and after the name of their image."""
    names = {os.path.basename(name) for name in images}
    votes: Counter[tuple[str, str]] = Counter()
    longest = max(map(len, names), default=0)
    for mask in masks[:_SAMPLE]:
        base = os.path.basename(mask)
        for length in range(min(longest, len(base)), 0, -1):
            for start in range(len(base) - length + 1):
                if base[start : start + length] in names:
                    votes[base[:start], base[start + length :]] += 1
                    break
            else:
                continue
            break
    return votes.most_common(1)[0][0] if votes else ("", "")


_SAMPLE = 200
"""Masks whose names are looked at."""


def _with(stem: str, before: str, after: str) -> str:
    folder, _, name = stem.rpartition("/")
    return f"{folder}/{before}{name}{after}" if folder else f"{before}{name}{after}"


def _stem(file: str) -> str:
    return os.path.splitext(file)[0]


def _examples(images: Sequence[str], masks: Sequence[str]) -> tuple[str, ...]:
    named = [("images", images), ("masks", masks)]
    return tuple(f"{what}: {listed([clean(f) for f in files[:3]])}" for what, files in named)


def _parts(root: Path) -> dict[str, Path]:
    by_name = {name.lower(): Path(path) for name, path in folders(str(root))}
    parts: dict[str, Path] = {}
    for part, names in PARTS.items():
        for name in names:
            if name in by_name:
                parts.setdefault(part, by_name[name])
    return parts


def _kinds(folder: Path, masks: str | None) -> tuple[Path, Path] | None:
    """The folders of images and of masks in a folder."""
    by_name = {name.lower(): Path(path) for name, path in folders(str(folder))}
    images = next((by_name[name] for name in IMAGES if name in by_name), None)
    wanted = MASKS if masks is None else (masks.lower(),)
    labels = next((by_name[name] for name in wanted if name in by_name), None)
    return None if images is None or labels is None else (images, labels)


def _sibling(folder: Path, masks: str | None) -> tuple[Path, Path] | None:
    """`train` and beside it `train_masks`, or `trainannot`."""
    wanted = MASKS if masks is None else (masks.lower(),)
    names = {f"{folder.name.lower()}{link}{word}" for link in ("_", "-", "") for word in wanted}
    for name, path in folders(str(folder.parent)):
        if name.lower() in names:
            return folder, Path(path)
    return None


def _beside(folder: Path) -> tuple[Path, Path] | None:
    """Masks in the folder of their images: most images have one."""
    files = [entry.name for entry in os.scandir(folder) if is_mask(entry.name)]
    stems = {_stem(file) for file in files if is_image(file)}
    masks = [match[1] for file in files if (match := _BESIDE.match(_stem(file)))]
    have = sum(name in stems for name in masks)
    return (folder, folder) if have and have >= (len(files) - len(masks)) / 2 else None


# ---- classes ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class MaskClasses:
    """The classes of masks, as a file beside them or the masks themselves say."""

    names: tuple[str, ...]
    colors: Mapping[tuple[int, int, int], int] | None = None
    two_valued: bool = False
    used: frozenset[int] = frozenset()
    """The numbers that occur in masks, if they are what is known."""


MAX_BYTES = 2**20
CLASSES = "classes.txt"
TABLES = (CLASSES, "labels.txt", "class_dict.csv", "classes.csv", "label_colors.txt")


def table_in(root: Path) -> Path | None:
    """The file that names the classes of the masks in a folder."""
    return next((root / name for name in TABLES if (root / name).is_file()), None)


def read_table(data: Data, path: Path) -> MaskClasses:
    """The classes that a file names, one on each line, in their order; with three numbers on each
    line, the colors of the classes. Raises SpecError."""
    try:
        lines = read_bytes(path, MAX_BYTES).decode("utf-8", "replace").splitlines()
    except BadFile as error:
        raise problem("no-classes", f"{clean(path.name)} {error}", data) from None
    entries = [entry for line in lines if (entry := _entry(line)) is not None]
    colored = [color for _, color in entries if color is not None]
    if not entries:
        raise problem("no-classes", f"{clean(str(path))} names no classes", data)
    names = tuple(name for name, _ in entries)
    if len(names) > UNLABELLED:
        message = f"{clean(path.name)} names {len(names):,} classes; masks have up to {UNLABELLED}"
        raise problem("no-classes", message, data)
    if not colored:
        return MaskClasses(names)
    if len(colored) != len(entries):
        lacking = next(name for name, color in entries if color is None)
        raise problem("no-classes", f"{clean(path.name)} gives `{lacking}` no color", data)
    return MaskClasses(names, {color: number for number, color in enumerate(colored)})


_SEPARATOR = re.compile(r"[\s,;]+")


def _entry(line: str) -> tuple[str, tuple[int, int, int] | None] | None:
    """The name and the color of a line; None for an empty line, a comment or a header."""
    words = [word for word in _SEPARATOR.split(line.strip()) if word]
    if not words or words[0].startswith("#"):
        return None
    numbers = [
        n for word in words if word.isdecimal() and len(word) <= 3 and (n := int(word)) < 256
    ]
    texts = [word for word in words if not word.isdecimal()]
    if len(numbers) >= 3 and texts:
        red, green, blue = numbers[-3:]
        return " ".join(texts), (red, green, blue)
    if {word.lower() for word in words} >= {"r", "g", "b"}:
        return None
    return " ".join(texts or words), None


def scanned(data: Folder | TableData, parts: Sequence[Pairs]) -> MaskClasses:
    """The classes that occur in masks of class numbers; they are called by their numbers."""
    from concurrent.futures import ThreadPoolExecutor

    import numpy

    from ..images.image_file import BadImage, quiet
    from ..images.mask_file import mask_values

    def values_of(path: str) -> set[int]:
        try:
            return set(numpy.unique(mask_values(path)).tolist())
        except BadImage:
            return set()

    with quiet(), ThreadPoolExecutor(8) as pool:
        paths = list(_mask_paths(parts))
        values = set().union(*pool.map(values_of, paths))
    values -= set(data.ignore or ())
    if values and values <= {0, 255} and 255 in values:
        return MaskClasses(("background", "object"), two_valued=True)
    if sum(path.lower().endswith((".jpg", ".jpeg")) for path in paths) > len(paths) / 2:
        raise problem(
            "lossy-masks",
            f"the masks in {data.path} are JPEGs, whose compression changes values: they have"
            f" {len(values)} of them, and each would be a class",
            data,
            help="save them as PNG, with the class of each pixel; of black and white ones, `mask ="
            " 255 * (mask > 127)` restores the values",
        )
    values = {value for value in values if 0 <= value < UNLABELLED}  # masks of others are refused
    if not values:
        raise problem(
            "no-classes",
            f"the masks in {data.path} have no class numbers",
            data,
            help="a mask is an image whose values are class numbers, from 0; if it has colors,"
            " write them into `classes.txt` in the folder, one line for each: `road 128 64 128`",
        )
    _must_be_numbers(data, sorted(values))
    return MaskClasses(tuple(map(str, range(max(values) + 1))), used=frozenset(values))


def _must_be_numbers(data: Folder | TableData, values: list[int]) -> None:
    """Raises SpecError for shades of gray, like 0, 100 and 200, which would be 201 classes. Numbers
    that are close together, up to a last one, are not meant: that may stand for no label."""
    close = len(values) > 2 and len(values) >= values[-2] / 2
    if close or _CROWDED * len(values) > values[-1]:
        return
    shades = ", ".join(f"`name {value} {value} {value}`" for value in values[:3])
    raise problem(
        "no-classes",
        f"the masks in {data.path} have only the values {listed([*map(str, values)])}: shades of"
        f" gray, it seems, and not the numbers of {values[-1] + 1} classes",
        data,
        help="write `classes.txt` into the folder, with a line for each class, its name and shade:"
        f" {shades}{', …' if len(values) > 3 else ''}; if they are numbers, a name in each line",
    )


_CROWDED = 10
"""Numbers are those of classes if one in so many occurs."""


def _gap(classes: MaskClasses) -> Iterator[str]:
    """A note if most class numbers occur in no mask: the largest may stand for no label."""
    used = sorted(classes.used)
    if not used or 2 * len(used) >= len(classes.names):
        return
    last = used[-1]
    yield (
        f"of the class numbers 0 to {last}, only {listed([*map(str, used)])} occur in the masks;"
        f" write `ignore={last}` if that stands for no label"
    )


def _mask_paths(parts: Sequence[Pairs]) -> Iterator[str]:
    for part in parts:
        yield from (os.path.join(part.root, mask) for mask in part.masks)


def without_masks(parts: Mapping[str, Pairs], root: Path) -> Iterator[BadImageFile]:
    """The images that have no mask: as bad as those that cannot be read."""
    for pairs in parts.values():
        for file in pairs.without_mask:
            name = os.path.relpath(os.path.join(pairs.root, file), root.absolute())
            yield BadImageFile(clean(name), "it has no mask")


def masks_of_no_image(parts: Mapping[str, Pairs]) -> Iterator[str]:
    """Notes about masks that belong to no image."""
    for part, pairs in parts.items():
        if pairs.without_image:
            names = listed([clean(file) for file in pairs.without_image], 3)
            count = counted(len(pairs.without_image), "mask has", "masks have")
            yield f"{part}: {count} no image: {names}"
