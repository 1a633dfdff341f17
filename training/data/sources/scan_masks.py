"""The classes of masks that no file names: the numbers that occur in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ....compiler.plan.data import UNLABELLED, HuggingFace, Shards
from ..diagnostic import problem


def classes_in_masks(
    data: HuggingFace | Shards, masks: Iterable[Callable[[], str | bytes]]
) -> tuple[tuple[str, ...], bool]:
    """The classes, and whether masks are black and white. Each of `masks` reads one, or raises
    BadImage: it is then named when it is read again. Raises SpecError if there are no classes."""
    from ..images.image_file import BadImage, quiet
    from ..images.mask_file import mask_values

    values: set[int] = set()
    with quiet():
        for read in masks:
            try:
                values |= set(map(int, set(mask_values(read()).flat)))
            except BadImage:
                continue
    values -= set(data.ignore or ())
    if values and values <= {0, UNLABELLED} and UNLABELLED in values:
        return ("background", "object"), True
    values.discard(UNLABELLED)
    if not values:
        message = f"the masks in {data.path} have no class numbers"
        raise problem("no-classes", message, data)
    return tuple(map(str, range(max(values) + 1))), False
