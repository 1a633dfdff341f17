"""Finds the arrays of images and labels in a .npz file, or among those that a program passes, by
their usual names.

Needs numpy, not torch.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy

from ....compiler.plan.data import UNLABELLED, NamedArrays, Npz
from ....compiler.shapes import Shape, axes_of
from ....dsl.diagnostics import SpecError
from ...untrusted.bad_file import BadFile, Kind
from ...untrusted.npz import NpzArrays, SingleArray, open_npz
from ..diagnostic import listed, problem
from .array_masks import masks_in
from .file_names import clean, resolve
from .labels import Labels, as_labels, labels_or_missing, together
from .unfit import Unfit

_IMAGES = "x X images image data imgs"
_LABELS = "y Y labels label target targets classes_of_images masks mask segmentation"
_PARTS = {"train": "train training", "val": "val valid validation dev", "test": "test testing"}
_CLASSES = "class_names classes label_names target_names names categories"


class GivenArrays(dict[str, Any]):
    """Arrays that a program passes, with names like those in a file."""

    def shape(self, name: str) -> Shape:
        return tuple(self[name].shape)

    def mapped(self, name: str) -> Any:
        return self[name]


Archive = NpzArrays | GivenArrays


def count(
    data: Npz,
    base: Path,
    shape: Shape = (),
    *,
    as_numbers: bool = False,
    inputs: Sequence[str] = (),
) -> int:
    """The number of classes of a file, or of numbers for each image; the images are not read.
    `shape` is that of the network's input, and `inputs` are the names of several."""
    with opened(data, resolve(data.path, base)) as archive:
        return count_in(data, archive, shape, as_numbers=as_numbers, inputs=inputs)


def count_in(
    data: Npz, archive: Archive, shape: Shape, *, as_numbers: bool, inputs: Sequence[str]
) -> int:
    pairs = named_pairs(data, list(archive), inputs)
    masks = masks_in(data, archive, pairs, class_names(data, archive), shape)
    if masks is not None:
        return len(masks.classes)
    return len(labels_of(data, archive, pairs, as_numbers=as_numbers).classes)


# ---- the names of arrays ---------------------------------------------------------------------


def named_pairs(
    data: NamedArrays, there: list[str], inputs: Sequence[str] = ()
) -> dict[str, tuple[str, str]]:
    """The names of the arrays of images and of labels, for each part. For a network with several
    inputs, the images are those of the first."""
    if inputs:
        return _labeled(data, there, arrays_of_inputs(data, there, inputs), inputs[0])
    if data.images or data.labels:
        return {"train": (_given(data, "images", there), _given(data, "labels", there))}
    pairs = {}
    for part, words in _PARTS.items():
        images = _first(there, _names(_IMAGES, words))
        labels = _first(there, _names(_LABELS, words))
        if images and labels:
            pairs[part] = images, labels
        elif images or labels:
            raise problem(
                "no-such-array",
                f"{data.path} has `{images or labels}`, but not the"
                f" {'labels' if images else 'images'} that belong to it",
                data,
                notes=(f"it has {listed([f'`{name}`' for name in there], 12)}",),
                help='name the arrays: `images="…" labels="…"`',
            )
    if "train" in pairs:
        return pairs
    images, labels = _first(there, _IMAGES.split()), _first(there, _LABELS.split())
    if images and labels and not pairs:
        return {"train": (images, labels)}
    if there == ["arr_0", "arr_1"]:
        return {"train": ("arr_0", "arr_1")}
    raise problem(
        "no-such-array",
        f"{data.path} has no arrays with the usual names of training images and labels",
        data,
        notes=(f"it has {listed([f'`{name}`' for name in there], 12)}",) if there else (),
        help="usual names are `x_train` and `y_train`, with `x_test` and `y_test`, or `images` and"
        ' `labels`; to use other names, write `images="…" labels="…"`',
    )


def arrays_of_inputs(
    data: NamedArrays, there: list[str], inputs: Sequence[str]
) -> dict[str, dict[str, str]]:
    """For each part, the names of the arrays of all inputs: `depth_train` or `x_depth_train`;
    `depth` if there are no parts. Raises SpecError if one is missing."""
    found = {
        part: {name: _first(there, _names(f"{name} x_{name}", words)) for name in inputs}
        for part, words in _PARTS.items()
    }
    found = {part: arrays for part, arrays in found.items() if any(arrays.values())}
    if not found:
        found = {"train": {name: _first(there, [name, f"x_{name}"]) for name in inputs}}
    for part, arrays in found.items():
        for name, array in arrays.items():
            if not array:
                known = next(filter(None, arrays.values()), "")
                ending = f"_{part}" if known.endswith(f"_{part}") or part != "train" else ""
                raise problem(
                    "no-such-array",
                    f"{data.path} has no images for the input `{name}`: an array `{name}{ending}`",
                    data,
                    notes=(f"it has {listed([f'`{each}`' for each in there], 12)}",),
                    help="name the arrays as the inputs of the network",
                )
    if "train" not in found:
        (part, arrays), *_ = found.items()
        array = next(iter(arrays.values()))
        raise problem(
            "no-such-array", f"{data.path} has `{array}` for {part}, and none for training", data
        )
    return found


def _labeled(
    data: NamedArrays, there: list[str], found: Mapping[str, Mapping[str, str]], first: str
) -> dict[str, tuple[str, str]]:
    """The arrays of an input with those of the labels."""
    pairs = {}
    for part, arrays in found.items():
        given = [data.labels] if data.labels else []
        usual = [*_names(_LABELS, _PARTS[part]), *(_LABELS.split() if len(found) == 1 else ())]
        label = _first([name for name in there if name not in arrays.values()], [*given, *usual])
        if not label:
            raise problem(
                "no-such-array",
                f"{data.path} has `{arrays[first]}`, but not the labels that belong to it",
                data,
                notes=(f"it has {listed([f'`{name}`' for name in there], 12)}",),
                help=f"name them `y_{part}`" if len(found) > 1 else 'write `labels="…"`',
            )
        pairs[part] = arrays[first], label
    return pairs


_INPUTS = f"{_IMAGES} input inputs noisy low lr blurry degraded gray"
_TARGETS = f"{_LABELS} clean high hr sharp color gt output outputs"


def named_images(data: Npz, there: list[str]) -> dict[str, tuple[str, str]]:
    """The names of the arrays of images and of what may be their targets, "" without one, for each
    part."""
    if data.images or data.labels:
        images = _given(data, "images", there)
        return {"train": (images, _given(data, "labels", there) if data.labels else "")}
    found = {}
    for part, words in _PARTS.items():
        images = _first(there, _names(_INPUTS, words))
        if images:
            found[part] = images, _first(there, _names(_TARGETS, words))
    if "train" in found:
        return found
    images = _first(there, _INPUTS.split()) or (there[0] if len(there) <= 2 and there else "")
    if not images:
        return named_pairs(data, there)  # raises
    others = [name for name in there if name != images]
    target = _first(others, _TARGETS.split()) or (others[0] if there[0] == "arr_0" else "")
    return {"train": (images, target)}


def _names(stems: str, parts: str) -> list[str]:
    return [
        name
        for part in parts.split()
        for stem in stems.split()
        for name in (f"{stem}_{part}", f"{part}_{stem}")
    ]


def _first(there: list[str], names: list[str]) -> str:
    return next((name for name in names if name in there), "")


def _given(data: NamedArrays, argument: str, there: list[str]) -> str:
    name: str | None = getattr(data, argument)
    usual = _first(there, (_IMAGES if argument == "images" else _LABELS).split())
    if name is None and usual:
        return usual
    if name is not None and name in there:
        return name
    raise problem(
        "no-such-array",
        f"{data.path} has no array `{name}`" if name else f"the array of {argument} is not named",
        data,
        argument=argument,
        notes=(f"it has {listed([f'`{name}`' for name in there], 12)}",),
        help=f'name one of them: `{argument}="{there[0] if there else "…"}"`',
    )


# ---- reading ---------------------------------------------------------------------------------


@contextmanager
def opened(data: Npz, path: Path) -> Iterator[NpzArrays]:
    """A context in which the archive is open; raises SpecError."""
    try:
        with open_npz(path) as arrays:
            yield arrays
    except BadFile as error:
        raise _cannot_use(data, path, error) from None


def _cannot_use(data: Npz, path: Path, error: BadFile) -> SpecError:
    message, help = f"{data.path} {error}", error.help
    notes: tuple[str, ...] = ()
    if isinstance(error, SingleArray):
        message = f"{data.path} has a single array, but images and labels are needed"
        help = 'numpy.savez("data.npz", x_train=images, y_train=labels)'
    if path.is_dir():
        help = f'write `data folder "{data.path}"`'
    if error.kind == "missing":
        message = f"there is no file {data.path}"
        notes = (f"looked for at {clean(str(path.absolute()))}",)
    return problem(_CODES[error.kind], message, data, notes=notes, help=help)


_CODES: dict[Kind, str] = {
    "damaged": "data-damaged",
    "limit": "data-limit",
    "code": "data-code",
    "kind": "data-shape",
    "missing": "no-such-file",
    "not-a-file": "not-a-file",
    "unreadable": "unreadable",
}


def labels_of(
    data: NamedArrays,
    archive: Mapping[str, Any],
    pairs: Mapping[str, tuple[str, str]],
    *,
    as_numbers: bool = False,
) -> Labels:
    """The labels of all parts; with `as_numbers`, whole ones are numbers, too."""
    arrays = [archive[label] for _, label in pairs.values()]
    names = class_names(data, archive)
    try:
        return as_labels(arrays, names, as_numbers=as_numbers)
    except Unfit as error:
        which = listed([f"`{label}`" for _, label in pairs.values()])
        message = f"{which} in {data.path} cannot be labels: {error}"
        raise problem("data-shape", message, data, argument="labels") from None


def several_labels(
    data: NamedArrays,
    archive: Archive,
    outputs: Mapping[str, bool],
    wanted: Shape,
    inputs: Sequence[str] = (),
) -> tuple[dict[str, tuple[str, str]], Labels, dict[str, OutputMasks]]:
    """The arrays of images and of the first labels of each part, and the labels of all outputs:
    `age_train` or `y_age_train` for the output `age`; `age` if there are no parts. And the masks of
    each output that answers with one."""
    there = list(archive)
    found: dict[str, dict[str, str]] = {}
    images: dict[str, str] = {}
    of_inputs = arrays_of_inputs(data, there, inputs) if inputs else {}
    if list(of_inputs) == ["train"] and of_inputs["train"][inputs[0]] in (
        inputs[0], f"x_{inputs[0]}"
    ):  # fmt: skip
        images = {"train": of_inputs["train"][inputs[0]]}
        found = {"train": {name: _first(there, [name, f"y_{name}"]) for name in outputs}}
        of_inputs = {}
    for part, words in _PARTS.items():
        if images:
            break
        if inputs:
            of_images = of_inputs.get(part, {}).get(inputs[0], "")
        else:
            of_images = _first(there, _names(_IMAGES, words))
        if of_images:
            images[part] = of_images
            found[part] = {
                name: _first(there, _names(f"{name} y_{name}", words)) for name in outputs
            }
    if not images and _first(there, _IMAGES.split()):
        images = {"train": _first(there, _IMAGES.split())}
        found = {"train": {name: _first(there, [name, f"y_{name}"]) for name in outputs}}
    listing = f"it has {listed([f'`{name}`' for name in there], 12)}"
    if "train" not in images:
        raise problem(
            "no-such-array",
            f"{data.path} has no array with a usual name of training images, as `x_train`",
            data,
            notes=(listing,),
        )
    for part, labels in found.items():
        lacking = next((name for name, array in labels.items() if not array), "")
        if lacking:
            ending = images[part][1:] if images[part][1:].startswith("_") else ""
            raise problem(
                "no-such-array",
                f"{data.path} has no labels for the output `{lacking}`: an array"
                f" `{lacking}{ending}`",
                data,
                notes=(listing,),
            )
    each: dict[str, Labels] = {}
    masks: dict[str, OutputMasks] = {}
    for name, as_numbers in outputs.items():
        pairs = {part: (images[part], labels[name]) for part, labels in found.items()}
        if all(len(archive.shape(label)) > 2 for _, label in pairs.values()):
            masks[name] = masks_of_output(data, archive, name, pairs, wanted)
            each[name] = masks[name].labels
            continue
        arrays = [archive[labels[name]] for labels in found.values()]
        try:
            each[name] = labels_or_missing(arrays, (), as_numbers=as_numbers, name=name)
        except Unfit as error:
            message = f"`{found['train'][name]}` in {data.path} cannot be labels: {error}"
            raise problem("data-shape", message, data) from None
    first = next(iter(outputs))
    pairs = {part: (images[part], found[part][first]) for part in images}
    return pairs, together(each), masks


class OutputMasks(NamedTuple):
    """The masks of one of several outputs."""

    labels: Labels
    """Whether an image has a mask: 0, or NaN if no pixel of it has a label."""
    names: dict[str, str]
    """The name of the array of each part."""
    parts: dict[str, Any]
    """The class of each pixel: uint8, images x height x width."""


def masks_of_output(
    data: NamedArrays,
    archive: Archive,
    output: str,
    pairs: Mapping[str, tuple[str, str]],
    wanted: Shape,
) -> OutputMasks:
    """The masks of one of several outputs; `pairs` has the arrays of images and masks of each
    part. The names of their classes may be in an array, `mask_classes` for the output `mask`."""
    if axes_of(wanted) != 2:
        raise problem(
            "data-shape",
            f"the labels of the output `{output}` are masks; of several outputs, only those of"
            " networks that take images may be",
            data,
            help="train a network with this output only",
        )
    found = masks_in(data, archive, pairs, class_names(data, archive, output), wanted)
    assert found is not None  # they have more than two axes
    parts = {part: found.numbers.of(array) for part, array in found.parts.items()}
    there = [
        numpy.where((each == UNLABELLED).all((1, 2)), numpy.nan, 0.0).astype(numpy.float32)
        for each in parts.values()
    ]
    labels = Labels(there, found.classes, "segmentation")
    return OutputMasks(labels, {part: label for part, (_, label) in pairs.items()}, parts)


def class_names(data: NamedArrays, archive: Mapping[str, Any], output: str = "") -> tuple[str, ...]:
    """The names of the classes; those of one of several outputs have an array of their own."""
    names = [f"{output}_classes"] if output else _CLASSES.split()
    name = _first(list(archive), names)
    if not name:
        return ()
    array = archive[name]
    return tuple(map(str, array.tolist())) if array.ndim == 1 and array.dtype.kind == "U" else ()
