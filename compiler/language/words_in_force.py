"""The words that a spec may use: those of the language, and those of the plug-ins that it names
with `use`. The words of a plug-in are known while such a spec is read, and at no other time, so
that two specs in one process do not disturb one another.

    with in_force(words): …          # compiler/extend/used_plugins.py does this for a program

It is a context variable, not an argument: three dozen places ask what a word is, from the binding
of arguments to the suggestion for a misspelled word, and each would have to hand it on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache, wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

Declarations = Mapping[str, Any]
"""Classes by their word or words."""


class Words(NamedTuple):
    """The words of the plug-ins of a spec."""

    layers: Declarations
    directives: Mapping[str, Declarations]
    """By section."""
    owners: Mapping[str, str]
    """By the word of a layer, the name of its plug-in."""
    metrics: Declarations
    callbacks: Declarations
    """What `log` can name."""

    def __hash__(self) -> int:
        return id(self.owners)  # made once for each combination of plug-ins


NONE = Words({}, {}, {}, {}, {})

_IN_FORCE: ContextVar[Words] = ContextVar("words", default=NONE)


def words_in_force() -> Words:
    return _IN_FORCE.get()


@contextmanager
def in_force(words: Words) -> Iterator[None]:
    token = _IN_FORCE.set(words)
    try:
        yield
    finally:
        _IN_FORCE.reset(token)


T = TypeVar("T")
P = ParamSpec("P")


class WordTable(MutableMapping[str, T]):
    """Declarations by their words: those of the language, then those of plug-ins in force."""

    def __init__(self, further: Callable[[Words], Declarations]) -> None:
        self.own: dict[str, T] = {}
        """Those of the language alone."""
        self._further = further

    def _theirs(self) -> Declarations:
        return self._further(_IN_FORCE.get())

    def __getitem__(self, word: str) -> T:
        try:
            return self.own[word]
        except KeyError:
            return self._theirs()[word]  # type: ignore[no-any-return]

    def __contains__(self, word: object) -> bool:
        return word in self.own or word in self._theirs()

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from self._theirs()

    def __len__(self) -> int:
        return len(self.own) + len(self._theirs())

    def __setitem__(self, word: str, kind: T) -> None:
        self.own[word] = kind

    def __delitem__(self, word: str) -> None:
        del self.own[word]

    def __or__(self, other: Mapping[str, T]) -> dict[str, T]:
        return {**self, **other}


def cached_by_words(function: Callable[P, T]) -> Callable[P, T]:
    """Like `functools.cache`, for what follows from the words in force."""

    @lru_cache(maxsize=64)
    def known(words: Words, *arguments: Any) -> T:
        return function(*arguments)  # type: ignore[call-arg]

    @wraps(function)
    def answer(*arguments: P.args, **named: P.kwargs) -> T:
        return known(_IN_FORCE.get(), *arguments)

    return answer


def belongs_to_the_language(kind: type) -> bool:
    """Whether a class is one of this package, and not of a plug-in, which declares its words itself
    when it is loaded."""
    return kind.__module__.partition(".")[0] == __name__.partition(".")[0]
