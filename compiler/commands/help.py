"""`cnn help`: explain a word of the language: a layer, a form, a directive, a section; or the code
of an error or a warning.
"""

from __future__ import annotations

import argparse
import re

from .terminal import OK, UsageError, print_page, say, style

EXAMPLES = """\
cnn help
cnn help conv
cnn help pool max
cnn help train
cnn help BatchNormalization
cnn help error shape"""

DETAILS = """\
It shows how the word is written, what its arguments mean, the arithmetic, an example, and what
Keras, PyTorch and Caffe call it. Words of these tools are understood, too.
`cnn help error CODE` explains an error or a warning by its code, the word in brackets, with an
example and the way out; `cnn help error` lists all codes."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "word",
        nargs="*",
        metavar="WORD",
        help="a layer, a form, a directive or a section; a command; or the code of an error"
        " (default: list all words)",
    )


def run(options: argparse.Namespace) -> int:
    from ..extend.used_plugins import words_of_names
    from ..report.words import Unknown, explain, overview, words

    word = " ".join(options.word)
    if not word:
        with words_of_names(options.plugin_names):
            print(overview(style(options)))
        return OK
    if re.match(r"(error|warning)\b", word):
        return _explain_code(word, options)
    command = options.commands.get(word)
    if command is not None and word not in words():
        print(command.parser().format_help(), end="")
        return OK
    from ..diagnose.explained_codes import explained

    entry = explained(word)
    try:
        with words_of_names(options.plugin_names):
            answer = explain(word, style(options))
    except Unknown as error:
        if entry is not None:
            return _explain_code(word, options)
        raise UsageError(str(error)) from None
    if answer.remark:
        say(answer.remark)
    print(answer.text)
    if command is not None:
        say(f"`cnn {word} --help` explains the command")
    if entry is not None:
        say(f"`cnn help error {word}` explains the error of this name")
    return OK


def _explain_code(written: str, options: argparse.Namespace) -> int:
    """Explains `error shape` or `error[shape]`; after `error` alone, lists all codes."""
    from ..diagnose.explained_codes import explained, for_terminal, listed, similar_code

    if written in ("error", "warning"):
        print(listed(style(options)))
        return OK
    entry = explained(written)
    if entry is None:
        close = similar_code(written)
        hint = f"did you mean `cnn help error {close}`?" if close else "`cnn help error` lists all"
        raise UsageError(f"there is no such code: `{written}`; {hint}")
    print_page(for_terminal(entry), options)
    return OK
