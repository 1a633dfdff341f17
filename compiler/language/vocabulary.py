"""The vocabulary: forms and statements of the language, with their usage and documentation."""

from __future__ import annotations

from collections.abc import Container
from typing import NamedTuple

from ..ops import REGISTRY
from .words_in_force import cached_by_words

SECTIONS = ("train", "augment", "evaluate", "transfer", "sweep")
"""The sections at the top level of a file."""


class Form(NamedTuple):
    """The documentation of a word that is neither a layer nor a directive."""

    usage: str
    """The text after its word and its arguments."""
    meaning: str
    example: str
    """An example, for a network whose maps have 16 channels; for a statement, a part of a file."""


FORMS: dict[str, Form] = {
    "input": Form(
        "",
        "The shape of the input: channels x height x width of an image, channels x length of a"
        " series (`input 1x16000`), channels x depth x height x width of a scan or a video (`input"
        " 3x16x112x112`), or how many numbers there are (`input 784`). It is the first line of a"
        " network. Several inputs have names, `input image 3x224x224`, and `from image` begins"
        " with one.",
        "input 3x224x224",
    ),
    "residual": Form(
        "{ body }",
        "Input + body. Where their shapes differ, `shortcut` decides how the input is adapted:"
        " `auto`, a 1x1 convolution of the body's stride, with batch norm; `pad`, added channels"
        " of zeros; `match`, the body alone. `project` always has the convolution, `identity`"
        " takes equal shapes only. `residual { | body | shortcut }` writes both paths out.",
        "residual { conv 16 3x3 same, bn, relu, conv 16 3x3 same, bn }",
    ),
    "dense": Form(
        "{ body }",
        "Concatenates input and body by channels: first the input's channels, then the body's.",
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
        "Parallel paths from the same input, concatenated by channels.",
        "inception { | conv 8 1x1 | conv 16 3x3 same | pool max 3x3 stride=1 same }",
    ),
    "concat": Form(
        "name name … or concat { | path | path … }",
        "Concatenates paths, or labeled layers, by channels. With one name, what arrives comes"
        " first; with several, these alone.",
        "a: conv 16 1x1, b: conv 8 3x3 same, concat a b",
    ),
    "add": Form(
        "name name … or add { | path | path … }",
        "The sum of paths, or of labeled layers; one number for each channel, or for each position,"
        " is broadcast. With one name, the other summand is what arrives; with several, these"
        " alone.",
        "a: conv 16 1x1, conv 16 3x3 same, add a",
    ),
    "mul": Form(
        "name name … or mul { | path | path … }",
        "The product of paths, or of labeled layers. With one name, the other factor is what"
        " arrives; with several, these alone.",
        "mul { | conv 16 1x1 | conv 16 3x3 same, sigmoid }",
    ),
    "maximum": Form(
        "name name … or maximum { | path | path … }",
        "The elementwise maximum of paths (maxout), or of labeled layers.",
        "maximum { | conv 16 1x1 | conv 16 3x3 same }",
    ),
    "list": Form(
        "{ | path | path … }",
        "A list of maps: what its paths end in, side by side. `for map in maps { | from map, … }`"
        " makes a path for each map of another. `maps[0]` is one of them, `maps[0..2]` the first"
        " two, `len(maps)` how many there are, `maps + [next]` one more. Blocks take and leave"
        " lists; `concat maps` and `add maps` merge one.",
        "sizes: list { | conv 8 1x1 | conv 8 3x3 same }, concat sizes",
    ),
    "split": Form(
        "{ | path | path … }",
        "Divides the input channels evenly among the paths, and concatenates their outputs"
        " (ShuffleNet). An empty path passes its channels on. `split 12 4 { | path | path }` gives"
        " each path a number of channels. Loops make paths here, too: `split { repeat 4 { | conv 8"
        " } }`.",
        "split { | | conv 8 1x1, bn, relu }",
    ),
    "output": Form(
        "name: layer, or output name { body }, or output name name …",
        "An output with a name, computed from here, while the input passes on unchanged; or labeled"
        " layers that are outputs. A network that names its outputs has no others; one that names"
        " none has the result of its last line. Several are returned as a named tuple.",
        "mask: conv 2 1x1, output mask, output age { pool avg global, flatten, fc 1 }",
    ),
    "aux": Form(
        "{ body }",
        "An auxiliary classifier: an extra output with a loss of its own, in training"
        " only. Its input passes on unchanged.",
        "aux weight=0.3 { pool avg global, flatten, fc classes }",
    ),
    "from": Form(
        "name",
        "Continues from a labeled layer, instead of from the line before. `input` is what arrives"
        " in the block, the round of a loop, or the network around.",
        "a: conv 16 3x3 same, b: conv 16 1x1, from a, conv 16 1x1, add b",
    ),
    "share": Form(
        "name [map …]",
        "Applies a labeled layer, block or form once more, with the same weights: both streams of a"
        " siamese network, the heads of a pyramid, the rounds of a recurrent refinement. A block"
        " that was given maps by name gets the same ones, unless others follow.",
        "a: conv 16 3x3 same, share a, relu, share a",
    ),
    "carry": Form(
        "name=label …",
        "The last line of a loop: what labels from before the loop refer to in its next round, and"
        " after it. `input` is what arrived in this round.",
        "old: conv 16 3x3 same, bn, repeat 3 { conv 16 3x3 same, add old, carry old=input }",
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
"""Forms: words that combine layers."""

STATEMENTS: dict[str, Form] = {
    "network": Form(
        "Name(parameter=default, …) { input CxHxW … }",
        "A network. `--set` sets its parameters; the last network of a file is used.",
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
        "name, … in [values] [as i] { body }",
        "The body once for each value; `i` counts them from 0.",
        "for width, stride in [(16, 1), (32, 2)] { conv width 3x3 stride=stride same }",
    ),
    "if": Form("condition { body } else { body }", "One body or the other.", "if on { relu }"),
    "let": Form("name = expression", "A name for a value.", "let wide = 2 * channels"),
    "default": Form(
        "layer argument=value …",
        "Gives arguments to all layers of this word in its file that do not give them themselves,"
        " also to those that a shortcut of `residual` adds. At the top of a file.",
        "default bn eps=1e-3",
    ),
    "import": Form(
        '"file" or import name, … from "file"',
        "Blocks of another file, relative to this one.",
        'import "blocks.cnn"',
    ),
    "use": Form(
        '"name"',
        "The layers and directives of a plug-in, which is installed, or a Python file that is given"
        " beside the spec: `--plugin mine.py`. At the top of each file that has words of it. A spec"
        " names a plug-in and never a file, so that reading somebody's spec executes nothing.",
        'use "mine"',
    ),
}
"""Statements of the language itself."""

SHORTCUTS = ("auto", "match", "project", "identity", "pad")
"""The kinds of shortcut of a residual."""


@cached_by_words
def layer_words() -> frozenset[str]:
    """All words that can begin a statement in a network's body, without blocks."""
    return frozenset({word.split(" ", 1)[0] for word in REGISTRY} | set(FORMS))


class StatementWords:
    """All words that can begin a statement where these blocks are known. Not a set of them: made
    for each layer, it would cost a spec of many blocks quadratic time.
    """

    def __init__(self, blocks: Container[str]) -> None:
        self.blocks = blocks

    def __contains__(self, word: object) -> bool:
        return word in layer_words() or word in self.blocks
