"""`evaluate { composite 4 3 2 }`: the bands of images that people see."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import ClassVar

from ..language.kinds import real_number, tuple_of
from ..language.problems import Problem
from ..language.signature import ArgumentError
from ..language.values import show
from ..shapes import axes_of
from .directive import Context, Directive


def _band(value: object) -> int:
    number = real_number(value)
    if not number.is_integer() or not 1 <= number <= 2**10:
        raise ArgumentError(f"{show(value)} is not the number of a band, from 1")
    return int(number)


class Composite(Directive):
    """Which bands are shown as red, green and blue, where images have other bands than colors.

    The network sees all bands. Reports, sheets of augmentation, overlays of masks and `cnn show`
    show these: `composite 4 3 2` of Sentinel-2. One band is shown in gray. By default, the first
    three are shown.
    """

    section = "evaluate"
    word = "composite"
    may_be_off = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "composite": "rgb_bands rgb_channels band_composite false_color true_color",
    }

    bands: tuple[int, ...] = tuple_of(
        "the numbers of three bands, or of one, from 1", _band, "numbers of bands like 4 3 2",
        many=True, example="3 2 1", write=lambda value: " ".join(map(str, value)),
    )  # fmt: skip

    @classmethod
    def fits_series(cls) -> bool:
        return False

    def check(self) -> None:
        if len(self.bands) not in (1, 3):
            raise ArgumentError(
                f"there are {len(self.bands)} bands, and a picture shows one in gray, or three",
                "name those for red, green and blue: `composite 4 3 2`",
            )

    def needs_one_input(self) -> str:
        return "its bands are those of a single input"

    def problems(self, context: Context) -> Iterator[Problem]:
        place = self.place("bands")
        if context.network is None or place is None:
            return
        shape = context.network.input.shape
        if axes_of(shape) != 2:
            yield context.unfit(place, "only images have bands that are shown as colors")
        elif max(self.bands) > shape[0]:
            bands = "1 band" if shape[0] == 1 else f"{shape[0]} bands"
            yield context.unfit(
                place,
                f"there is no band {max(self.bands)}: images have {bands}",
                help="bands count from 1",
            )
