"""`cnn export --script` of a network with several inputs: the script of one with one input, which
reads a file for each input and normalizes each by its own numbers."""

from __future__ import annotations

import re
from dataclasses import replace

from ..data.images.preprocessing import Preparation
from .script_text import quoted


def why_not(preparation: Preparation) -> str:
    """What keeps such a script from being written; empty if nothing does."""
    if not preparation.of_images:
        return "the script reads files of several inputs, and only those of images are"
    if preparation.depth > 8 or {each.channels for each in preparation.inputs} - {1, 3}:
        return "the script reads gray images and colors of 8 bits for several inputs"
    return ""


def as_one(preparation: Preparation) -> Preparation:
    """The preprocessing of one input in color, for the script that is then changed."""
    return replace(preparation, channels=3, inputs=(), mean=(0.0,) * 3, std=(1.0,) * 3)


def of_inputs(script: str, preparation: Preparation) -> str:
    """The script for one input, changed into one for several."""
    names = [each.name for each in preparation.inputs]
    files = " ".join(f"{name}={name[:1]}.png" for name in names)
    changes = [
        (r"photo\.jpg other\.png", f"{files} ...", 1),
        (r"(?m)^MEAN = .*$", _numbers("MEAN", preparation), 1),
        (r"(?m)^STD = np\.array\(\[.*\]\)(.*)$", _numbers("STD", preparation) + r"\1", 1),
        (r"if len\(sys\.argv\) < 2:", "samples = samples_of(sys.argv[1:])\n    if not samples:", 1),
        (r"for path in sys\.argv\[1:\]:", "for paths in samples:", 1),
        (r"print\(path\)", 'print(", ".join(paths.values()))', 1),
        (r'print\(f"\{path\}: \{error\}"', 'print(*paths.values(), error, sep=": "', 1),
        (r"\(session, path\)", "(session, paths)", 2),
        (r"    images = prepare\(load\(path\)\)\[None\]\n", "", None),
        (r'\{"images": images\}|\{session\.get_inputs\(\)\[0\]\.name: read\(path\)\}',
         "read(session, paths)", 1),
        (r"\ndef read\(path\):\n    return prepare\(load\(path\)\)\[None\]\n\n\n", "\n", None),
        (r"def prepare\(pixels\):", "def prepare(pixels, name):", 1),
        (r"    factor, offset = .*\n", _FACTOR, 1),
        (r"def load\(path\):", "def load(path, channels):", 1),
        (r"upright, in RGB, trans", "upright, in gray or RGB, trans", None),
        (r'    return np\.asarray\(image\.convert\("RGB"\)\)', _IN_CHANNELS, 1),
    ]  # fmt: skip
    for pattern, text, count in changes:
        script, found = re.subn(pattern, text, script)
        assert count is None or found == count, pattern
    at = script.index("def prepare(")
    return script[:at] + _SAMPLES.strip("\n") + "\n\n\n" + script[at:]


def _numbers(name: str, preparation: Preparation) -> str:
    """A constant with the numbers of each input, and before the first the inputs themselves."""
    lines, start = [], 0
    for each in preparation.inputs:
        own = getattr(preparation, name.lower())[start : start + each.channels]
        lines.append(f"    {quoted(each.name)}: np.array({list(own)!r}),\n")
        start += each.channels
    text = f"{name} = {{\n{''.join(lines)}}}"
    if name != "MEAN":
        return text
    channels = ", ".join(f"{quoted(each.name)}: {each.channels}" for each in preparation.inputs)
    inputs = f"INPUTS = {{{channels}}}  # the channels of each\n"
    return f"{inputs}# Of each channel of each input, after scaling:\n{text}"


_FACTOR = """\
    mean, std = MEAN[name], STD[name]
    factor, offset = (SCALE / std).astype(np.float32), (-mean / std).astype(np.float32)
"""
_IN_CHANNELS = """\
    if channels == 1:
        image = image.convert("RGB") if image.mode == "RGBA" else image
        return np.asarray(image.convert("L"))[..., None]
    return np.asarray(image.convert("RGB"))"""

_SAMPLES = '''
def samples_of(words):
    """The files of each sample by their inputs: of words like image=a.png depth=b.png."""
    files = {name: [] for name in INPUTS}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or name not in files:
            sys.exit(f"{word}: write a file for each input, like " + " ".join(
                f"{name}=FILE" for name in INPUTS
            ))
        files[name].append(path)
    if len({len(paths) for paths in files.values()}) > 1:
        sys.exit("each sample needs a file for each input: " + ", ".join(INPUTS))
    return [dict(zip(files, paths)) for paths in zip(*files.values())]


def read(session, paths):
    """The input of the network, by the names in its file."""
    pixels = {name: load(paths[name], channels) for name, channels in INPUTS.items()}
    if len({each.shape[:2] for each in pixels.values()}) > 1:
        raise ValueError("its inputs differ in size")
    prepared = [prepare(pixels[name], name)[None] for name in INPUTS]
    return {each.name: one for each, one in zip(session.get_inputs(), prepared)}
'''
