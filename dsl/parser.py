"""Parser: text to syntax tree, with LALR tables and error recovery. Lark computes the tables.
Running them here, over columns of tokens and with a stack for the extent of every symbol, gives
each node its exact span and is several times faster than a general driver. After a syntax error the
statement is skipped, and parsing continues with the next one.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from .builder import TreeBuilder
from .diagnostics import Diagnostic, SpecError, has_errors, in_order
from .gc_pause import gc_paused
from .lexer import END, ERROR, MAX_MISTAKES, Lexed, grammar_tables, lex
from .source import Source
from .syntax import Spec
from .tables import Rule, Tables

if TYPE_CHECKING:  # imported only if there is an error
    from .trouble import Mend, Trouble

_NOT_MENDED = frozenset(
    {
        "bad-number",
        "foreign-word",
        "strange-character",
        "unclosed-bracket",
        "unclosed-string",
        "unopened-bracket",
    }
)
"""After these lexical errors the lexer cannot be sure what was meant: a syntax error after one of
them, in the same statement, may be a consequence.
"""


def parse(source: Source | str) -> Spec:
    """The syntax tree of a text; raises SpecError with every mistake in it."""
    spec, diagnostics = read(source if isinstance(source, Source) else Source("<text>", source))
    if has_errors(diagnostics):
        raise SpecError(diagnostics)
    return spec


@gc_paused()
def read(source: Source, *, partial: bool = False) -> tuple[Spec, list[Diagnostic]]:
    """The tree, and all diagnostics; of a text with mistakes of syntax there is no tree, or, with
    `partial`, that of the statements without mistakes, for who looks for names."""
    lexed = lex(source)
    if not lexed.complete:
        return Spec(source, (), tuple(lexed.comments)), in_order(lexed.diagnostics)
    unpaired = _unpaired_braces(source, lexed)
    statements, mistakes = _Parse(source, lexed).run()
    if (unpaired or mistakes) and not partial:
        statements = ()
    spec = Spec(source, statements, tuple(lexed.comments))
    return spec, in_order(_once([*lexed.diagnostics, *unpaired, *mistakes]))


def _unpaired_braces(source: Source, lexed: Lexed) -> list[Diagnostic]:
    """Errors for braces without a partner; the tokens are repaired."""
    depth = unopened = 0
    for kind in lexed.types:
        if kind == "LBRACE":
            depth += 1
        elif kind == "RBRACE":
            unopened += depth == 0
            depth = max(depth - 1, 0)
    if not depth and not unopened:
        return []
    from .braces import pair_up

    return pair_up(source, lexed, depth, unopened)


def _once(diagnostics: list[Diagnostic]) -> list[Diagnostic]:
    """Without duplicates: the same message at the same place is kept once."""
    found: dict[object, Diagnostic] = {}
    for it in diagnostics:
        found.setdefault((it.code, it.span and it.span[1:]), it)
    return list(found.values())


_DEPTH = {"LPAR": 1, "LSQB": 1, "AT": 1, "RPAR": -1, "RSQB": -1}
"""What brackets add to the depth in which a comma separates no statements."""

MAX_RECOVERIES = 10 * MAX_MISTAKES
"""How often reading goes on after a mistake. More than one that is told lie in the same line or
list, and each costs a search for what was meant: a text of nothing else would take long."""


class _Inline(list[Any]):
    """The values of a rule whose name starts with `_`: they are inlined into the rule around it."""


class _Snapshot(NamedTuple):
    position: int
    states: list[int]
    values: list[Any]
    starts: list[int]
    ends: list[int]
    diagnostics: int
    """The number of diagnostics that the builder had."""


class _Parse:
    def __init__(self, source: Source, lexed: Lexed) -> None:
        self.source = source
        self.tokens = lexed
        self.tables: Tables = grammar_tables()
        self.builder = TreeBuilder(source, lexed.text)
        self.mistakes: list[Diagnostic] = []
        self.reported = sorted(
            d.span.start for d in lexed.diagnostics if d.span and d.code in _NOT_MENDED
        )
        self.surplus = lexed.types.count("RBRACE") - lexed.types.count("LBRACE")
        """The number of closing braces minus the number of opening ones."""
        self.last_explained = (-1, "")
        self.value_line = -1
        """The last line with values, or missing values, instead of a statement."""
        # Parallel stacks: one entry for every symbol that is not yet part of a larger one.
        self.states: list[int] = [self.tables.start]
        self.values: list[Any] = [None]
        self.starts: list[int] = [0]
        self.ends: list[int] = [0]
        self.snapshot = _Snapshot(0, [], [], [], [], 0)
        builders = [self.builder.for_rule(rule.build) for rule in self.tables.rules]
        self.rules = list(zip(self.tables.rules, builders, strict=True))
        self.makers = self.builder.for_terminals()

    def run(self) -> tuple[tuple[Any, ...], list[Diagnostic]]:
        types, starts, ends = self.tokens.types, self.tokens.starts, self.tokens.ends
        size = len(self.source.text)
        types.append(END)
        starts.append(size)
        ends.append(size)
        position = 0
        for _ in range(MAX_RECOVERIES):
            position = self.drive(position)
            if position >= len(types) or len(self.mistakes) >= MAX_MISTAKES:
                break
            self.step_back(position)
            position = self.recover(position)
        self.mistakes.extend(dict.fromkeys(self.builder.diagnostics))
        result = self.values[-1]
        return (result if isinstance(result, tuple) else ()), self.mistakes

    def drive(self, position: int, stop: int | None = None) -> int:
        """Parses tokens from a position on; stops at the first unexpected one."""
        self.remember(position)
        actions, gotos = self.tables.actions, self.tables.gotos
        rules, make = self.rules, self.makers
        states, values, starts, ends = self.states, self.values, self.starts, self.ends
        for kind, start, end in self.tokens_from(position, stop):
            while True:
                action = actions[states[-1]].get(kind)
                if action is None:
                    if kind == END and states[-1] == self.tables.end:
                        return position + 1
                    return position
                if action >= 0:
                    maker = make.get(kind)
                    states.append(action)
                    values.append(maker(start, end) if maker else None)
                    starts.append(start)
                    ends.append(end)
                    if kind == "NEWLINE":
                        self.remember(position + 1)
                    break
                rule, build = rules[-action - 1]
                count = rule.size
                if rule.passes and count == 1:
                    states[-1] = gotos[states[-2]][rule.origin]
                    continue
                if count:
                    first, last = starts[-count], ends[-1]
                    value = self.reduce(rule, build, values[-count:], first, last)
                    del states[-count:], values[-count:], starts[-count:], ends[-count:]
                else:
                    first = last = ends[-1]
                    value = self.reduce(rule, build, [], first, last)
                states.append(gotos[states[-1]][rule.origin])
                values.append(value)
                starts.append(first)
                ends.append(last)
            position += 1
        return position

    def tokens_from(self, position: int, stop: int | None) -> Iterator[tuple[str, int, int]]:
        """Type, start and end of each token.

        In pieces of growing size: copying all the rest after each of many errors would be
        quadratic.
        """
        types, starts, ends = self.tokens.types, self.tokens.starts, self.tokens.ends
        end = len(types) if stop is None else stop
        size = 64
        while position < end:
            piece = slice(position, min(position + size, end))
            yield from zip(types[piece], starts[piece], ends[piece], strict=True)
            position += size
            size *= 2

    @staticmethod
    def reduce(rule: Rule, build: Any, symbols: list[Any], start: int, end: int) -> Any:
        kept = symbols if len(rule.kept) == len(symbols) else [symbols[i] for i in rule.kept]
        if rule.passes:
            return kept[0]
        parts: list[Any]
        if kept and type(kept[0]) is _Inline:
            parts = kept[0]  # a growing list is extended in place, so that long lists stay linear
            rest = kept[1:]
        else:
            parts = _Inline()
            rest = kept
        for value in rest:
            if type(value) is _Inline:
                parts += value
            else:
                parts.append(value)
        if rule.inlined:
            return parts
        return build(parts, start, end)

    # ---- error recovery ----

    def remember(self, position: int) -> None:
        """Saves the parser state before a position."""
        self.snapshot = _Snapshot(
            position,
            self.states[:],
            self.values[:],
            self.starts[:],
            self.ends[:],
            len(self.builder.diagnostics),
        )

    def step_back(self, position: int) -> None:
        """Undoes the reductions that an unexpected token caused. LALR tables may complete the
        statement, or everything around it, before they detect the error: so the tokens since the
        last line end are parsed again, without that token.
        """
        kept = self.snapshot
        self.states[:], self.values[:] = kept.states, kept.values
        self.starts[:], self.ends[:] = kept.starts, kept.ends
        del self.builder.diagnostics[kept.diagnostics :]
        self.drive(kept.position, stop=position)

    def recover(self, position: int) -> int:
        """Reports the unexpected token and recovers; returns where to read on."""
        from .mistakes import explain

        trouble = self.trouble(position)
        again = (trouble.start, trouble.kind) == self.last_explained
        if trouble.kind == ERROR or trouble.follows(self.reported) or again:
            return self.skip_statement(trouble)
        self.last_explained = trouble.start, trouble.kind
        explanation = explain(trouble)
        if not self.goes_on(explanation.diagnostic):
            self.mistakes.append(explanation.diagnostic)
        mend = explanation.mend
        if mend is None or not self.stand_alone(mend.back, position):
            return self.skip_statement(trouble)
        return self.mend(position, mend)

    def goes_on(self, found: Diagnostic) -> bool:
        """Whether this is a further line of a list whose beginning is missing: reported at its
        first line.
        """
        line = found.span.line if found.span else 0
        goes_on = found.code == "statement-start" and line == self.value_line + 1
        if found.code in ("statement-start", "missing-value"):
            self.value_line = line
        return goes_on

    def stand_alone(self, count: int, position: int) -> bool:
        """Whether the tokens before a position are still separate symbols on the stack."""
        places = self.tokens.starts[position - count : position]
        return count < len(self.states) and self.starts[len(self.starts) - count :] == list(places)

    def trouble(self, position: int) -> Trouble:
        from .trouble import Trouble

        begin = self.count_before_statement()
        if begin < len(self.states):
            first = bisect_left(self.tokens.starts, self.starts[begin], 0, position)
        else:
            first = position
        after_brace = {row.get("LBRACE", -1) for row in self.tables.actions}
        states = self.reduced("NEWLINE")
        places = zip(states, self.starts, strict=False)
        braces = [start for state, start in places if state in after_brace]
        kinds = self.tables.actions[self.states[-1]]
        accepts = frozenset(kind for kind in kinds if self.fits(kind))
        return Trouble(self.source, self.tokens, position, first, accepts, braces, self.surplus)

    def fits(self, kind: str) -> bool:
        """Whether a token would be accepted, after the reductions that it causes."""
        state = self.reduced(kind)[-1]
        return kind in self.tables.actions[state] or state == self.tables.end

    def reduced(self, kind: str, until: str = "", states: Sequence[int] | None = None) -> list[int]:
        """The states after the reductions that a token would cause; with `until`, only up to the
        reduction to that symbol.
        """
        tables = self.tables
        states = list(states or self.states)
        while True:
            action = tables.actions[states[-1]].get(kind)
            if action is None or action >= 0:
                return states
            rule = tables.rules[-action - 1]
            if rule.size:
                del states[-rule.size :]
            states.append(tables.gotos[states[-1]][rule.origin])
            if rule.origin == until:
                return states

    def count_before_statement(self) -> int:
        """The number of symbols before the current statement, or the one just completed."""
        gotos = self.tables.gotos
        if "statement" in gotos[self.reduced("WORD")[-1]]:
            return len(self.states)
        states = self.reduced("NEWLINE", until="statement")
        if len(states) > 1 and gotos[states[-2]].get("statement") == states[-1]:
            states.pop()
        while "statement" not in gotos[states[-1]]:
            states.pop()
        return len(states)

    def back_to_statements(self) -> None:
        """Pops the symbols since the last place where a statement may begin."""
        self.forget(len(self.states) - self.count_before_statement())

    def forget(self, count: int) -> None:
        """Pops the newest symbols."""
        keep = len(self.states) - count
        del self.states[keep:], self.values[keep:], self.starts[keep:], self.ends[keep:]

    def mend(self, position: int, mend: Mend) -> int:
        """Replaces tokens by others; returns where to read on."""
        self.surplus += mend.surplus
        self.forget(mend.back)
        first, behind = position - mend.back, position + mend.skip
        tokens = self.tokens
        tokens.types[first:behind] = [kind for kind, _, _ in mend.read]
        tokens.starts[first:behind] = array("q", [start for _, start, _ in mend.read])
        tokens.ends[first:behind] = array("q", [end for _, _, end in mend.read])
        return first

    def skip_statement(self, trouble: Trouble) -> int:
        """Skips the statement around a place, but not its body."""
        types = self.tokens.types
        position = trouble.position
        if types[position] == END:
            return len(types)
        self.back_to_statements()
        if types[position] in ("RBRACE", "VBAR") and not self.fits_behind_word(types[position]):
            position += 1  # this is the unexpected token
        bar = "VBAR" if self.fits_behind_word("VBAR") else ""
        separates = self.fits_behind_word("COMMA")
        depth = sum(_DEPTH.get(kind, 0) for kind in types[trouble.begin : position])
        while types[position] not in ("NEWLINE", "LBRACE", "RBRACE", bar, END):
            depth += _DEPTH.get(types[position], 0)
            begins = types[position] == "COMMA" and types[position + 1] in ("WORD", "KEY")
            if separates and begins and depth <= 0 and position > trouble.position:
                break
            position += 1
        if types[position] == "LBRACE" and trouble.has_no_body:
            position = trouble.behind_braces(position)
        # A substitute statement that owns the body; after that of an `if`, an `else` may follow.
        words = (
            ["IF", "WORD"] if (types[position], trouble.opening) == ("LBRACE", "IF") else ["WORD"]
        )
        at = array("q", [self.tokens.starts[position]] * len(words))
        types[position:position] = words
        self.tokens.starts[position:position] = at
        self.tokens.ends[position:position] = at
        return position

    def fits_behind_word(self, kind: str) -> bool:
        states = self.reduced("WORD")
        states = self.reduced(kind, states=[*states, self.tables.actions[states[-1]]["WORD"]])
        return kind in self.tables.actions[states[-1]]
