"""One open text. It is compiled as a whole whenever it has changed: that takes some milliseconds,
less than keeping pieces of an earlier one would need to be right. While it has mistakes, what was
known before stays: its network, and where its names are defined.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

from ...compiler.diagnose.check import Checked, checked
from ...compiler.extend.load_plugin import blamed
from ...compiler.extend.used_plugins import uses, uses_in, words_of_names
from ...compiler.load_spec import load
from ...compiler.network import Network
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.parser import read
from ...dsl.program import Program
from ...dsl.source import Source
from ...dsl.syntax import Spec
from .executed import Executed
from .names import Names

MOST = 20_000
"""A larger network is checked by `cnn check`, not at every keystroke."""


class Version:
    """A text as it was at one time, and what follows from it."""

    def __init__(self, source: Source, number: int | None) -> None:
        self.source = source
        self.number = number
        """Counted by the editor."""

    @cached_property
    def spec(self) -> Spec:
        """What can be read of it."""
        return read(self.source, partial=True)[0]

    @cached_property
    def _loaded(self) -> tuple[Program | None, list[Diagnostic]]:
        try:
            return load(self.source), []
        except SpecError as error:
            return None, list(error.diagnostics)

    @property
    def program(self) -> Program | None:
        """With what it imports; None if that has mistakes of syntax."""
        return self._loaded[0]

    @cached_property
    def _checked(self) -> Checked:
        program, mistakes = self._loaded
        if program is None:
            return Checked(None, mistakes)
        try:
            return checked(program, max_layers=MOST)
        except Exception as error:
            wrong = blamed(error)  # in the code of a plug-in
            if wrong is None:
                raise
            place = next(iter(uses(program).values())).span
            return Checked(None, [replace(wrong, span=place, message=_of_plugin(wrong))])

    @property
    def diagnostics(self) -> list[Diagnostic]:
        return self._checked.diagnostics

    @property
    def network(self) -> Network | None:
        """The last of the text; None if it has mistakes."""
        return self._checked.network

    @cached_property
    def names(self) -> Names:
        return Names(self.spec, self.program)

    @cached_property
    def executed(self) -> Executed | None:
        return None if self.network is None else Executed(self.network)


class Document:
    """A text that is open in an editor."""

    def __init__(self, uri: str, text: str, number: int | None = None) -> None:
        self.uri = uri
        self.frames: dict[str, int] = {}
        """Which call of a block its lines show, by the block's name."""
        self.now = Version(_source(uri, text), number)
        self.before: Version | None = None
        """The last version without mistakes, if this one has some."""

    def change(self, text: str, number: int | None = None) -> None:
        if text == self.now.source.text:
            self.now.number = number
            return
        if self.now.network is not None:
            self.before = self.now
        self.now = Version(_source(self.uri, text), number)

    def read_again(self) -> None:
        """Forgets what follows from its text: a file that it imports has changed."""
        self.now = Version(_source(self.uri, self.source.text), self.now.number)

    @property
    def known(self) -> Version:
        """The newest version that has a network, or else the newest."""
        if self.now.network is not None or self.before is None:
            return self.now
        return self.before

    @property
    def readable(self) -> Version:
        """The newest version with statements that can be read: its names are known, and where they
        stand."""
        return self.now if self.now.spec.statements else self.known

    @property
    def takes_series(self) -> bool:
        """Whether the network takes series, whose augmentation has words of its own."""
        network = self.known.network
        return network is not None and len(network.input.shape) == 2

    def words(self) -> AbstractContextManager[None]:
        """While it is entered, the words of its plug-ins are known."""
        named = uses_in(self.readable.spec)
        return words_of_names(use.name for use in named) if named else nullcontext()

    @property
    def source(self) -> Source:
        return self.now.source


def _of_plugin(wrong: Diagnostic) -> str:
    """A mistake in another file, told where the text uses it."""
    assert wrong.span is not None
    file = f"{wrong.span.source.name}:{wrong.span.line}"
    return f"{wrong.message}: {wrong.label} ({file})"


def _source(uri: str, text: str) -> Source:
    path = path_of(uri)
    name = path.name if path is not None else uri.rpartition("/")[2] or "untitled"
    return Source(name, text, path)


def path_of(uri: str) -> Path | None:
    """The file of an address; None if it is not one of a file."""
    parts = urlparse(uri)
    if parts.scheme != "file":
        return None
    host = f"//{parts.netloc}" if parts.netloc else ""
    return Path(host + url2pathname(parts.path))


def uri_of(source: Source, document: Document) -> str:
    """The address of a file that a document imports, or of the document's own."""
    if source is document.now.source or source.path is None:
        return document.uri
    own = document.now.source.path
    if own is not None and own == source.path:
        return document.uri
    return source.path.as_uri()
