"""How the images of a set are stored in a pack: their files as they are, resized and encoded again,
or decoded to arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ...compiler.commands.terminal import UsageError
from ...compiler.plan.plan import TrainPlan
from ..augment.random_crop import RandomCrop
from ..data.diagnostic import counted
from ..data.images.resize import KEPT, Fit, evaluation_fit, training_fit
from ..data.loader.image_source import Contents, Files
from ..data.packs.packed_files import PackFiles

Side = int | tuple[int, int]
QUALITY = 90


@dataclass(frozen=True)
class Prepare:
    """How images are stored."""

    kind: str
    """`jpeg`, `fit` or `raw`."""
    channels: int
    """Those of a decoded image, of all inputs together."""
    depth: int = 8
    """The bits of a channel that are stored."""
    quality: int = QUALITY
    """That of JPEG."""
    fits: Mapping[str, Fit | None] | None = None
    """How images of each part are resized; None: not at all."""
    notes: tuple[str, ...] = ()
    """What somebody who trains with the pack should know."""

    def fit(self, part: str) -> Fit | None:
        return (self.fits or {}).get(part)

    def about(self) -> dict[str, Any]:
        """What is said of it in the index."""
        about: dict[str, Any] = {}
        if self.kind != "jpeg":
            about["channels"] = self.channels
            sizes = {part: fit.resize for part, fit in (self.fits or {}).items() if fit}
            if sizes:
                about["resized"] = sizes
                about["interpolation"] = {
                    part: fit.mode for part, fit in (self.fits or {}).items() if fit
                }
        if self.kind == "fit":
            about["quality"] = self.quality
        if self.notes:
            about["notes"] = self.notes
        return about


def prepared(
    kind: str,
    whole: Contents,
    plan: TrainPlan | None,
    *,
    channels: int,
    depth: int,
    side: Side | None,
    quality: int,
) -> Prepare:
    """How a data set is stored; raises SpecError if it cannot be stored in this way. `plan` is that
    of a spec, if there is one; `side` is a size that the user wants."""
    if kind == "jpeg":
        _must_have_files(whole)
        return Prepare(kind, channels, depth)
    source = whole.parts["train"]
    maps = source.targets > 0
    if kind == "fit":
        _must_be_encodable(channels, depth, maps, files=has_files(whole))
    fits: dict[str, Fit | None] = dict.fromkeys(whole.parts)
    notes: tuple[str, ...] = ()
    if side is not None and not maps:
        fits = dict.fromkeys(whole.parts, Fit(side, "bilinear", (1, 1)))
    elif plan is not None and not maps:
        fits, notes = _fits_of(kind, whole, plan)
    elif kind == "fit":
        raise UsageError(
            "to `fit` images, their size must be known: name a spec, whose `evaluate` section says"
            " it, or write `--resize 256`"
        )
    return Prepare(kind, channels, depth, quality, fits, notes)


def _fits_of(
    kind: str, whole: Contents, plan: TrainPlan
) -> tuple[dict[str, Fit | None], tuple[str, ...]]:
    """The resize of a spec for each part. Images are never cropped: training and evaluation crop
    what they need."""
    evaluation = evaluation_fit(plan)
    crop = RandomCrop.of(plan)
    training: Fit | None = training_fit(plan)
    notes: tuple[str, ...] = ()
    if crop is not None and crop.fit is not None:
        training = crop.fit
    elif crop is not None and isinstance(whole.parts["train"], Files):
        training = None if kind == "raw" else evaluation
        if kind == "fit" and evaluation.resize != KEPT:
            notes = (
                f"random crops are cut out of images resized to {_shown(evaluation)} pixels, not"
                " out of whole files; `--resize 512` keeps more",
            )
        elif kind == "raw":
            notes = (
                "images have their own sizes, since random crops are cut out of whole images;"
                " `--resize 256` makes them smaller",
            )
    fits = {part: None if _keeps(evaluation) else evaluation for part in whole.parts}
    if training is None or _keeps(training):
        fits["train"] = None
    else:
        fits["train"] = training
    drawn = "val" not in whole.parts
    one = fits["train"]
    if drawn and (one is None or (one.resize, one.mode) != (evaluation.resize, evaluation.mode)):
        # Images for validation are drawn from these, and are resized otherwise.
        if kind == "raw" or one is None or _keeps(evaluation):
            fits["train"] = None
        else:
            fits["train"] = max(one, evaluation, key=lambda fit: _area(fit))
    return fits, notes


def _keeps(fit: Fit) -> bool:
    return fit.resize == KEPT


def _area(fit: Fit) -> int:
    height, width = fit.resized(1000, 1000)
    return height * width


def _shown(fit: Fit) -> str:
    return "x".join(map(str, fit.resize)) if isinstance(fit.resize, tuple) else str(fit.resize)


def has_files(whole: Contents) -> bool:
    """Whether images are files, or members of tar files, that could be kept as they are."""
    return all(
        isinstance(source, Files) and not (isinstance(source, PackFiles) and source.arrays)
        for source in whole.parts.values()
    )


def _must_have_files(whole: Contents) -> None:
    if not has_files(whole):
        raise UsageError(
            "the images are arrays, not files that could be kept as they are; `--as raw` keeps"
            " their numbers"
        )


def _must_be_encodable(channels: int, depth: int, maps: bool, *, files: bool) -> None:
    if channels in (1, 3) and depth == 8 and not maps:
        return
    why = (
        "images are to be answered, whose pixels JPEG would change"
        if maps
        else f"images have {counted(channels, 'channel')} of"
        f" {'8 bits' if depth == 8 else 'more than 8 bits'}, and JPEG holds gray or colors of 8"
    )
    raise UsageError(
        f"`--as fit` does not suit this data: {why};"
        + (" `--as jpeg` keeps the files as they are," if files else "")
        + " `--as raw` keeps all numbers"
    )
