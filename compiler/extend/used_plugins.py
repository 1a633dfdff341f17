"""The plug-ins that a program uses, and their words while it is read.

    use "mine"

stands at the top of each file that has words of a plug-in; what an import brings along may use
others. A plug-in that is missing is an error with the way to give it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from ...dsl.characters import shorten
from ...dsl.diagnostics import Diagnostic, Edit, Label, SpecError
from ...dsl.program import Program
from ...dsl.source import Span
from ...dsl.syntax import Call, Name, Spec, String
from ..diagnose.blame import statement_span
from ..language.words_in_force import NONE, Words, in_force, words_in_force

if TYPE_CHECKING:
    from .identity import Identity
    from .plugin import Plugin

WORD = "use"
MISSING = "missing-plugin"
COPIES = "plugins"
"""The folder in which a run keeps the files of plug-ins."""


class Use(NamedTuple):
    name: str
    span: Span


def uses_in(spec: Spec) -> list[Use]:
    """The plug-ins that a file names; what is wrong in a line is for `problems`."""
    found = []
    for call in spec.statements:
        if isinstance(call, Call) and call.head.value == WORD and len(call.arguments) == 1:
            value = call.arguments[0].value
            if isinstance(value, String) and not _is_file(value.value):
                found.append(Use(value.value, value.span))
    return found


def uses(program: Program) -> dict[str, Use]:
    """All plug-ins that a program names, with the place that names it first."""
    found: dict[str, Use] = {}
    for spec in program.files:
        for use in uses_in(spec):
            found.setdefault(use.name, use)
    return found


def words_of(program: Program) -> AbstractContextManager[None]:
    """While it is entered, the words of the plug-ins that a program uses are words of the language,
    and those of no other. Plug-ins that are missing have none: `load` has refused the program."""
    names = uses(program)
    if not names:  # most programs, and nothing is imported for them
        return in_force(NONE) if words_in_force() is not NONE else nullcontext()
    return words_of_names(names)


def words_of_names(names: Iterable[str]) -> AbstractContextManager[None]:
    """The same for the plug-ins of these names, as a run has recorded them."""
    from .load_plugin import find

    plugins = []
    for name in dict.fromkeys(names):
        with suppress(SpecError):
            plugin = find(name)
            plugins += [plugin] if plugin is not None else []
    return in_force(_words(tuple(plugins)))


def words_of_recorded(recorded: Iterable[Identity]) -> AbstractContextManager[None]:
    """The same for the plug-ins of a run; raises SpecError if one is missing."""
    from .load_plugin import find

    plugins = []
    for identity in recorded:
        plugin = find(identity.name)
        if plugin is None:
            help = f"give it again: `--plugin {identity.file}`, or install the package that has it"
            message = f"the run was made with the plug-in `{identity.name}`, which is not there"
            notes = (f"it was {identity}",)
            raise SpecError(
                [Diagnostic(MISSING, message, notes=notes, help=help, file=identity.file)]
            )
        plugins.append(plugin)
    return in_force(_words(tuple(plugins)))


def identities(program: Program) -> tuple[Identity, ...]:
    """What a run of a program records of its plug-ins."""
    names = uses(program)
    if not names:
        return ()
    from .load_plugin import find

    found = (find(name) for name in names)
    return tuple(plugin.identity for plugin in found if plugin is not None)


def changed(recorded: Iterable[Identity], now: Iterable[Identity]) -> list[str]:
    """A line for each plug-in that is not what a run was made with."""
    known = {identity.name: identity for identity in now}
    return [
        f"the run was made with another plug-in: {before}, and now it is {known[before.name]}"
        for before in recorded
        if before.name in known and known[before.name].sha256 != before.sha256
    ]


@lru_cache(maxsize=64)
def _words(plugins: tuple[Plugin, ...]) -> Words:
    layers: dict[str, Any] = {}
    directives: dict[str, dict[str, Any]] = {}
    owners: dict[str, str] = {}
    for plugin in plugins:
        layers |= plugin.layers
        owners |= dict.fromkeys(plugin.layers, plugin.name)
        for section, kinds in plugin.directives.items():
            directives.setdefault(section, {}).update(kinds)
    metrics = {word: kind for plugin in plugins for word, kind in plugin.metrics.items()}
    callbacks = {word: kind for plugin in plugins for word, kind in plugin.callbacks.items()}
    return Words(layers, directives, owners, metrics, callbacks)


# ---- what may be wrong -------------------------------------------------------------------------


def problems(program: Program) -> list[Diagnostic]:
    """What is wrong with the `use` lines of a program: how they are written, plug-ins that are
    missing or cannot be loaded, words that two of them have."""
    wrong = [diagnostic for spec in program.files for diagnostic in _misread(spec)]
    known: dict[str, tuple[Plugin, Use]] = {}
    for use in uses(program).values():
        try:
            plugin = _found(use)
        except SpecError as error:
            wrong += error.diagnostics
            continue
        wrong += _clashes(plugin, use, [other for other, _ in known.values()])
        known[use.name] = plugin, use
    return wrong


def _found(use: Use) -> Plugin:
    from .load_plugin import find, similar

    plugin = find(use.name)
    if plugin is not None:
        return plugin
    close = similar(use.name)
    file = f"{use.name}.py" if use.name.isidentifier() else "mine.py"
    spec = use.span.source.path
    kept = ""
    for name in (file, use.name) if use.name.isidentifier() else ():
        copy = spec.parent / COPIES / name if spec is not None else None
        if copy is not None and copy.exists():
            file = f"{name}/" if copy.is_dir() else name
            kept = f"what the run was made with is {copy}: read it before you give it"
    raise SpecError(
        [
            Diagnostic(
                MISSING,
                f"the plug-in `{shorten(use.name)}` is not there",
                use.span,
                label="this spec has words of it",
                notes=(kept or "a spec never loads one by itself: that would execute a file",),
                help=f'did you mean `use "{close}"`?'
                if close
                else f'give its file, `--plugin {file}` (in Python, `plugins=["{file}"]`), or'
                " install the package that has it",
                edits=(Edit(use.span, f'"{close}"'),) if close else (),
            )
        ]
    )


def _clashes(plugin: Plugin, use: Use, before: Sequence[Plugin]) -> Iterator[Diagnostic]:
    """The words that a plug-in shares with others of the program."""
    for other in before:
        theirs = dict(other.words())
        for word, kind in plugin.words():
            if word in theirs:
                span = other.place_of(theirs[word])
                yield Diagnostic(
                    "plugin-word",
                    f"`{word}` is a word of two plug-ins, `{other.name}` and `{plugin.name}`",
                    plugin.place_of(kind),
                    label=f"in `{plugin.name}`",
                    labels=(Label(span, f"in `{other.name}`"), Label(use.span, "both are used")),
                    help="use one of them, or give one of the two another word",
                )


def _is_file(text: str) -> bool:
    return text.endswith(".py") or "/" in text


def _misread(spec: Spec) -> Iterator[Diagnostic]:
    """The `use` lines of a file that do not name a plug-in, or one that was named before."""
    seen: dict[str, Span] = {}
    for call in spec.statements:
        if not isinstance(call, Call) or call.head.value != WORD:
            continue
        span = statement_span(call)
        value = call.arguments[0].value if len(call.arguments) == 1 else None
        text = value.value if isinstance(value, String) else ""
        message, help = "`use` takes the name of a plug-in, between double quotes", ""
        edits: tuple[Edit, ...] = ()
        if isinstance(value, Name):
            help, edits = f'write `use "{value.value}"`', (Edit(value.span, f'"{value.value}"'),)
        elif _is_file(text):
            name = text.rpartition("/")[2].removesuffix(".py")
            message = "`use` takes the name of a plug-in, not a file: a spec executes nothing"
            help = f'write `use "{name}"`, and give the file: `--plugin {shorten(text)}`'
            edits = (Edit(value.span, f'"{name}"'),) if value is not None else ()
        elif len(call.arguments) > 1:
            help = "write a line for each plug-in"
        elif not text or call.label is not None or call.body is not None:
            help = 'write `use "mine"`'
        elif text in seen:
            yield Diagnostic(
                "duplicate-name",
                f"`{WORD} {call.arguments[0].span.text}` is written twice",
                span,
                labels=(Label(seen[text], "the first"),),
                help="take it out",
                edits=(Edit(span, ""),),
            )
            continue
        else:
            seen[text] = span
            continue
        yield Diagnostic("use", message, span, help=help, edits=edits)
