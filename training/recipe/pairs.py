"""Looks at pairs of images, the second of which a network learns to answer: folders like `noisy`
and `clean`, files like `x.png` and `x_target.png`, arrays like `low_train` and `high_train`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

from torch import Tensor

from ...compiler.plan.data import Data, Folder, Npz
from ...compiler.shapes import Shape, by
from ..data.diagnostic import problem
from ..data.images.decode import decode
from ..data.images.image_file import BadImage
from ..data.left_out import BadFile
from ..data.loader.image_source import Arrays, Contents, Files
from ..data.loader.memory_budget import cores
from ..data.loader.order import sample
from ..data.loader.thread_pool import each
from ..data.sources.file_names import resolve
from ..data.sources.folder_tree import Unreadable, files_below, folders
from ..data.sources.image_folder import PAIRS, beside, image_folder
from ..data.sources.images_wanted import ImagesWanted
from ..data.sources.npz import image_npz
from ..data.sources.npz_file import named_images, opened

MOST_PAIRS = 64
"""Pairs that are decoded."""
_COLOR: Shape = (3, 1, 1)
_TARGETS = ("clean", "high", "hr", "sharp", "color", "gt", "output")
"""What arrays of images to answer are called, where those of masks are not."""


class Pairs(NamedTuple):
    """What pairs of images are like."""

    contents: Contents
    sizes: tuple[tuple[int, int], ...]
    """Height and width of the images that the network gets."""
    channels: int
    """Of these: 1 if all are gray."""
    answered: int
    """The channels of the answers."""
    enlarges: int
    """How many times larger the answers are, along each side."""
    looked: int
    bad: tuple[BadFile, ...]

    @property
    def in_files(self) -> bool:
        """Whether they are files, of which random parts are taken."""
        return isinstance(self.contents.parts["train"], Files)


def pairs_in(data: Data, base: Path) -> Pairs | None:
    """The pairs of a data set; None if it is something else. Raises SpecError."""
    if isinstance(data, Folder) and _in_folders(data, resolve(data.path, base)):
        return _of_files(data, image_folder(data, base, ImagesWanted(_COLOR, _COLOR, 1, False)))
    if isinstance(data, Npz) and (channels := _in_arrays(data, base)):
        inputs, answers = channels
        wanted = ImagesWanted((inputs, 1, 1), (answers, 1, 1), 1, False)
        return _of_arrays(image_npz(data, base, wanted), inputs, answers)
    return None


def _in_folders(data: Folder, root: Path) -> bool:
    """Whether a folder has two folders of images with the same names that are called like pairs, or
    images with targets beside them."""
    if data.target is not None:
        return True
    try:
        inside = {name.lower(): path for name, path in folders(str(root))}
        if "train" in inside:
            root = Path(inside["train"])
            inside = {name.lower(): path for name, path in folders(str(root))}
        if not inside:
            return beside(root) is not None
        for one, other in PAIRS:
            if inside.keys() == {one, other}:
                names = [
                    {os.path.splitext(file)[0] for file in files_below(Path(inside[each]))}
                    for each in (one, other)
                ]
                return len(names[0] & names[1]) > 0.8 * len(names[0] | names[1])
    except (OSError, Unreadable):  # the error is said where the labels are read
        pass
    return False


def _in_arrays(data: Npz, base: Path) -> tuple[int, int] | None:
    """The channels of images and of the images to answer; None if that is not what arrays are."""
    with opened(data, resolve(data.path, base)) as archive:
        names = list(archive)
        if not any(word in name.lower() for name in names for word in ("train", *_TARGETS)):
            return None
        images, target = named_images(data, names).get("train", ("", ""))
        if not images or not target:
            return None
        shapes = archive.shape(images), archive.shape(target)
    named = any(word in target.lower().split("_") for word in _TARGETS)
    colors = len(shapes[1]) == 4 and 3 in (shapes[1][1], shapes[1][-1])
    if min(map(len, shapes)) < 3 or not (named or colors):
        return None
    inputs, answers = (_channels(shape) for shape in shapes)
    return inputs, answers


def _channels(shape: Shape) -> int:
    ends = (shape[1], shape[-1]) if len(shape) == 4 else (1,)
    return 3 if 3 in ends else 1


def _of_arrays(contents: Contents, inputs: int, answers: int) -> Pairs:
    train = contents.parts["train"]
    assert isinstance(train, Arrays)
    height, width = train.images.shape[-2:]  # those of the targets: images are enlarged to them
    return Pairs(contents, ((height, width),) * len(train), inputs, answers, 1, len(train), ())


def _of_files(data: Folder, contents: Contents) -> Pairs:
    train = contents.parts["train"]
    assert isinstance(train, Files)
    assert train.target_files is not None
    targets = train.target_files
    chosen = sample(len(train), MOST_PAIRS).tolist()

    def look(place: int) -> tuple[Tensor, Tensor] | BadFile:
        index = chosen[place]
        try:
            path = os.path.join(targets.root, targets.paths[index])
            return decode(train.content(index), 3), decode(path, 3)
        except BadImage as error:
            return BadFile(train.name(index), error.reason)

    seen = each(look, len(chosen), cores(), "")
    good = [one for one in seen if not isinstance(one, BadFile)]
    bad = tuple(one for one in seen if isinstance(one, BadFile))
    if not good:
        raise problem(
            "bad-files",
            f"none of the pairs in {data.path} can be used",
            data,
            notes=tuple(f"{one.name}: {one.reason}" for one in bad[:5]),
        )
    sizes = [(tuple(one.shape[1:]), tuple(other.shape[1:])) for one, other in good]
    inputs, answers = (1 if all(map(_is_gray, side)) else 3 for side in zip(*good, strict=True))
    own = tuple((one[0], one[1]) for one, _ in sizes)
    return Pairs(contents, own, inputs, answers, _enlarges(data, sizes), len(chosen), bad)


def _is_gray(image: Tensor) -> bool:
    return bool((image == image[:1]).all())


def _enlarges(data: Folder, sizes: list[tuple[tuple[int, ...], tuple[int, ...]]]) -> int:
    """How many times larger targets are than images; raises SpecError unless that is the same whole
    number for all."""
    times = {
        tuple(theirs / own for own, theirs in zip(image, target, strict=True))
        for image, target in sizes
    }
    factor = next(iter(times))[0]
    if times == {(factor, factor)} and factor >= 1 and factor == int(factor):
        return int(factor)
    image, target = next((one for one in sizes if one[1] != one[0]), sizes[0])
    raise problem(
        "no-recipe",
        f"targets in {data.path} are not larger than their images by a whole factor: {by(target)}"
        f" for {by(image)} pixels",
        data,
        help="resize them, or start from one of the gallery: `cnn new NAME --like edsr`",
    )
