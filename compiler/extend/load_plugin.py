"""Loads plug-ins: files and folders that the user names, and installed ones, which are looked for
when a spec says `use` with a name that no file has.

A file becomes the Python module of its name, and a folder the package, so that the emitted text can
import from it. What is wrong with a plug-in is a diagnostic at the line of its own file.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from ... import __version__
from ...dsl.closest import closest
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.files import read_file
from ...dsl.source import Source
from ..plan.metric_names import METRICS
from ..plan.metric_names import Metric as MetricFacts
from .identity import Identity
from .plugin import Plugin, declare
from .plugin_files import (
    INIT,
    belongs,
    digest,
    file_name,
    given_as,
    is_package,
    line_span,
    main_of,
    modules_of,
    name_of,
    place_in,
)

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "dotcnn.plugins"
"""The group of entry points."""

_NEEDS = "DOTCNN"
"""The name, in a plug-in, of the version of dotcnn that it needs: `DOTCNN = "0.1"`."""

_LOADED: dict[str, Plugin] = {}
"""By name."""


def loaded() -> Mapping[str, Plugin]:
    return _LOADED


def forget() -> None:
    """Forgets all plug-ins, as if none had been loaded; for a process that goes on with others."""
    for plugin in _LOADED.values():
        if sys.modules.get(plugin.name) is plugin.module and not plugin.distribution:
            for module in modules_of(plugin.name):
                del sys.modules[module]
        for word in plugin.metrics:
            METRICS.pop(word, None)
    _LOADED.clear()


def options_of_given() -> list[str]:
    """The words of the command line that give the same files to another process."""
    files = [given_as(plugin.path) for plugin in _LOADED.values() if not plugin.distribution]
    return [word for file in files for word in ("--plugin", str(file))]


def give(files: Iterable[str | os.PathLike[str]]) -> list[Plugin]:
    """Loads the files that the user names, or installed plug-ins by their names; raises SpecError
    with what is wrong with all of them."""
    plugins: list[Plugin] = []
    wrong: list[Diagnostic] = []
    paths: dict[str, Path] = {}
    for file in files:
        path = main_of(Path(file).resolve())
        try:
            if paths.setdefault(name_of(path), path) != path:
                message = f"two plug-ins are called `{name_of(path)}`"
                raise _no_file(os.fspath(file), message, "rename one of the two files")
            name = os.fspath(file)
            by_name = name.isidentifier() and not os.path.lexists(path)
            plugins.append((find(name) if by_name else None) or load_file(file))
        except SpecError as error:
            wrong += error.diagnostics
    if wrong:
        raise SpecError(wrong)
    return plugins


def find(name: str) -> Plugin | None:
    """The plug-in of a name: a file that the user gave, or else an installed one."""
    known = _LOADED.get(name)
    if known is not None:
        return known
    entries = _installed(name)
    if not entries:
        return None
    if len(entries) > 1:
        packages = " and ".join(sorted(_package(entry) for entry in entries))
        message = f"{packages} both have a plug-in `{name}`"
        help = "uninstall one of them, or give a file: `--plugin`"
        raise SpecError([Diagnostic("plugin-twice", message, help=help, file=name)])
    return _load_installed(entries[0])


@contextmanager
def lent(plugin: Plugin) -> Iterator[None]:
    """A context in which specs can use a plug-in that was not loaded, as for a test of it."""
    _LOADED[plugin.name] = plugin
    try:
        yield
    finally:
        del _LOADED[plugin.name]


def load_file(file: str | os.PathLike[str]) -> Plugin:
    """The plug-in of a Python file, or of the folder of a package, executed now, unless this file
    was and has not changed."""
    shown, path = os.fspath(file), main_of(Path(file))
    if is_package(path) and not path.exists():
        help = f"name a Python file, or a folder with `{INIT}`"
        raise _no_file(shown, f"{shown} is a folder without `{INIT}`", help)
    source = read_file(path, os.fspath(Path(shown) / INIT) if Path(shown).is_dir() else shown)
    path = path.resolve()
    name = name_of(path)
    if path.suffix != ".py":
        raise _no_file(shown, f"{shown} is not a Python file", "name a file that ends in `.py`")
    hashed = digest(path)
    known = _LOADED.get(name)
    if known is not None and known.path == path and known.identity.sha256 == hashed:
        sys.modules[name] = known.module
        return known
    _check_name(name, path, shown, known)
    _check_version(name, source)
    spec = importlib.util.spec_from_file_location(
        name, path, submodule_search_locations=[str(path.parent)] if is_package(path) else None
    )
    assert spec is not None and spec.loader is not None  # noqa: PT018
    module = importlib.util.module_from_spec(spec)
    before = {each: sys.modules.pop(each) for each in modules_of(name)}
    sys.modules[name] = module
    importlib.invalidate_caches()
    written, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # it is stale for a second
    try:
        code = compile(source.text, str(path), "exec", dont_inherit=True)
        exec(code, module.__dict__)
        version = str(getattr(module, "__version__", ""))
        plugin = Plugin(Identity(name, version, file_name(path), hashed), path, module, source)
        declare(plugin)
        return _enter(plugin)
    except KeyboardInterrupt:
        raise
    except BaseException as error:
        for each in modules_of(name):
            del sys.modules[each]
        sys.modules.update(before)
        if isinstance(error, SpecError):
            raise
        raise _raised(name, source, path, error) from None
    finally:
        sys.dont_write_bytecode = written


def _load_installed(entry: EntryPoint) -> Plugin:
    """Imports an installed plug-in."""
    name, package = entry.name, _package(entry)
    shown = f"{package}: {entry.value}"
    try:
        found = importlib.util.find_spec(entry.module)
    except (ImportError, ValueError):
        found = None
    if found is None or found.origin is None or entry.attr:
        message = f"the plug-in `{name}` of {package} names no module: `{entry.value}`"
        help = f'an entry point of `{GROUP}` is a module: `{name} = "{entry.module}"`'
        raise SpecError([Diagnostic("plugin-entry-point", message, help=help, file=shown)])
    path = Path(found.origin).resolve()
    source = read_file(path, str(path))
    _check_version(name, source)
    try:
        module = import_module(entry.module)
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - the code of others may raise anything
        raise _raised(name, source, path, error) from None
    version = entry.dist.version if entry.dist is not None else ""
    identity = Identity(name, version, file_name(path), digest(path))
    plugin = Plugin(identity, path, module, source, package)
    declare(plugin)
    return _enter(plugin)


def _enter(plugin: Plugin) -> Plugin:
    """Makes a plug-in known. Names of metrics stand in records and tables, where no spec says whose
    they are, so that two plug-ins of one process cannot have the same."""
    wrong = []
    for word, kind in plugin.metrics.items():
        owner = METRICS[word].of_plugin if word in METRICS else ""
        if owner not in ("", plugin.name):
            message = f"the metric `{word}` is also one of the plug-in `{owner}`"
            place = plugin.place_of(kind)
            help = "give one of them another word"
            wrong.append(Diagnostic("plugin-word", message, place, help=help))
    if wrong:
        raise SpecError(wrong)
    for word in [word for word, facts in METRICS.items() if facts.of_plugin == plugin.name]:
        del METRICS[word]
    for word, kind in plugin.metrics.items():
        METRICS[word] = MetricFacts(
            kind.title or word, kind.share, kind.higher, unit=kind.unit, of_plugin=plugin.name
        )
    _LOADED[plugin.name] = plugin
    return plugin


# ---- installed plug-ins ------------------------------------------------------------------------


def _installed(name: str) -> list[EntryPoint]:
    from importlib.metadata import entry_points

    # An editable install may be listed by two folders of the path.
    found = entry_points(group=GROUP, name=name)
    return list({(entry.value, _package(entry)): entry for entry in found}.values())


def _package(entry: EntryPoint) -> str:
    return entry.dist.name if entry.dist is not None else entry.value


def names_of_installed() -> list[str]:
    """The names of all installed plug-ins, none of which is imported."""
    from importlib.metadata import entry_points

    return sorted({entry.name for entry in entry_points(group=GROUP)})


def similar(name: str) -> str:
    """A plug-in that may have been meant."""
    return closest(name, [*_LOADED, *names_of_installed()])


# ---- what may be wrong -------------------------------------------------------------------------


def _check_name(name: str, path: Path, shown: str, known: Plugin | None) -> None:
    """Refuses a file whose name is that of another module: importing it would find either."""
    if not name.isidentifier():
        better = re.sub(r"\W", "_", name).lstrip("0123456789") or "mine"
        raise _no_file(shown, f"`{name}` cannot be the name of a Python module",
                       f"rename the file, for example to `{better}.py`")  # fmt: skip
    if known is not None:
        return  # given again: the newest file counts
    other = sys.modules.get(name)
    found = getattr(other, "__file__", None) if isinstance(other, ModuleType) else None
    if other is None and name not in sys.stdlib_module_names:
        try:
            spec = importlib.util.find_spec(name)
        except (ImportError, ValueError):
            spec = None
        if spec is None:
            return
        found = spec.origin
    if found is None or Path(found).resolve() != path:
        raise _no_file(shown, f"there is a Python module `{name}` besides this file",
                       f"rename the file, for example to `my_{name}.py`")  # fmt: skip


def _no_file(shown: str, message: str, help: str) -> SpecError:
    return SpecError([Diagnostic("plugin-file", message, help=help, file=shown)])


def _check_version(name: str, source: Source) -> None:
    """Refuses a plug-in for a newer dotcnn before it is executed, which might fail anywhere."""
    try:
        body = ast.parse(source.text).body
    except (SyntaxError, ValueError):
        return
    for node in body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            names = [each.id for each in node.targets if isinstance(each, ast.Name)]
            wanted = str(node.value.value)
            if _NEEDS in names and _numbers(wanted) > _numbers(__version__):
                message = f"the plug-in `{name}` needs dotcnn {wanted}, and this is {__version__}"
                help = f'pip install --upgrade "dotcnn>={wanted}"'
                span = line_span(source, node.lineno)
                raise SpecError([Diagnostic("plugin-version", message, span, help=help)])


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", version)[:3])


def _raised(name: str, source: Source, path: Path, error: BaseException) -> SpecError:
    """The error of a plug-in that raises when it is executed, at the line where it does."""
    if isinstance(error, SyntaxError) and belongs(path, error.filename or str(path)):
        message = f"it is not Python: {error.msg}"
    else:
        message = f"{type(error).__name__}: {error}".removesuffix(": ")
    help = ""
    if isinstance(error, ImportError) and (error.name or "").startswith("dotcnn"):
        help = f"is it for another version? this is dotcnn {__version__}"
    elif isinstance(error, ModuleNotFoundError):
        help = f"install it, or import it where it is needed: `{error.name}` is not there"
        if path.with_name(f"{error.name}.py").exists():
            one = "write `from .{} import …`" if is_package(path) else _FOLDER
            help = one.format(error.name, INIT)
    return SpecError(
        [
            Diagnostic(
                "plugin-error",
                f"the plug-in `{name}` cannot be loaded",
                place_in(path, source, error) or line_span(source, 1),
                label=message,
                help=help,
            )
        ]
    )


_FOLDER = "a plug-in of several files is a folder with `{1}`, which has `from .{0} import …`"


def blamed(error: BaseException) -> Diagnostic | None:
    """The diagnostic for an error that came out of the code of a plug-in while a spec was compiled
    or trained; None if no plug-in had a part in it."""
    for plugin in _LOADED.values():
        place = place_in(plugin.path, plugin.source, error)
        if place is not None and not isinstance(error, SyntaxError):
            return Diagnostic(
                "plugin-error",
                f"the plug-in `{plugin.name}` failed",
                place,
                label=f"{type(error).__name__}: {error}".removesuffix(": "),
                help="`dotcnn.testing.conformance` finds out what a class of it does wrong",
            )
    return None
