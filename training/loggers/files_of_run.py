"""What tools that keep files get of a run: images of mistakes, and the drawing of the network."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import suppress

from PIL import Image

from ...compiler.analysis import analyse
from ...compiler.report.drawing.formats import draw
from ...compiler.report.drawing.paint import TooLarge
from ..metrics.mistake import Mistake
from ..trainer.callbacks import RunEnd, RunStart
from .confusion_picture import confusion_picture


def drawing(start: RunStart, format: str) -> str:
    """The network as `cnn draw` draws it: svg, html; empty if it is too large for that."""
    if start.graph is not None:
        with suppress(TooLarge):
            return draw(analyse(start.graph), format).decode()
    return ""


def confusion_matrices(end: RunEnd, start: RunStart) -> Iterator[tuple[str, Image.Image]]:
    """The confusion matrix of each output that answers with classes, by its name."""
    if end.outcome is None:
        return
    outcomes = dict(end.outcome.outputs) or {"": end.outcome}
    for name, outcome in outcomes.items():
        classes = tuple(outcome.per_class) or tuple(start.classes)
        if len(outcome.confusion) and len(classes) == len(outcome.confusion):
            title = f"confusion_matrix/{name}" if name else "confusion_matrix"
            yield title, confusion_picture(outcome.confusion, classes)


def picture(mistake: Mistake) -> Image.Image:
    array = mistake.image.permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(array[:, :, 0] if array.shape[2] == 1 else array)


def png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "png")
    return file.getvalue()
