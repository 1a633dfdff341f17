"""Features: the output of one layer for every image of a data set or a folder, for other programs.

A map becomes one number for each channel, its mean (as a global average pool would make it), unless
`pool` says otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal

import torch
from torch import Tensor

from ....compiler.network import Node
from ....compiler.report.figures import plural
from ....compiler.shapes import size, text
from ....dsl.diagnostics import Diagnostic, SpecError
from ...data.images.image_file import BadImage, quiet
from ...data.loader.thread_pool import Progress, unwatched
from ...data.open import open_data
from ...data.opened import Opened
from ...data.sources.file_names import is_image
from ...inference.predict import found_in, nothing_in
from ...runtime.devices import using
from ..subject import Subject

Pool = Literal["mean", "max", "none"]

_BATCH = 64
_UMAP_LEAST = 5
"""It starts from three eigenvectors of a matrix of all images."""
MAX_NUMBERS = 2**30
"""The most numbers that a table may have: 4 GiB."""


@dataclass(frozen=True, eq=False)
class Features:
    """A row for each image."""

    files: tuple[str, ...]
    parts: tuple[str, ...]
    """`train`, `val` or `test`; empty for images without a data set."""
    labels: tuple[str, ...]
    """The class of each image; several are joined by `|`; empty if it is not known."""
    values: Tensor
    """Images x numbers, float32."""
    skipped: tuple[str, ...] = ()
    """Files that could not be read, with the reason."""


def pooled(output: Tensor, pool: Pool) -> Tensor:
    """The outputs of a layer as rows of numbers."""
    if output.ndim == 4 and pool != "none":
        output = output.mean((2, 3)) if pool == "mean" else output.amax((2, 3))
    return output.flatten(1).float()


def is_plain_folder(path: str) -> bool:
    """Whether this is a folder of images without folders of classes, or a single file."""
    if not os.path.isdir(path):
        return is_image(path) and os.path.isfile(path)
    with os.scandir(path) as entries:
        return any(entry.is_file() and is_image(entry.name) for entry in entries)


def features_of_files(
    subject: Subject, node: Node, paths: Sequence[str], pool: Pool, progress: Progress = unwatched
) -> Features:
    """Of image files; those that cannot be read are skipped and listed."""
    images = found_in(paths, subject.network.input.shape)
    _must_fit(node, pool, len(images))
    files, skipped, rows = [], [], []
    with quiet():
        for start in range(0, len(images), _BATCH):
            progress("computing features", start, len(images))
            pixels = []
            for name, source in images[start : start + _BATCH]:
                try:
                    if isinstance(source, BadImage):
                        raise source
                    pixels.append(subject.preparation.image(source))
                    files.append(name)
                except BadImage as error:
                    skipped.append(f"{name}: {error.reason}")
            if pixels:
                rows.append(_rows(subject, node, torch.stack(pixels), pool))
    if not rows:
        reason = skipped[0] if skipped else nothing_in(paths)
        raise SpecError([Diagnostic("no-images", reason)])
    empty = ("",) * len(files)
    return Features(tuple(files), empty, empty, torch.cat(rows), tuple(skipped))


def features_of_data(
    subject: Subject,
    node: Node,
    pool: Pool,
    progress: Progress = unwatched,
    *,
    undivided: bool = False,
) -> Features:
    """Of all parts of the data of the spec, or of other data. If that is `undivided`, a part that
    `split` draws from it says nothing: it is not named."""
    with using(subject.device):
        opened = open_data(subject.plan, subject.base, device=subject.device, progress=progress)
    _must_fit(node, pool, sum(map(len, opened.stores.values())))
    files: list[str] = []
    parts: list[str] = []
    labels: list[str] = []
    rows: list[Tensor] = []
    for part, store in opened.stores.items():
        done = 0
        for batch in opened.evaluation(part, batch=_BATCH)(0):
            progress(f"computing features, {part}", done, len(store))
            rows.append(_rows(subject, node, batch.images, pool))
            done += len(batch.images)
        files += [store.source.name(index) for index in range(len(store))]
        parts += [_part(part, opened) if undivided else part] * len(store)
        labels += _labels(opened, opened.task.truth(store.labels.cpu()))
    return Features(tuple(files), tuple(parts), tuple(labels), torch.cat(rows))


def _part(part: str, opened: Opened) -> str:
    """The part that an image has in the data itself; empty if the data is not divided."""
    drawn = opened.dataset.drawn
    if all(each == "train" or each in drawn for each in opened.stores):
        return ""
    return "train" if part in drawn else part


def _labels(opened: Opened, labels: Tensor) -> Iterator[str]:
    names = opened.dataset.classes
    if opened.task.numbers:
        return ("|".join(f"{number:.7g}" for number in row) for row in labels.tolist())
    if labels.ndim == 1:
        return (names[label] for label in labels.tolist())
    return ("|".join(names[n] for n, on in enumerate(row) if on) for row in labels.tolist())


def _rows(subject: Subject, node: Node, pixels: Tensor, pool: Pool) -> Tensor:
    with using(subject.device), torch.inference_mode():
        images = subject.preparation.prepare(pixels.to(subject.device))
        return pooled(subject.layers(images, [node])[node.index], pool).cpu()


def _must_fit(node: Node, pool: Pool, images: int) -> None:
    each = size(node.shape) if pool == "none" or len(node.shape) == 1 else node.shape[0]
    if images * each > MAX_NUMBERS:
        message = (
            f"{images:,} images times {each:,} numbers of {node.name} ({text(node.shape)}) are more"
            f" than {MAX_NUMBERS:,}"
        )
        help = "use `--pool mean`, or a layer with fewer numbers"
        raise SpecError([Diagnostic("too-many-numbers", message, help=help)])


def must_be_finite(values: Tensor) -> None:
    """Raises SpecError for NaN or infinity, which have no place in a picture."""
    bad = int((~values.isfinite()).any(1).sum())
    if bad:
        message = f"the numbers of {plural(bad, 'image')} are not finite: NaN or infinity"
        raise SpecError([Diagnostic("not-finite", message, help="leave --map out")])


def principal_components(values: Tensor, count: int = 2) -> tuple[Tensor, list[float]]:
    """The first principal components of rows, and the share of the variance that each has. Signs
    are fixed, so the same rows give the same picture."""
    must_be_finite(values)
    centered = (values - values.mean(0)).double()
    if len(values) < 2 or not float(centered.abs().max()):
        return torch.zeros(len(values), count), [0.0] * count
    # From the smaller of the two products: a table of many images is narrow, or the other way.
    if centered.shape[1] <= len(centered):
        axes = torch.linalg.eigh(centered.T @ centered).eigenvectors.T.flip(0)[:count]
    else:
        weights = torch.linalg.eigh(centered @ centered.T).eigenvectors.T.flip(0)[:count]
        axes = torch.nn.functional.normalize(weights @ centered, dim=1)
    largest = axes.abs().argmax(1, keepdim=True)
    axes = axes * axes.gather(1, largest).sign()
    variances = (centered @ axes.T).square().sum(0)
    shares = (variances / centered.square().sum()).tolist()
    found = (centered @ axes.T).float()
    missing = count - found.shape[1]
    if missing:
        found = torch.nn.functional.pad(found, (0, missing))
    return found, shares + [0.0] * missing


def must_have_umap() -> None:
    """Raises SpecError if UMAP is not installed."""
    if find_spec("umap") is None:
        message = "UMAP needs umap-learn, which is not installed here"
        help = "pip install umap-learn, or leave --umap out: two principal components"
        raise SpecError([Diagnostic("missing-package", message, help=help)])


def by_umap(values: Tensor) -> Tensor:
    """Places in two dimensions where neighbors stay neighbors. Raises SpecError for too few."""
    must_be_finite(values)
    if len(values) < _UMAP_LEAST:
        message = f"UMAP needs {_UMAP_LEAST} images or more, and there are {len(values)}"
        raise SpecError([Diagnostic("no-images", message, help="leave --umap out")])
    import umap

    neighbors = min(15, len(values) - 1)
    # With its seed, UMAP computes in one thread; it warns unless it is told so.
    places = umap.UMAP(n_neighbors=neighbors, random_state=0, n_jobs=1)
    return torch.from_numpy(places.fit_transform(values.numpy())).float()
