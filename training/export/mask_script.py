"""`cnn export --script` of a network for masks: a Python script that writes the masks of
photographs with an exported ONNX file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ..data.images.preprocessing import Preparation
from ..masks.class_colors import class_colors
from .formats import SCRIPT_MARK, script_name
from .script import END, constants, imports, preprocessing, wording
from .script_text import main_text, plain_name


def mask_script(model: str, preparation: Preparation, classes: Sequence[str]) -> str:
    """The text of the script. `model` is the name of the ONNX file beside it, whose outputs may be
    logits or probabilities: the class of a pixel is the same."""
    colors = ", ".join(str(tuple(color)) for color in class_colors(classes).tolist())
    header = _HEADER.format(
        model=plain_name(model),
        script=plain_name(script_name(Path(model))),
        mark=SCRIPT_MARK,
        **wording(preparation),
    )
    first = header.strip("\n") + imports(preparation).rstrip("\n") + "\n"
    palette = f"COLORS = [{colors}]  # of the classes, red, green and blue\n"
    start = first + constants(model, preparation, classes) + palette
    pieces = [start, _MAIN, _SEGMENT, *preprocessing(preparation)]
    return "\n\n\n".join(piece.strip("\n") for piece in pieces) + END


_HEADER = '''
"""Write the masks of photographs with {model}:

    python {script} photo.jpg other.png

The mask of photo.jpg is photo_mask.png, of the same size: class numbers, with a color for each.
Needs {packages}. {mark}: the preprocessing is
{exact} that of training, so the masks are those of `cnn predict`.
"""
'''

_MAIN = main_text(
    """\
            mask = segment(session, path)
            picture = Image.fromarray(mask)
            picture.putpalette([level for color in COLORS for level in color])
            picture.save(Path(path).with_name(f"{Path(path).stem}_mask.png"))
""",
    """\
        print(path)
        counts = np.bincount(mask.ravel(), minlength=len(CLASSES))
        for index in np.argsort(-counts, kind="stable"):
            if counts[index]:
                print(f"  {counts[index] / mask.size:8.4%}  {CLASSES[index]}")
""",
)

_SEGMENT = '''
def segment(session, path):
    """The class number of each pixel of an image, in the size of the image."""
    pixels = load(path)
    (outputs,) = session.run(None, {"images": prepare(pixels)[None]})
    size = pixels.shape[1], pixels.shape[0]
    resized = (Image.fromarray(one).resize(size, Image.Resampling.BILINEAR) for one in outputs[0])
    return np.argmax([np.asarray(one) for one in resized], axis=0).astype(np.uint8)
'''
