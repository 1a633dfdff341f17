"""Augmentations that move pixels: flip, rotate, scale, shift, shear, perspective, elastic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from ...language.kinds import Range, about_one, choice, flag, number, ranged, share
from ...language.signature import ArgumentError
from .augmentation import Augmentation, filling, probability
from .passes import MOVE, WARP, Fill, Size, kernel_size


class Flip(Augmentation):
    """Mirror images at random."""

    word = "flip"
    pass_kind = MOVE
    keeps_border = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "flip horizontal": "RandomHorizontalFlip HorizontalFlip horizontal_flip fliplr hflip"
        " RandomFlip FlipItem do_flip mirror rand_mirror random_mirror Fliplr left_right",
        "flip vertical": "RandomVerticalFlip VerticalFlip Flipud rand_flip up_down vertical_flip"
        " flipud vflip flip_vert",
    }

    axis: str = choice(
        "`horizontal` swaps left and right, `vertical` top and bottom, `both` draws for each",
        ("horizontal", "vertical", "both"),
        elsewhere={"lr": "horizontal", "ud": "vertical", "h": "horizontal", "v": "vertical"},
    )
    alternate: bool = flag(
        "mirror each image in every second epoch: at random in the first, then in turn"
    )
    p: float = probability(0.5)

    def check(self) -> None:
        if self.alternate and self.p != 0.5:
            raise ArgumentError(
                "with `alternate` an image is mirrored in every second epoch, whatever `p` is",
                "take one of them out",
                drop="p",
            )
        if self.alternate and self.axis == "both":
            raise ArgumentError(
                "`alternate` mirrors along one axis: of four views, an image would have two",
                "write `flip horizontal alternate`",
                drop="alternate",
            )


class Warp(Augmentation):
    """Base of directives that move pixels by a matrix; the area outside the image is filled."""

    pass_kind = WARP

    def fill_beyond(self, input_size: Size) -> Fill:
        return fill_levels(self.arguments["fill"])


def fill_levels(fill: Fill) -> Fill:
    return (0.0,) if fill == "zero" else fill


class Rotate(Warp):
    """Rotate about the center by a random angle."""

    word = "rotate"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "rotate": "angle Rotate turn RandomRotate max_rotation RandomRotation rotation_range"
        " rotation SafeRotate max_rotate degrees",
    }

    degrees: Range = ranged("largest angle, counter-clockwise", 180, "degrees", example="20",
                           elsewhere="limit angle angles max_angle factor")  # fmt: skip
    p: float = probability()
    fill: Any = filling()


class Scale(Warp):
    """Zoom in or out about the center."""

    word = "scale"
    synonyms = ("zoom",)
    elsewhere: ClassVar[Mapping[str, str]] = {
        "scale": "RandomZoomOut ScaleX ScaleY stretch aspect_scale RandomZoom zoom_range"
        " RandomScale ScaleJitter max_zoom min_zoom zoomout",
    }

    factor: Range = about_one("the factor; above 1 enlarges", above=True, example="0.9..1.1")
    p: float = probability()
    fill: Any = filling()


class Shift(Warp):
    """Translate images by a random distance."""

    word = "shift"
    example = "shift 10%"
    usage = "shift by x=… y=… p=100% fill=zero"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "shift": "translate RandomTranslation Translate",
        "shift x=10%": "width_shift_range TranslateX shift_x",
        "shift y=10%": "height_shift_range TranslateY shift_y",
    }

    by: Range | None = ranged("in both directions, as a share of width and height", 1, "", None)
    x: Range | None = ranged(
        "to the right only, as a share of the width", 1, "", None, keyword_only=True
    )
    y: Range | None = ranged("down only, as a share of the height", 1, "", None, keyword_only=True)
    p: float = probability()
    fill: Any = filling()

    def check(self) -> None:
        if self.by is None and self.x is None and self.y is None:
            raise ArgumentError("no distance is given", "write `shift 10%`")
        if self.by is not None and self.x is not None and self.y is not None:
            raise ArgumentError("both directions are given twice", "take `by` out", drop="by")


class Shear(Warp):
    """Shear images by a random angle."""

    word = "shear"
    elsewhere: ClassVar[Mapping[str, str]] = {"shear": "skew ShearX Shear shear_range RandomShear"}

    x: Range = ranged("shear angle of columns", 89, "degrees", example="10")
    y: Range = ranged("shear angle of rows", 89, "degrees", (0.0, 0.0), keyword_only=True)
    p: float = probability()
    fill: Any = filling()


class Perspective(Warp):
    """Change the viewpoint by a random homography."""

    word = "perspective"
    projective = True
    elsewhere: ClassVar[Mapping[str, str]] = {
        "perspective": "PerspectiveTransform RandomPerspective Perspective max_warp"
        " distortion_scale warp warping",
    }

    distortion: float = share("how far corners may move, as a share of half the image", 0.5)
    p: float = probability(0.5)
    fill: Any = filling()


class Elastic(Warp):
    """Elastic deformation by a smooth random displacement field (Simard et al., 2003)."""

    word = "elastic"
    displaces = True
    for_series = "stretch 0.9..1.1"
    elsewhere: ClassVar[Mapping[str, str]] = {
        "elastic": "OpticalDistortion RandomElasticTransform ElasticTransformation2d local_warp"
        " ElasticTransformation PiecewiseAffine ElasticTransform GridDistortion",
    }

    alpha: float = number("strength of the displacement, in pixels", 50.0, minimum=0,
                          maximum=10_000)  # fmt: skip
    sigma: float = number(
        "standard deviation of the Gaussian that smooths it, in pixels", 5.0,
        minimum=0, above=True, maximum=1_000,
    )  # fmt: skip
    p: float = probability()

    def enlarged(self, factor: int) -> Elastic:
        return self.replace(alpha=factor * self.alpha, sigma=factor * self.sigma)

    fill: Any = filling()

    def warp_macs(self) -> int:
        """The smoothing: a separable kernel over both displacements."""
        return 4 * kernel_size(self.sigma, 8)
