"""`cnn show --why`: where in an image the evidence for a class is, and the evidence against it.

Three methods, which fail in different ways: Grad-CAM (coarse, from the last feature maps),
occlusion (what really changes if a part is hidden), integrated gradients (pixel by pixel). Each
gives signed values. The smallest box with half of the evidence is then hidden, as a check: if the
class does not lose by it, the method points at the wrong place. The class that gains most by it is
the one that this evidence speaks against.

Hidden parts, and the plain image of integrated gradients, have the median color of the image: what
there is most of, which is the background more often than any fixed color. A black patch is itself a
feature for most networks, and changes nothing on the black background of digits.

Captum computes the same values (to 5e-7: `tests/training/show` compares them where it is
installed). It is not used, for these reasons. Its Grad-CAM takes hold of modules, and a sum or a
concatenation, where residual networks and Inception end, has none. It runs once for each class,
where one run here serves all of them: three classes of ResNet-20 take it four to five times as much
processor time. It needs matplotlib and tqdm, and 0.8 s to be imported. What it would save are the
265 lines of `occlusion.py`, `integrated_gradients.py` and `gradcam.py`. It is worth it once a
method is wanted that is long to write, such as DeepLIFT or LRP.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ....compiler.report.figures import plural
from ....compiler.report.grid import Column, grid
from ....compiler.report.style import BOLD, Style, wrapped
from ....compiler.shapes import text
from ...data.loader.thread_pool import Progress, unwatched
from ...inference.gradcam import last_map, signed_gradcam
from ...runtime.devices import using
from ..input_images import InputImage
from ..pictures.adjust import boxed, enlarged, viewed
from ..pictures.colors import ABOVE, BELOW, over_image, scaled
from ..pictures.picture_sheet import Cell, ColorScale, Group, PictureSheet
from ..pictures.sample_picture import series_picture
from ..subject import Subject
from .class_scores import ClassScores
from .integrated_gradients import integrated_gradients
from .occlusion import occlusion, patch_size

TOP = 3
"""The number of classes that are explained unless one is named."""

Box = tuple[int, int, int, int]
"""First row, last row, first column, last column of the input."""

_CELLS = 28
"""Boxes begin and end at the lines of a grid with at most this many rows and columns."""
_HALF = 0.5
_LEAST_GAIN = 0.0005
_SMOOTH_FROM = 100
"""In larger images, the mean of 3x3 pixels is drawn."""
_SIDE = 256
"""Smaller images are enlarged to about this size."""
_SERIES_WIDTH = 360
_OF_IMAGES = "pixel", "image", "median color"
_AT_A_TIME = 2**20
"""About the most numbers in a batch of inputs."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """What one method says about one class."""

    method: str
    values: Tensor
    """height x width of the input: positive for the class, negative against it."""
    box: Box | None
    """The smallest box with half of the evidence for the class; None if there is no evidence."""
    against: float
    """The share of the evidence that is against the class."""
    against_box: Box | None
    without: float
    """The probability of the class if the box is hidden."""
    gains: int | None
    """The class that gains most by that: the evidence speaks against it."""
    gained: float
    """Its probability then."""


@dataclass(frozen=True, eq=False)
class Explained:
    """A class of an image."""

    index: int
    name: str
    probability: float
    score: float
    area: float | None
    """For a network whose output is a map: the share of positions that the class wins."""
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, eq=False)
class Why:
    """An image, and what speaks for and against some classes."""

    subject: Subject
    image: InputImage
    classes: tuple[Explained, ...]
    probabilities: Tensor
    notes: tuple[str, ...]
    """How to read it: one line for each method, and what was not possible."""

    @property
    def of_series(self) -> bool:
        return len(self.subject.network.input.shape) == 2


def why(
    subject: Subject,
    image: InputImage,
    classes: Sequence[int] | None = None,
    *,
    progress: Progress = unwatched,
) -> Why:
    """Explains some classes of an image, or those that the network finds most likely. Raises
    SpecError if the network has not learned classes."""
    subject.must_have_learned("--why")
    with using(subject.device):
        return _why(subject, image, classes, progress)


def _why(
    subject: Subject, image: InputImage, classes: Sequence[int] | None, progress: Progress
) -> Why:
    shape = subject.network.input.shape
    series = len(shape) == 2
    pixels = image.input.to(subject.device)
    if series:  # an image one row high
        pixels = pixels[:, None]
    scores = ClassScores(subject, pixels)
    chosen = list(classes) if classes is not None else scores.best(TOP)
    fill = pixels.flatten(1).median(1).values
    batch = max(1, min(64, _AT_A_TIME // pixels.numel()))
    methods: list[tuple[str, Tensor]] = []
    notes = []
    height, width = pixels.shape[1:]

    node = last_map(subject.network)
    if node is not None:
        progress("Grad-CAM", 0, 1)
        each = signed_gradcam(
            subject.layers,
            node,
            pixels.reshape(1, *shape),
            [scores.of_class(index) for index in chosen],
        )
        coarse = torch.stack(each, 1)
        maps = F.interpolate(
            coarse[:, :, None] if series else coarse,
            (height, width),
            mode="bilinear",
            align_corners=False,
        )
        methods.append(("Grad-CAM", maps[0].cpu()))
        sides = text(node.shape[1:])
        maps_of = f"feature maps of {node.name}"
        notes.append(
            f"Grad-CAM: the {f'{maps_of}, of {sides} steps' if series else f'{sides} {maps_of}'},"
            " each weighted by what it adds to the score of the class. It finds"
            + (" events, not their ends." if series else " objects, not their outlines.")
        )
    else:
        notes.append(
            f"Grad-CAM needs feature maps, and {subject.network.name} has none before its output:"
            " it computes on vectors."
        )

    sizes, steps = zip(patch_size(height), patch_size(width), strict=True)
    hidden = occlusion(scores, pixels, fill, chosen, sizes, steps, batch=batch, progress=progress)
    methods.append(("occlusion", hidden))
    hides = (
        f"{plural(sizes[1], 'step')} here get the median of each channel"
        if series
        else f"a patch of {sizes[0]}x{sizes[1]} pixels here gets the median color of the image"
    )
    notes.append(
        f"Occlusion: how far the score falls when {hides}. It is what really happens, to parts of"
        " this size."
    )

    plain = fill.view(-1, 1, 1).expand_as(pixels)
    integrated = integrated_gradients(
        scores, pixels, plain, chosen, batch=max(1, batch // 2), progress=progress
    )
    methods.append(("integrated gradients", integrated.values.sum(1)))
    change, total = float(integrated.change[0]), float(integrated.values[0].sum())
    one, whole, median = ("step", "series", "median") if series else _OF_IMAGES
    notes.append(
        f"Integrated gradients: what each {one} adds to the score while the {whole} appears out of"
        f" its {median}, in {integrated.steps} parts. All {one}s of"
        f" {subject.class_name(chosen[0])} sum to {total:.4g}; the score rises by {change:.4g}."
    )

    explained = []
    for place, index in enumerate(chosen):
        evidence = _evidence(
            scores, pixels, fill, index, [(name, values[place]) for name, values in methods]
        )
        explained.append(
            Explained(
                index,
                subject.class_name(index),
                float(scores.probabilities[index]),
                float(scores.scores[index]),
                float(scores.area[index]) if scores.is_map else None,
                evidence,
            )
        )
    if scores.is_map:
        notes.append(
            f"The output of {subject.network.name} is a map of {text(scores.node.shape[1:])}: the"
            " score of a class is its mean over the positions that the class wins, or over all if"
            " it wins none."
        )
    notes.append(
        "Orange is for the class, blue against it. The orange box is the smallest one with half of"
        " what is for it. If hidden: the probability of the class when the box gets the"
        f" {median}; if that changes little, do not trust the method here. Speaks against: the"
        " class that then gains most, with its probability before -> after."
    )
    if subject.output:
        notes.append(f"Explained is the output `{subject.output}`.")
    return Why(subject, image, tuple(explained), scores.probabilities, tuple(notes))


def _evidence(
    scores: ClassScores,
    pixels: Tensor,
    fill: Tensor,
    index: int,
    methods: Sequence[tuple[str, Tensor]],
) -> tuple[Evidence, ...]:
    boxes = [smallest_box(values) for _, values in methods]
    copies = []
    for box in boxes:
        copy = pixels.clone()
        if box is not None:
            top, bottom, left, right = box
            copy[:, top : bottom + 1, left : right + 1] = fill.view(-1, 1, 1)
        copies.append(copy)
    with torch.no_grad():
        after = scores.probabilities_of(scores.logits(torch.stack(copies))).cpu()
    found = []
    for (method, values), box, hidden in zip(methods, boxes, after, strict=True):
        gain = hidden - scores.probabilities
        gain[index] = -1
        best = int(gain.argmax())
        found.append(
            Evidence(
                method,
                values,
                box,
                _share_against(values),
                smallest_box(-values),
                float(hidden[index]),
                best if float(gain[best]) >= _LEAST_GAIN else None,
                float(hidden[best]),
            )
        )
    return tuple(found)


# ---- where the evidence is ---------------------------------------------------------------------


def _lines(side: int) -> list[int]:
    """The lines of the grid along an axis."""
    cells = min(side, _CELLS)
    return [round(side * cell / cells) for cell in range(cells + 1)]


def _cells(values: Tensor) -> tuple[Tensor, list[int], list[int]]:
    """The sum over each cell of the grid, in which noise from pixel to pixel cancels."""
    rows, columns = _lines(values.shape[0]), _lines(values.shape[1])
    sums = F.pad(values.double().cumsum(0).cumsum(1), (1, 0, 1, 0))
    corners = sums[rows][:, columns]
    return corners.diff(dim=0).diff(dim=1), rows, columns


def _share_against(values: Tensor) -> float:
    cells, _, _ = _cells(values)
    total = float(cells.abs().sum())
    return float(cells.clamp(max=0).abs().sum()) / total if total > 0 else 0.0


def smallest_box(values: Tensor, share: float = _HALF) -> Box | None:
    """The smallest box with this share of what is positive; None if nothing is."""
    cells, rows, columns = _cells(values)
    positive = cells.clamp(min=0)
    total = float(positive.sum())
    if not total > 0:
        return None
    sums = F.pad(positive.cumsum(0).cumsum(1), (1, 0, 1, 0))
    tops, bottoms = torch.triu_indices(len(rows), len(rows), 1)
    lefts, rights = torch.triu_indices(len(columns), len(columns), 1)
    bands = sums[bottoms] - sums[tops]
    inside = bands[:, rights] - bands[:, lefts]
    heights = torch.tensor(rows)[bottoms] - torch.tensor(rows)[tops]
    widths = torch.tensor(columns)[rights] - torch.tensor(columns)[lefts]
    area = (heights[:, None] * widths[None]).double()
    enough = inside >= share * total * (1 - 1e-9)
    # Of the smallest boxes, the one with most inside.
    rank = torch.where(enough, area - inside / total / 2, float("inf"))
    best = int(rank.argmin())
    vertical, horizontal = divmod(best, len(lefts))
    return (
        rows[int(tops[vertical])],
        rows[int(bottoms[vertical])] - 1,
        columns[int(lefts[horizontal])],
        columns[int(rights[horizontal])] - 1,
    )


def _place(result: Why, evidence: Evidence) -> str:
    if evidence.box is None:
        return "nothing is for it"
    top, bottom, left, right = evidence.box
    if result.of_series:
        return f"steps {left}-{right}"
    return f"rows {top}-{bottom}, columns {left}-{right}"


def _size(evidence: Evidence) -> str:
    """The size of the box, as a share of the image."""
    if evidence.box is None:
        return ""
    top, bottom, left, right = evidence.box
    return percent((bottom - top + 1) * (right - left + 1) / evidence.values.numel())


def _whole(result: Why) -> str:
    return "series" if result.of_series else "image"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


# ---- text --------------------------------------------------------------------------------------


def why_lines(result: Why, style: Style) -> Iterator[str]:
    """What the terminal shows."""
    columns: list[Column[Evidence]] = [
        Column("method", lambda each: each.method, optional=False),
        Column("half of what is for it is in", lambda each: _place(result, each), optional=False),
        Column(f"of the {_whole(result)}", lambda each: _size(each), True, yields=1),
        Column("if hidden", lambda each: percent(each.without) if each.box else "", True),
        Column("against it", lambda each: percent(each.against), True, yields=2),
        Column("speaks against", lambda each: _speaks_against(result, each), yields=3, least=16),
    ]
    for explained in result.classes:
        yield from wrapped(_title(explained), style, code=BOLD)
        yield from grid([columns], explained.evidence, style)
        yield ""
    for note in result.notes:
        yield from wrapped(note, style)


def _title(explained: Explained) -> str:
    area = f", {percent(explained.area)} of the map" if explained.area is not None else ""
    return f"{explained.name}: {percent(explained.probability)}{area}, score {explained.score:.4g}"


def _speaks_against(result: Why, evidence: Evidence) -> str:
    """The class that the evidence is against, with its probabilities; empty if there is none."""
    if evidence.gains is None or evidence.box is None:
        return ""
    before = float(result.probabilities[evidence.gains])
    name = result.subject.class_name(evidence.gains)
    return f"{name}, {percent(before)} -> {percent(evidence.gained)}"


def why_data(results: Sequence[Why]) -> dict[str, Any]:
    """The figures of all images, for JSON."""
    return {
        "network": results[0].subject.network.name,
        **({"output": results[0].subject.output} if results[0].subject.output else {}),
        "images": [
            {
                "image": result.image.name,
                "label": result.image.label,
                "classes": [
                    {
                        "class": each.index,
                        "name": each.name,
                        "probability": each.probability,
                        "score": each.score,
                        "area": each.area,
                        "methods": [_evidence_data(result, some) for some in each.evidence],
                    }
                    for each in result.classes
                ],
            }
            for result in results
        ],
    }


def _evidence_data(result: Why, evidence: Evidence) -> dict[str, Any]:
    gains = evidence.gains if evidence.box is not None else None
    box = None
    if evidence.box is not None:
        top, bottom, left, right = evidence.box
        rows = {"rows": [top, bottom], "columns": [left, right]}
        box = {"steps": [left, right]} if result.of_series else rows
    return {
        "method": evidence.method,
        "box": box,
        "probability_if_hidden": evidence.without if evidence.box else None,
        "against": evidence.against,
        "speaks_against": None if gains is None else {
            "class": gains,
            "name": result.subject.class_name(gains),
            "probability": float(result.probabilities[gains]),
            "probability_if_hidden": evidence.gained,
        },
    }  # fmt: skip


# ---- pictures ----------------------------------------------------------------------------------


def why_sheet(results: Sequence[Why]) -> PictureSheet:
    """The pictures of all images: for each class the image and each method over it."""
    groups = []
    for result in results:
        seen = result.image.input if result.of_series else viewed(result.image)
        drawn = _series_picture if result.of_series else _picture
        plain = series_picture(seen, _SERIES_WIDTH) if result.of_series else enlarged(seen, _SIDE)
        for explained in result.classes:
            cells = [
                Cell(plain, _about_image(result.image)),
                *(Cell(drawn(seen, each), _caption(result, each)) for each in explained.evidence),
            ]
            name = f"{result.image.name}: " if len(results) > 1 else ""
            groups.append(Group(name + _title(explained), tuple(cells)))
    first = results[0]
    names = {each.name for each in first.classes}
    listed = ", ".join(each.name for each in first.classes) if len(names) < 6 else "some classes"
    return PictureSheet(
        f"Why {listed}?",
        f"{first.subject.name}: {', '.join(each.image.name for each in results)}",
        tuple(groups),
        ColorScale("against the class", "", "for the class"),
        first.notes,
    )


def _about_image(image: InputImage) -> tuple[str, ...]:
    name = image.name.replace("\\", "/").rpartition("/")[2]
    return (name, *((f"its class: {image.label}",) if image.label else ()))


def _caption(result: Why, evidence: Evidence) -> tuple[str, ...]:
    if evidence.box is None:
        return evidence.method, "nothing is for this class", f"against: {percent(evidence.against)}"
    spoken = _speaks_against(result, evidence)
    return (
        evidence.method,
        f"half in {_size(evidence)} of the {_whole(result)};"
        f" {percent(evidence.without)} if that is hidden",
        f"against it: {percent(evidence.against)} of the evidence",
        *((f"speaks against {spoken}",) if spoken else ()),
    )


def _series_picture(seen: Tensor, evidence: Evidence) -> Tensor:
    """Curves over paper that is orange where the evidence is for the class, blue where against."""
    values, _ = scaled(evidence.values)
    picture = series_picture(seen, _SERIES_WIDTH, values[0])
    if evidence.box is None:
        return picture
    height, width = picture.shape[1:]
    steps = seen.shape[-1]
    left, right = evidence.box[2] * width // steps, (evidence.box[3] + 1) * width // steps - 1
    return boxed(picture, (0, height - 1, left, max(left, right)), ABOVE)


def _picture(seen: Tensor, evidence: Evidence) -> Tensor:
    values, share = evidence.values, 1.0
    if evidence.method == "integrated gradients":  # less noise from pixel to pixel
        share = 0.995
        if min(values.shape) >= _SMOOTH_FROM:
            values = F.avg_pool2d(values[None, None], 3, 1, 1)[0, 0]
    values, _ = scaled(values, share)
    picture = enlarged(over_image(seen, values), _SIDE)
    times = picture.shape[-1] // seen.shape[-1]
    boxes = [(evidence.box, ABOVE)]
    if evidence.against >= 0.05:
        boxes.insert(0, (evidence.against_box, BELOW))
    for box, color in boxes:
        if box is not None:
            top, bottom, left, right = box
            large = (top * times, (bottom + 1) * times - 1, left * times, (right + 1) * times - 1)
            picture = boxed(picture, large, color)
    return picture
