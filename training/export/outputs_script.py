"""`cnn export --script` of a network with several outputs: a Python script that prints the answer
of each for photographs, series or scans, with an exported ONNX file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ..data.images.preprocessing import Preparation
from ..masks.class_colors import class_colors
from ..tasks.multi_label import MultiLabel
from ..tasks.multi_task import MultiTask, One
from ..tasks.regression import Regression
from ..tasks.segmentation import Segmentation
from .formats import SCRIPT_MARK, script_name
from .sample_script import of_samples, sample_constants, sample_header, sample_preprocessing
from .script import END, HEADER, constants, imports, preprocessing, wording
from .script_text import listed, main_text, plain_name, quoted


def outputs_script(model: str, preparation: Preparation, task: MultiTask, *, predicts: bool) -> str:
    """The text of the script. `model` is the name of the ONNX file beside it; `predicts` says
    whether the file outputs answers, and not what precedes them."""
    names = [one.name for one in task.each]
    if preparation.of_images:
        header = HEADER.format(
            model=plain_name(model),
            script=plain_name(script_name(Path(model))),
            mark=SCRIPT_MARK,
            does="Answer for",
            answers="answers",
            **wording(preparation),
        ).rstrip("\n") + imports(preparation)
        if task.has_maps:
            header = header.replace("\nNeeds ", _WRITES, 1)
        head = constants(model, preparation, names, "OUTPUTS")
        functions = preprocessing(preparation)
    else:
        header = sample_header(model, preparation, "Answer for")
        head = sample_constants(model, preparation, names, "OUTPUTS")
        functions = sample_preprocessing(preparation)
    kinds = {type(one.task) for one in task.each}
    plain = [_ANSWER, _READ_FILE if preparation.of_images else of_samples(_READ_FILE, preparation)]
    pieces = [
        header.rstrip("\n") + "\n" + head + "\n".join(_constants(task, predicts)) + "\n",
        *([_MAIN_OF_MASKS, _ANSWER_OF_MASKS, _MASK] if task.has_maps else [_MAIN, *plain]),
        *(["" if predicts else _SOFTMAX] if kinds - {Regression, MultiLabel, Segmentation} else []),
        *functions,
    ]
    return "\n\n\n".join(piece.strip("\n") for piece in pieces if piece) + END


def _constants(task: MultiTask, predicts: bool) -> Iterator[str]:
    """What each output stands for."""
    yield "KINDS = {"
    for one in task.each:
        yield f"    {quoted(one.name)}: {quoted(_kind(one))},"
    yield "}\nNAMES = {  # of the classes or numbers of each output"
    for one in task.each:
        names = listed(one.task.classes, 80).replace("\n", "\n    ")
        yield f"    {quoted(one.name)}: {names},"
    yield "}"
    several = [one for one in task.each if isinstance(one.task, MultiLabel)]
    if several:
        yield "THRESHOLDS = {  # an image has the classes whose probability is at least:"
        for one in several:
            chosen = one.answer.thresholds or (0.5,) * len(one.task.classes)
            numbers = ", ".join(f"{each:.9g}" for each in chosen)
            yield f"    {quoted(one.name)}: [{numbers}],"
        yield "}"
    numbers_of = [one for one in task.each if isinstance(one.task, Regression)]
    if numbers_of and not predicts:
        yield "SCALES = {  # mean and deviation of each number, in the training set"
        for one in numbers_of:
            means, deviations = map(list, one.answer.scale)
            yield f"    {quoted(one.name)}: np.array([{means!r}, {deviations!r}]),"
        yield "}"
    masks = [one for one in task.each if one.answer.is_mask]
    if masks:
        yield "COLORS = {  # of the classes of each mask, red, green and blue"
        for one in masks:
            colors = ", ".join(map(str, map(tuple, class_colors(one.task.classes).tolist())))
            yield f"    {quoted(one.name)}: [{colors}],"
        yield "}"
    yield f"PREDICTS = {predicts}  # whether the file outputs probabilities and numbers in units"


def _kind(one: One) -> str:
    if isinstance(one.task, Regression):
        return "numbers"
    if one.answer.is_mask:
        return "mask"
    return "several classes" if isinstance(one.task, MultiLabel) else "class"


_WRITES = """
The masks are written beside photo.jpg, as photo_OUTPUT.png, of the same size: class numbers, with a
color for each. Needs """

_ANSWERED = """\
            answers = answer(session, path)
"""
_TOLD = """\
        print(path)
        for name, values in answers.items():
            print(f"  {name}")
            order = np.argsort(-values, kind="stable")
            if KINDS[name] == "numbers":
                for each, number in zip(NAMES[name], values):
                    print(f"    {number:14.7g}  {each}")
                continue
            if KINDS[name] == "several classes":
                order = [index for index in order if values[index] >= THRESHOLDS[name][index]]
            for index in order[:5]:
                print(f"    {values[index]:8.4%}  {NAMES[name][index]}")
            if not len(order):
                print("    (none of the classes)")
"""
_MAIN = main_text(_ANSWERED, _TOLD)

_MAIN_OF_MASKS = main_text(
    _ANSWERED
    + """\
            for name in COLORS:
                picture = Image.fromarray(answers[name])
                picture.putpalette([level for color in COLORS[name] for level in color])
                picture.save(Path(path).with_name(f"{Path(path).stem}_{name}.png"))
""",
    _TOLD.replace(
        """\
            print(f"  {name}")
""",
        """\
            print(f"  {name}")
            if KINDS[name] == "mask":
                shares = np.bincount(values.ravel(), minlength=len(NAMES[name])) / values.size
                for index in np.argsort(-shares, kind="stable"):
                    if shares[index]:
                        print(f"    {shares[index]:8.4%}  {NAMES[name][index]}")
                continue
""",
    ),
)

_ANSWER = '''
def answer(session, path):
    """The probabilities or numbers of each output, by its name."""
    found = session.run(None, {session.get_inputs()[0].name: read(path)})
    answers = {}
    for name, outputs in zip(OUTPUTS, found):
        kind, values = KINDS[name], outputs[0]
        if not PREDICTS and kind == "numbers":
            mean, deviation = SCALES[name]
            values = values[: len(mean)] * deviation + mean
        elif not PREDICTS and kind == "several classes":
            values = 1 / (1 + np.exp(-values))  # of each class by itself
        elif not PREDICTS:
            values = softmax(values)
        answers[name] = values
    return answers
'''

_ANSWER_OF_MASKS = (
    _ANSWER.replace(
        """    found = session.run(None, {session.get_inputs()[0].name: read(path)})
""",
        """    pixels = load(path)
    found = session.run(None, {session.get_inputs()[0].name: prepare(pixels)[None]})
""",
    )
    .replace(
        """        if not PREDICTS and kind == "numbers":
""",
        """        if kind == "mask":
            values = mask_of(values, pixels)
        elif not PREDICTS and kind == "numbers":
""",
    )
    .replace(
        "The probabilities or numbers of each output, by its name.",
        "The probabilities, the numbers or the mask of each output, by its name.",
    )
)

_MASK = '''
def mask_of(outputs, pixels):
    """The class number of each pixel of an image, in the size of the image."""
    size = pixels.shape[1], pixels.shape[0]
    resized = (Image.fromarray(one).resize(size, Image.Resampling.BILINEAR) for one in outputs)
    return np.argmax([np.asarray(one) for one in resized], axis=0).astype(np.uint8)
'''

_READ_FILE = """
def read(path):
    return prepare(load(path))[None]
"""

_SOFTMAX = """
def softmax(logits):
    exponentials = np.exp(logits - logits.max())
    return exponentials / exponentials.sum()
"""
