"""Mistakes that people make in the syntax, and the sentence each deserves.

A table: every row is a broken snippet and the function that knows it when the parser stumbles
there. Rows are tried in the order written; the first that recognises its mistake explains it. A
test reads every snippet and finds the row that it belongs to.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

from .diagnostics import Diagnostic, Edit, Label
from .lexer import END, Lexed
from .source import Source, Span

_STATEMENT_ENDS = ("NEWLINE", "LBRACE", "RBRACE", "VBAR")
_HEADERS = {"REPEAT": "repeat", "FOR": "for", "IF": "if", "BLOCK": "block", "NETWORK": "network"}
_KEYWORDS = frozenset(
    "REPEAT FOR IF ELSE LET BLOCK NETWORK IMPORT AS IN AND OR NOT SWITCH".split()
)
_VALUES = frozenset("NUMBER PERCENT FACTOR SIZE STRING SWITCH LPAR LSQB NEGATIVE".split())
_OPERANDS = frozenset("WORD PATH NUMBER PERCENT FACTOR SIZE STRING SWITCH RPAR RSQB".split())
_OPERATORS = frozenset("PLUS TIMES DIVIDE FLOOR_DIVIDE MODULO COMPARISON AND OR TO".split())


@dataclass(frozen=True)
class Trouble:
    """The place where the parser found a token that does not fit."""

    source: Source
    tokens: Lexed
    position: int
    accepts: frozenset[str]
    """What would have fitted."""
    surplus: int
    """How many more braces close than open, in the whole text."""

    @property
    def kind(self) -> str:
        return self.tokens.types[self.position]

    @property
    def start(self) -> int:
        return self.tokens.starts[self.position]

    @property
    def end(self) -> int:
        return self.tokens.ends[self.position]

    @property
    def text(self) -> str:
        return self.source.text[self.start : self.end]

    @property
    def span(self) -> Span:
        return Span(self.source, self.start, self.end)

    def kind_at(self, offset: int) -> str:
        """The type of a token near this one; END past either end."""
        at = self.position + offset
        return self.tokens.types[at] if 0 <= at < len(self.tokens.types) else END

    def text_at(self, offset: int) -> str:
        at = self.position + offset
        if not 0 <= at < len(self.tokens.types):
            return ""
        return self.source.text[self.tokens.starts[at] : self.tokens.ends[at]]

    def span_at(self, offset: int) -> Span:
        at = self.position + offset
        return Span(self.source, self.tokens.starts[at], self.tokens.ends[at])

    @property
    def before(self) -> str:
        return self.kind_at(-1)

    @property
    def after(self) -> str:
        return self.kind_at(1)

    @cached_property
    def first(self) -> int:
        """Where the statement around this place begins, as an offset from it (0, or negative)."""
        at = self.position
        while at > 0 and self.tokens.types[at - 1] not in _STATEMENT_ENDS:
            at -= 1
        return at - self.position

    @property
    def header(self) -> str:
        """The keyword that the statement begins with, or nothing."""
        first = self.first
        if self.kind_at(first) == "WORD" and self.kind_at(first + 1) == "COLON":
            first += 2
        if self.kind_at(first) == "ELSE" or self.kind_at(first - 1) == "ELSE":
            return "else"
        return _HEADERS.get(self.kind_at(first), "")

    @property
    def at_statement_start(self) -> bool:
        return "WORD" in self.accepts and "REPEAT" in self.accepts

    @property
    def can_separate(self) -> bool:
        """Whether a statement is complete here, so that a separator could stand."""
        return "NEWLINE" in self.accepts

    @property
    def gap(self) -> Span:
        """Just behind the token before: where something is missing."""
        at = self.tokens.ends[self.position - 1] if self.position else 0
        return Span(self.source, at, at)

    @property
    def previous(self) -> Span:
        return self.span_at(-1) if self.position else self.gap

    def open_braces(self) -> list[int]:
        """The offsets of the braces open at this place, outermost first."""
        opened: list[int] = []
        for kind, start in zip(
            self.tokens.types[: self.position], self.tokens.starts, strict=False
        ):
            if kind == "LBRACE":
                opened.append(start)
            elif kind == "RBRACE" and opened:
                opened.pop()
        return opened

    def indentation(self, offset: int) -> int:
        """How far the line around an offset is indented."""
        line = self.source.line(self.source.locate(offset)[0])
        return len(line) - len(line.lstrip(" \t"))

    def follows_reported_mistake(self, reported: Sequence[int]) -> bool:
        """Whether something before, in the same statement, has already been explained."""
        begin = self.tokens.starts[self.position + self.first]
        return any(begin <= place <= self.end for place in reported)


@dataclass(frozen=True)
class Explanation:
    """What to say, and how reading can go on as if it had been written right."""

    diagnostic: Diagnostic
    insert: str = ""
    """A token to read before the one that did not fit."""
    skip: int = 0
    """How many tokens to pass over; without this and `insert` the statement is given up."""


Recogniser = Callable[[Trouble], Explanation | None]
TABLE: list[tuple[str, str, Recogniser]] = []
"""Code, broken snippet, and who knows it."""


def explain(trouble: Trouble) -> Explanation:
    for _, _, recognise in TABLE:
        explanation = recognise(trouble)
        if explanation:
            return explanation
    return _anything_else(trouble)


def mistake(code: str, *snippets: str) -> Callable[[Recogniser], Recogniser]:
    def enter(recognise: Recogniser) -> Recogniser:
        TABLE.extend((code, snippet, recognise) for snippet in snippets)
        return recognise

    return enter


def _say(
    code: str,
    message: str,
    span: Span,
    help: str = "",
    *,
    label: str = "",
    labels: tuple[Label, ...] = (),
    edits: tuple[Edit, ...] = (),
    insert: str = "",
    skip: int = 0,
) -> Explanation:
    diagnostic = Diagnostic(code, message, span, label, labels, help=help, edits=edits)
    return Explanation(diagnostic, insert, skip)


# ---- braces ----------------------------------------------------------------------------------


@mistake("unclosed-brace", "network A {\n  conv 64\n", "network A {\n  residual {\n    conv 64\n}\n")
def _unclosed_brace(at: Trouble) -> Explanation | None:
    if at.kind != END or "RBRACE" not in at.accepts | _after_a_separator(at):
        return None
    opened = at.open_braces()
    if not opened:
        return None
    brace, hint = _likely_unclosed(at, opened)
    last = at.span_at(-1)
    labels = [Label(Span(at.source, last.end, last.end), "the text ends here")]
    if hint is not None:
        labels = [Label(Span(at.source, hint, hint + 1), "closes it, though indented for another")]
    return _say(
        "unclosed-brace",
        "this `{` is never closed",
        Span(at.source, brace, brace + 1),
        "close it with `}` where its body ends",
        labels=tuple(labels),
    )


def _after_a_separator(at: Trouble) -> frozenset[str]:
    # Inside a body, before the first statement or in a path, a brace may close in any case.
    return frozenset({"RBRACE"}) if at.at_statement_start else frozenset()


def _likely_unclosed(at: Trouble, opened: list[int]) -> tuple[int, int | None]:
    """The opening brace whose own line is indented unlike the brace that closes it.

    Counting alone blames the outermost brace, whichever was forgotten.
    """
    pending: list[int] = []
    columns = zip(at.tokens.types, at.tokens.starts, strict=False)
    for kind, start in columns:
        if kind == "LBRACE":
            pending.append(start)
        elif kind == "RBRACE" and pending:
            brace = pending.pop()
            line = at.source.line(at.source.locate(start)[0])
            closes_line = line.lstrip(" \t").startswith("}")
            if closes_line and at.indentation(start) < at.indentation(brace):
                return brace, start
    return opened[-1], None


@mistake("unopened-brace", "network A {\n  conv 64\n}\n}\n")
def _unopened_brace(at: Trouble) -> Explanation | None:
    if at.kind != "RBRACE" or at.open_braces():
        return None
    return _say(
        "unopened-brace",
        "this `}` closes nothing",
        at.span,
        "take it out, or write the `{` that it belongs to",
        edits=(Edit(at.span, ""),),
        skip=1,
    )


@mistake("two-labels", "network A {\n  a: b: conv 64\n}")
def _two_labels(at: Trouble) -> Explanation | None:
    if at.kind == "COLON" and at.first == -3 and at.kind_at(-2) == "COLON":
        return _say(
            "two-labels",
            "a statement has one label",
            Span(at.source, at.span_at(-3).start, at.end),
            f"keep `{at.text_at(-3)}:` or `{at.text_at(-1)}:`",
            skip=0,
        )
    return None


@mistake("colon-for-brace", "network A {\n  repeat 3:\n    conv 64\n}", "network A:\n  conv 64\n")
def _colon_for_brace(at: Trouble) -> Explanation | None:
    if at.kind != "COLON" or at.after not in ("NEWLINE", "LBRACE", END):
        return None
    brace_follows = at.after == "LBRACE"
    return _say(
        "colon-for-brace",
        "a body stands in braces; a colon only follows a label",
        at.span,
        "take the `:` out" if brace_follows else "write `{` here, and `}` where the body ends",
        edits=(Edit(at.span, "" if brace_follows else " {"),),
        skip=1 if brace_follows else 0,
    )


@mistake("colon-for-brace", "network A {\n  residual:\n    conv 64\n}")
def _label_without_statement(at: Trouble) -> Explanation | None:
    if at.before != "COLON" or at.kind not in ("NEWLINE", "COMMA", "RBRACE", "LBRACE", END):
        return None
    word = at.text_at(-2)
    if at.kind == "LBRACE":
        return _say(
            "colon-for-brace",
            f"`{word}:` is a label, and a label names the statement behind it",
            at.previous,
            f"write `{word} {{` for a body, or name what follows: `{word}: residual {{ … }}`",
            edits=(Edit(at.previous, ""),),
        )
    return _say(
        "colon-for-brace",
        f"nothing follows the label `{word}:`",
        at.previous,
        f"write `{word} {{ … }}` for a body, or the statement that `{word}` names on this line",
    )


@mistake("stray-colon", "network A {\n  conv 64: bn\n}")
def _stray_colon(at: Trouble) -> Explanation | None:
    if at.kind != "COLON":
        return None
    return _say(
        "stray-colon",
        "a colon stands only behind a label, at the start of a statement",
        at.span,
        "give an argument by name with `=`: `stride=2`; name a layer in front: `stem: conv 64`",
    )


@mistake("missing-brace", "network A {\n  repeat 3\n    conv 64\n  }\n}", "block b(width)\n  conv 64\n}")
def _missing_brace(at: Trouble) -> Explanation | None:
    if "LBRACE" not in at.accepts or not at.header or at.kind not in ("NEWLINE", "RBRACE", END):
        return None
    # With a closing brace too many, this is where its partner was forgotten.
    insert = "LBRACE" if at.surplus > 0 else ""
    return _say(
        "missing-brace",
        f"`{at.header}` has no body",
        at.gap,
        "open it here with `{`" if insert else "write it in braces: `{ … }`",
        edits=(Edit(at.gap, " {"),) if insert else (),
        insert=insert,
    )


# ---- bars ------------------------------------------------------------------------------------


@mistake("stray-bar", "network A {\n  inception { conv 64 | conv 32 }\n}", "conv 64 | relu")
def _stray_bar(at: Trouble) -> Explanation | None:
    if at.kind != "VBAR":
        return None
    opened = at.open_braces()
    if not opened or _head_of_brace(at, opened[-1]) in ("NETWORK", "BLOCK"):
        return _say(
            "stray-bar",
            "`|` begins a path of a merge; here there is nothing to merge",
            at.span,
            "separate statements by a comma or a new line, or write "
            "`concat { | path | path }`",
            insert="" if not at.can_separate else "NEWLINE",
        )
    brace = opened[-1]
    return _say(
        "stray-bar",
        "every path begins with `|`, the first one too",
        at.span,
        "write a `|` behind the `{`",
        labels=(Label(Span(at.source, brace, brace + 1), "the first path starts here"),),
        edits=(Edit(Span(at.source, brace + 1, brace + 1), " |"),),
        insert="NEWLINE" if at.can_separate else "",
    )


def _head_of_brace(at: Trouble, brace: int) -> str:
    """The type of the token that the statement opening a brace begins with."""
    index = at.tokens.starts.index(brace)
    while index > 0 and at.tokens.types[index - 1] not in _STATEMENT_ENDS:
        index -= 1
    return at.tokens.types[index]


# ---- headers ----


@mistake("for-in", "network A {\n  for width [64, 128] { conv width }\n}", "for i = 1 { conv i }")
def _for_in(at: Trouble) -> Explanation | None:
    if at.header != "for" or not {"IN", "COMMA"} <= at.accepts:
        return None
    missing_comma = at.kind == "WORD"
    if missing_comma:
        return _say(
            "for-in",
            "several names are separated by commas",
            at.span,
            f"write `, {at.text}`",
            edits=(Edit(at.gap, ","),),
            insert="COMMA",
        )
    spelled_with_equals = at.kind == "EQUAL"
    return _say(
        "for-in",
        "`in` is missing between the name and the list",
        at.span,
        "write `for name in [ … ] { … }`",
        edits=(Edit(at.span, "in"),) if spelled_with_equals else (Edit(at.gap, " in"),),
        insert="" if spelled_with_equals else "IN",
    )


# ---- habits from Python ----------------------------------------------------------------------


@mistake("python-call", "network A {\n  conv(64, 3)\n}", "conv(64, 3, stride=2), relu")
def _python_call(at: Trouble) -> Explanation | None:
    if at.kind != "FUNCTION_NAME" or not at.at_statement_start:
        return None
    closing = _matching(at, 1)
    name = at.text
    whole = Span(at.source, at.start, at.span_at(closing).end)
    inside = [part.strip() for part in _split(at.source.text[at.end + 1 : whole.end - 1])]
    spaced = [re.sub(r"\s*=\s*", "=", part) for part in inside if part]
    written = " ".join([name, *(_as_argument(part) for part in spaced)])
    return _say(
        "python-call",
        "arguments follow their word, separated by blanks, without parentheses",
        whole,
        f"write `{written}`",
        edits=(Edit(whole, written),),
        skip=closing + 1 if at.kind_at(closing + 1) in ("NEWLINE", "COMMA", "RBRACE") else 0,
    )


def _as_argument(text: str) -> str:
    """A value as an argument of its own: in parentheses where blanks would take it apart."""
    return f"({text})" if re.match(r"-", text) or re.search(r"[^\s(\[,]\s+[^\s]", text) else text


def _split(text: str) -> list[str]:
    """The parts of an argument list, at the commas outside of brackets and text."""
    parts, depth, begin = [], 0, 0
    for match in re.finditer(r'"(?:\\.|[^"\\])*"|[(\[]|[)\]]|,', text):
        sign = match.group()
        if sign in "([":
            depth += 1
        elif sign in ")]":
            depth -= 1
        elif sign == "," and not depth:
            parts.append(text[begin : match.start()])
            begin = match.end()
    return [*parts, text[begin:]]


def _matching(at: Trouble, offset: int) -> int:
    """The offset of the bracket that closes the one at an offset."""
    depth = 0
    while at.kind_at(offset) != END:
        kind = at.kind_at(offset)
        depth += (kind in ("LPAR", "LSQB")) - (kind in ("RPAR", "RSQB"))
        if depth == 0:
            return offset
        offset += 1
    return offset - 1


@mistake("assignment", "network A {\n  width = 64\n}", "width=64")
def _assignment(at: Trouble) -> Explanation | None:
    if at.kind == "KEY" and at.at_statement_start:
        name = at.text[:-1]
        value = at.after
        span = at.span
    elif at.kind == "EQUAL" and at.first == -1 and at.before == "WORD":
        name, value, span = at.text_at(-1), at.after, at.previous
    else:
        return None
    help = f"write `let {name} = …`" if value != END else f"write `let {name} = 1`"
    return _say(
        "assignment",
        f"a value gets its name with `let`",
        span,
        help,
        edits=(Edit(Span(at.source, span.start, span.start), "let "),),
    )


@mistake("spaced-equals", "network A {\n  conv 64 3x3 stride = 2\n}", "block b(width = 3) { conv 64 }")
def _spaced_equals(at: Trouble) -> Explanation | None:
    if at.kind != "EQUAL" or at.before not in ("WORD", "PATH"):
        return None
    if at.after in ("NEWLINE", "COMMA", "RBRACE", END):
        return _say(
            "missing-value",
            f"nothing follows `{at.text_at(-1)}=`",
            at.span,
            f"write a value right behind the sign: `{at.text_at(-1)}=…`",
        )
    if _in_condition(at):
        return _compare_with_equals(at)
    key = at.text_at(-1)
    whole = Span(at.source, at.previous.start, at.end + _blanks_behind(at))
    value = at.text_at(1)
    return _say(
        "spaced-equals",
        "an argument's name, `=` and its value are written without blanks",
        Span(at.source, at.previous.start, at.span_at(1).end),
        f"write `{key}={value}`",
        edits=(Edit(whole, f"{key}="),),
        skip=1 if "NUMBER" in at.accepts else 0,
    )


def _blanks_behind(at: Trouble) -> int:
    rest = at.source.text[at.end :]
    return len(rest) - len(rest.lstrip(" \t"))


def _in_condition(at: Trouble) -> bool:
    return at.header in ("if", "else") and "LBRACE" in at.accepts | frozenset(
        {"LBRACE"} if at.kind in ("EQUAL", "KEY") else ()
    )


@mistake("equals-in-condition", "network A {\n  if stride=1 { conv 64 }\n}", "if a = 1 { conv 64 }")
def _key_in_condition(at: Trouble) -> Explanation | None:
    if at.kind == "KEY" and _in_condition(at):
        return _compare_with_equals(at)
    return None


def _compare_with_equals(at: Trouble) -> Explanation:
    sign = Span(at.source, at.end - 1, at.end)
    return _say(
        "equals-in-condition",
        "one `=` gives a value; two compare",
        sign,
        "write `==`",
        edits=(Edit(sign, "=="),),
    )


# ---- statements and separators ---------------------------------------------------------------


@mistake(
    "missing-separator",
    "network A {\n  residual { conv 64 } relu\n}",
    "conv 64 3x3 repeat 2 { relu }",
    "block a() { relu } network B { conv 3 }",
)
def _missing_separator(at: Trouble) -> Explanation | None:
    starts_statement = at.kind in ("WORD", "FUNCTION_NAME", *_HEADERS, "LET", "IMPORT")
    if not starts_statement or not at.can_separate or at.header in ("for", "let"):
        return None
    if at.kind == "FUNCTION_NAME" and at.before != "RBRACE":
        return None
    return _say(
        "missing-separator",
        f"`{at.text}` begins another statement, and nothing separates the two",
        at.span,
        f"put a comma or a new line before `{at.text}`",
        edits=(Edit(at.gap, ","),),
        insert="NEWLINE",
    )


@mistake("statement-start", "network A {\n  64 conv\n}", "conv, 64, 3x3", "nn.conv 64")
def _statement_start(at: Trouble) -> Explanation | None:
    if not at.at_statement_start or at.kind not in _VALUES | {"PATH"}:
        return None
    if at.before == "COMMA" and at.kind != "PATH":
        return _say(
            "statement-start",
            f"`{at.text}` begins a statement here: a comma ends the one before",
            at.span,
            "arguments are separated by blanks: take the comma out",
            labels=(Label(at.previous, "ends a statement"),),
            edits=(Edit(at.previous, ""),),
        )
    if at.kind == "PATH":
        return _say(
            "statement-start",
            f"`{at.text}` is a dotted name; a statement begins with a plain word",
            at.span,
            f"write `{at.text.rsplit('.', 1)[-1]} …`, or `from {at.text}` to go on from there",
        )
    return _say(
        "statement-start",
        f"a statement begins with a word, not with `{at.text}`",
        at.span,
        "write the layer first, then its arguments: `conv 64 3x3`",
    )


@mistake("comment", "// a comment\nnetwork A { conv 3 }")
def _slashes(at: Trouble) -> Explanation | None:
    if at.kind != "FLOOR_DIVIDE" or not (at.at_statement_start or at.can_separate):
        return None
    return _say(
        "comment",
        "a comment starts with `#`",
        at.span,
        "write `#` instead of `//`",
        edits=(Edit(at.span, "#"),),
    )


@mistake("else-without-if", "network A {\n  else { conv 3 }\n}")
def _else_without_if(at: Trouble) -> Explanation | None:
    if at.kind != "ELSE":
        return None
    return _say(
        "else-without-if",
        "this `else` belongs to no `if`",
        at.span,
        "it stands behind the body of an `if`: `if c { … } else { … }`",
    )


@mistake("label", "a: let x = 3", "a: block b() { conv 3 }")
def _label_on_definition(at: Trouble) -> Explanation | None:
    if at.before != "COLON" or at.kind not in ("LET", "BLOCK", "NETWORK", "IMPORT"):
        return None
    return _say(
        "label",
        f"a label names what a statement produces; `{at.text}` produces nothing by itself",
        at.span_at(-2),
        "take the label out",
        edits=(Edit(Span(at.source, at.span_at(-2).start, at.start), ""),),
    )


# ---- definitions -----------------------------------------------------------------------------


@mistake("missing-name", "network {\n  conv 64\n}", "block (width) { conv width }")
def _missing_name(at: Trouble) -> Explanation | None:
    if at.before not in ("NETWORK", "BLOCK") or at.kind not in ("LBRACE", "LPAR"):
        return None
    word = at.text_at(-1)
    example = "network Net { … }" if word == "network" else "block part(width) { … }"
    return _say(
        "missing-name",
        f"this {word} has no name",
        at.previous,
        f"name it: `{example}`",
        edits=(Edit(at.gap, " Net" if word == "network" else " part"),),
        insert="WORD",
    )


@mistake("reserved-word", "let in = 3", "block repeat() { conv 3 }", "network A { conv 3 as }")
def _reserved_word(at: Trouble) -> Explanation | None:
    if at.kind not in _KEYWORDS or not ({"WORD", "FUNCTION_NAME"} & at.accepts):
        return None
    if at.at_statement_start and at.kind not in ("AS", "IN"):
        return None
    return _say(
        "reserved-word",
        f"`{at.text}` is a word of the language and cannot be a name",
        at.span,
        f"take another: `{at.text}_`, say",
    )


@mistake("import-path", "import blocks\nnetwork A { conv 3 }", "import blocks/resnet.cnn")
def _import_path(at: Trouble) -> Explanation | None:
    if at.before != "IMPORT":
        return None
    line = at.source.text[at.start :].splitlines()[0] if at.kind != END else ""
    name = re.split(r"[\s,#]", line, maxsplit=1)[0] if line else ""
    path = name.strip("'\"") + ("" if name.endswith(".cnn") else ".cnn")
    whole = Span(at.source, at.start, at.start + len(name))
    return _say(
        "import-path",
        "`import` takes the path of a file, between double quotes",
        whole if name else at.previous,
        f'write `import "{path if name else "blocks.cnn"}"`',
        edits=(Edit(whole, f'"{path}"'),) if name else (),
    )


@mistake("repeat-as", "network A { repeat 3 i { conv 3 } }")
def _repeat_as(at: Trouble) -> Explanation | None:
    if at.header != "repeat" or "AS" not in at.accepts or at.kind not in ("WORD", "IN"):
        return None
    return _say(
        "repeat-as",
        "`as` is missing before the name of the index",
        at.span,
        f"write `as {at.text if at.kind == 'WORD' else 'i'}`",
        edits=(Edit(at.gap, " as"),) if at.kind == "WORD" else (),
        insert="AS" if at.kind == "WORD" else "",
    )


@mistake("let", "let x 3", "let = 3")
def _let(at: Trouble) -> Explanation | None:
    if at.kind_at(at.first) != "LET":
        return None
    if at.before == "LET":
        return _say("let", "`let` gives a name to a value", at.previous, "write `let name = value`")
    if "EQUAL" not in at.accepts:
        return None
    return _say(
        "let",
        f"`=` is missing behind `{at.text_at(-1)}`",
        at.gap,
        f"write `let {at.text_at(-1)} = …`",
        edits=(Edit(at.gap, " ="),) if at.kind in _VALUES | {"WORD", "FUNCTION_NAME"} else (),
        insert="EQUAL" if at.kind in _VALUES | {"WORD", "FUNCTION_NAME"} else "",
    )


# ---- expressions -----------------------------------------------------------------------------


@mistake("missing-comma", "for a in [1 2] { conv a }", "block b(x y) { conv x }", "conv max(1 2)")
def _missing_comma(at: Trouble) -> Explanation | None:
    starts_value = at.kind in _VALUES | {"WORD", "PATH", "FUNCTION_NAME", "KEY"}
    if not starts_value or "COMMA" not in at.accepts or "NEWLINE" in at.accepts:
        return None
    if not {"RPAR", "RSQB"} & at.accepts:
        return None
    return _say(
        "missing-comma",
        "a comma is missing",
        at.gap,
        f"write a comma before `{at.text}`",
        edits=(Edit(at.gap, ","),),
        insert="COMMA",
    )


@mistake("chained-comparison", "if 1 < width < 3 { conv 3 }")
def _chained_comparison(at: Trouble) -> Explanation | None:
    if at.kind != "COMPARISON" or at.before not in _OPERANDS:
        return None
    return _say(
        "chained-comparison",
        "comparisons do not chain",
        at.span,
        "join two with `and`: `1 < x and x < 3`",
    )


@mistake("missing-operand", "conv 4 *\nrelu", "let x = 3 +", "conv * 4", "rotate - 20")
def _missing_operand(at: Trouble) -> Explanation | None:
    if at.kind == "MODULO" and at.before == "NUMBER":
        return None
    if at.before in _OPERATORS | {"MINUS", "NEGATIVE", "NOT", "MODULO"}:
        sign = at.text_at(-1)
        if sign == "%" and at.kind_at(-2) == "NUMBER":
            number = Span(at.source, at.span_at(-2).start, at.previous.end)
            return _say(
                "missing-operand",
                "a percentage is written without a blank",
                number,
                f"write `{at.text_at(-2)}%`",
                edits=(Edit(number, f"{at.text_at(-2)}%"),),
            )
        return _say(
            "missing-operand",
            f"a value is missing behind `{sign}`",
            at.previous,
            f"write what stands to the right of `{sign}`",
        )
    if at.kind not in _OPERATORS | {"MINUS", "MODULO"}:
        return None
    if at.kind == "MINUS":
        return _say(
            "missing-operand",
            "there is nothing to subtract from",
            at.span,
            f"write a minus sign right in front of its number: `-{at.text_at(1)}`",
        )
    return _say(
        "missing-operand",
        f"a value is missing before `{at.text}`",
        at.span,
        f"write what stands to the left of `{at.text}`",
    )


@mistake("missing-value", "let x =\n", "for a in { conv 3 }", "repeat { conv 3 }", "let a = ()")
def _missing_value(at: Trouble) -> Explanation | None:
    if "NUMBER" not in at.accepts or at.at_statement_start:
        return None
    if at.kind not in ("NEWLINE", "COMMA", "LBRACE", "RBRACE", "RPAR", "RSQB", "VBAR", END):
        return None
    if at.before == "REPEAT":
        return _say(
            "missing-value",
            "`repeat` needs to know how often",
            at.previous,
            "write `repeat 3 { … }`",
        )
    return _say(
        "missing-value",
        f"a value is missing behind `{at.text_at(-1)}`",
        at.previous,
        "a number, a name, a list, …",
    )


_DESCRIBED = {
    "NEWLINE": "the end of the line",
    END: "the end of the text",
    "STRING": "text",
    "NUMBER": "a number",
}
_EXPECTED = [
    ("LBRACE", "`{`"),
    ("RPAR", "`)`"),
    ("RSQB", "`]`"),
    ("IN", "`in`"),
    ("EQUAL", "`=`"),
    ("COMMA", "`,`"),
    ("NUMBER", "a value"),
    ("WORD", "a name"),
    ("RBRACE", "`}`"),
    ("NEWLINE", "a new line"),
]


def _anything_else(at: Trouble) -> Explanation:
    found = _DESCRIBED.get(at.kind, f"`{at.text}`")
    expected = [words for kind, words in _EXPECTED if kind in at.accepts]
    listed = ", ".join(expected[:-1]) + (" or " if expected[:-1] else "") + "".join(expected[-1:])
    return _say(
        "syntax",
        f"{found} cannot stand here",
        at.span,
        f"expected {listed}" if listed else "",
    )
