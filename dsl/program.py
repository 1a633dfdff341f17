"""A spec and the files that it imports, each read once.

An import is relative to the file that it stands in and never leaves the folder of the main spec.
What is not there is looked for in the gallery, so that `import "resnet/blocks.cnn"` works from
anywhere.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path, PureWindowsPath
from typing import NamedTuple

from .diagnostics import Diagnostic, Edit, Label, SpecError, has_errors, in_order
from .files import closest_spec, read_file, specs_in
from .lexer import MAX_MISTAKES
from .parser import read
from .source import Source, Span
from .syntax import Import, Spec

GALLERY = Path(__file__).resolve().parent.parent / "specs"

MAX_FILES = 200
MAX_IMPORT_DEPTH = 50
MAX_IMPORTED = 500_000
"""Characters of all imported files together."""


class Program(NamedTuple):
    """Every file of a spec. Names are looked up in a file and in those that it imports itself."""

    main: Spec
    files: tuple[Spec, ...]
    """All of them, imported ones before those that import them; the main one last."""
    imports: Mapping[Source, tuple[tuple[Import, Spec], ...]]
    """What each file imports, in the order written."""
    warnings: tuple[Diagnostic, ...] = ()


def load_program(main: Source) -> Program:
    """Reads what a spec imports; raises SpecError with the mistakes of all files."""
    loader = _Loader(main)
    spec = loader.load(_Open(main, _real(main)), [])
    diagnostics = in_order(loader.diagnostics)
    if has_errors(diagnostics) or spec is None:
        raise SpecError(diagnostics)
    return Program(spec, tuple(loader.files), loader.imports, tuple(diagnostics))


class _Open(NamedTuple):
    """A file whose imports are being read."""

    source: Source
    path: str
    """All links followed; empty for text that comes from no file."""


def _real(source: Source) -> str:
    return os.path.realpath(source.path) if source.path else ""


class _Loader:
    def __init__(self, main: Source) -> None:
        folder = Path(_real(main)).parent if main.path else Path.cwd().resolve()
        in_gallery = folder == GALLERY or GALLERY in folder.parents
        self.root = GALLERY if in_gallery else folder
        self.main = main
        self.files: list[Spec] = []
        self.imports: dict[Source, tuple[tuple[Import, Spec], ...]] = {}
        self.diagnostics: list[Diagnostic] = []
        self.known: dict[str, Spec | None] = {}
        """By real path; None for a file with mistakes, which are told once."""
        self.imported = 0
        """Characters of the files imported so far."""

    def load(self, file: _Open, chain: list[_Open]) -> Spec | None:
        """Reads a file and all that it imports; `chain` are those that led to it."""
        source, path = file
        if path:
            self.known[path] = None
        spec, diagnostics = read(source)
        self.diagnostics += diagnostics
        if has_errors(diagnostics):
            return None
        found = []
        for statement in spec.statements:
            if isinstance(statement, Import) and len(self.diagnostics) < MAX_MISTAKES:
                imported = self.load_import(statement, [*chain, file])
                if imported:
                    found.append((statement, imported))
        self.imports[source] = tuple(found)
        self.files.append(spec)
        if path:
            self.known[path] = spec
        return spec

    def load_import(self, node: Import, chain: list[_Open]) -> Spec | None:
        span = node.path.span
        try:
            path = self.locate(node, chain[-1])
            for depth, file in enumerate(chain):
                if file.path == path:
                    circle = [*(it.source.name for it in chain[depth:]), file.source.name]
                    raise _refused(
                        "import-cycle",
                        "these files import one another",
                        span,
                        notes=(" -> ".join(circle),),
                        help="move what they share into a file of its own",
                    )
            if path in self.known:
                return self.known[path]
            if len(chain) >= MAX_IMPORT_DEPTH or len(self.known) >= MAX_FILES:
                limit = f"{MAX_FILES} files, {MAX_IMPORT_DEPTH} deep"
                raise _refused("limit", f"a spec imports at most {limit}", span)
            imported = read_file(Path(path), self.shown(path, self.main), span)
            self.imported += len(imported.text)
            if self.imported > MAX_IMPORTED:
                self.known[path] = None
                limit = f"{MAX_IMPORTED:,} characters"
                raise _refused("limit", f"all that a spec imports has at most {limit}", span)
        except SpecError as error:
            self.diagnostics += error.diagnostics
            return None
        return self.load(_Open(imported, path), chain)

    def locate(self, node: Import, importer: _Open) -> str:
        """The real path of an import; raises where it is missing or may not be read."""
        text, span = node.path.value, node.path.span
        self.refuse_strange(text, span)
        here = Path(importer.path).parent if importer.path else self.root
        tried = [os.path.join(here, text)]
        if not _inside(here, GALLERY):
            tried.append(os.path.join(GALLERY, text))
        for candidate in tried:
            real = os.path.realpath(candidate)
            root = GALLERY if _inside(Path(candidate), GALLERY) else self.root
            inside = _inside(Path(real), root)
            # What lies outside is not even looked at: whether it exists is nobody's business.
            if not inside and candidate == tried[0]:
                raise _refused(
                    "import-outside",
                    f"`{_quoted(text)}` leads out of the folder of {self.main.name}",
                    span,
                    help=(
                        "a spec can only read files in its folder and below; copy what it "
                        "needs there"
                    ),
                )
            if candidate == tried[0]:
                self.refuse_other_endings(text, span)
            if inside and os.path.lexists(real):
                return real
        looked = [f"looked for {_shorten(self.shown(os.path.normpath(tried[0]), self.main))}"]
        if len(tried) > 1:
            looked.append(f"looked for {_shorten(text)} in the gallery")
        raise _refused(
            "no-such-file",
            f"there is no file for `import {_quoted(text)}`",
            span,
            notes=tuple(looked),
            help=self.similar(text, [Path(path).parent for path in tried]),
        )

    @staticmethod
    def refuse_strange(text: str, span: Span) -> None:
        absolute = text.startswith(("/", "~")) or PureWindowsPath(text).drive
        if absolute:
            raise _refused(
                "import-outside",
                f"`{_quoted(text)}` is an absolute path",
                span,
                help='write the path relative to this file\'s folder: `import "blocks/resnet.cnn"`',
            )
        if "\\" in text or not text.isprintable() or not text.strip():
            raise _refused(
                "import-path",
                "this is not the path of a file",
                span,
                help='folders are separated by `/`: `import "blocks/resnet.cnn"`',
            )

    @staticmethod
    def refuse_other_endings(text: str, span: Span) -> None:
        if text.endswith(".cnn"):
            return
        plain = Path(text).name.isidentifier() and not text.endswith("/")
        edits = (Edit(span, f'"{text}.cnn"'),) if plain else ()
        raise _refused(
            "import-path",
            "only .cnn files are imported",
            span,
            help=f"write `import {_quoted(text + '.cnn')}`"
            if plain
            else 'an import names a file of blocks: `import "blocks/resnet.cnn"`',
            edits=edits,
        )

    @staticmethod
    def similar(text: str, folders: list[Path]) -> str:
        """A file that may have been meant, from the same folder or from the gallery."""
        for folder in folders:
            close = closest_spec(Path(text).name, specs_in(folder))
            if close:
                return f"did you mean `{_quoted(Path(text).with_name(close).as_posix())}`?"
        return ""

    @staticmethod
    def shown(path: str, main: Source) -> str:
        """A path as the person who gave the main spec would write it."""
        if main.path:
            folder = Path(os.path.realpath(main.path)).parent
            if _inside(Path(path), folder):
                given = os.path.dirname(main.name)
                return os.path.join(given, os.path.relpath(path, folder))
        return os.path.relpath(path) if _inside(Path(path), Path.cwd().resolve()) else path


def _inside(path: Path, folder: Path) -> bool:
    normal = os.path.normpath(path)
    return normal == str(folder) or normal.startswith(str(folder) + os.sep)


def _refused(
    code: str,
    message: str,
    span: Span,
    *,
    notes: tuple[str, ...] = (),
    labels: tuple[Label, ...] = (),
    help: str = "",
    edits: tuple[Edit, ...] = (),
) -> SpecError:
    return SpecError(
        [Diagnostic(code, message, span, labels=labels, notes=notes, help=help, edits=edits)]
    )


def _quoted(text: str) -> str:
    return f'"{_shorten(text)}"'


def _shorten(text: str) -> str:
    return text if len(text) <= 200 else f"{text[:100]}…{text[-99:]}"
