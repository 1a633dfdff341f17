"""A class as a plug-in of its own, so that it is read and compiled as one that is loaded."""

from __future__ import annotations

import sys
from pathlib import Path

from ..compiler.extend.identity import Identity
from ..compiler.extend.plugin import Plugin, declare_class
from ..compiler.language.words_in_force import belongs_to_the_language
from ..dsl.diagnostics import SpecError
from ..dsl.source import Source

UNDER_TEST = "under test"
"""Its name, which no file can have."""


def of_class(kind: type) -> Plugin:
    """Raises SpecError if the class cannot be a word."""
    module = sys.modules[kind.__module__]
    file = Path(getattr(module, "__file__", None) or kind.__module__)
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError):  # of a notebook
        text = ""
    identity = Identity(UNDER_TEST, "", file.name, "")
    plugin = Plugin(identity, file, module, Source(str(file), text, file))
    declare_class(plugin, kind)
    return plugin


def refusal(kind: type) -> str:
    """Why a class cannot be loaded; "" if it can."""
    if not getattr(kind, "word", ""):
        return "the class does not say its `word`, by which a spec calls it"
    if belongs_to_the_language(kind):
        return ""
    try:
        of_class(kind)
    except SpecError as error:
        told = error.diagnostics[0]
        return f"{told.message}: {told.help}"
    return ""
