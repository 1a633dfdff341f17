"""`cnn export --script`: a Python script that answers for photographs with an exported ONNX file.

The script needs numpy, Pillow and onnxruntime, and its preprocessing is bit-identical to that of
`cnn predict`. It contains only what this network needs.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from textwrap import fill

from ..data.images.preprocessing import Preparation
from ..data.images.resize import KEPT
from ..tasks.answer import Scale
from .bands_script import load_bands, of_bands
from .formats import SCRIPT_MARK, script_name
from .resize_script import radius, resize_functions
from .sample_script import of_samples, sample_constants, sample_header, sample_preprocessing
from .script_text import listed, main_text, plain_name, quoted


def inference_script(
    model: str,
    preparation: Preparation,
    classes: Sequence[str],
    *,
    multi_label: bool,
    predicts: bool,
    scale: Scale | None = None,
    thresholds: Sequence[float] = (),
) -> str:
    """The text of the script. `model` is the name of the ONNX file beside it; `predicts` says
    whether the file outputs probabilities, or numbers in their units, and not what precedes them.
    `scale` is that of a network that predicts numbers, `thresholds` those of one that decides each
    class by itself."""

    def code(text: str) -> str:
        return text if preparation.of_images else of_samples(text, preparation)

    does = "Predict numbers for" if scale is not None else "Classify"
    called = "CLASSES" if scale is None else "NAMES"
    main = _NUMBERS if scale is not None else _SEVERAL if multi_label else _CLASSES
    if preparation.of_images:
        header = HEADER.format(
            model=plain_name(model),
            script=plain_name(script_name(Path(model))),
            mark=SCRIPT_MARK,
            does=does,
            answers="numbers" if scale is not None else "probabilities",
            **wording(preparation),
        ).rstrip("\n") + imports(preparation)
        head = constants(model, preparation, classes, called)
        functions = preprocessing(preparation)
    else:
        header = sample_header(model, preparation, does)
        head = sample_constants(model, preparation, classes, called)
        functions = sample_preprocessing(preparation)
    pieces = [
        header.rstrip("\n")
        + "\n"
        + head
        + (_scale(scale) if scale is not None and not predicts else "")
        + (code(_thresholds(thresholds or (0.5,) * len(classes))) if multi_label else ""),
        code(main),
        code(
            _measure(predicts)
            if scale is not None
            else _CLASSIFY.format(
                activation="" if predicts else _SIGMOID if multi_label else _SOFTMAX,
                output="probabilities" if predicts else "logits",
            )
        ),
        *functions,
    ]
    return "\n\n\n".join(piece.strip("\n") for piece in pieces) + END


def preprocessing(preparation: Preparation) -> Iterator[str]:
    """The functions from an image file to the input of the network."""
    yield _prepare(preparation)
    yield load_function(preparation)
    yield from resize_functions(preparation)


def constants(
    model: str, preparation: Preparation, classes: Sequence[str], called: str = "CLASSES"
) -> str:
    fit = preparation.fit
    side = isinstance(fit.resize, int)
    order = ", blue first" if preparation.order == "bgr" else ""
    scale = "1 / 255" if preparation.scale == 1 / 255 else repr(preparation.scale)
    resize = "the shorter side of the resized image" if side else "height and width before the crop"
    if fit.resize == KEPT:
        resize = "images keep their size"
    return f"""
MODEL = Path(__file__).with_name({quoted(model)})
{called} = {listed(classes)}
RESIZE = {fit.resize!r}  # {resize}
CROP = {fit.crop!r}  # height and width of the middle part that the network sees
SCALE = {scale}
MEAN = np.array({list(preparation.mean)!r})  # of each channel, after scaling{order}
STD = np.array({list(preparation.std)!r}){radius(preparation)}
"""


def imports(preparation: Preparation) -> str:
    """The imports of a script for images."""
    if not of_bands(preparation):
        return HEADER_IMPORTS.format(pillow="Image, ImageOps")
    return HEADER_IMPORTS.format(pillow=PILLOW_PAGES).replace(
        "import sys", "import logging\nimport sys"
    )


def wording(preparation: Preparation) -> dict[str, str]:
    """The parts of the header that differ: packages, and how exactly training's preprocessing is
    repeated."""
    packages = "numpy, pillow and onnxruntime"
    if of_bands(preparation):
        packages = "numpy, pillow, onnxruntime and, for most TIFFs, tifffile"
    exact = "bit-identical to" if preparation.depth == 8 else "up to rounding,"
    return {"packages": packages, "exact": exact}


def _scale(scale: Scale) -> str:
    return f"""\
MEANS = np.array({list(scale.means)!r})  # of each number, in the training set
DEVIATIONS = np.array({list(scale.deviations)!r})
"""


def _thresholds(thresholds: Sequence[float]) -> str:
    numbers = ", ".join(f"{each:.9g}" for each in thresholds)
    listed = fill(f"np.array([{numbers}])", 83, subsequent_indent="    ")
    return f"""\
# An image has the classes whose probability is at least:
THRESHOLDS = {listed}
"""


def _measure(predicts: bool) -> str:
    return _MEASURE.format(
        output="numbers" if predicts else "outputs",
        units="" if predicts else _UNITS,
    )


def _prepare(preparation: Preparation) -> str:
    size = _SHORTER_SIDE if isinstance(preparation.fit.resize, int) else "    size = RESIZE\n"
    reverse = "    pixels = pixels[..., ::-1]  # blue first\n" if preparation.order == "bgr" else ""
    return _PREPARE.format(size=size, reverse=reverse)


def load_function(preparation: Preparation) -> str:
    """The function that reads an image file."""
    if of_bands(preparation):
        return load_bands(preparation)
    channels = preparation.channels
    mode, words = ("L", "gray") if channels == 1 else ("RGB", "RGB")
    gray = ".convert('RGB')" if channels == 1 else ""
    add_axis = "[..., None]" if channels == 1 else ""
    return _LOAD.format(mode=mode, words=words, gray=gray.replace("'", '"'), add_axis=add_axis)


HEADER = '''
"""{does} photographs with {model}:

    python {script} photo.jpg other.png

Needs {packages}. {mark}: the preprocessing is
{exact} that of training, so the {answers} are those of `cnn predict`.
"""
'''
HEADER_IMPORTS = """
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import {pillow}
"""
PILLOW_PAGES = "Image, ImageOps, ImageSequence"

_CLASSES = main_text(
    "probabilities = classify(session, path)",
    """\
        print(path)
        for index in np.argsort(-probabilities, kind="stable")[:5]:
            print(f"  {probabilities[index]:8.4%}  {CLASSES[index]}")
""",
)
_SEVERAL = main_text(
    "probabilities = classify(session, path)",
    """\
        print(path)
        order = np.argsort(-probabilities, kind="stable")
        present = [index for index in order if probabilities[index] >= THRESHOLDS[index]]
        for index in present:
            print(f"  {probabilities[index]:8.4%}  {CLASSES[index]}")
        if not present:
            print("  (none of the classes)")
""",
)
_NUMBERS = main_text(
    "numbers = measure(session, path)",
    """\
        print(path)
        for name, number in zip(NAMES, numbers):
            print(f"  {number:14.7g}  {name}")
""",
)

_CLASSIFY = '''
def classify(session, path):
    """The probability of each class."""
    images = prepare(load(path))[None]
    ({output},) = session.run(None, {{"images": images}})
{activation}    return probabilities[0]
'''

_MEASURE = '''
def measure(session, path):
    """The numbers of an image, in the units of the data that the network has learned from."""
    images = prepare(load(path))[None]
    ({output},) = session.run(None, {{"images": images}})
{units}    return numbers[0]
'''
_UNITS = """\
    numbers = outputs[:, : len(MEANS)] * DEVIATIONS + MEANS
"""

_SOFTMAX = """\
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities = exponentials / exponentials.sum(axis=1, keepdims=True)
"""
_SIGMOID = """\
    probabilities = 1 / (1 + np.exp(-logits))  # of each class by itself
"""

_PREPARE = '''
def prepare(pixels):
    """Resizes, crops and normalizes bytes (height x width x channels) for the network."""
    height, width = pixels.shape[:2]
{size}    pixels = resize(pixels, size)
    top, left = round((size[0] - CROP[0]) / 2), round((size[1] - CROP[1]) / 2)
    pixels = pixels[top : top + CROP[0], left : left + CROP[1]]
{reverse}    factor, offset = (SCALE / STD).astype(np.float32), (-MEAN / STD).astype(np.float32)
    return (pixels * factor + offset).transpose(2, 0, 1)
'''
_SHORTER_SIDE = """\
    if height <= width:
        size = RESIZE, int(RESIZE * width / height)
    else:
        size = int(RESIZE * height / width), RESIZE
"""

_LOAD = '''
def load(path):
    """Reads an image file as bytes, height x width x channels: upright, in {words}, transparent
    pixels blended with white."""
    image = ImageOps.exif_transpose(Image.open(path))
    if image.mode[0] in "IF":  # 16 bits, or floating point from 0 to 1
        values = np.asarray(image if image.mode in ("I", "F") else image.convert("I"), dtype=float)
        white = 65535 if image.mode[0] == "I" else 1 if values.max() <= 1 else 255
        image = Image.fromarray(np.rint(values * (255 / white)).astype(np.uint8))
    elif image.has_transparency_data:
        image = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image){gray}
    return np.asarray(image.convert("{mode}")){add_axis}
'''


END = """


if __name__ == "__main__":
    main()
"""
