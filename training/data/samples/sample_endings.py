"""Which files may hold series and scans, by their names. Needs no torch."""

from __future__ import annotations

from ....compiler.shapes import Shape, axes_of

ARRAYS = (".npy", ".npz")
TEXTS = (".csv", ".tsv", ".txt")
SOUND = (".wav", ".wave")


def is_sample(shape: Shape) -> bool:
    """Whether a shape is that of a series or a scan, and not of an image."""
    return axes_of(shape) in (1, 3)


def endings_for(shape: Shape) -> tuple[str, ...]:
    """The endings of files that may hold a sample of a shape."""
    return (*ARRAYS, *((*SOUND, *TEXTS) if axes_of(shape) == 1 else ()))


def in_archive(name: str) -> bool:
    """Whether a file is called like those of the UCR archive: `GunPoint_TRAIN.tsv`."""
    stem, dot, ending = name.rpartition(".")
    in_text = f"{dot}{ending}".lower() in TEXTS
    return (stem if in_text else name).endswith(("_TRAIN", "_TEST"))


def may_hold(name: str, shape: Shape) -> bool:
    """Whether a file may hold a sample of a shape."""
    return name.lower().endswith(endings_for(shape))
