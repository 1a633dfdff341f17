"""answers-val.npz and answers-test.npz in a run folder: writes and reads them. A run may be from
anybody, so what is read is checked: its size, its form, and every number that is used as a place.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy
from numpy.typing import NDArray

from ...dsl.atomic_file import write_whole
from ..untrusted.bad_file import BadFile, damaged, guarded, too_large
from ..untrusted.json_text import Optional, load_json, misfit, natural, number
from ..untrusted.npz import NpzArrays, open_npz
from .kept_answers import FORMS, MOST_IMAGES, ONE_CLASS, Array, KeptAnswers, OutputAnswers

FORMAT = 1
"""Raised when older programs could not read it."""
_MOST_BYTES = 256 * 2**20

_ABOUT = {
    "format": natural,
    "part": str,
    "noun": str,
    "epoch": (None, natural),
    "images": natural,
    "outputs": [
        {"name": str, "task": str, "classes": [str], "thresholds": Optional([number])},
    ],
}


def answers_name(part: str) -> str:
    return f"answers-{part}.npz"


def write_answers(folder: Path, answers: KeptAnswers) -> Path:
    """Writes them into a run folder, completely or not at all; raises OSError."""
    about = {
        "format": FORMAT,
        "part": answers.part,
        "noun": answers.noun,
        "epoch": answers.epoch,
        "images": answers.images,
        "outputs": [
            {
                "name": output.name,
                "task": output.task,
                "classes": output.classes,
                "thresholds": output.thresholds,
            }
            for output in answers.outputs
        ],
    }
    arrays: dict[str, Array] = {"about": _text(json.dumps(about, ensure_ascii=False))}
    arrays["ids"] = answers.ids
    if answers.names:
        arrays["names"] = _text(json.dumps(answers.names, ensure_ascii=False))
    for place, output in enumerate(answers.outputs):
        if len(output.rows) < len(answers.ids):
            arrays[f"{place}.rows"] = output.rows.astype(numpy.uint32)
        arrays |= {f"{place}.{name}": array for name, array in output.arrays.items()}
    file = io.BytesIO()
    numpy.savez_compressed(file, **arrays)  # type: ignore[arg-type]
    path = folder / answers_name(answers.part)
    write_whole(path, file.getvalue())
    return path


def _text(text: str) -> NDArray[numpy.uint8]:
    return numpy.frombuffer(text.encode("utf-8", "surrogatepass"), numpy.uint8)


def lacks_answers(folder: Path, part: str, epoch: int | None) -> bool:
    """Whether a run has no readable answers of the weights of this epoch."""
    try:
        return read_answers(folder, part).epoch != epoch
    except BadFile:
        return True


def read_answers(folder: Path, part: str) -> KeptAnswers:
    """Reads the answers of a run; raises BadFile."""
    path = folder / answers_name(part)
    with open_npz(path) as archive:
        about = _json(archive, "about")
        place = misfit(about, _ABOUT)
        if place:
            raise damaged(f"`{place}` is missing in its description, or not of the expected type")
        if about["format"] > FORMAT:
            raise BadFile("was written by a later version", "kind", "update dotcnn")
        ids = _array(archive, "ids", "u", 1)
        if ids.dtype != numpy.uint64 or len(ids) > MOST_IMAGES:
            raise damaged("its identities of images are not of the expected form")
        names = _json(archive, "names") if "names" in archive else []
        if misfit(names, [str]) or len(names) not in (0, len(ids)):
            raise damaged("its names do not belong to its images")
        outputs = tuple(
            _output(archive, number, entry, len(ids))
            for number, entry in enumerate(about["outputs"])
        )
        if not outputs:
            raise damaged("it has no answers")
        return KeptAnswers(
            about["part"], about["noun"], about["epoch"], about["images"],
            ids.astype(numpy.uint64), tuple(names), outputs,
        )  # fmt: skip


def _output(archive: NpzArrays, place: int, about: dict[str, Any], images: int) -> OutputAnswers:
    task, classes = about["task"], tuple(about["classes"])
    if task not in FORMS:
        raise damaged(f"its kind of answer, `{task[:40]}`, is not known")
    rows = numpy.arange(images)
    if f"{place}.rows" in archive:
        rows = _array(archive, f"{place}.rows", "u", 1).astype(numpy.int64)
        if len(rows) > images or (numpy.diff(rows) <= 0).any() or (rows >= images).any():
            raise damaged("its rows are not those of its images")
    form = next(
        (form for form in FORMS[task] if all(f"{place}.{name}" in archive for name in form)), None
    )
    if form is None:
        raise damaged(f"answers of an output are missing ({task})")
    arrays = {}
    for name, (kinds, axes) in form.items():
        array = _array(archive, f"{place}.{name}", kinds, axes)
        if len(array) != len(rows):
            raise damaged(f"`{name}` is not as long as there are images")
        if axes == 2 and name not in ("best", "shares") and array.shape[1] != len(classes):
            raise damaged(f"`{name}` is not as wide as there are classes")
        arrays[name] = array
    if task == ONE_CLASS:
        best, label = arrays["best"], arrays["label"]
        if best.shape != arrays["shares"].shape or not best.shape[1]:
            raise damaged("its most probable classes are not of the expected form")
        if len(rows) and max(int(best.max()), int(label.max())) >= len(classes):
            raise damaged("it has a class that has no name")
    thresholds = tuple(map(float, about.get("thresholds", ())))
    if len(thresholds) not in (0, len(classes)):
        raise damaged("its thresholds do not belong to its classes")
    return OutputAnswers(about["name"], task, classes, rows, arrays, thresholds)


def _array(archive: NpzArrays, name: str, kinds: str, axes: int) -> Array:
    array: Array = _read(archive, name)
    if array.dtype.kind not in kinds or array.ndim != axes:
        raise damaged(f"`{name}` is not of the expected form")
    return array


def _json(archive: NpzArrays, name: str) -> Any:
    array = _read(archive, name)
    if array.dtype != numpy.uint8:
        raise damaged(f"`{name}` is not a text")
    with guarded(f"`{name}` is not a text"):
        return load_json(array.tobytes().decode("utf-8", "surrogatepass"))


def _read(archive: NpzArrays, name: str) -> Any:
    if name not in archive:
        raise damaged(f"`{name}` is missing")
    shape = archive.shape(name)
    if any(side > _MOST_BYTES for side in shape):
        raise too_large(f"claims `{name}` to have {max(shape):,} items")
    return archive[name]
