"""Counts the classes of the data, which `fc classes` needs before the network is built.

Neither torch nor Pillow is imported, and no image is read; of `data npz`, the labels are read with
numpy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ....compiler.build.elaborate import examine as elaborate
from ....compiler.build.scoping import sections_of
from ....compiler.language.overrides import SectionOverride
from ....compiler.network import Network
from ....compiler.plan.data import (
    Coco,
    Data,
    Folder,
    HuggingFace,
    Idx,
    NpyFolder,
    Npz,
    SeriesText,
    Shards,
    TableData,
    classes_of,
)
from ....compiler.plan.loss import Loss, learns_images
from ....compiler.plan.make import examine
from ....compiler.plan.number_loss import NumberLoss
from ....compiler.plan.plan import NamedInput
from ....compiler.shapes import Shape
from ....dsl.diagnostics import SpecError
from ....dsl.program import Program
from ..diagnostic import problem
from ..packs.count_pack import count_in_pack, packed_folder
from ..samples.sample_endings import is_sample
from .file_names import resolve
from .folder_tree import Unreadable, classes_in, must_be_folder, parts_in
from .mask_folder import mask_set
from .several_inputs import input_folders, must_have_inputs
from .tags import tag_set

if TYPE_CHECKING:
    from .arrays_given import ArrayData


def classes_for(
    program: Program,
    base: Path,
    overrides: Sequence[SectionOverride] = (),
    *,
    network: str | None = None,
    parameters: Mapping[str, object] | None = None,
    input_shape: Shape | None = None,
    arrays: ArrayData | None = None,
) -> int | None:
    """The value of `classes` in a spec, to be passed to `elaborate`; None if the spec names no
    data, or its classes cannot be counted. `arrays` is the data if a program passes it. Raises
    SpecError if the data does not exist.

    The spec may have errors; they are reported when the network is built.
    """
    built = elaborate(program, network=network, overrides=parameters, input_shape=input_shape)
    if built.network is not None and len(built.network.outputs) > 1:
        return None  # each output has its own
    context = examine(program, sections_of(program), built.network, overrides).context
    data = context.find(Data)
    if learns_images(context):
        return None
    as_numbers = isinstance(context.find(Loss), NumberLoss)
    if data is None:
        return None
    shape = input_shape or (built.network.input.shape if built.network is not None else ())
    inputs = _inputs(built.network)
    try:
        if arrays is not None:
            names = [each.name for each in inputs]
            return arrays.count(shape, as_numbers=as_numbers, inputs=names)
        return count_classes(data, base, shape, as_numbers=as_numbers, inputs=inputs)
    except SpecError:
        if built.network is None:  # its errors come first: it may have several outputs
            return None
        raise


def _inputs(network: Network | None) -> tuple[NamedInput, ...]:
    """The inputs of a network that has several; else none."""
    inputs = network.inputs if network is not None else ()
    return tuple(NamedInput(node.name, node.shape[0]) for node in inputs) if inputs[1:] else ()


def count_classes(
    data: Data,
    base: Path,
    shape: Shape = (),
    *,
    as_numbers: bool = False,
    inputs: Sequence[NamedInput] = (),
) -> int | None:
    """The number of classes, or of numbers for each image; None if it is not known. `shape` is that
    of the network's input, and `inputs` those of a network that has several. Raises SpecError if
    there is no such data."""
    if isinstance(data, Shards) and (folder := packed_folder(data, base)) is not None:
        return count_in_pack(data, folder, as_numbers=as_numbers)
    must_have_inputs(data, inputs)
    match data:
        case Folder():
            return _of_folder(data, base, shape, [each.name for each in inputs])
        case TableData():
            from .table import classes_of_table

            return len(classes_of_table(data, base, shape, as_numbers=as_numbers, inputs=inputs))
        case NpyFolder():
            from .npy_files import count_in_folder

            return count_in_folder(data, base, shape, as_numbers=as_numbers)
        case SeriesText():
            from .series_lines import count_in_lines

            return count_in_lines(data, base, as_numbers=as_numbers)
        case HuggingFace():
            from .hugging_face import count_in_hugging_face

            return count_in_hugging_face(data, base, as_numbers=as_numbers)
        case Shards():
            from .shards import count_in_shards

            return count_in_shards(data, base, as_numbers=as_numbers)
        case Coco():
            from .coco import read_coco

            return len(read_coco(data, base).classes)
        case Npz():
            from .npz_file import count

            names = [each.name for each in inputs]
            return count(data, base, shape, as_numbers=as_numbers, inputs=names)
        case Idx():
            from .idx import idx_groups, read

            groups = idx_groups(data, base)
            return 1 + max(
                max(read(data, group.labels, 1).numbers, default=0) for group in groups.values()
            )
    return classes_of(data)


def _of_folder(data: Folder, base: Path, shape: Shape, inputs: Sequence[str]) -> int | None:
    root = resolve(data.path, base)
    must_be_folder(root, data.path, data)
    try:
        if inputs:
            first = {
                part: places[0] for part, places in input_folders(data, root, base, inputs).items()
            }
            masks = mask_set(data, root, first)
            if masks is not None:
                return len(masks.classes.names)
            return len(classes_in(first["train"])) or None
        masks = None if is_sample(shape) else mask_set(data, root)
        if masks is not None:
            return len(masks.classes.names)
        tags = None if is_sample(shape) else tag_set(data, root)
        if tags is not None:
            return len(tags.classes)
        return len(classes_in(parts_in(root).get("train", root))) or None
    except Unreadable as error:
        raise problem("unreadable", str(error), data) from None
