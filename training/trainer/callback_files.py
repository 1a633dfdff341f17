"""Callbacks from Python files: `cnn train --callback mine.py`, and those of plug-ins.

Every class of the file that derives from `dotcnn.Callback`, and whose name does not begin with `_`,
is a callback, made without arguments. Or the file lists them:
`callbacks = [StopAfter(minutes=10)]`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from ...compiler.extend.load_plugin import loaded
from ...compiler.extend.plugin import Plugin
from ...compiler.extend.plugin_files import line_span, place_in
from ...dsl.diagnostics import Diagnostic, SpecError
from .callbacks import Callback

LIST = "callbacks"


def callbacks_of_plugins(names: Iterable[str]) -> list[Callback]:
    """The callbacks of plug-ins that the user names; raises SpecError."""
    plugins = loaded()
    return [one for name in dict.fromkeys(names) for one in callbacks_of(plugins[name])]


def must_have_callbacks(names: Iterable[str]) -> None:
    """Raises SpecError for a file that was given for its callbacks, and has none."""
    for name in names:
        plugin = loaded()[name]
        if not callbacks_of(plugin):
            message = f"there is no callback in {plugin.source.name}"
            help = "write a class that derives from `dotcnn.Callback`, at its top level"
            raise SpecError([Diagnostic("callback", message, help=help, file=plugin.source.name)])


def callbacks_of(plugin: Plugin) -> list[Callback]:
    """The callbacks of one plug-in."""
    module = plugin.module
    if hasattr(module, LIST):
        return _listed(plugin, getattr(module, LIST))
    kinds = [
        value
        for name, value in vars(module).items()
        if isinstance(value, type)
        and issubclass(value, Callback)
        and plugin.defines(value)
        and not name.startswith("_")
    ]
    return [_made(plugin, kind) for kind in dict.fromkeys(kinds)]


def _made(plugin: Plugin, kind: type[Callback]) -> Callback:
    try:
        return kind()
    except Exception as error:  # noqa: BLE001 - the code of others may raise anything
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
        place = place_in(plugin.path, plugin.source, error) or plugin.place_of(kind)
        raise SpecError(
            [
                Diagnostic(
                    "callback",
                    f"`{kind.__name__}()` cannot be made: {text}",
                    place,
                    help=f"if it needs arguments, write `{LIST} = [{kind.__name__}(…)]` below it",
                )
            ]
        ) from None


def _listed(plugin: Plugin, given: object) -> list[Callback]:
    callbacks: list[Callback] = []
    for one in given if isinstance(given, (list, tuple)) else [given]:
        if isinstance(one, Callback):
            callbacks.append(one)
        else:
            made = f"; write `{one.__name__}()`" if isinstance(one, type) else ""
            message = f"`{LIST}` has {one!r}, which is not a `dotcnn.Callback`"
            found = re.search(rf"^{LIST}\b", plugin.source.text, re.MULTILINE)
            line = plugin.source.locate(found.start())[0] if found else 1
            place = line_span(plugin.source, line)
            raise SpecError([Diagnostic("callback", message, place, help=f"list objects{made}")])
    return callbacks
