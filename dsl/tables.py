"""The LALR tables of grammar.lark, worked out by Lark once and kept as JSON.

Importing Lark costs more than checking a spec, so it happens only when grammar.lark has changed
since the tables beside it were written. JSON rather than a pickle: reading it can run nothing. The
first line of that file has the check sums of the grammar and of the second, the tables.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

GRAMMAR = Path(__file__).with_name("grammar.lark")
CACHE = Path(__file__).with_name("grammar.tables.json")

# Part of the check sum: raise it when what is stored here changes its meaning.
_FORMAT = 2


class Rule(NamedTuple):
    """What to do when the right-hand side of a grammar rule has been seen."""

    origin: str
    """The non-terminal that it reduces to."""
    build: str
    """The method of the tree builder that makes its value."""
    size: int
    """How many symbols stand on its right-hand side."""
    kept: tuple[int, ...]
    """Which of them carry a value; `{` and its like do not."""
    passes: bool
    """It hands its only value on unchanged (`?rule`)."""
    inlined: bool
    """Its values join those of the rule around it (`_rule`, and what Lark makes of `*`)."""


class Tables(NamedTuple):
    start: int
    end: int
    actions: list[dict[str, int]]
    """By state and terminal: `n >= 0` shifts to state n, `n < 0` reduces by rule `-n - 1`."""
    gotos: list[dict[str, int]]
    rules: list[Rule]
    patterns: list[tuple[str, str]]
    """Terminals with a pattern, the one to try first in front."""
    literals: dict[str, str]
    """Spelling to terminal, for words and signs that stand for themselves."""


def load(grammar: Path = GRAMMAR, cache: Path = CACHE) -> Tables:
    """The tables of the grammar as it is now."""
    text = grammar.read_text(encoding="utf-8")
    key = crc32(f"{_FORMAT}\n{text}".encode())
    # Whatever is wrong with the stored file, there is a way to do without it.
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError, RecursionError):
        head, _, stored = cache.read_bytes().partition(b"\n")
        # A file of the right grammar may have been damaged all the same.
        if json.loads(head) == _head(key, stored):
            return _decode(json.loads(stored))
    built = _build(text)
    _write(cache, key, json.dumps(built, separators=(",", ":")).encode() + b"\n")
    return _decode(built)


def _head(key: int, stored: bytes) -> dict[str, int]:
    return {"grammar": key, "tables": crc32(stored)}


def _write(cache: Path, key: int, stored: bytes) -> None:
    from .atomic_file import written  # not needed by most

    # A read-only install: the tables are good, they are only not kept.
    with contextlib.suppress(OSError), written(cache) as file:
        file.write_bytes(json.dumps(_head(key, stored)).encode() + b"\n" + stored)


def _build(grammar: str) -> dict[str, Any]:
    from lark import Lark
    from lark.grammar import Rule as LarkRule
    from lark.lexer import TerminalDef

    lark = Lark(grammar, parser="lalr", lexer="basic", start="start")
    data, memo = lark.memo_serialize([TerminalDef, LarkRule])
    table = data["parser"]["parser"]
    # Lark's leading underscore has done its work (the token carries no value): drop it.
    names: dict[int, str] = {
        number: name if name.startswith("__") or name.islower() else name.removeprefix("_")
        for number, name in table["tokens"].items()
    }
    terminals = [item for item in memo.values() if item["__type__"] == "TerminalDef"]
    numbered = [(number, item) for number, item in memo.items() if item["__type__"] == "Rule"]
    numbered.sort(key=lambda pair: (pair[1]["origin"]["name"], pair[1]["order"]))
    rules = {number: place for place, (number, _) in enumerate(numbered)}
    stored_rules = [_rule(item) for _, item in numbered]
    nonterminals = {rule[0] for rule in stored_rules}

    # Lark numbers states as its sets happen to come; in the order of a walk from the start, the
    # same grammar gives the same file.
    start = table["start_states"]["start"]
    order = _walk(start, table["states"], names)
    place = {state: number for number, state in enumerate(order)}
    actions: list[dict[str, int]] = []
    gotos: list[dict[str, int]] = []
    for state in order:
        moves: dict[str, int] = {}
        jumps: dict[str, int] = {}
        for symbol, (kind, target) in _sorted_row(table["states"][state], names):
            if kind == 1:
                moves[symbol] = -rules[target["@"]] - 1
            elif symbol in nonterminals:
                jumps[symbol] = place[target]
            else:
                moves[symbol] = place[target]
        actions.append(moves)
        gotos.append(jumps)

    ignored = data["parser"]["lexer_conf"]["ignore"]
    literals = {}
    patterns = []
    # The order that Lark itself would try them in.
    terminals.sort(key=lambda t: (-t["priority"], -len(t["pattern"]["value"]), t["name"]))
    for terminal in terminals:
        value = terminal["pattern"]["value"]
        name = terminal["name"].removeprefix("_")
        if terminal["pattern"]["__type__"] == "PatternStr":
            literals[value] = name
        elif terminal["name"] not in ignored:
            patterns.append((name, value))
    return {
        "start": place[start],
        "end": place[table["end_states"]["start"]],
        "actions": actions,
        "gotos": gotos,
        "rules": stored_rules,
        "patterns": patterns,
        "literals": dict(sorted(literals.items())),
    }


def _sorted_row(row: dict[int, Any], names: dict[int, str]) -> list[tuple[str, Any]]:
    return sorted(
        ((names[symbol], action) for symbol, action in row.items()), key=lambda entry: entry[0]
    )


def _walk(start: int, states: dict[int, Any], names: dict[int, str]) -> list[int]:
    """All states in the order in which they are reached."""
    order = [start]
    seen = {start}
    for state in order:
        for _, (kind, target) in _sorted_row(states[state], names):
            if kind == 0 and target not in seen:
                seen.add(target)
                order.append(target)
    return order


def _rule(item: dict[str, Any]) -> tuple[str, str, int, list[int], bool, bool]:
    origin = item["origin"]["name"]
    expansion = item["expansion"]
    kept = [i for i, symbol in enumerate(expansion) if not symbol.get("filter_out")]
    passes = bool(item["options"]["expand1"]) and not item["alias"] and len(kept) == 1
    inlined = origin.startswith("_")
    return origin, item["alias"] or origin, len(expansion), kept, passes, inlined


def _decode(stored: dict[str, Any]) -> Tables:
    return Tables(
        start=stored["start"],
        end=stored["end"],
        actions=stored["actions"],
        gotos=stored["gotos"],
        rules=[Rule(o, b, s, tuple(k), p, i) for o, b, s, k, p, i in stored["rules"]],
        patterns=[(name, pattern) for name, pattern in stored["patterns"]],
        literals=stored["literals"],
    )
