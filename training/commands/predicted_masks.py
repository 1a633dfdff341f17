"""The files of `cnn predict -o masks/`: for each image, its mask as PNG, for each series or scan as
an array, and what else is asked for; or the image that a network answers with."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from torch import Tensor

from ...compiler.commands.output_file import keep_others_files, writing
from ...compiler.commands.terminal import UsageError
from ...dsl.atomic_file import write_whole
from ..data.images.visible import visible
from ..inference.prediction import Image, Prediction
from ..masks.mask_npz import mask_npz
from ..masks.mask_overlay import mask_overlay
from ..masks.mask_png import WRITTEN, mask_png, overlay_png, picture_png
from ..masks.polygons import polygons
from ..masks.sample_masks import sample_overlay

Read = Callable[[Image], Tensor]
"""Reads an image, a series or a scan in its own size, as the network gets it."""


@dataclass(frozen=True)
class MaskFiles:
    """The files to write."""

    folder: Path
    overlay: bool = False
    """Whether to write the image with its mask over it as well."""
    outlines: bool = False
    """Whether to write polygons as well."""
    what: ClassVar[str] = "masks"

    def endings(self) -> Iterator[str]:
        yield ".png"
        if self.overlay:
            yield "_overlay.png"
        if self.outlines:
            yield ".json"

    def must_be_free(
        self, names: Sequence[str], images: Sequence[tuple[str, Image]], *, force: bool
    ) -> None:
        """Raises UsageError if a file would replace one that `cnn predict` did not write."""
        if self.folder.exists() and not self.folder.is_dir():
            raise UsageError(f"{self.folder} is a file; -o names the folder for the {self.what}")
        taken = {os.path.realpath(image) for _, image in images if isinstance(image, str)}
        for name in names:
            for ending in self.endings():
                file = self.folder / f"{name}{ending}"
                if os.path.realpath(file) in taken:
                    raise UsageError(f"{file} is an image already: name another folder")
                taken.add(os.path.realpath(file))
                keep_others_files(str(file), WRITTEN, "`cnn predict`", force)

    def write(
        self, name: str, prediction: Prediction, image: Image, classes: Sequence[str], read: Read
    ) -> None:
        """Writes the files for an image."""
        for ending, data in self.contents(prediction, image, classes, read).items():
            file = self.folder / f"{name}{ending}"
            with writing(file):
                file.parent.mkdir(parents=True, exist_ok=True)
                write_whole(file, data)

    def contents(
        self, prediction: Prediction, image: Image, classes: Sequence[str], read: Read
    ) -> dict[str, bytes]:
        """The contents of each file, by its ending."""
        assert prediction.mask is not None
        contents = {".png": mask_png(prediction.mask, classes)}
        if self.overlay:
            picture = mask_overlay(visible(read(image)), prediction.mask, classes)
            contents["_overlay.png"] = overlay_png(picture)
        if self.outlines:
            regions = {"format": "dotcnn polygons", **polygons_json(prediction, classes)}
            text = json.dumps(regions, ensure_ascii=False, separators=(",", ":"))
            contents[".json"] = f"{text}\n".encode()
        return contents


class ArrayFiles(MaskFiles):
    """The masks of series and scans, as NumPy archives: `mask` has the class numbers, `classes`
    their names."""

    def endings(self) -> Iterator[str]:
        yield ".npz"
        if self.overlay:
            yield "_overlay.png"

    def contents(
        self, prediction: Prediction, image: Image, classes: Sequence[str], read: Read
    ) -> dict[str, bytes]:
        assert prediction.mask is not None
        contents = {".npz": mask_npz(prediction.mask, classes)}
        if self.overlay:
            picture = sample_overlay(read(image), prediction.mask, classes, _WIDE)
            contents["_overlay.png"] = overlay_png(picture)
        return contents


_WIDE = 960
"""The width of a picture of a series or a scan, in pixels."""


class PictureFiles(MaskFiles):
    """The files of a network that answers with images."""

    what: ClassVar[str] = "images"

    def endings(self) -> Iterator[str]:
        yield ".png"

    def contents(
        self, prediction: Prediction, image: Image, classes: Sequence[str], read: Read
    ) -> dict[str, bytes]:
        assert prediction.picture is not None
        return {".png": picture_png(prediction.picture)}


def mask_names(paths: Sequence[str], images: Sequence[tuple[str, Image]]) -> list[str]:
    """The name of the mask of each image, without its ending: as in the folder that was named.
    Two images never share one."""
    folders = [path for path in paths if os.path.isdir(path)]
    used: Counter[str] = Counter()
    names = []
    for shown, image in images:
        path = image if isinstance(image, str) else shown
        inside = next((folder for folder in folders if Path(folder) in Path(path).parents), None)
        name = os.path.relpath(path, inside) if inside is not None else os.path.basename(path)
        stem, ending = os.path.splitext(name)
        if "#" in ending:  # an image of an archive: photos.npz#3
            stem = f"{stem}_{ending.partition('#')[2]}"
        used[stem.lower()] += 1
        many = used[stem.lower()]
        names.append(stem if many == 1 else f"{stem}_{many}")
    return names


def polygons_json(prediction: Prediction, classes: Sequence[str]) -> dict[str, Any]:
    """The polygons of a mask: corners are x and y in pixels."""
    assert prediction.mask is not None
    height, width = prediction.mask.shape
    return {
        "image": prediction.image,
        "width": width,
        "height": height,
        "polygons": [
            {
                "class": classes[each.number],
                "number": each.number,
                "pixels": each.pixels,
                "outline": each.outline,
                "holes": each.holes,
            }
            for each in polygons(prediction.mask, len(classes))
        ],
    }
