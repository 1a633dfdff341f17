"""What a directive is: one small frozen class that knows everything about itself.

A class states its section and its word, its signature (attributes made with
`..language.kinds`), what stands for it where a spec does not mention it, what other tools call it,
and what it cannot go together with. Nothing else knows it by name.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, Self, TypeVar

from ...dsl.diagnostics import Diagnostic, Edit, Label
from ...dsl.source import Span
from ...dsl.syntax import Call
from ..diagnose.blame import first_line
from ..language.binding import Evaluated, bind, bind_one
from ..language.declared import Declared
from ..language.evaluate import Env
from ..language.problems import Problem
from ..language.signature import Signature
from ..network import Network
from ..shapes import Shape, text
from .layer_names import LayerNames


class Origin(NamedTuple):
    """Where a directive is written."""

    span: Span
    places: Mapping[str, Span]
    """Of the arguments that are given."""
    head: Span


REGISTRY: dict[str, dict[str, type[Directive]]] = {}
"""By section: every directive that can be written there, by its word or words."""


class Directive(Declared):
    """A statement of a section."""

    section: ClassVar[str] = ""
    example: ClassVar[str] = ""
    """How it may be written, where its word and examples of its arguments would not do."""
    usage: ClassVar[str] = ""
    """How it is written, where the fields alone would not say it."""
    elsewhere: ClassVar[Mapping[str, str]] = {}
    """What to write here, and what other tools call it, separated by blanks."""
    advice: ClassVar[Mapping[str, str]] = {}
    """What to do instead, and words that other tools have for it, separated by blanks."""
    synonyms: ClassVar[tuple[str, ...]] = ()
    """Other words for it."""
    several: ClassVar[bool] = False
    """It may be written more than once."""
    offered: ClassVar[bool] = True
    """It is listed where a spec could have it; not what only a program can give."""
    may_be_off: ClassVar[bool] = False
    """`off` or `none` in place of its arguments: as if it were not written."""

    origin: Origin | None = None
    """None where the spec does not say it. Not an argument, and not part of its value."""
    off: bool = False
    """Written as `off`."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        # Positional arguments come first, also before those that are inherited.
        cls.fields = dict(sorted(cls.fields.items(), key=lambda item: item[1].keyword_only))
        if "word" in vars(cls):
            known = REGISTRY.setdefault(cls.section, {})
            for word in (cls.word, *cls.synonyms):
                assert word not in known, word
                known[word] = cls

    # ---- what it is ----

    @classmethod
    def head(cls) -> str:
        """Its first word, which it shares with others of its kind: `optimizer`."""
        return cls.word.split(" ", 1)[0]

    @property
    def kind(self) -> str:
        """Its second word, where it has one: `sgd`."""
        return self.word.partition(" ")[2]

    @classmethod
    def signature(cls) -> Signature:
        return Signature(cls.word, cls.fields, (cls.__doc__ or "").strip(), cls.usage)

    @property
    def written(self) -> bool:
        return self.origin is not None

    @property
    def span(self) -> Span | None:
        """Where the spec says it."""
        return self.origin.span if self.origin else None

    def place(self, name: str) -> Span | None:
        """Where the spec says an argument; the whole statement where that leaves it out."""
        return self.origin.places.get(name, self.origin.span) if self.origin else None

    def placed(self, origin: Origin | None, *, off: bool = False) -> Self:
        """The same, written there."""
        copy = type(self)(**self.__dict__)
        copy.__dict__["origin"] = origin
        if off:
            copy.__dict__["off"] = True
        return copy

    def __repr__(self) -> str:
        return f"<{self}>"

    def __str__(self) -> str:
        """The statement that says it, every argument written out."""
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
                bare = field.required or field.many or (first and not field.keyword_only)
                parts.append(text if bare else f"{field.name}={text}")
        return " ".join(parts)

    @classmethod
    def shown(cls) -> str:
        """How it may be written."""
        needed = [field for field in cls.fields.values() if field.required]
        values = [field.example or " ".join(field.words[:1]) for field in needed]
        return cls.example or " ".join([cls.word, *values])

    @classmethod
    def doc(cls) -> str:
        """The first sentence about it, without where it comes from."""
        lines = (cls.__doc__ or "").split("\n\n")[0].split()
        text = " ".join(lines).split(" (")[0].split(": `")[0].rstrip(".")
        # A name, as of `ImageNet`, keeps its capitals.
        return text if text[1:2].isupper() else text[:1].lower() + text[1:]

    def remark(self) -> str:
        """The comment beside it where a plan is printed."""
        return self.doc()

    # ---- how it is read ----

    @classmethod
    def arranged(cls, arguments: Sequence[Evaluated]) -> Sequence[Evaluated]:
        """Its arguments without words that only make a sentence of it."""
        return arguments

    @classmethod
    def read(
        cls, call: Call, arguments: Sequence[Evaluated], env: Env, words: Collection[str]
    ) -> dict[str, Any]:
        """The values of its arguments; raises Problem."""
        return bind(call, cls.signature(), arguments, env, words)

    def one(self, argument: Evaluated) -> tuple[str, Any]:
        """The name and value of a single argument, to replace one of this; raises Problem."""
        return bind_one(argument, self.signature())

    # ---- what it means in its context ----

    @classmethod
    def usual(cls, context: Context) -> Self | None:
        """The default, where nothing is written; None where that is nothing."""
        return None if cls.may_be_off else cls()

    def settle(self, context: Context) -> Self:
        """This one with what it leaves open filled in, once all others are known."""
        return self

    def problems(self, context: Context) -> Iterator[Problem]:
        """What is wrong with it where it stands."""
        return iter(())

    def warnings(self, context: Context) -> Iterator[Diagnostic]:
        """What is only unwise."""
        return iter(())


# ---- what surrounds it -----------------------------------------------------------------------

D = TypeVar("D", bound=Directive)


class Context:
    """What surrounds a directive: the network, and the other directives."""

    def __init__(
        self,
        network: Network | None,
        given: Mapping[str, Sequence[Directive]],
        shape: Shape = (),
    ) -> None:
        self.network = network
        """None where it has mistakes of its own."""
        self.given = given
        """By section, in the order written."""
        self.shape: Shape = network.input.shape if network else shape
        """Of the network's input; empty where that is not known."""

    # ---- directives ----

    def all(self, kind: type[D]) -> list[D]:
        """The directives of a kind that are written, those that are off left out."""
        found = self.given.get(kind.section, ())
        return [one for one in found if isinstance(one, kind) and not one.off]

    def find(self, kind: type[D]) -> D | None:
        """The one that is written, else the default."""
        for one in self.given.get(kind.section, ()):
            if isinstance(one, kind):
                return None if one.off else one
        return kind.usual(self)

    def get(self, kind: type[D]) -> D:
        """The same, for what is always there."""
        found = self.find(kind)
        assert found is not None, kind
        return found

    # ---- the network ----

    @property
    def channels(self) -> int | None:
        return self.shape[0] if len(self.shape) == 3 else None

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of the network's input."""
        return (self.shape[1], self.shape[2]) if len(self.shape) == 3 else None

    @property
    def layers(self) -> LayerNames | None:
        """What names of layers in a directive can mean."""
        return LayerNames(self.network) if self.network else None

    # ---- mistakes ----

    def unfit(
        self, place: Span, message: str, help: str = "", edits: tuple[Edit, ...] = ()
    ) -> Problem:
        """For what does not suit the network's input."""
        assert self.network is not None
        label = Label(first_line(self.network.input.span), f"the input is {text(self.shape)}")
        return Problem("unfit-input", message, place, labels=(label,), help=help, edits=edits)


def conflict(
    message: str,
    one: Directive,
    other: Directive,
    *,
    help: str = "keep one of them",
    drop: bool = True,
) -> Problem:
    """For two directives that contradict each other; `drop` offers to take the first out."""
    assert one.origin is not None
    labels = (Label(other.origin.span, "the other"),) if other.origin else ()
    edits = (Edit(one.origin.span, ""),) if drop else ()
    return Problem("conflict", message, one.origin.span, labels=labels, help=help, edits=edits)


def taken_out(place: Span) -> tuple[Edit, ...]:
    """The change that takes an argument out, with the blank before it."""
    return (Edit(Span(place.source, place.start - 1, place.end), ""),)
