"""The data set that `cnn pack` packs: that of a spec, or of the words of a `data` line. The same
functions read it as for training, so what training refuses is refused here."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from ...compiler.commands.terminal import UsageError
from ...compiler.plan.data import Data, Split, TableData
from ...compiler.plan.plan import TrainPlan
from ..data.diagnostic import plural_noun
from ..data.images.bit_depth import channels_of, depth_of
from ..data.loader.image_source import Arrays, Contents, Files
from ..data.open import contents_of
from ..data.samples.sample_layout import noun_of
from ..data.samples.sample_source import Samples
from ..data.sources.divide import divide
from ..data.sources.read import contents
from ..data.sources.table import answer_columns
from ..recipe.pairs import pairs_in
from ..recipe.survey import expected_shape

if TYPE_CHECKING:
    from ..data.loader.image_source import ImageSource


@dataclass(frozen=True, eq=False)
class WholeSet:
    """What is to be packed."""

    contents: Contents
    channels: int
    """Those of an image, of all inputs together."""
    depth: int
    """The bits of a channel."""
    inputs: tuple[tuple[str, int], ...] = ()
    """For a network with several inputs: the name and the channels of each."""
    plan: TrainPlan | None = None
    """That of a spec, if it is one."""


def set_of_plan(plan: TrainPlan, base: Path, *, split: bool = False) -> WholeSet:
    """The data set of a spec; with `split`, its validation part is drawn now. Raises SpecError."""
    if plan.has_samples:
        raise _no_images(noun_of(plan.sample))
    whole = contents_of(plan, base)
    if split:
        divided = divide(whole, plan.train.data, plan.train.split)
        whole = replace(whole, parts=divided.parts, groups=())
    return _whole(whole, plan.sample[0], plan)


def set_of_data(data: Data, base: Path, *, split: bool = False) -> WholeSet:
    """The data set of a `data` line. Raises SpecError."""
    pairs = pairs_in(data, base)
    if pairs is not None:
        return _whole(pairs.contents, pairs.channels, None)
    shape = expected_shape(data, base)
    outputs = answer_columns(data, base) if isinstance(data, TableData) else {}
    whole = contents(data, base, shape, outputs=outputs)
    if split:
        divided = divide(whole, data, Split.make())
        whole = replace(whole, parts=divided.parts, groups=())
    return _whole(whole, 0, None)


def _whole(whole: Contents, channels: int, plan: TrainPlan | None) -> WholeSet:
    train = whole.parts["train"]
    if isinstance(train, Samples):
        raise _no_images(whole.noun)
    if isinstance(train, Arrays):
        own = train.images.shape[1] - train.further
        if train.images.ndim != 4:
            raise _no_images(whole.noun)
        if whole.answers and train.further:
            raise UsageError(
                "arrays of a network with several outputs, some of which are maps, are not packed:"
                " list image files in a table"
            )
        inputs = _inputs(plan)
        return WholeSet(whole, own, 8 if train.images.element_size() == 1 else 32, inputs, plan)
    known = depth_of(train)
    channels = channels or known.channels or _colors(train)
    parts: dict[str, ImageSource] = {
        part: replace(source, depth=known.kept) if isinstance(source, Files) else source
        for part, source in whole.parts.items()
    }
    return WholeSet(replace(whole, parts=parts), channels, known.kept, _inputs(plan), plan)


def _inputs(plan: TrainPlan | None) -> tuple[tuple[str, int], ...]:
    return () if plan is None else tuple((each.name, each.channels) for each in plan.inputs)


def _colors(files: Files) -> int:
    """The channels of most images: 1 if they are gray, 3 if they have colors."""
    found, _ = channels_of(files, 4)
    return 1 if found == 1 else 3


def _no_images(noun: str) -> UsageError:
    return UsageError(
        f"`cnn pack` packs images, not {plural_noun(noun)}: save them as .npy files, which are"
        " mapped into memory already (`data npy`)"
    )
