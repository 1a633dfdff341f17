"""Counts the layers of `if` branches that were not taken, since names count them too. So the
statements of a block have the same names in all its calls: after `if expand > 1 { conv … }` the
next convolution is `conv2`, whatever `expand` is. Branches are alternatives: all begin with the
same number, and numbering continues after the longest.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from ...dsl.syntax import Body, Branches, Call, For, If, Repeat, Statement
from ..language.vocabulary import FORMS

Resolve = Callable[[str], str]
"""Resolves the word of a statement: a parameter may stand for a block or a layer."""

LOOP = "blocks"
"""The word that loops without a label are counted under."""


def words_of(body: Body | Branches | None, resolve: Resolve) -> Counter[str]:
    """The number of layers of each word that a body would add to the numbering of its scope."""
    counts: Counter[str] = Counter()
    if isinstance(body, Branches):
        for path in body.paths:
            counts += words_of(path, resolve)
    elif body is not None:
        for statement in body.statements:
            counts += _words(statement, resolve)
    return counts


def not_taken(statement: If, taken: Body | Branches | None, resolve: Resolve) -> Counter[str]:
    """The layers that other branches have beyond the one that was taken."""
    return _longest(statement, resolve) - words_of(taken, resolve)


def _longest(statement: If, resolve: Resolve) -> Counter[str]:
    longest: Counter[str] = Counter()
    for body in (*[arm.body for arm in statement.arms], statement.otherwise):
        longest |= words_of(body, resolve)
    return longest


def _words(statement: Statement, resolve: Resolve) -> Counter[str]:
    if getattr(statement, "label", None) is not None:
        return Counter()
    if isinstance(statement, If):
        return _longest(statement, resolve)
    if isinstance(statement, Repeat | For):
        return Counter([LOOP])
    if not isinstance(statement, Call):
        return Counter()
    word = resolve(statement.head.value)
    if word == "aux":
        return Counter([word])
    own = [] if word in FORMS else [word]
    return Counter(own) + words_of(statement.body, resolve)
