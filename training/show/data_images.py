"""Goes through the images of a folder or a data set one after the other, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from ...dsl.diagnostics import Diagnostic, SpecError
from ..data.images.image_file import BadImage, quiet
from ..data.loader.memory_budget import cores
from ..data.loader.thread_pool import Progress, unwatched
from ..data.open import open_data
from ..data.sources.file_names import is_image
from ..inference.predict import found_in
from ..runtime.devices import using
from .subject import Subject


@dataclass(frozen=True, eq=False)
class DataImages:
    """Images that are read when they are needed."""

    origin: str
    """Where they come from, in words for the user."""
    count: int
    name: Callable[[int], str]
    read: Callable[[int], Tensor]
    """An image at the size of the network's input: uint8; raises BadImage."""

    def batches(
        self, size: int, what: str, progress: Progress = unwatched
    ) -> Iterator[list[tuple[int, Tensor | BadImage]]]:
        """All images in order, with their numbers; `size` at a time are in memory."""

        def read(index: int) -> tuple[int, Tensor | BadImage]:
            try:
                return index, self.read(index)
            except BadImage as error:
                return index, error

        with quiet(), ThreadPoolExecutor(min(8, cores())) as pool:
            for start in range(0, self.count, size):
                progress(what, start, self.count)
                yield list(pool.map(read, range(start, min(start + size, self.count))))
        progress(what, self.count, self.count)


def data_images(
    subject: Subject, data: str | None, part: str = "val", progress: Progress = unwatched
) -> DataImages:
    """The images of a folder (all in it and below it), of a file, or of the data of the spec.
    Raises SpecError if there are none."""
    if data is not None and os.path.exists(data):
        files = _files(subject, data)
        if files is not None:
            return files
    try:
        with using(subject.device):
            opened = open_data(subject.plan, subject.base, device=subject.device, progress=progress)
    except SpecError as error:
        if data is None and any(each.code in _NO_DATA for each in error.diagnostics):
            message = f"{subject.network.name} names no data to search"
            help = "add `--data DIR`, a folder with images"
            raise SpecError([Diagnostic("no-data", message, help=help)]) from None
        raise
    if part not in opened.stores:
        part = next(iter(opened.stores))
    store = opened.stores[part]
    return DataImages(f"{part} of {opened.dataset.name}", len(store), store.source.name, store.read)


_NO_DATA = ("no-data",)


def _files(subject: Subject, data: str) -> DataImages | None:
    """The images of a folder or a file; None for a folder without image files, such as MNIST's."""
    if os.path.isfile(data) and not data.lower().endswith((".npz", ".npy")) and not is_image(data):
        message = f"{data} is not an image and has none in it"
        help = "name a folder with images, an image, or a .npy or .npz file"
        raise SpecError([Diagnostic("not-a-folder", message, help=help)])
    images = found_in([data], subject.network.input.shape)
    if not images:
        if any(Path(data).iterdir()):
            return None
        message = f"there are no images in {data}"
        raise SpecError([Diagnostic("no-images", message, help="name a folder with images")])
    preparation = subject.preparation

    def read(index: int) -> Tensor:
        source = images[index][1]
        if isinstance(source, BadImage):
            raise source
        return preparation.image(source)

    inside = f"{data.rstrip('/' + os.sep)}{os.sep}" if os.path.isdir(data) else ""
    return DataImages(data, len(images), lambda index: images[index][0].removeprefix(inside), read)
