"""Counts the training images without reading them, for `policy`. Needs no torch."""

from __future__ import annotations

from pathlib import Path

from ....compiler.plan.data import Data, Digits, Folder, Idx, Named, Npz
from ....compiler.plan.plan import TrainPlan
from .file_names import resolve
from .folder_tree import Unreadable, files_below, images_in, must_be_folder, parts_in
from .mask_folder import mask_folders

_DIGITS = 1797
_KNOWN = {
    "mnist": 60_000, "fashion_mnist": 60_000, "kmnist": 60_000, "cifar10": 50_000,
    "cifar100": 50_000, "svhn": 73_257, "stl10": 5_000, "flowers102": 1_020, "food101": 75_750,
    "pets": 3_680, "imagenet": 1_281_167,
}  # fmt: skip
_LETTERS = {
    "balanced": 112_800, "byclass": 697_932, "bymerge": 697_932, "letters": 124_800,
    "digits": 240_000, "mnist": 60_000,
}  # fmt: skip
_KEPT = 0.2
"""The default share of images for validation."""


def count_training(plan: TrainPlan, base: Path) -> int | None:
    """About how many training images a plan has; None if that is not known. Raises SpecError if the
    data does not exist."""
    counted = _counted(plan.train.data, base)
    if counted is None:
        return None
    count, divided = counted
    split = plan.train.split
    val = split.val
    if val is None:
        val = 0.0 if divided else _KEPT
    return round(count * (1 - val - split.test))


def _counted(data: Data, base: Path) -> tuple[int, bool] | None:
    """The number of training images, and whether there are separate ones for validation."""
    match data:
        case Folder():
            return _of_folder(data, base)
        case Npz():
            return _of_npz(data, base)
        case Idx():
            from .idx import idx_groups, read

            groups = idx_groups(data, base)
            labels = groups["train"].labels if "train" in groups else None
            return (len(read(data, labels, 1).numbers), len(groups) > 1) if labels else None
        case Digits():
            return _DIGITS, False
        case Named():
            known = _LETTERS[data.arguments["part"]] if data.kind == "emnist" else _KNOWN[data.kind]
            return known, True
    return None


def _of_folder(data: Folder, base: Path) -> tuple[int, bool] | None:
    root = resolve(data.path, base)
    must_be_folder(root, data.path, data)
    try:
        masks = mask_folders(root, data.masks)
        if masks:
            return len(files_below(masks["train"][0])), len(masks) > 1
        parts = parts_in(root)
        images = images_in(parts.get("train", root))
        if not any(images.classes.values()):  # beside texts of tags
            loose = len(files_below(parts.get("train", root)))
            return loose, "train" in parts and len(parts) > 1
    except Unreadable:
        return None
    divided = ("train" in parts and len(parts) > 1) or isinstance(data.val, str)
    return sum(map(len, images.classes.values())), divided


def _of_npz(data: Npz, base: Path) -> tuple[int, bool] | None:
    from .npz_file import named_pairs, opened

    with opened(data, resolve(data.path, base)) as archive:
        pairs = named_pairs(data, list(archive))
        if "train" not in pairs:
            return None
        return len(archive[pairs["train"][1]]), len(pairs) > 1
