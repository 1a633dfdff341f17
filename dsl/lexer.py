"""Text to tokens, with the decisions that depend on layout.

The patterns are the grammar's. What is added here: brackets silence line ends, a minus is told
apart by the blanks around it, and characters that cannot be right are explained on the spot and
replaced by what was meant, so that the parser behind never stumbles over the same mistake again.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple, NoReturn

from . import tables
from .characters import LOOK_ALIKES, describe_character
from .diagnostics import Diagnostic, Edit, Label
from .source import Source, Span
from .syntax import Comment

MAX_CHARACTERS = 8_000_000
MAX_LINES = 200_000
MAX_LINE_LENGTH = 100_000
MAX_TOKENS = 1_500_000
MAX_DEPTH = 100
MAX_DIGITS = 100
MAX_MISTAKES = 50
# Text read again after unclosed brackets, before we stop being helpful about them.
_MAX_REREAD = 500_000

ERROR = "ERROR"
"""The type of a token that stands for text already reported."""
END = "$END"

_OPERAND_ENDS = frozenset(
    "WORD PATH NUMBER PERCENT FACTOR SIZE STRING SWITCH RPAR RSQB ERROR".split()
)
_STATEMENT_STARTS = frozenset("NEWLINE COMMA LBRACE RBRACE VBAR COLON ELSE".split())
_OPENS_A_STATEMENT = frozenset("REPEAT FOR LET BLOCK NETWORK IMPORT".split())
_ELSE_IF = frozenset({"elif", "elsif", "elseif", "elsef"})
_CLOSER = {"(": ")", "[": "]"}

# What only a mistake looks like. The grammar's patterns have been tried before all but the first.
_SPACED_SIZE = r"[0-9]+(?:[ \t]+x[ \t]+[0-9]+|x[ \t]+[0-9]+)+(?![A-Za-z_0-9])"
_POINT_LAST = r"[0-9]+\.(?![0-9.])[A-Za-z_0-9]*"
_FOREIGN_COMMENT = r"/\*(?:[^*]|\*(?!/))*+(?:\*/)?|<!--(?:[^-]|-(?!->))*+(?:-->)?"
_TRIPLE_QUOTED = r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?'
_SINGLE_QUOTED = r"'[^'\r\n]*'"
_FOREIGN_SIGN = r"\*\*|&&?|===|<>|=<|\.\.\.|[-+*/%]=|[-=]>|!(?!=)|[;^@$?`~\\]"
_UNCLOSED_STRING = r"[\"'][^\r\n]*"
_BAD_NUMBER = r"[0-9]+(?:[A-Za-z_0-9]|\.(?!\.))*|\.[0-9][A-Za-z_0-9]*"
_FOREIGN_WORD = r"[^\W\x00-\x7f]\w*"
_STRANGE = r"[^\x21-\x7e \t\r\n]+|."

_SIGNS = ["//", "..", "<=", ">=", "==", "!=", *"-+*/%<>={}()[],|:"]


class Lexed(NamedTuple):
    """Tokens as three columns: a hundred thousand lines are a million tokens."""

    types: list[str]
    starts: array[int]
    ends: array[int]
    comments: list[Comment]
    diagnostics: list[Diagnostic]
    complete: bool
    """False where reading was given up; the tokens then mean nothing."""
    text: str
    """As it was read: of the same length as the source's, its look-alikes replaced."""


class _GiveUp(Exception):
    """There is no use in reading on; what was to be said has been reported."""


class _Machinery(NamedTuple):
    pattern: re.Pattern[str]
    """Finds the next token and says, by the name of the group, what it is."""
    keywords: dict[str, str]
    signs: dict[str, str]


@lru_cache(maxsize=1)
def _machinery() -> _Machinery:
    grammar = grammar_tables()
    keywords = {text: name for text, name in grammar.literals.items() if text.isalpha()}
    signs = {text: name for text, name in grammar.literals.items() if text not in keywords}
    signs.update({sign: "COMPARISON" for sign in ("<", "<=", ">", ">=", "==", "!=")})
    alternatives = [
        ("NEWLINE", r"(?:\r\n|\n|\r)(?:[ \t]*(?:\r\n|\n|\r))*"),
        ("COMMENT", r"#[^\r\n]*"),
        ("SPACED_SIZE", _SPACED_SIZE),
        ("POINT_LAST", _POINT_LAST),
        ("TRIPLE_QUOTED", _TRIPLE_QUOTED),
        *(p for p in grammar.patterns if p[0] not in ("NEWLINE", "COMPARISON", "NEGATIVE")),
        ("FOREIGN_COMMENT", _FOREIGN_COMMENT),
        ("SINGLE_QUOTED", _SINGLE_QUOTED),
        ("FOREIGN_SIGN", _FOREIGN_SIGN),
        ("SIGN", "|".join(re.escape(sign) for sign in _SIGNS)),
        ("UNCLOSED_STRING", _UNCLOSED_STRING),
        ("BAD_NUMBER", _BAD_NUMBER),
        ("FOREIGN_WORD", _FOREIGN_WORD),
        ("STRANGE", _STRANGE),
    ]
    master = "|".join(f"(?P<{name}>{pattern})" for name, pattern in alternatives)
    return _Machinery(re.compile(rf"[ \t]*+(?:{master})"), keywords, signs)


@lru_cache(maxsize=1)
def grammar_tables() -> tables.Tables:
    return tables.load()


def lex(source: Source) -> Lexed:
    """The tokens of a text, its comments, and what is wrong with its characters."""
    return _Lexer(source).run()


class _Bracket(NamedTuple):
    sign: str
    token: int
    offset: int


class _Lexer:
    def __init__(self, source: Source) -> None:
        self.source = source
        self.text = source.text
        self.types: list[str] = []
        self.starts = array("q")
        self.ends = array("q")
        self.comments: list[Comment] = []
        self.diagnostics: list[Diagnostic] = []
        self.brackets: list[_Bracket] = []
        self.braces = 0
        self.reread = 0

    def run(self) -> Lexed:
        complete = True
        try:
            self.check_limits()
            self.replace_look_alikes()
            self.scan()
            self.warn_of_tabs()
        except _GiveUp:
            complete = False
        return Lexed(
            self.types,
            self.starts,
            self.ends,
            self.comments,
            self.diagnostics,
            complete,
            self.text,
        )

    # ---- reporting ----

    def report(
        self,
        code: str,
        message: str,
        start: int,
        end: int,
        *,
        label: str = "",
        labels: tuple[Label, ...] = (),
        help: str = "",
        replace: str | None = None,
    ) -> None:
        span = Span(self.source, start, end)
        edits = (Edit(span, replace),) if replace is not None else ()
        self.diagnostics.append(
            Diagnostic(code, message, span, label, labels, help=help, edits=edits)
        )
        if len(self.diagnostics) >= MAX_MISTAKES:
            raise _GiveUp

    def give_up(self, message: str, start: int, help: str) -> NoReturn:
        """A limit: nothing after it is worth reading."""
        self.report("limit", message, start, start, help=help)
        raise _GiveUp

    # ---- before the first token ----

    def check_limits(self) -> None:
        size = len(self.text)
        if size > MAX_CHARACTERS:
            self.give_up(
                f"this file has {size:,} characters; a spec has at most {MAX_CHARACTERS:,}",
                0,
                "is this a spec? a long one is split with `import`",
            )
        lines = self.source.line_starts
        if len(lines) > MAX_LINES:
            self.give_up(
                f"this file has {len(lines):,} lines; a spec has at most {MAX_LINES:,}",
                0,
                "split it with `import`, or say repetitions with `repeat` and `for`",
            )
        if size <= MAX_LINE_LENGTH:
            return
        for start, after in zip(lines, [*lines[1:], size], strict=True):
            if after - start > MAX_LINE_LENGTH:
                self.give_up(
                    f"this line has {after - start:,} characters; a line has at most "
                    f"{MAX_LINE_LENGTH:,}",
                    start,
                    "one statement a line reads best",
                )

    def replace_look_alikes(self) -> None:
        """Reads `×`, curly quotes and their like as what they were meant to be.

        All of them at once, before the first token: each then costs one message and no other.
        """
        if self.text.isascii():
            return
        characters = "".join(map(re.escape, LOOK_ALIKES))
        outside = re.compile(rf'"(?:\\.|[^"\\\r\n])*"|#[^\r\n]*|([{characters}]+)')
        changed = list(self.text)
        seen: set[str] = set()
        for match in outside.finditer(self.text):
            run = match.group(1)
            if not run:
                continue
            plain = "".join(LOOK_ALIKES[char] for char in run)
            changed[match.start() : match.end()] = plain
            if run[0] in seen:
                continue
            seen.add(run[0])
            meant = f"`{plain}`" if plain.strip() else "a plain blank"
            self.report(
                "look-alike",
                f"{describe_character(run[0])} is not the character that it looks like",
                match.start(),
                match.end(),
                label=f"read as {meant}",
                help=f"write {meant}",
                replace=plain,
            )
        self.text = "".join(changed)

    def warn_of_tabs(self) -> None:
        """Tabs are read as blanks, but what lines up here will not line up elsewhere."""
        at = self.text.find("\t")
        if at < 0:
            return
        span = Span(self.source, at, at + 1)
        self.diagnostics.append(
            Diagnostic(
                "tab",
                "a tab; specs are indented with blanks, two a level",
                span,
                help="`cnn fmt` lays the file out",
                edits=(Edit(span, "  "),),
                severity="warning",
            )
        )

    # ---- the tokens ----

    def scan(self) -> None:
        pattern, keywords, signs = _machinery()
        match_at = pattern.match
        text, size = self.text, len(self.text)
        types, starts, ends = self.types, self.starts, self.ends
        position = 0
        while True:
            match = match_at(text, position)
            if match is None:  # the end, perhaps behind some blanks
                if not self.brackets:
                    return
                position = self.unclosed_bracket(size)
                continue
            kind = match.lastgroup
            assert kind is not None
            start, end = match.span(kind)
            blank_before = start > position
            position = end
            if kind in ("WORD", "FUNCTION_NAME"):
                word = text[start:end]
                if word in keywords:
                    kind = keywords[word]
                    if self.brackets and kind in _OPENS_A_STATEMENT:
                        position = self.unclosed_bracket(end)
                        continue
                    if kind == "ELSE":
                        self.join_else()
                elif word in _ELSE_IF and self.at_statement_start():
                    kind = self.else_if(start, end)
            elif kind == "NEWLINE":
                if self.brackets or not types or types[-1] == "NEWLINE":
                    continue
                if len(types) > MAX_TOKENS:
                    self.give_up(
                        f"this spec has more than {MAX_TOKENS:,} words and signs",
                        start,
                        "say repetitions with `repeat` and `for`",
                    )
            elif kind == "SIGN":
                sign = text[start:end]
                if sign == "-":
                    kind = self.minus(blank_before, start, end)
                elif sign in "()[]{}|":
                    if self.brackets and sign in "{}|":
                        position = self.unclosed_bracket(end)
                        continue
                    bracket = self.bracket(sign, start)
                    if bracket is None:
                        continue
                    kind = bracket
                else:
                    kind = signs[sign]
            elif kind == "COMMENT":
                line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
                alone = not text[line_start:start].strip()
                span = Span(self.source, start, end)
                self.comments.append(Comment(span, text[start:end].rstrip(), alone))
                continue
            elif kind in ("NUMBER", "SIZE"):
                if end - start > MAX_DIGITS:
                    self.report(
                        "limit",
                        f"a number of {end - start:,} characters; at most {MAX_DIGITS} are read",
                        start,
                        end,
                        help="nothing in a network is that large",
                    )
            elif kind in _EXPLAINED:
                meant, position = _EXPLAINED[kind](self, start, end)
                if meant is None:
                    continue
                kind, end = meant, position
            types.append(kind)
            starts.append(start)
            ends.append(end)

    def append(self, kind: str, start: int, end: int) -> None:
        self.types.append(kind)
        self.starts.append(start)
        self.ends.append(end)

    def truncate(self, count: int) -> None:
        del self.types[count:], self.starts[count:], self.ends[count:]

    def at_statement_start(self) -> bool:
        return not self.types or self.types[-1] in _STATEMENT_STARTS

    def after_head(self) -> bool:
        """Whether the last token is the first word of its statement."""
        if self.types[-1] != "WORD" or self.brackets:
            return False
        return len(self.types) == 1 or self.types[-2] in _STATEMENT_STARTS

    def minus(self, blank_before: bool, start: int, end: int) -> str:
        """`a - b` and `a-b` subtract; a minus in front of a first operand negates.

        `a -b` could be either, so it is neither.
        """
        blank_after = self.text[end : end + 1] in (" ", "\t", "\r", "\n", "")
        if not self.types or self.types[-1] not in _OPERAND_ENDS:
            return "NEGATIVE"
        if self.brackets:
            return "MINUS"
        if self.after_head():
            return "MINUS" if blank_after or not blank_before else "NEGATIVE"
        if blank_before and not blank_after:
            rest = re.compile(r"-[A-Za-z_0-9.]*").match(self.text, start)
            assert rest is not None
            self.report(
                "ambiguous-minus",
                "is this a subtraction, or an argument of its own with a minus sign?",
                start,
                rest.end(),
                help=f"write ` - {rest.group()[1:]}` to subtract, or `({rest.group()})` for a "
                "negative argument",
                replace=f"({rest.group()})" if len(rest.group()) > 1 else None,
            )
        return "MINUS"

    def join_else(self) -> None:
        """`else` belongs to the `if` before it, also from the next line."""
        if self.types and self.types[-1] == "NEWLINE":
            self.truncate(len(self.types) - 1)

    def else_if(self, start: int, end: int) -> str:
        word = self.text[start:end]
        self.report(
            "else-if",
            f"`{word}` is written `else if` here",
            start,
            end,
            help="write `else if`",
            replace="else if",
        )
        self.join_else()
        if not self.types or self.types[-1] != "RBRACE":
            return ERROR
        self.append("ELSE", start, start)
        return "IF"

    # ---- brackets ----

    def bracket(self, sign: str, start: int) -> str | None:
        """The type of a bracket's token; None for one that closes nothing."""
        if sign in "([{":
            if len(self.brackets) + self.braces >= MAX_DEPTH:
                self.give_up(
                    f"more than {MAX_DEPTH} brackets and braces inside one another",
                    start,
                    "give an inner part a name: `block part() { … }`",
                )
            if sign == "{":
                self.braces += 1
            else:
                self.brackets.append(_Bracket(sign, len(self.types), start))
        elif sign == "}":
            self.braces = max(self.braces - 1, 0)
        elif sign in ")]":
            return self.closing(sign, start)
        return _BRACKETS[sign]

    def closing(self, sign: str, start: int) -> str | None:
        if not self.brackets:
            self.report(
                "unopened-bracket",
                f"this `{sign}` closes nothing",
                start,
                start + 1,
                help="take it out, or open it",
                replace="",
            )
            return None
        opened = self.brackets.pop()
        if _CLOSER[opened.sign] == sign:
            return _BRACKETS[sign]
        enclosing = self.brackets[-1] if self.brackets else None
        right = _CLOSER[opened.sign]
        opening = Label(Span(self.source, opened.offset, opened.offset + 1), "opened here")
        self.report(
            "unclosed-bracket",
            f"`{opened.sign}` is closed with `{right}`, not with `{sign}`",
            start,
            start + 1,
            labels=(opening,),
            help=f"write `{right}`" + (f" before `{sign}`" if enclosing else ""),
            replace=right + (sign if enclosing else ""),
        )
        if enclosing is None or _CLOSER[enclosing.sign] != sign:
            return _BRACKETS[right]
        self.brackets.pop()
        self.append(_BRACKETS[right], start, start)
        return _BRACKETS[sign]

    def unclosed_bracket(self, position: int) -> int:
        """Reports the outermost open bracket; reading goes on at the line after it."""
        sign, token, offset = self.brackets[0]
        line_end = _LINE_END.search(self.text, offset)
        resume = line_end.start() if line_end else len(self.text)
        self.brackets.clear()
        self.report(
            "unclosed-bracket",
            f"this `{sign}` is never closed",
            offset,
            offset + 1,
            help=f"close it with `{_CLOSER[sign]}`",
        )
        self.truncate(token)
        while self.comments and self.comments[-1].span.start >= resume:
            self.comments.pop()
        self.reread += position - resume
        if self.reread > _MAX_REREAD:
            raise _GiveUp
        self.append(ERROR, offset, resume)
        return resume

    # ---- what only a mistake looks like: explained, and read as what was meant ----

    def spaced_size(self, start: int, end: int) -> tuple[str | None, int]:
        if _X_IS_A_NAME.search(self.text):
            digits = re.compile("[0-9]+").match(self.text, start)
            assert digits is not None
            return "NUMBER", digits.end()
        size = re.sub(r"[ \t]", "", self.text[start:end])
        self.report(
            "spaced-size",
            "a size is written without blanks",
            start,
            end,
            help=f"write `{size}`",
            replace=size,
        )
        return "SIZE", end

    def slash_comment(self, start: int, end: int) -> tuple[str | None, int]:
        self.report(
            "comment",
            "a comment starts with `#` and ends with its line",
            start,
            start + 2,
            help="put a `#` in front of each line of it",
        )
        return None, end

    def single_quoted(self, start: int, end: int) -> tuple[str | None, int]:
        inner = self.text[start + 1 : end - 1]
        fixed = '"' + inner.replace('"', r"\"") + '"'
        self.report(
            "quotes",
            "text stands between double quotes",
            start,
            end,
            help=f"write `{fixed}`",
            replace=fixed,
        )
        return "STRING", end

    def unclosed_string(self, start: int, end: int) -> tuple[str | None, int]:
        self.report(
            "unclosed-string",
            "this text is never closed",
            start,
            end,
            label='a `"` is missing on this line',
            help='close it with `"`; text does not go on over several lines',
        )
        return "STRING", end

    def bad_number(self, start: int, end: int) -> tuple[str | None, int]:
        text = self.text[start:end]
        meant = _mended_number(text)
        self.report(
            "bad-number",
            f"`{text[:40]}` is not a number" + (", nor a name" if text[0].isdigit() else ""),
            start,
            end,
            help=f"write `{meant}`" if meant else "a name starts with a letter; numbers are written"
            " `64`, `0.5`, `5e-4`, `20%`, `10x`, `3x3`",
            replace=meant or None,
        )
        return "NUMBER", end

    def foreign_sign(self, start: int, end: int) -> tuple[str | None, int]:
        sign = self.text[start:end]
        meaning, help, replacement = _FOREIGN_SIGNS.get(
            sign, (ERROR, f"`{sign}` means nothing in a spec; take it out", None)
        )
        if sign == "'":
            end = len(self.text) if (m := _LINE_END.search(self.text, end)) is None else m.start()
        self.report(
            "foreign-sign",
            f"`{sign}` is not a sign of this language",
            start,
            end,
            help=help,
            replace=replacement,
        )
        if sign == "\\":
            line_end = re.compile(r"[ \t]*(?:\r\n|\n|\r)").match(self.text, end)
            return None, line_end.end() if line_end else end
        return meaning, end

    def foreign_word(self, start: int, end: int) -> tuple[str | None, int]:
        if self.ends and self.ends[-1] == start and self.types[-1] in ("WORD", "NUMBER"):
            start = self.starts[-1]  # the part of the word in front of its foreign letter
            self.truncate(len(self.types) - 1)
            self.append("WORD", start, end)
        word = self.text[start:end]
        self.report(
            "foreign-word",
            f"`{word}`: names are written with the letters a-z and A-Z, digits and `_`",
            start,
            end,
            help="any language is welcome in comments and in \"text\"",
        )
        return ("WORD", end) if self.ends[-1:] != array("q", [end]) else (None, end)

    def strange(self, start: int, end: int) -> tuple[str | None, int]:
        run = self.text[start:end]
        count = f" ({len(run):,} in a row)" if len(run) > 1 else ""
        self.report(
            "strange-character",
            f"{describe_character(run[0])} cannot stand in a spec{count}",
            start,
            end,
            help="take it out; any character may stand in a comment or in \"text\"",
            replace="",
        )
        return None, end


def _mended_number(text: str) -> str:
    """What was probably meant by something like a number, or nothing."""
    if re.fullmatch(r"[0-9][0-9_]*", text):
        return text.replace("_", "")
    if re.fullmatch(r"[0-9]+\.", text):
        return text[:-1]
    if re.fullmatch(r"\.[0-9]+", text):
        return "0" + text
    if re.fullmatch(r"[0-9]+(?:X[0-9]+)+", text):
        return text.lower()
    return ""


_LINE_END = re.compile(r"\r\n|\n|\r")
_X_IS_A_NAME = re.compile(
    r"\b(?:as|let|for)[ \t]+(?:[A-Za-z_0-9]+[ \t]*,[ \t]*)*x\b|[(,][ \t]*x[ \t]*[,)=]"
)
_BRACKETS = {
    "(": "LPAR",
    ")": "RPAR",
    "[": "LSQB",
    "]": "RSQB",
    "{": "LBRACE",
    "}": "RBRACE",
    "|": "VBAR",
}
_FOREIGN_SIGNS: dict[str, tuple[str, str, str | None]] = {
    ";": ("COMMA", "statements are separated by a comma or a new line", ","),
    "&&": ("AND", "write `and`", "and"),
    "&": ("AND", "write `and`", "and"),
    "!": ("NOT", "write `not`", "not "),
    "**": ("TIMES", "there is no power; multiply: `width * width`", None),
    "^": ("TIMES", "there is no power; multiply: `width * width`", None),
    "\\": (ERROR, "a statement ends with its line; inside ( ) and [ ] it may go on", None),
    "'": ("STRING", 'text stands between double quotes: `"text"`', None),
    "=>": (ERROR, 'a body stands in braces: `block name(width) { … }`', None),
    "->": (ERROR, "layers follow one another in the order written; no arrow is needed", None),
}
_Explain = Callable[[_Lexer, int, int], tuple[str | None, int]]
_EXPLAINED: dict[str, _Explain] = {
    "SPACED_SIZE": _Lexer.spaced_size,
    "SLASH_COMMENT": _Lexer.slash_comment,
    "SINGLE_QUOTED": _Lexer.single_quoted,
    "UNCLOSED_STRING": _Lexer.unclosed_string,
    "BAD_NUMBER": _Lexer.bad_number,
    "FOREIGN_SIGN": _Lexer.foreign_sign,
    "FOREIGN_WORD": _Lexer.foreign_word,
    "STRANGE": _Lexer.strange,
}
