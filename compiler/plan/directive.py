"""The interface of directives: one small frozen class per directive. A class declares its section
and word, its signature (attributes of `..language.kinds`), its default if a spec does not mention
it, its names in other tools, and its conflicts with other directives. Nothing else knows it by
name.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, MutableMapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.printable import show as printable
from ...dsl.source import Span
from ...dsl.syntax import Call
from ..diagnose.blame import first_line
from ..language.binding import bind, bind_one
from ..language.declared import Declared
from ..language.evaluate import Env, Evaluated
from ..language.problems import Problem
from ..language.signature import Field, Signature
from ..language.values import name_or_text, quoted
from ..language.words_in_force import WordTable, belongs_to_the_language
from ..network import Network, Node
from ..shapes import Shape, axes_of, text
from .layer_names import LayerNames


class Origin(NamedTuple):
    """The place of a directive in the spec."""

    span: Span
    places: Mapping[str, Span]
    """The places of the arguments that are given."""
    head: Span


class _Sections(dict[str, WordTable["type[Directive]"]]):
    def __missing__(self, section: str) -> WordTable[type[Directive]]:
        table = self[section] = WordTable(lambda words: words.directives.get(section, {}))
        return table


REGISTRY = _Sections()
"""By section: every directive, by its word or words; without those that are for series alone. Of
those of plug-ins, the ones that the spec which is read uses."""

SERIES: dict[str, dict[str, type[Directive]]] = {}
"""By section: the directives for series, by their word or words. `shift` is also one for images."""

_OF_SERIES = " of series"


def vocabulary(section: str, series: bool) -> str:
    """The name of the words of a section: `augment`, or `augment of series`."""
    return f"{section}{_OF_SERIES}" if series and section in SERIES else section


def section_of(name: str) -> str:
    """The section of a vocabulary."""
    return name.removesuffix(_OF_SERIES)


def directives(name: str) -> Mapping[str, type[Directive]]:
    """The directives of a vocabulary, by their word or words. Those of series include the
    directives for images that have no counterpart, so that these are refused as what they are.
    """
    section = section_of(name)
    if section == name:
        return REGISTRY[section]
    own = SERIES[section]
    return {word: kind for word, kind in REGISTRY[section].items() if word not in own} | own


class Directive(Declared):
    """A directive: a statement of a section."""

    section: ClassVar[str] = ""
    example: ClassVar[str] = ""
    """An example, if its word with example arguments is not good enough."""
    usage: ClassVar[str] = ""
    """Its usage, if the fields alone do not show it."""
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """What to write here, with names in other tools, separated by blanks."""
    advice: ClassVar[Mapping[str, str]] = {}
    """Advice, with words of other tools that it applies to, separated by blanks."""
    misplaced: ClassVar[Mapping[str, str]] = {}
    """What to write instead of arguments that belong elsewhere, with their names."""
    synonyms: ClassVar[tuple[str, ...]] = ()
    """Synonyms."""
    several: ClassVar[bool] = False
    """Whether it may be written more than once."""
    set_together: ClassVar[bool] = False
    """Whether `--set` replaces all of several."""
    offered: ClassVar[bool] = True
    """Whether help lists it; False for what only a program can pass."""
    may_be_off: ClassVar[bool] = False
    """Whether `off` or `none` in place of its arguments disables it."""
    of_series: ClassVar[bool] = False
    """Whether it is for series alone: samples of channels x length."""

    origin: Origin | None = None
    """None for a default. Neither an argument nor part of the value."""
    off: bool = False
    """Whether it was written as `off`."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # Positional arguments come first, even before inherited ones.
        cls.fields = dict(sorted(cls.fields.items(), key=lambda item: item[1].keyword_only))
        if "word" in vars(cls) and belongs_to_the_language(cls):
            known: MutableMapping[str, type[Directive]] = REGISTRY[cls.section]
            if cls.of_series:
                known = SERIES.setdefault(cls.section, {})
            for word in (cls.word, *cls.synonyms):
                assert word not in known, word
                known[word] = cls

    # ---- identity ----

    @classmethod
    def head(cls) -> str:
        """Its first word, which several kinds share: `optimizer`."""
        return cls.word.split(" ", 1)[0]

    @property
    def key(self) -> str:
        """Two directives with the same key cannot both be given."""
        return self.head()

    @property
    def kind(self) -> str:
        """Its second word, if it has one: `sgd`."""
        return self.word.partition(" ")[2]

    @classmethod
    def fits_series(cls) -> bool:
        """Whether it can be written where samples are series."""
        return True

    @classmethod
    def signature(cls) -> Signature:
        return Signature(cls.word, cls.fields, (cls.__doc__ or "").strip(), cls.usage)

    @property
    def written(self) -> bool:
        return self.origin is not None

    @property
    def span(self) -> Span | None:
        """Its place in the spec."""
        return self.origin.span if self.origin else None

    def place(self, name: str) -> Span | None:
        """The place of an argument in the spec; the whole statement if it is not given."""
        return self.origin.places.get(name, self.origin.span) if self.origin else None

    def gives(self, name: str) -> bool:
        """Whether an argument is written, or set by an option."""
        return self.origin is not None and name in self.origin.places

    def placed(self, origin: Origin | None, *, off: bool = False) -> Self:
        """A copy with the given place."""
        copy = type(self)(**self.__dict__)
        copy.__dict__["origin"] = origin
        if off:
            copy.__dict__["off"] = True
        return copy

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        """The statement with every argument written out."""
        if self.off:
            return f"{self.head()} off"
        parts = [self.word]
        for field in self.fields.values():
            value = getattr(self, field.name)
            if field.is_flag:
                parts += [field.name] if value else []
            elif value is None or (field.many and not value):
                continue
            else:
                text = field.show(value)
                first = len(parts) == 1 and text in (*field.words, "on", "off")
                bare = field.many or ((field.required or first) and not field.keyword_only)
                parts.append(text if bare else f"{field.name}={text}")
        return " ".join(parts)

    @property
    def as_written(self) -> str:
        """The statement as the spec has it, on one line, and safe to print."""
        text = self.span.text if self.span is not None else str(self)
        return printable(" ".join(text.split()))

    @classmethod
    def needed(cls) -> list[Field]:
        """The arguments without a default."""
        return [field for field in cls.fields.values() if field.required]

    @classmethod
    def shown(cls) -> str:
        """An example of how to write it."""
        values = [field.example or " ".join(field.words[:1]) for field in cls.needed()]
        return cls.example or " ".join([cls.word, *values])

    @classmethod
    def doc(cls) -> str:
        """The first sentence of its documentation, without the reference."""
        lines = (cls.__doc__ or "").split("\n\n")[0].split()
        text = " ".join(lines).split(" (")[0].split(": `")[0].rstrip(".")
        # Names such as `ImageNet` keep their capitals.
        return text if text[1:2].isupper() else text[:1].lower() + text[1:]

    def remark(self) -> str:
        """The comment beside it in a printed plan."""
        return self.doc()

    # ---- reading ----

    @classmethod
    def arranged(cls, arguments: Sequence[Evaluated]) -> Sequence[Evaluated]:
        """Its arguments without filler words such as `at epoch`."""
        return arguments

    @classmethod
    def read(
        cls, call: Call, arguments: Sequence[Evaluated], env: Env, words: Collection[str]
    ) -> dict[str, Any]:
        """Reads the values of its arguments; raises Problem."""
        return bind(call, cls.signature(), arguments, env, words)

    def one(self, argument: Evaluated) -> tuple[str, Any]:
        """Reads a single argument that replaces one of this directive; raises Problem."""
        return bind_one(argument, self.signature())

    # ---- defaults and checks in context ----

    @classmethod
    def usual(cls, context: Context) -> Self | None:
        """The default if the spec does not mention it; None if there is none."""
        return None if cls.may_be_off else cls()

    @classmethod
    def filled(cls, context: Context) -> tuple[Self, ...]:
        """Of a directive that a section may have several of: all of them."""
        return tuple(directive.settle(context) for directive in context.all(cls))

    def settle(self, context: Context) -> Self:
        """The directive with open arguments filled in, once all others are known."""
        return self

    def needs_one_input(self) -> str:
        """Why it is for networks of one input; "" if it is not."""
        return ""

    def problems(self, context: Context) -> Iterator[Problem]:
        """Errors of the directive in its context."""
        return iter(())

    def warnings(self, context: Context) -> Iterator[Diagnostic]:
        """Warnings about the directive in its context."""
        return iter(())


# ---- context ---------------------------------------------------------------------------------

D = TypeVar("D", bound=Directive)


class Context:
    """The context of a directive: the network and all other directives."""

    def __init__(
        self,
        network: Network | None,
        given: Mapping[str, Sequence[Directive]],
        shape: Shape = (),
        *,
        series: bool = False,
    ) -> None:
        """`series`: samples are series whatever the directives say."""
        self._series = series
        self.network = network
        """None if the network has errors."""
        self.given = given
        """The directives by section, in the order written."""
        self.shape: Shape = network.sample if network else shape
        """The shape of the network's input, or of several as one sample; () if it is unknown."""

    # ---- directives ----

    def all(self, kind: type[D]) -> list[D]:
        """All written directives of a class, without those that are off."""
        directives = self.given.get(kind.section, ())
        return [entry for entry in directives if isinstance(entry, kind) and not entry.off]

    def find(self, kind: type[D]) -> D | None:
        """The written directive of a class, else its default."""
        for one in self.given.get(kind.section, ()):
            if isinstance(one, kind):
                return None if one.off else one
        return kind.usual(self)

    def get(self, kind: type[D]) -> D:
        """Like `find`, for directives that always have a value."""
        directive = self.find(kind)
        assert directive is not None, kind
        return directive

    # ---- the network ----

    @property
    def series(self) -> bool:
        """Whether samples are series, channels x length. The input may be their spectrograms."""
        before = self.given.get("evaluate", ())
        of_series = any(one.of_series for one in before if not one.off)
        return self._series or len(self.shape) == 2 or of_series

    @property
    def inputs(self) -> tuple[Node, ...]:
        """The inputs of a network that has several; else none."""
        several = self.network is not None and len(self.network.inputs) > 1
        return self.network.inputs if several and self.network is not None else ()

    @property
    def axes(self) -> int:
        """The number of axes of a sample; -1 if it is unknown."""
        return 1 if self.series else axes_of(self.shape)

    @property
    def channels(self) -> int | None:
        """The channels of the images that the network takes."""
        return self.shape[0] if self.size is not None else None

    @property
    def in_color(self) -> bool:
        """Whether images may have colors: those of one input at least."""
        inputs = {node.shape[0] for node in self.inputs}
        return self.channels is None or 3 in (inputs or {self.channels})

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the images that the network takes."""
        if len(self.shape) != 3 or self.series:
            return None
        return self.shape[1], self.shape[2]

    @property
    def layers(self) -> LayerNames | None:
        """Resolves names of layers in directives."""
        return LayerNames(self.network) if self.network else None

    # ---- mistakes ----

    def unfit(
        self, place: Span, message: str, help: str = "", edits: tuple[Edit, ...] = ()
    ) -> Problem:
        """The error for a directive that does not fit the network's input."""
        assert self.network is not None
        labels = tuple(
            Label(
                first_line(node.span),
                f"the input{f' `{node.name}`' if self.inputs else ''} is {text(node.shape)}",
            )
            for node in self.network.inputs
        )
        return Problem("unfit-input", message, place, labels=labels, help=help, edits=edits)


def conflict(
    message: str,
    first: Directive,
    other: Directive,
    *,
    help: str = "keep one of them",
    drop: bool = True,
) -> Problem:
    """The error for two directives that contradict each other; with `drop`, the fix removes the
    first.
    """
    assert first.origin is not None
    labels = (Label(other.origin.span, "the other"),) if other.origin else ()
    edits = (Edit(first.origin.span, ""),) if drop else ()
    return Problem("conflict", message, first.origin.span, labels=labels, help=help, edits=edits)


def taken_out(place: Span) -> tuple[Edit, ...]:
    """The edit that removes an argument and the blank before it."""
    return (Edit(Span(place.source, place.start - 1, place.end), ""),)


def unknown_parts(
    names: Sequence[str], directive: Directive, context: Context
) -> Iterator[Problem]:
    """Errors for names of layers that are not in the network."""
    if context.layers is None or directive.origin is None:
        return
    for name in names:
        problem = context.layers.problem(name, _place_of(name, directive.origin.span))
        if problem is not None:
            yield problem


def _place_of(name: str, whole: Span) -> Span:
    """The place of one of several names."""
    for written in (name_or_text(name), quoted(name)):
        match = re.search(rf"(?<![\w.]){re.escape(written)}(?![\w.])", whole.text)
        if match:
            return Span(whole.source, whole.start + match.start(), whole.start + match.end())
    return whole
