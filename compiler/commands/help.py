"""`cnn help`: explain a word of the language: a layer, a form, a directive, a section."""

from __future__ import annotations

import argparse

from .terminal import OK, UsageError, say, style

EXAMPLES = """\
cnn help
cnn help conv
cnn help pool max
cnn help train
cnn help BatchNormalization"""

DETAILS = """\
It shows how the word is written, what its arguments mean, the arithmetic, an example, and what
Keras, PyTorch and Caffe call it. Words of these tools are understood, too."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "word",
        nargs="*",
        metavar="WORD",
        help="a layer, a form, a directive or a section; or a command (default: list all words)",
    )


def run(options: argparse.Namespace) -> int:
    from ..extend.used_plugins import words_of_names
    from ..report.words import Unknown, explain, overview, words

    word = " ".join(options.word)
    if not word:
        with words_of_names(options.plugin_names):
            print(overview(style(options)))
        return OK
    command = options.commands.get(word)
    if command is not None and word not in words():
        print(command.parser().format_help(), end="")
        return OK
    try:
        with words_of_names(options.plugin_names):
            answer = explain(word, style(options))
    except Unknown as error:
        raise UsageError(str(error)) from None
    if answer.remark:
        say(answer.remark)
    print(answer.text)
    if command is not None:
        say(f"`cnn {word} --help` explains the command")
    return OK
