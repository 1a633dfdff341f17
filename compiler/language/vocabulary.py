"""The words of the language that a statement can begin with."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from ..ops import REGISTRY

SECTIONS = ("train", "augment", "evaluate", "transfer")
"""What stands at the top of a file beside blocks and networks."""


class Form(NamedTuple):
    """How a word of the language is written that is neither a layer nor a directive."""

    usage: str
    """What stands behind its word and its arguments."""
    meaning: str
    example: str
    """Within a network whose maps have 16 channels; of a statement, a part of a file."""


FORMS: dict[str, Form] = {
    "input": Form(
        "",
        "The shape of the network's input, which is its first line: channels x height x width.",
        "input 3x224x224",
    ),
    "residual": Form(
        "{ body }",
        "Input + body. Where their shapes differ, `shortcut` decides how the input is adapted:"
        " `auto`, a 1x1 convolution with batch norm; `pad`, added channels of zeros; `match`, the"
        " body alone. `project` always has the convolution, `identity` takes equal shapes"
        " only. `residual { | body | shortcut }` writes both paths out.",
        "residual { conv 16 3x3 same, bn, relu, conv 16 3x3 same, bn }",
    ),
    "dense": Form(
        "{ body }",
        "Input and body side by side: the input's channels come first, then the body's.",
        "dense { bn, relu, conv 12 3x3 same }",
    ),
    "gate": Form(
        "{ body }",
        "Input x body, where the body gives one number for each channel (squeeze and excitation),"
        " for each position, or for each element.",
        "gate { pool avg global, conv 4 1x1, relu, conv 16 1x1, sigmoid }",
    ),
    "inception": Form(
        "{ | path | path … }",
        "Paths from the same input, their outputs side by side, by channels.",
        "inception { | conv 8 1x1 | conv 16 3x3 same | pool max 3x3 stride=1 same }",
    ),
    "concat": Form(
        "name name … or concat { | path | path … }",
        "The channels of paths, or of labelled layers, one after the other.",
        "a: conv 16 1x1, b: conv 8 3x3 same, concat a b",
    ),
    "add": Form(
        "name name … or add { | path | path … }",
        "The sum of paths, or of labelled layers; their shapes are equal. With one name, the"
        " other is the current input.",
        "a: conv 16 1x1, conv 16 3x3 same, add a",
    ),
    "mul": Form(
        "name name … or mul { | path | path … }",
        "The product of paths, or of labelled layers.",
        "mul { | conv 16 1x1 | conv 16 3x3 same, sigmoid }",
    ),
    "maximum": Form(
        "name name … or maximum { | path | path … }",
        "The elementwise maximum of paths (maxout), or of labelled layers.",
        "maximum { | conv 16 1x1 | conv 16 3x3 same }",
    ),
    "split": Form(
        "{ | path | path … }",
        "The input channels are divided evenly among the paths, whose outputs are side by"
        " side again (ShuffleNet). An empty path passes its channels on.",
        "split { | | conv 8 1x1, bn, relu }",
    ),
    "aux": Form(
        "{ body }",
        "An auxiliary classifier: an extra output with a loss of its own, in training"
        " only. Its input passes on unchanged.",
        "aux weight=0.3 { pool avg global, flatten, fc classes }",
    ),
    "from": Form(
        "name",
        "Continues from a labelled layer, instead of from the line before.",
        "a: conv 16 3x3 same, conv 8 1x1, from a",
    ),
    "allow": Form(
        '"code" …',
        "Silences warnings of these codes for the network or body that contains it.",
        'allow "small-field"',
    ),
    "init": Form(
        "",
        "How weights are initialized, for the network or body that contains it.",
        "init he",
    ),
}
"""How layers are put together."""

STATEMENTS: dict[str, Form] = {
    "network": Form(
        "Name(parameter=default, …) { input CxHxW … }",
        "A network. Parameters are set with `--set`; the last network of a file counts.",
        "network Small(width=8) { input 3x32x32, conv width 3x3, pool avg global, flatten, fc 10 }",
    ),
    "block": Form(
        "name(parameter, parameter=default, …) { body }",
        "A reusable part of networks, used like a layer: `unit 64 stride=2`.",
        "block unit(out, stride=1) { conv out 3x3 stride=stride same, bn, relu }",
    ),
    "repeat": Form(
        "n [as i] { body }", "The body n times; `i` counts from 0.", "repeat 3 { relu }"
    ),
    "for": Form(
        "name, … in [values] { body }",
        "The body once for each value.",
        "for width, stride in [(16, 1), (32, 2)] { conv width 3x3 stride=stride same }",
    ),
    "if": Form("condition { body } else { body }", "One body or the other.", "if on { relu }"),
    "let": Form("name = expression", "A name for a value.", "let wide = 2 * channels"),
    "import": Form(
        '"file" or import name, … from "file"',
        "Blocks of another file, relative to this one.",
        'import "blocks.cnn"',
    ),
}
"""Statements of the language itself."""

SHORTCUTS = ("auto", "match", "project", "identity", "pad")
"""What a residual's input may pass through."""


@lru_cache(maxsize=1)
def layer_words() -> frozenset[str]:
    """What can begin a statement of a network's body, blocks apart."""
    return frozenset({word.split(" ", 1)[0] for word in REGISTRY} | set(FORMS))
