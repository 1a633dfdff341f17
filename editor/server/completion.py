"""What can be written at the cursor: statements where one begins, arguments and flags after a word,
values after `name=`; words of other tools become ours.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice
from pathlib import Path

from lsprotocol import types as lsp

from ...compiler.build.forms import SIGNATURES
from ...compiler.extend.load_plugin import loaded, names_of_installed
from ...compiler.language import foreign
from ...compiler.language.evaluate import FUNCTIONS
from ...compiler.language.vocabulary import FORMS, STATEMENTS
from ...compiler.ops import REGISTRY
from ...compiler.ops.base import Op
from ...compiler.plan.directive import Directive, directives, vocabulary
from ...dsl.files import read_file, specs_in
from ...dsl.parser import read
from ...dsl.program import GALLERY
from ...dsl.source import Span
from ...dsl.syntax import Block, Import
from .context import Context, context
from .document import Document
from .positions import offset, range_of, text_of
from .signature import Described, signature_at, signature_of

_KIND = lsp.CompletionItemKind
MOST_FILES = 200

REFER = frozenset("from add mul concat maximum share output".split())
"""Words whose arguments are labels."""
_OPERATORS = frozenset("+ - * / // % ** = ( [ == != < > <= >= and or not if else in".split())
"""After these comes a value."""

SNIPPETS = {
    "residual": "residual {\n  $0\n}",
    "dense": "dense {\n  $0\n}",
    "gate": "gate {\n  pool avg global\n  $0\n}",
    "inception": "inception {\n  | $1\n  | $0\n}",
    "repeat": "repeat ${1:3} {\n  $0\n}",
    "for": "for ${1:width} in [${2:64, 128}] {\n  $0\n}",
    "if": "if ${1:condition} {\n  $0\n}",
}
TOP = {
    "network": "network ${1:Net} {\n  input ${2:3x224x224}\n  $0\n}",
    "block": "block ${1:name}(${2:width}) {\n  $0\n}",
    "train": "train {\n  $0\n}",
    "augment": "augment {\n  $0\n}",
    "evaluate": "evaluate {\n  $0\n}",
    "transfer": "transfer {\n  $0\n}",
    "sweep": "sweep {\n  ${1:train.optimizer.lr} log ${2:1e-4..1e-1}\n  trials ${3:20}\n  $0\n}",
    "import": 'import "$0"',
    "let": "let ${1:name} = $0",
    "default": "default $0",
    "use": 'use "$0"',
}


def completion(document: Document, at: lsp.Position) -> lsp.CompletionList:
    source = document.source
    place = offset(source, at)
    where = context(source, place)
    typed = range_of(Span(source, where.start, place))
    line = source.text[source.line_starts[at.line] : place]
    if line.count('"') % 2:
        if line.split()[:1] == ["use"]:
            return lsp.CompletionList(False, list(_plugins(line, at)))
        return lsp.CompletionList(False, list(_paths(document, line, at)))
    found: Iterable[lsp.CompletionItem]
    if not where.heads:
        found = _at_top(where)
    elif not where.statement and not where.key:
        found = _statements(document, where, place)
    else:
        found = _arguments(document, where, place)
    items = list(found)
    for item in items:
        if item.text_edit is None:
            text = item.insert_text or item.label
            item.text_edit = lsp.TextEdit(typed, text)
            item.insert_text = None
    return lsp.CompletionList(False, items)


def _item(
    label: str,
    kind: lsp.CompletionItemKind,
    detail: str = "",
    doc: str = "",
    text: str = "",
    *,
    rank: int = 5,
    snippet: bool = False,
) -> lsp.CompletionItem:
    return lsp.CompletionItem(
        label=label,
        kind=kind,
        detail=detail or None,
        documentation=lsp.MarkupContent(lsp.MarkupKind.PlainText, doc) if doc else None,
        insert_text=text or None,
        insert_text_format=lsp.InsertTextFormat.Snippet if snippet else None,
        sort_text=f"{rank}{label}",
    )


# ---- statements --------------------------------------------------------------------------------


def _at_top(where: Context) -> Iterator[lsp.CompletionItem]:
    if where.statement:
        return
    for word, snippet in TOP.items():
        form = FORMS.get(word) or STATEMENTS.get(word)
        doc = form.meaning if form is not None else ""
        yield _item(word, _KIND.Keyword, "at the top of a file", doc, snippet, snippet=True)


def _statements(document: Document, where: Context, place: int) -> Iterator[lsp.CompletionItem]:
    if where.section:
        yield from _directives(document, where.section)
        if where.section == "sweep":
            yield from _searched(document)
        return
    for name, symbol in document.readable.names.known(place).items():
        if symbol.kind == "block" and isinstance(symbol.node, Block):
            yield _item(name, _KIND.Function, signature_of(symbol.node), rank=1)
        elif symbol.kind in ("parameter", "loop name"):
            yield _item(name, _KIND.Variable, symbol.kind, rank=4)
    yield from _blocks_of_the_gallery(document)
    for word, kind in REGISTRY.items():
        if word not in FORMS and word not in SIGNATURES:
            doc = _first(kind.__doc__)
            yield _item(word, _KIND.Class, str(kind.signature()), doc, rank=2)
    for word, form in FORMS.items():
        text = SNIPPETS.get(word, "")
        signature = f"{SIGNATURES.get(word, word)} {form.usage}".rstrip()
        yield _item(word, _KIND.Keyword, signature, form.meaning, text, rank=2, snippet=bool(text))
    for word, form in STATEMENTS.items():
        if word not in TOP or word == "let":
            text = SNIPPETS.get(word, "")
            yield _item(
                word, _KIND.Keyword, form.usage, form.meaning, text, rank=3, snippet=bool(text)
            )
    if len(where.word) > 1:
        yield from _foreign(where.word)


def _blocks_of_the_gallery(document: Document) -> Iterator[lsp.CompletionItem]:
    """Blocks of files that only define blocks, which are imported with the word."""
    names = document.readable.names
    imported = {source.path for _, source in names.imports}
    top = names.scopes[0].own
    for path, block in gallery_blocks():
        if path not in imported and path != document.source.path and block.name.value not in top:
            file = path.relative_to(GALLERY).as_posix()
            item = _item(
                block.name.value, _KIND.Function, signature_of(block), f"of {file}", rank=7
            )
            line = _line_for_imports(document)
            where = lsp.Range(lsp.Position(line, 0), lsp.Position(line, 0))
            item.additional_text_edits = [lsp.TextEdit(where, f'import "{file}"\n')]
            yield item


@lru_cache(maxsize=1)
def gallery_blocks() -> list[tuple[Path, Block]]:
    found: list[tuple[Path, Block]] = []
    for path in sorted(GALLERY.rglob("*.cnn")):
        source = read_file(path)
        if "\nnetwork " not in source.text:  # most have one; those need not be parsed
            statements = read(source)[0].statements
            found += [(path, each) for each in statements if isinstance(each, Block)]
    return found


def _line_for_imports(document: Document) -> int:
    """After the last import; else after the comment that the text begins with."""
    statements = document.readable.spec.statements
    imports = [each.span.line for each in statements if isinstance(each, Import)]
    if imports:
        return imports[-1]
    lines = document.source.text.split("\n")
    return next((n for n, line in enumerate(lines) if not line.startswith("#")), 0)


def _plugins(line: str, at: lsp.Position) -> Iterator[lsp.CompletionItem]:
    """Those that were given, and installed ones, none of which is imported for it."""
    begun = line.rpartition('"')[2]
    where = lsp.Range(lsp.Position(at.line, at.character - len(begun)), at)
    for name in dict.fromkeys([*loaded(), *names_of_installed()]):
        item = _item(name, _KIND.Module, "a plug-in")
        item.text_edit = lsp.TextEdit(where, name)
        yield item


def _directives(document: Document, section: str) -> Iterator[lsp.CompletionItem]:
    for word, kind in directives(vocabulary(section, document.takes_series)).items():
        if kind.offered and word == kind.word:
            yield _item(word, _KIND.Property, str(kind.signature()), _first(kind.__doc__), rank=2)


def _searched(document: Document) -> Iterator[lsp.CompletionItem]:
    """The parameters of the network, which a sweep searches."""
    for symbol in document.readable.names.parameters():
        text = f"{symbol.name} in [$0]"
        yield _item(
            symbol.name,
            _KIND.Variable,
            "a parameter of the network",
            "",
            text,
            rank=1,
            snippet=True,
        )


def _foreign(typed: str) -> Iterator[lsp.CompletionItem]:
    """Words of other tools that begin like this, written as ours."""
    begins = foreign.folded(typed)
    seen: set[str] = set()
    for name, meaning in foreign.known_layers().items():
        if meaning.instead and foreign.folded(name).startswith(begins) and name != meaning.instead:
            if name in seen or name in REGISTRY:
                continue
            seen.add(name)
            item = _item(
                name, _KIND.Class, f"written `{meaning.instead}`", "", meaning.instead, rank=8
            )
            item.filter_text = name
            yield item


# ---- arguments ---------------------------------------------------------------------------------


def _arguments(document: Document, where: Context, place: int) -> Iterator[lsp.CompletionItem]:
    head = where.statement[0] if where.statement else ""
    if where.key:
        yield from _values(document, where, place)
        return
    if where.statement[-1:] and where.statement[-1] in _OPERATORS:
        yield from _expressions(document, place)
        return
    yield from _second_words(document, where)
    if not where.section and head in REFER:
        yield from _labels(document, place)
    found = signature_at(document.readable.names, where, document.takes_series)
    if found is not None:
        given = {token.rstrip("=") for token in where.statement[1:]}
        for field in found[1]:
            if field.name not in given:
                yield _argument(field)
            yield from (_item(word, _KIND.EnumMember, field.name, rank=3) for word in field.words)
    yield from _expressions(document, place)


def _argument(field: Described) -> lsp.CompletionItem:
    if field.is_flag:
        return _item(field.name, _KIND.EnumMember, "flag", field.doc, rank=1)
    default = f"default: {field.default_text}" if field.default_text else "required"
    item = _item(f"{field.name}=", _KIND.Property, default, field.doc, rank=2)
    item.filter_text = field.name
    return item


def _second_words(document: Document, where: Context) -> Iterator[lsp.CompletionItem]:
    """`max` after `pool`, `sgd` after `optimizer`."""
    if len(where.statement) != 1:
        return
    known: Mapping[str, type[Op] | type[Directive]] = REGISTRY
    if where.section:
        known = directives(vocabulary(where.section, document.takes_series))
    for word, kind in known.items():
        first, _, second = word.partition(" ")
        if second and first == where.statement[0]:
            yield _item(second, _KIND.Class, str(kind.signature()), _first(kind.__doc__), rank=0)


def _values(document: Document, where: Context, place: int) -> Iterator[lsp.CompletionItem]:
    found = signature_at(document.readable.names, where, document.takes_series)
    for field in found[1] if found is not None else ():
        if field.name == where.key:
            words = (*field.words, *(("on", "off") if field.is_flag else ()))
            if field.default_text in ("on", "off"):
                words = ("on", "off")
            yield from (_item(word, _KIND.EnumMember, field.name, rank=1) for word in words)
    if where.key == "like":
        yield from _labels(document, place)
    yield from _expressions(document, place)


def _labels(document: Document, place: int) -> Iterator[lsp.CompletionItem]:
    for name, symbol in document.readable.names.known(place).items():
        if symbol.kind in ("label", "input") and symbol.span.start < place:
            line = text_of(symbol.node.span).split("\n")[0] if symbol.node is not None else ""
            yield _item(name, _KIND.Reference, line[:60], rank=0)


def _expressions(document: Document, place: int) -> Iterator[lsp.CompletionItem]:
    for name, symbol in document.readable.names.known(place).items():
        if symbol.kind in ("parameter", "loop name", "let"):
            yield _item(name, _KIND.Variable, symbol.kind, rank=4)
    for word in ("channels", "height", "width", "classes"):
        yield _item(word, _KIND.Variable, "of what arrives" if word != "classes" else "", rank=7)
    for name, usage in FUNCTIONS.items():
        yield _item(name, _KIND.Function, usage, "", f"{name}($0)", rank=7, snippet=True)


# ---- paths -------------------------------------------------------------------------------------


def _paths(document: Document, line: str, at: lsp.Position) -> Iterator[lsp.CompletionItem]:
    """Files inside quotes: specs after `import`, folders and files of data elsewhere."""
    typed = line.rpartition('"')[2]
    folder, _, begin = typed.rpartition("/")
    word = line.split()[0] if line.split() else ""
    own = document.source.path
    bases = [own.parent] if own is not None else []
    if word == "import":
        bases.append(GALLERY)
    units = len(begin.encode("utf-16-le")) // 2
    typed_range = lsp.Range(lsp.Position(at.line, at.character - units), at)
    seen: set[str] = set()
    for base in bases:
        for name, is_folder in _entries(base / folder, word == "import"):
            if name not in seen and name.startswith(begin):
                seen.add(name)
                kind = _KIND.Folder if is_folder else _KIND.File
                item = _item(name, kind, str(base.name))
                item.text_edit = lsp.TextEdit(typed_range, name)
                yield item


def _entries(folder: Path, specs: bool) -> Iterator[tuple[str, bool]]:
    try:
        listed = list(islice(folder.iterdir(), MOST_FILES))
    except (OSError, ValueError):
        return
    for path in sorted(listed):
        if path.name.startswith((".", "__")):
            continue
        if path.is_dir():
            yield path.name, True
        elif not specs:
            yield path.name, False
    if specs:
        for name in specs_in(folder):
            yield name, False


def _first(doc: str | None) -> str:
    return " ".join((doc or "").split("\n\n")[0].split())
