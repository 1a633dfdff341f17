"""What becomes of pixels before the network sees them: `normalize imagenet`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, NamedTuple

from ..language.problems import Problem
from ..language.signature import ArgumentError, choice
from .around import Around, taken_out
from .directive import Directive
from .fields import number, real_number, spelled, tuple_of

Numbers = tuple[float, ...]


class Pixels(NamedTuple):
    """Pixels of 0 to 255 are multiplied by `scale`, then (pixel - mean)/std of each channel."""

    scale: float
    mean: Numbers | None
    """None where both are measured on the training images."""
    std: Numbers | None
    order: str
    """`rgb` or `bgr`: in what order the channels go in; mean and std are in that order."""


_HALF = (0.5, 0.5, 0.5)

PRESETS: dict[str, Pixels] = {
    "measured": Pixels(1 / 255, None, None, "rgb"),
    "none": Pixels(1 / 255, (0.0,), (1.0,), "rgb"),
    "imagenet": Pixels(1 / 255, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), "rgb"),
    "inception": Pixels(1 / 255, _HALF, _HALF, "rgb"),
    "caffe": Pixels(1.0, (103.939, 116.779, 123.68), (1.0, 1.0, 1.0), "bgr"),
    "cifar10": Pixels(1 / 255, (0.4914, 0.4822, 0.4465), (0.247, 0.2435, 0.2616), "rgb"),
    "cifar100": Pixels(1 / 255, (0.5071, 0.4865, 0.4409), (0.2673, 0.2564, 0.2762), "rgb"),
    "svhn": Pixels(1 / 255, (0.4377, 0.4438, 0.4728), (0.198, 0.201, 0.197), "rgb"),
    "mnist": Pixels(1 / 255, (0.1307,), (0.3081,), "rgb"),
    "fashion_mnist": Pixels(1 / 255, (0.286,), (0.353,), "rgb"),
    "kmnist": Pixels(1 / 255, (0.1918,), (0.3483,), "rgb"),
    "clip": Pixels(
        1 / 255,
        (0.48145466, 0.4578275, 0.40821073),
        (0.26862954, 0.26130258, 0.27577711),
        "rgb",
    ),
}
"""As published: `imagenet` by torchvision, `inception` and `caffe` by those who trained so named
networks first (`caffe`: without scale, blue first), `clip` by OpenAI, the rest for their data."""


def _deviation(value: object) -> float:
    found = real_number(value)
    if found <= 0:
        raise ArgumentError(f"{found:g} is not above 0")
    return found


def _per_channel(doc: str, deviation: bool) -> Any:
    expects = "a number, or one for each channel like (0.5, 0.5, 0.5)"
    return tuple_of(doc, _deviation if deviation else real_number, expects, None, keyword_only=True)


class Normalize(Directive):
    """What becomes of pixels: in training, evaluation, prediction and export alike."""

    section = "evaluate"
    word = "normalize"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "normalize": "normalise normalization preprocess_input featurewise_center",
        "normalize none": "rescale rescaling totensor todtype convertimagedtype",
        "normalize measured": "standardize featurewise_std_normalization",
    }

    preset: str = choice(
        "numbers measured on the training images, none, or published ones",
        tuple(PRESETS),
        "measured",
        elsewhere={
            "imagenet_default": "imagenet", "imagenet_stats": "imagenet", "torch": "imagenet",
            "tf": "inception", "off": "none", "data": "measured", "auto": "measured",
            "openai": "clip", "vgg": "caffe",
        },
    )  # fmt: skip
    mean: Numbers | None = _per_channel("subtracted from each channel", False)
    std: Numbers | None = _per_channel("what each channel is divided by", True)
    scale: float | None = number(
        "what pixels of 0 to 255 are multiplied by first", None,
        minimum=0, above=True, maximum=1000, keyword_only=True,
    )  # fmt: skip
    order: str | None = choice("which colour comes first", ("rgb", "bgr"), None, keyword_only=True)

    def check(self) -> None:
        if (self.mean is None) != (self.std is None):
            raise ArgumentError("mean and deviation belong together", "write `mean=0.5 std=0.5`")
        if self.mean is not None and self.preset not in ("measured", "none"):
            raise ArgumentError(
                f"`{self.preset}` has a mean and a deviation of its own",
                f"take `{self.preset}` out, or the numbers",
                drop=self.preset,
            )
        if self.mean and self.std and len(self.mean) != len(self.std):
            raise ArgumentError(
                f"{len(self.mean)} means and {len(self.std)} deviations",
                "give one of both for each channel",
            )

    @property
    def pixels(self) -> Pixels:
        """The numbers that it stands for."""
        preset = PRESETS[self.preset]
        return Pixels(
            preset.scale if self.scale is None else self.scale,
            self.mean or preset.mean,
            self.std or preset.std,
            self.order or preset.order,
        )

    def remark(self) -> str:
        scale, mean, std, order = self.pixels
        times = "1/255" if scale == 1 / 255 else f"{scale:g}"
        what = f"pixels of 0 to 255 times {times}"
        if order != "rgb":
            what += ", blue first"
        if mean is None:
            return f"{what}, then less their mean and by their deviation, as measured"
        return f"{what}, then less {spelled(mean)} and by {spelled(std)}"

    def problems(self, around: Around) -> Iterator[Problem]:
        channels, mean = around.channels, self.pixels.mean
        if channels is None or self.origin is None:
            return
        if mean is not None and len(mean) not in (1, channels):
            place = self.place("mean") if self.mean else self.place("preset")
            assert place is not None
            yield around.unfit(
                place,
                f"these are numbers for {len(mean)} channels",
                "write `normalize measured`, or numbers of your own",
            )
        if self.order == "bgr" and channels != 3:
            place = self.place("order")
            assert place is not None
            yield around.unfit(
                place, "only colours have an order", "take `order` out", taken_out(place)
            )
