"""Shortened names of layers, for tables in narrow terminals: `feat.0.bloc.0.conv` stands for
`features.0.blocks.0.conv`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..network import Network

_WORD = re.compile(r"\D*")


def shortened(names: Sequence[str], letters: int) -> dict[str, str]:
    """By name: with so many letters of each word before the last one, and with as many more as it
    takes to tell the words apart. Numbers are kept.
    """
    inner = {part for name in names for part in name.split(".")[:-1]}
    words = _prefixes({_word(part) for part in inner}, letters)
    parts = {part: words[_word(part)] + part.removeprefix(_word(part)) for part in inner}
    result = {}
    for name in names:
        *before, last = name.split(".")
        result[name] = ".".join([*(parts[part] for part in before), last])
    return result


def _word(part: str) -> str:
    """`layer` of `layer1`."""
    found = _WORD.match(part)
    assert found is not None
    return found[0]


def _prefixes(words: Iterable[str], letters: int) -> dict[str, str]:
    """The beginning of each word that no other word has, in alphabetical order the one before or
    the one after.
    """
    ordered = sorted(words)
    prefixes = {}
    for word, before, after in zip(ordered, ["", *ordered], [*ordered[1:], ""], strict=False):
        least = 1 + max(_in_common(word, before), _in_common(word, after))
        prefixes[word] = word[: max(letters, least)]
    return prefixes


def _in_common(one: str, two: str) -> int:
    """How many letters two words have in common at their beginning."""
    pairs = enumerate(zip(one, two, strict=False))
    return next((place for place, (a, b) in pairs if a != b), min(len(one), len(two)))


def written_out(network: Network, short: str) -> str | None:
    """The name of the layer or part that a shortened name stands for; None unless it is one."""
    ours = short.split(".")
    found = set()
    for node in network.nodes:
        full = node.name.split(".")[: len(ours)]
        same = len(full) == len(ours) and full[-1] == ours[-1]
        if same and all(map(_stands_for, ours[:-1], full)):
            found.add(".".join(full))
    return found.pop() if len(found) == 1 else None


def _stands_for(short: str, part: str) -> bool:
    word = _word(short)
    return part == short or (
        bool(word)
        and part.startswith(word)
        and part.removeprefix(_word(part)) == short.removeprefix(word)
    )
