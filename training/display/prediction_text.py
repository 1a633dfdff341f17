"""What `cnn predict` prints: the most probable classes of each image, as a table or JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from ...compiler.report.grid import Column, grid
from ...compiler.report.style import BOLD, Style
from ...dsl.render import show
from ..inference.predict import Prediction


class _Line(NamedTuple):
    image: str
    name: str
    probability: float
    first: bool


def prediction_text(predictions: Sequence[Prediction], style: Style) -> str:
    """A table of the images that could be read; the name of an image is beside its top class."""
    lines = [
        _Line(show(each.image) if not place else "", show(guess.name), guess.probability, not place)
        for each in predictions
        for place, guess in enumerate(each.guesses)
    ]
    columns: list[Column[_Line]] = [
        Column("image", lambda line: line.image, least=12),
        Column("class", lambda line: line.name, least=12),
        Column("probability", lambda line: f"{100 * line.probability:.2f} %", right=True),
    ]
    table = grid([columns], lines, style, lambda line, _column: BOLD if line.first else "")
    return "\n".join(table)


def prediction_json(
    about: Mapping[str, object], predictions: Sequence[Prediction], classes: Sequence[str]
) -> dict[str, Any]:
    return {
        **about,
        "classes": list(classes),
        "images": [
            {
                "image": each.image,
                "predictions": [
                    {"class": guess.name, "probability": guess.probability}
                    for guess in each.guesses
                ],
                **({"problem": each.reason} if each.reason else {}),
            }
            for each in predictions
        ],
    }
