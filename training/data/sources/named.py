"""Data sets by name, read or downloaded by torchvision: `data cifar10 root="data"`.

One table lists for each data set its class in torchvision, its parts, and which files to put where
if they cannot be downloaded. The files of MNIST and similar data sets are read by `idx.py`,
compressed or not; torchvision only downloads them.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from ....compiler.plan.data import Emnist, Folder, ImageNet, Named, classes_of
from ....dsl.diagnostics import SpecError
from ...runtime.import_torchvision import torchvision
from ..diagnostic import problem
from ..loader.image_source import Arrays, Contents, Files, ImageSource
from ..loader.packed_strings import Strings
from .file_names import clean, resolve
from .folder import folder
from .folder_tree import must_be_folder, parts_in
from .idx import Group, groups, read_group


@dataclass(frozen=True)
class Set:
    """What is known about a data set in advance."""

    kind: str
    """The name of its class in torchvision."""
    parts: Mapping[str, Mapping[str, Any]]
    """The arguments of that class for each part."""
    files: str
    """The files that have to be in `root`."""
    licence: str
    classes: tuple[str, ...] = ()


_BOTH: Mapping[str, Mapping[str, Any]] = {"train": {"train": True}, "test": {"train": False}}
_SPLITS: Mapping[str, Mapping[str, Any]] = {"train": {"split": "train"}, "test": {"split": "test"}}
_FOUR = "train-images-idx3-ubyte, train-labels-idx1-ubyte and the same of t10k, with or without .gz"
_DIGITS = tuple("0123456789")

SETS: Mapping[str, Set] = {
    "mnist": Set("MNIST", _BOTH, f"MNIST/raw: {_FOUR}", "none stated", _DIGITS),
    "fashion_mnist": Set(
        "FashionMNIST", _BOTH, f"FashionMNIST/raw: {_FOUR}", "MIT",
        ("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag",
         "Ankle boot"),
    ),
    "kmnist": Set(
        "KMNIST", _BOTH, f"KMNIST/raw: {_FOUR}", "CC BY-SA 4.0",
        ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
    ),
    "emnist": Set(
        "EMNIST", _BOTH,
        "EMNIST/raw: emnist-balanced-train-images-idx3-ubyte and so on, with or without .gz",
        "none stated",
    ),
    "cifar10": Set(
        "CIFAR10", _BOTH, "cifar-10-python.tar.gz, or the folder in it, cifar-10-batches-py",
        "none stated; for research",
    ),
    "cifar100": Set(
        "CIFAR100", _BOTH, "cifar-100-python.tar.gz, or the folder in it, cifar-100-python",
        "none stated; for research",
    ),
    "svhn": Set(
        "SVHN", _SPLITS, "train_32x32.mat and test_32x32.mat", "non-commercial use only", _DIGITS
    ),
    "stl10": Set(
        "STL10", _SPLITS, "stl10_binary.tar.gz, or the folder in it, stl10_binary",
        "none stated; for research",
    ),
    "flowers102": Set(
        "Flowers102",
        {part: {"split": part} for part in ("train", "val", "test")},
        "flowers-102: the folder jpg, imagelabels.mat and setid.mat", "none stated",
    ),
    "food101": Set(
        "Food101", _SPLITS, "food-101: the folders images and meta", "none stated; for research"
    ),
    "pets": Set(
        "OxfordIIITPet",
        {"train": {"split": "trainval"}, "test": {"split": "test"}},
        "oxford-iiit-pet: the folders images and annotations", "CC BY-SA 4.0",
    ),
    "imagenet": Set(
        "ImageNet",
        {"train": {"split": "train"}, "val": {"split": "val"}},
        "the folders train and val, or ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and"
        " ILSVRC2012_devkit_t12.tar.gz",
        "non-commercial research only (image-net.org)",
    ),
}  # fmt: skip


def named(data: Named, base: Path) -> Contents:
    """The data set; raises SpecError if it does not exist and cannot be downloaded."""
    known = SETS[data.kind]
    root = resolve(data.root, base)
    if root.exists():
        must_be_folder(root, data.root, data, "root")
    if data.kind in _IDX:
        parts, classes = _idx_family(data, known, root)
    elif isinstance(data, ImageNet) and {"train", "val"} <= parts_in_or_none(root).keys():
        tree = folder(Folder.make(path=data.root).placed(data.origin), base)
        parts, classes = tree.parts, tree.classes
    else:
        parts, classes = _from_torchvision(data, known, root)
    return Contents(data.kind, classes, parts, origin=data.root, licence=known.licence)


def parts_in_or_none(root: Path) -> dict[str, Path]:
    return parts_in(root) if root.is_dir() else {}


# ---- MNIST and its relatives -----------------------------------------------------------------

_IDX = ("mnist", "fashion_mnist", "kmnist", "emnist")


def _idx_family(
    data: Named, known: Set, root: Path
) -> tuple[dict[str, ImageSource], tuple[str, ...]]:
    prefix = f"emnist-{data.part}-" if isinstance(data, Emnist) else ""
    by_part = _idx_files(data, root, known, prefix)
    if by_part is None:
        if data.download:
            _from_class(data, known, root, known.parts["train"])  # downloads all parts
        by_part = _idx_files(data, root, known, prefix)
    if by_part is None:
        raise _absent(data, known, root)
    parts: dict[str, ImageSource] = {}
    for part, group in by_part.items():
        images, labels = read_group(data, group)
        pixels = torch.frombuffer(bytearray(images.numbers), dtype=torch.uint8).view(images.sizes)
        classes = torch.frombuffer(bytearray(labels.numbers), dtype=torch.uint8).long()
        if prefix:
            pixels = pixels.mT.contiguous()  # these files have the pixels column by column
            classes -= int(isinstance(data, Emnist) and data.part == "letters")  # starts at 1
        parts[part] = Arrays(pixels[:, None], classes)
    return parts, known.classes or _emnist_classes(data)


def _idx_files(data: Named, root: Path, known: Set, prefix: str) -> dict[str, Group] | None:
    """The files of each part, in the folder where torchvision puts them or directly in `root`."""
    for place in (root / known.kind / "raw", root):
        if not place.is_dir():
            continue
        try:
            return groups(data, place, clean(str(place)), prefix)
        except SpecError as error:
            if error.diagnostics[0].code != "no-data-files":
                raise
    return None


def _emnist_classes(data: Named) -> tuple[str, ...]:
    """EMNIST's classes in the order of its labels: digits, capitals, then the small letters that
    look different from their capitals."""
    assert isinstance(data, Emnist)
    capitals = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    small = "abdefghnqrt"
    return tuple(
        {
            "letters": capitals,
            "digits": "0123456789",
            "mnist": "0123456789",
            "byclass": "0123456789" + capitals + capitals.lower(),
        }.get(data.part, "0123456789" + capitals + small)
    )


# ---- through torchvision ---------------------------------------------------------------------


def _from_torchvision(
    data: Named, known: Set, root: Path
) -> tuple[dict[str, ImageSource], tuple[str, ...]]:
    parts: dict[str, ImageSource] = {}
    classes = known.classes
    for part, options in known.parts.items():
        dataset = _from_class(data, known, root, options)
        parts[part] = _READERS[data.kind](dataset)
        classes = classes or _class_names(dataset, data)
    return parts, classes


def _from_class(data: Named, known: Set, root: Path, options: Mapping[str, Any]) -> Any:
    """An instance of torchvision's class for the data set."""
    options = dict(options)
    if not root.exists() and not data.download:
        raise _absent(data, known, root)
    if isinstance(data, Emnist):
        options["split"] = data.part
    if data.kind != "imagenet":
        options["download"] = data.download
    try:
        kind = getattr(torchvision("datasets"), known.kind)
    except ImportError:
        raise problem(
            "missing-package",
            f"`data {data.kind}` needs torchvision, which is not installed",
            data,
            help='pip install "dotcnn[torchvision]"',
        ) from None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about versions of the libraries that it reads with
            return kind(str(root), **options)
    except ImportError as error:
        package = error.name or "scipy"
        message = f"`data {data.kind}` needs {package}, which is not installed"
        raise problem("missing-package", message, data, help=f"pip install {package}") from None
    except (OSError, RuntimeError, ValueError, KeyError, EOFError) as error:
        why = " ".join(str(error).split())[:200]
        raise _absent(data, known, root, why) from None


def _absent(data: Named, known: Set, root: Path, why: str = "") -> SpecError:
    tried = ", and cannot be downloaded" if data.download else ""
    return problem(
        "no-data-files",
        f"the files of `data {data.kind}` are not in {data.root}{tried}",
        data,
        argument="root",
        notes=(f"the error was: {why}",) if why else (),
        help=f"put into {clean(str(root))}: {known.files}",
    )


def _class_names(dataset: Any, data: Named) -> tuple[str, ...]:
    """The class names of a torchvision data set. ImageNet has several for each class; older
    versions of others have none."""
    names = getattr(dataset, "classes", None) or range(classes_of(data) or 0)
    return tuple(str(name[0] if isinstance(name, tuple) else name) for name in names)


def _pixels(array: Any) -> Tensor:
    return torch.from_numpy(numpy.ascontiguousarray(array))


def _labels(numbers: Any) -> Tensor:
    return torch.tensor(numpy.asarray(numbers), dtype=torch.int64)


def _files(paths: Any, labels: Any) -> Files:
    """Files whose paths are relative to the folder that contains all of them."""
    texts = [Path(path).as_posix() for path in paths]
    root = Path(texts[0]).parent.parent.as_posix() if texts else ""
    return Files(root, Strings(text.removeprefix(f"{root}/") for text in texts), _labels(labels))


_READERS: Mapping[str, Callable[[Any], ImageSource]] = {
    "cifar10": lambda data: Arrays(_pixels(data.data.transpose(0, 3, 1, 2)), _labels(data.targets)),
    "cifar100": lambda data: Arrays(
        _pixels(data.data.transpose(0, 3, 1, 2)), _labels(data.targets)
    ),
    "svhn": lambda data: Arrays(_pixels(data.data), _labels(data.labels)),
    "stl10": lambda data: Arrays(_pixels(data.data), _labels(data.labels)),
    "flowers102": lambda data: _files(data._image_files, data._labels),
    "food101": lambda data: _files(data._image_files, data._labels),
    "pets": lambda data: _files(data._images, data._labels),
    "imagenet": lambda data: _files(*zip(*data.samples, strict=True)),
}
