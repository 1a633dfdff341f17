"""Lexer: text to tokens, including everything that depends on layout. The token patterns are those
of the grammar. The lexer adds: line ends inside brackets are ignored, a minus is classified by the
blanks around it, and invalid characters are reported here and replaced by what was meant, so that
the parser does not report the same mistake again.
"""

from __future__ import annotations

import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Iterator
from functools import cached_property, lru_cache
from itertools import islice
from typing import NamedTuple, NoReturn

from . import tables
from .characters import LOOK_ALIKES, UNSEEN, describe_character, shorten
from .diagnostics import Diagnostic, Edit, Label
from .source import Source, Span
from .syntax import Comment

MAX_CHARACTERS = 8_000_000
MAX_LINES = 200_000
MAX_LINE_LENGTH = 100_000
MAX_TOKENS = 1_000_000
MAX_DEPTH = 100
MAX_DIGITS = 100
MAX_WORD = 1000
MAX_MISTAKES = 50
# The amount of text that is read again after unclosed brackets, before recovery stops.
_MAX_REREAD = 500_000
# The most places where one repeated mistake is corrected.
_MAX_EDITS = 1000
_MAX_LOOK_ALIKES = 100_000

ERROR = "ERROR"
"""The type of a token for text that has been reported already."""
END = "$END"

_OPERAND_ENDS = frozenset(
    "WORD PATH PLACE NUMBER PERCENT FACTOR DURATION SIZE STRING SWITCH RPAR RSQB ERROR".split()
)
_STATEMENT_STARTS = frozenset("NEWLINE COMMA LBRACE RBRACE VBAR COLON ELSE".split())
_OPENS_A_STATEMENT = frozenset("REPEAT FOR LET BLOCK NETWORK IMPORT".split())
_NOT_DIVISIBLE = frozenset({"DURATION", "SIZE", "STRING", "SWITCH"})
_ELSE_IF = frozenset({"elif", "elsif", "elseif", "elsef"})
_CLOSER = {"(": ")", "[": "]"}

# Patterns that match only mistakes. All but the first are tried after the grammar's patterns.
_SPACED_SIZE = r"[0-9]+(?:[ \t]+x[ \t]*[0-9]+|x[ \t]+[0-9]+){1,8}(?![A-Za-z_0-9])"
_POINT_LAST = r"[0-9]+\.(?![0-9.])[A-Za-z_0-9]*"
_FOREIGN_COMMENT = r"/\*(?:[^*]|\*(?!/))*+(?:\*/)?|<!--(?:[^-]|-(?!->))*+(?:-->)?"
_TRIPLE_QUOTED = r'"""(?:[^"]|"(?!""))*+(?:""")?'
_UNQUOTED_PATH = r"(?:(?:\.\.?|~\w*)/|(?:https?|s3|gs|file)://)[^\s,#{}()\[\]\"'|]*"
_SINGLE_QUOTED = r"'[^'\r\n]*'"
_FOREIGN_SIGN = r"&&?|===|<>|=<|\.\.\.|\.(?![.0-9])|[-+*/%]=|[-=]>|!(?!=)|[;^@$?`~\\]"
_UNCLOSED_STRING = r"[\"'][^\r\n]*"
_BAD_NUMBER = r"[0-9]+(?:[A-Za-z_0-9]|\.(?!\.))*|\.[0-9][A-Za-z_0-9]*%?"
_FOREIGN_WORD = r"[^\W\x00-\x7f]\w*"
_STRANGE = r"[^\x21-\x7e \t\r\n]+|."

# Text and comments may contain anything.
_SHIELDED = r'"(?:\\.|[^"\\\r\n])*"|#[^\r\n]*'

_SIGNS = ["**", "//", "..", "<=", ">=", "==", "!=", *"-+*/%<>={}()[],|:"]


class Lexed(NamedTuple):
    """Tokens, stored as three columns: a hundred thousand lines are a million tokens."""

    types: list[str]
    starts: array[int]
    ends: array[int]
    comments: list[Comment]
    diagnostics: list[Diagnostic]
    complete: bool
    """False if lexing was given up; the tokens are then meaningless."""
    text: str
    """The text as it was read: as long as the source, with look-alikes replaced."""


class _GiveUp(Exception):
    """Lexing cannot continue; the reason has been reported."""


class _Machinery(NamedTuple):
    pattern: re.Pattern[str]
    """Matches the next token; the name of the group is its type."""
    keywords: dict[str, str]
    signs: dict[str, str]


@lru_cache(maxsize=1)
def _machinery() -> _Machinery:
    grammar = grammar_tables()
    keywords = {text: name for text, name in grammar.literals.items() if text.isalpha()}
    signs = {text: name for text, name in grammar.literals.items() if text not in keywords}
    signs.update(dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), "COMPARISON"))
    alternatives = [
        ("NEWLINE", r"(?:\r\n|\n|\r)(?:[ \t]*(?:\r\n|\n|\r))*"),
        ("COMMENT", r"#[^\r\n]*"),
        ("SPACED_SIZE", _SPACED_SIZE),
        ("POINT_LAST", _POINT_LAST),
        ("TRIPLE_QUOTED", _TRIPLE_QUOTED),
        ("UNQUOTED_PATH", _UNQUOTED_PATH),
        *(p for p in grammar.patterns if p[0] not in ("NEWLINE", "COMPARISON", "NEGATIVE", "AT")),
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
    pattern = re.compile(rf"[ \t]*+(?:{master})")
    return _Machinery(pattern, keywords, signs)


@lru_cache(maxsize=1)
def _look_alikes_outside_of_text() -> re.Pattern[str]:
    quotes = re.escape("".join(char for char, plain in LOOK_ALIKES.items() if plain == '"'))
    run = "".join(map(re.escape, LOOK_ALIKES))
    # Text between curly quotes may contain anything, too.
    quoted = rf'[{quotes}][^{quotes}"\r\n]*[{quotes}"]'
    return re.compile(rf"{_SHIELDED}|(?P<quoted>{quoted})|(?P<run>[{run}]+)")


@lru_cache(maxsize=1)
def grammar_tables() -> tables.Tables:
    return tables.load()


def lex(source: Source) -> Lexed:
    """The tokens and comments of a text, and diagnostics about its characters."""
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
        self.arrows_until = 0
        """The end of the line whose arrows have been reported."""
        self.diagnostics: list[Diagnostic] = []
        self.brackets: list[_Bracket] = []
        self.braces = 0
        self.reread = 0
        self.told_before = 0
        """The number of diagnostics before the first token."""

    def run(self) -> Lexed:
        complete = True
        try:
            self.check_limits()
            self.replace_look_alikes()
            self.told_before = len(self.diagnostics)
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
        edits: tuple[Edit, ...] = (),
    ) -> None:
        span = Span(self.source, start, end)
        if replace is not None:
            edits = (Edit(span, replace),)
        self.diagnostics.append(
            Diagnostic(code, message, span, label, labels, help=help, edits=edits)
        )
        if len(self.diagnostics) >= MAX_MISTAKES:
            raise _GiveUp

    def edit(self, start: int, end: int, text: str) -> Edit:
        return Edit(Span(self.source, start, end), text)

    def give_up(self, message: str, start: int, help: str) -> NoReturn:
        """Reports an exceeded limit and stops lexing."""
        self.report("limit", message, start, start, help=help)
        raise _GiveUp

    def refuse_file(self, message: str, help: str) -> NoReturn:
        """Reports an exceeded limit of the whole file, without a place: finding its line would cost
        too much.
        """
        self.diagnostics.append(Diagnostic("limit", message, help=help, file=self.source.name))
        raise _GiveUp

    # ---- before the first token ----

    def check_limits(self) -> None:
        text, size = self.text, len(self.text)
        if size > MAX_CHARACTERS:
            self.refuse_file(
                f"this file has {size:,} characters; a spec has at most {MAX_CHARACTERS:,}",
                "is this a spec? split a long one with `import`",
            )
        count = 1 + text.count("\n") + text.count("\r") - text.count("\r\n")
        if count > MAX_LINES:
            self.refuse_file(
                f"this file has {count:,} lines; a spec has at most {MAX_LINES:,}",
                "split it with `import`, or write repetitions with `repeat` and `for`",
            )
        if size <= MAX_LINE_LENGTH:
            return
        lines = self.source.line_starts
        for start, after in zip(lines, [*lines[1:], size], strict=True):
            if after - start > MAX_LINE_LENGTH:
                self.give_up(
                    f"this line has {after - start:,} characters; a line has at most "
                    f"{MAX_LINE_LENGTH:,}",
                    start,
                    "write one statement on each line",
                )

    def replace_look_alikes(self) -> None:
        """Replaces `×`, curly quotes and other look-alikes by the ASCII characters that were meant.
        All at once, before the first token, so that each causes one message and no further ones.
        """
        if self.text.isascii():
            return
        pieces: list[str] = []
        copied = 0
        places: dict[str, list[int]] = {}
        counts: dict[str, int] = {}
        for match in _look_alikes_outside_of_text().finditer(self.text):
            if match.lastgroup is None:  # a text or a comment
                continue
            start, end = match.span()
            found = [start, end - 1] if match.lastgroup == "quoted" else list(range(start, end))
            for at in found:
                char = self.text[at]
                if char in LOOK_ALIKES:
                    pieces += [self.text[copied:at], LOOK_ALIKES[char]]
                    copied = at + 1
                    counts[char] = counts.get(char, 0) + 1
                    if counts[char] <= _MAX_EDITS:
                        places.setdefault(char, []).append(at)
            if len(pieces) > _MAX_LOOK_ALIKES:
                break
        self.text = "".join([*pieces, self.text[copied:]])
        for char, found in places.items():
            self.look_alike(char, found, counts[char])
        if len(pieces) > _MAX_LOOK_ALIKES:
            raise _GiveUp  # a binary file, or something else that was never meant as a spec

    def look_alike(self, char: str, places: list[int], count: int) -> None:
        """Reports the first occurrence and corrects all of them."""
        plain = LOOK_ALIKES[char]
        seen, meant = describe_character(char), f"`{plain}`" if plain != " " else "a plain space"
        message, label = f"{seen} is not the character that it looks like", f"read as {meant}"
        help = f"write {meant}"
        if char in UNSEEN:
            plain, label, help = "", "", "take it out"
            message = f"an invisible character: {seen}"
        if count > 1:
            more = f"{count - 1:,} more places" if count > 2 else "one more place"
            help += f", here and at {more} in this file"
        spans = [Span(self.source, at, at + 1) for at in places]
        edits = tuple(Edit(span, plain) for span in spans)
        self.diagnostics.append(
            Diagnostic("look-alike", message, spans[0], label, help=help, edits=edits)
        )

    def warn_of_tabs(self) -> None:
        """Warns of tabs: they are read as blanks, but text aligned with them is not aligned in
        every editor.
        """
        if "\t" not in self.text:
            return
        found = re.finditer(rf"{_SHIELDED}|(\t)", self.text)
        tabs = (Span(self.source, *tab.span()) for tab in found if tab.group(1))
        spans = list(islice(tabs, _MAX_EDITS))
        if spans:
            self.diagnostics.append(
                Diagnostic(
                    "tab",
                    "a tab; specs are indented with spaces, two a level",
                    spans[0],
                    help="`cnn fmt` lays the file out",
                    edits=tuple(Edit(span, "  ") for span in spans),
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
            if match is None:  # the end of the text, perhaps after some blanks
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
                    if self.brackets and kind in _OPENS_A_STATEMENT and self.first_on_line(start):
                        position = self.unclosed_bracket(start)
                        continue
                    if kind == "ELSE":
                        self.join_else()
                    elif kind == "NOT":
                        self.check_prefixes(start)
                elif word in _ELSE_IF and self.at_statement_start():
                    kind = self.else_if(start, end)
            elif kind == "NEWLINE":
                if len(types) > MAX_TOKENS:
                    self.give_up(
                        f"this spec has more than {MAX_TOKENS:,} words and signs",
                        start,
                        "write repetitions with `repeat` and `for`",
                    )
                if self.brackets or not types or types[-1] == "NEWLINE":
                    continue
            elif kind == "SIGN":
                sign = text[start:end]
                if sign == "//" and self.nothing_to_divide():
                    position = self.slashes(start)
                    continue
                if sign == "-":
                    kind = self.minus(blank_before, start, end)
                elif sign in "()[]{}|":
                    if self.brackets and sign in "{}|":
                        if self.is_closed_later(end):
                            self.inside_brackets(sign, start)
                        else:
                            position = self.unclosed_bracket(start)
                        continue
                    bracket = self.bracket(sign, start)
                    if bracket is None:
                        continue
                    kind = bracket
                else:
                    kind = signs[sign]
            elif kind == "COMMENT":
                span = Span(self.source, start, end)
                alone = self.first_on_line(start)
                self.comments.append(Comment(span, text[start:end].rstrip(), alone))
                continue
            elif kind in ("NUMBER", "SIZE"):
                if end - start > MAX_DIGITS:
                    self.report(
                        "limit",
                        f"a number of {end - start:,} characters; at most {MAX_DIGITS} are allowed",
                        start,
                        end,
                        help="no number in a network is that large",
                    )
            elif kind in _EXPLAINED:
                meant, position = _EXPLAINED[kind](self, start, end)
                if meant is None:
                    continue
                kind, end = meant, position
            if end - start > MAX_WORD and kind in ("WORD", "FUNCTION_NAME", "KEY", "PATH", "PLACE"):
                self.give_up(
                    f"a name of {end - start:,} characters; at most {MAX_WORD:,} are allowed",
                    start,
                    "choose a shorter name",
                )
            types.append(kind)
            starts.append(start)
            ends.append(end)

    def append(self, kind: str, start: int, end: int) -> None:
        self.types.append(kind)
        self.starts.append(start)
        self.ends.append(end)

    def truncate(self, count: int) -> None:
        del self.types[count:], self.starts[count:], self.ends[count:]

    def first_on_line(self, offset: int) -> bool:
        """Whether only blanks precede an offset on its line."""
        lines = self.source.line_starts
        line_start = lines[bisect_right(lines, offset) - 1]
        return not self.text[line_start:offset].strip(" \t")

    def at_statement_start(self) -> bool:
        return self.starts_statement(len(self.types))

    def starts_statement(self, index: int) -> bool:
        """Whether a token with this index begins a statement. `else` of a choice between values,
        `64 if wide else 32`, is followed by an operand: no brace stands before it.
        """
        if index == 0:
            return True
        before = self.types[index - 1]
        if before == "ELSE" and index > 1 and self.types[index - 2] not in ("RBRACE", "NEWLINE"):
            return False
        return before in _STATEMENT_STARTS

    def after_head(self) -> bool:
        """Whether the last token is the first word of its statement."""
        if self.types[-1] != "WORD" or self.brackets:
            return False
        return self.starts_statement(len(self.types) - 1)

    def minus(self, blank_before: bool, start: int, end: int) -> str:
        """Classifies a minus. `a - b` and `a-b` subtract; a minus before a first operand negates.
        `a -b` could be either, so it is an error.
        """
        blank_after = self.text[end : end + 1] in (" ", "\t", "\r", "\n", "")
        if not self.types or self.types[-1] not in _OPERAND_ENDS:
            self.check_prefixes(start)
            return "NEGATIVE"
        if self.brackets:
            return "MINUS"
        if self.after_head():
            return "MINUS" if blank_after or not blank_before else "NEGATIVE"
        if blank_before and not blank_after:
            operand = _MINUS_AND_OPERAND.match(self.text, start)
            assert operand is not None
            written = operand.group()
            short = shorten(written)
            help = f"write `- {short[1:]}` to subtract, or `({short})` for a negative argument"
            if written == "-":
                help = "to subtract, write a space after it too; a negative argument needs ( )"
            self.report(
                "ambiguous-minus",
                "is this a subtraction, or a separate argument with a minus sign?",
                start,
                operand.end(),
                help=help,
                replace=f"({written})" if written != "-" else None,
            )
        return "MINUS"

    def check_prefixes(self, start: int) -> None:
        """Limits `-` and `not` in a row: each is one more level of nesting for the parser."""
        run = self.types[-MAX_DEPTH:]
        if run.count("NEGATIVE") + run.count("NOT") == MAX_DEPTH:
            self.give_up(
                f"more than {MAX_DEPTH} `-` or `not` in a row", start, "two of them change nothing"
            )

    def join_else(self) -> None:
        """Joins `else` on a new line to the `if` before it."""
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
        """The token type of a bracket; None if it closes nothing."""
        if sign in "([{":
            if len(self.brackets) + self.braces >= MAX_DEPTH:
                self.give_up(
                    f"more than {MAX_DEPTH} nested brackets and braces",
                    start,
                    "give an inner part a name: `block part() { … }`",
                )
            if sign == "{":
                self.braces += 1
                return _BRACKETS[sign]
            kind = "AT" if sign == "[" and self.follows_a_value(start) else _BRACKETS[sign]
            self.brackets.append(_Bracket(sign, len(self.types), start))
            return kind
        elif sign == "}":
            self.braces = max(self.braces - 1, 0)
        elif sign in ")]":
            return self.closing(sign, start)
        return _BRACKETS[sign]

    def follows_a_value(self, start: int) -> bool:
        """Whether a value directly precedes, and it is not the first word of a statement."""
        if not self.ends or self.ends[-1] != start or self.types[-1] not in _OPERAND_ENDS:
            return False
        return self.types[-1] != "ERROR" and not self.after_head()

    def closing(self, sign: str, start: int) -> str | None:
        if not self.brackets:
            self.report(
                "unopened-bracket",
                f"this `{sign}` does not close anything",
                start,
                start + 1,
                help="take it out, or open it",
                replace="",
            )
            return None
        opened = self.brackets.pop()
        right = _CLOSER[opened.sign]
        if right == sign:
            return _BRACKETS[sign]
        enclosing = self.brackets[-1] if self.brackets else None
        fits_enclosing = enclosing is not None and _CLOSER[enclosing.sign] == sign
        ahead = list(islice(self.closing_ahead(start + 1), MAX_DEPTH))
        surplus = right in ahead
        if ahead[:1] == [sign]:
            fits_enclosing = False  # the enclosing bracket is closed further on
        help = f"write `{right}`" + (f" before `{sign}`" if fits_enclosing else "")
        opening = Label(Span(self.source, opened.offset, opened.offset + 1), "opened here")
        self.report(
            "unclosed-bracket",
            f"`{opened.sign}` is closed with `{right}`, not with `{sign}`",
            start,
            start + 1,
            labels=(opening,),
            help="take it out" if surplus else help,
            replace="" if surplus else right + sign * fits_enclosing,
        )
        if surplus:
            self.brackets.append(opened)
            return None
        if not fits_enclosing:
            return _BRACKETS[right]
        self.brackets.pop()
        self.append(_BRACKETS[right], start, start)
        return _BRACKETS[sign]

    def inside_brackets(self, sign: str, start: int) -> None:
        opened = self.brackets[-1].offset
        self.report(
            "inside-brackets",
            f"`{sign}` cannot be used inside brackets",
            start,
            start + 1,
            labels=(
                Label(Span(self.source, opened, opened + 1), "opened here, and closed after it"),
            ),
            help="take it out",
            replace="",
        )

    def is_closed_later(self, offset: int) -> bool:
        """Whether all brackets open at an offset are closed after it."""
        ahead = islice(self.closing_ahead(offset), len(self.brackets))
        return list(ahead) == [_CLOSER[opened.sign] for opened in reversed(self.brackets)]

    def closing_ahead(self, offset: int) -> Iterator[str]:
        """The brackets after an offset that close what is open before it. The search ends where a
        body or path begins or ends, or at a line that seems to begin a statement.
        """
        depth = 0
        comment = -1
        for match in _AHEAD.finditer(self.text, offset, offset + _MAX_AHEAD):
            sign = match.group("sign")
            if match.group("line") is not None:
                end = comment if comment >= 0 else match.start()
                if match.group("word") is not None and self.could_end(offset, end):
                    return
                comment = -1
            elif sign is None:  # a text or a comment
                comment = match.start() if match.group().startswith("#") else -1
            elif sign in "([":
                depth += 1
            elif sign not in ")]":
                return
            elif depth:
                depth -= 1
            else:
                yield sign

    def could_end(self, begin: int, end: int) -> bool:
        """Whether a statement could end there: it is not preceded by a comma or an operator."""
        while end > begin and self.text[end - 1] in " \t\r\n":
            end -= 1
        return self.text[end - 1] not in ",([=+-*/%<>:"

    def unclosed_bracket(self, blocker: int) -> int:
        """Reports the outermost open bracket; returns where to read on, as if it had been closed
        there. `blocker` is the offset of what cannot be inside brackets, or the end of the text.
        """
        sign, token, offset = self.brackets[0]
        count = self.count_bracketed(token)
        last = self.ends[count - 1]
        resume = blocker
        line_end = _LINE_END.search(self.text, last, blocker)
        if line_end and (count < len(self.types) or self.text[blocker : blocker + 1] != "{"):
            resume = line_end.start()
        closers = "".join(_CLOSER[b.sign] for b in reversed(self.brackets) if b.token < count)
        self.brackets.clear()
        self.truncate(token)
        self.forget_from(resume)
        self.diagnostics.append(
            Diagnostic(
                "unclosed-bracket",
                f"this `{sign}` is never closed",
                Span(self.source, offset, offset + 1),
                help=f"close it with `{_CLOSER[sign]}`",
                edits=(Edit(Span(self.source, last, last), closers),),
            )
        )
        self.reread += blocker - resume
        if self.reread > _MAX_REREAD or len(self.diagnostics) >= MAX_MISTAKES:
            raise _GiveUp
        self.append(ERROR, offset, resume)
        return resume

    def forget_from(self, offset: int) -> None:
        """Drops the tokens and diagnostics after an offset, which will be read again."""
        while self.comments and self.comments[-1].span.start >= offset:
            self.comments.pop()
        before, scanned = self.diagnostics[: self.told_before], self.diagnostics[self.told_before :]
        kept = [found for found in scanned if found.span and found.span.start < offset]
        self.diagnostics[:] = before + kept

    def count_bracketed(self, opening: int) -> int:
        """The number of tokens up to the probable end of an unclosed bracket. That is the end of
        the line after which a statement seems to begin: a word that no comma or operator precedes.
        """
        types, starts, ends = self.types, self.starts, self.ends
        for index in range(opening + 1, len(types)):
            if (
                types[index] in ("WORD", "FUNCTION_NAME", "IF")
                and types[index - 1] in _OPERAND_ENDS
                and _LINE_END.search(self.text, ends[index - 1], starts[index])
            ):
                return index
        return len(types)

    # ---- invalid text: reported, and read as what was meant ----

    def spaced_size(self, start: int, end: int) -> tuple[str | None, int]:
        written = self.text[start:end]
        if not self.names_like_x.isdisjoint(re.findall(r"(?<=[ \t])x[0-9]*", written)):
            digits = re.compile("[0-9]+").match(self.text, start)
            assert digits is not None
            return "NUMBER", digits.end()
        size = re.sub(r"[ \t]", "", written)
        self.report(
            "spaced-size",
            "a size is written without spaces",
            start,
            end,
            help=f"write `{shorten(size)}`",
            replace=size,
        )
        return "SIZE", end

    @cached_property
    def names_like_x(self) -> frozenset[str]:
        """Words such as `x` and `x3` outside of `3 x 3` or `3 x3`: they are names."""
        return frozenset(match.group(1) for match in _NAME_LIKE_X.finditer(self.text)) - {None}

    def foreign_comment(self, start: int, end: int) -> tuple[str | None, int]:
        opening = 2 if self.text[start] == "/" else 4
        closed = self.text.endswith(("*/", "-->"), start + 2, end)
        edits = self.own_comment(start, end) if closed else ()
        help = "put a `#` in front of each line of it"
        if edits and not _LINE_END.search(self.text, start, end):
            move = "move it to the end of the line: " if len(edits) > 1 else "write "
            help = f"{move}`{shorten(edits[-1].text.strip())}`"
        self.report(
            "comment",
            "a comment starts with `#` and ends with its line",
            start,
            start + opening,
            help=help,
            edits=edits,
        )
        if not closed:
            raise _GiveUp  # the rest of the file is inside it
        return None, end

    def own_comment(self, start: int, end: int) -> tuple[Edit, ...]:
        """The edits that write a `/* comment */` with `#`; it moves to the end of its line if
        statements follow it there. None if it has several lines and statements follow.
        """
        text = self.text
        found = _LINE_END.search(text, end)
        line_end = found.start() if found else len(text)
        lines = [line.strip(" \t\r*") for line in text[start:end].strip("/<!->").split("\n")]
        written = [f"# {line}" for line in lines if line] or ["#"]
        if not text[end:line_end].strip():
            indent = re.match(r"[ \t]*", text[text.rfind("\n", 0, start) + 1 : start])
            return (self.edit(start, end, f"\n{indent[0] if indent else ''}".join(written)),)
        if len(lines) > 1:
            return ()
        behind = end + (text[end] in " \t")
        return self.edit(start, behind, ""), self.edit(line_end, line_end, f"  {written[0]}")

    def nothing_to_divide(self) -> bool:
        """Whether `//` begins a comment as in C: on a new line, or after a complete statement."""
        if self.at_statement_start() or self.after_head():
            return True
        return self.types[-1] in _NOT_DIVISIBLE

    def slashes(self, start: int) -> int:
        """Reports a `//` comment; returns its end."""
        self.report(
            "comment",
            "a comment starts with `#`",
            start,
            start + 2,
            help="write `#` instead of `//`",
            replace="#",
        )
        line_end = _LINE_END.search(self.text, start)
        return line_end.start() if line_end else len(self.text)

    def triple_quoted(self, start: int, end: int) -> tuple[str | None, int]:
        closed = end - start >= 6 and self.text.endswith('"""', start + 3, end)
        one_line = closed and not _LINE_END.search(self.text, start, end)
        edits: list[Edit] = []
        if self.at_statement_start():
            message, help = "a comment starts with `#`", "put a `#` in front of each line of it"
            edits += [self.edit(start, start, "# ")]
        else:
            message, help = (
                "text is written on one line, between one pair of quotes",
                'write `"text"`',
            )
            edits += [self.edit(start + 1, start + 3, ""), self.edit(end - 3, end - 1, "")]
        fixed = tuple(edits) if one_line else ()
        self.report("quotes", message, start, start + 3, help=help, edits=fixed)
        if not closed:
            raise _GiveUp  # the rest of the file is inside it
        return (None if self.at_statement_start() else "STRING"), end

    def single_quoted(self, start: int, end: int) -> tuple[str | None, int]:
        inner = self.text[start + 1 : end - 1]
        fixed = '"' + inner.replace('"', r"\"") + '"'
        self.report(
            "quotes",
            "text is written between double quotes",
            start,
            end,
            help=f"write `{fixed}`" if len(fixed) < 80 else "write `\"` instead of `'`",
            replace=fixed,
        )
        return "STRING", end

    def unquoted_path(self, start: int, end: int) -> tuple[str | None, int]:
        """`./flowers`, `~/flowers`, `https://example.org/train.tar`."""
        fixed = f'"{self.text[start:end]}"'
        self.report(
            "quotes",
            "a path is written between double quotes",
            start,
            end,
            help=f"write `{shorten(fixed)}`",
            replace=fixed,
        )
        return "STRING", end

    def unclosed_string(self, start: int, end: int) -> tuple[str | None, int]:
        """Text without a closing quote: it ends with its line, or before brackets that close
        earlier ones.
        """
        comment = self.text.find(" #", start, end)
        text = self.text[start : comment if comment > 0 else end]
        text = text.rstrip(" \t,{}|([") or text[:1]
        while self.brackets and text.endswith((")", "]")) and not _balanced(text[-1], text):
            text = text[:-1].rstrip(" \t,")
        end = start + len(text)
        if text[0] == "'":
            self.report(
                "quotes",
                "text is written between double quotes",
                start,
                end,
                label="never closed",
                help='write `"text"`',
                edits=(self.edit(start, start + 1, '"'), self.edit(end, end, '"')),
            )
            return "STRING", end
        escaping = (len(text) - len(text.rstrip("\\"))) % 2
        self.report(
            "unclosed-string",
            "this text is never closed",
            start,
            end,
            label='a `"` is missing on this line',
            help='close it with `"`; text cannot span several lines',
            edits=(self.edit(end, end, "\\" * escaping + '"'),),
        )
        return "STRING", end

    def bad_number(self, start: int, end: int) -> tuple[str | None, int]:
        text = self.text[start:end]
        meant = _mended_number(text) or _as_tuple(text)
        self.report(
            "bad-number",
            f"`{shorten(text)}` is not a number" + (" or a name" if text[0].isdigit() else ""),
            start,
            end,
            help=f"write `{shorten(meant)}`"
            + (": a size with a name in it is written with parentheses" if "(" in meant else "")
            if meant
            else "a name starts with a letter; numbers are written"
            " `64`, `0.5`, `5e-4`, `20%`, `10x`, `3x3`",
            replace=meant or None,
        )
        return "NUMBER", end

    def foreign_sign(self, start: int, end: int) -> tuple[str | None, int]:
        sign = self.text[start:end]
        meaning, help, replacement = _FOREIGN_SIGNS.get(sign, _MEANINGLESS)
        if sign == "->":
            self.arrow(start, help)
            return meaning, end
        self.report(
            "foreign-sign",
            f"`{sign}` is not part of the language",
            start,
            end,
            help=help,
            replace=replacement,
        )
        if sign == "\\":
            line_end = re.compile(r"[ \t]*(?:\r\n|\n|\r)").match(self.text, end)
            return None, line_end.end() if line_end else end
        return meaning, end

    def arrow(self, start: int, help: str) -> None:
        """Reports all arrows of a line: `conv 64 -> bn -> relu`."""
        line_end = _LINE_END.search(self.text, start)
        behind = line_end.start() if line_end else len(self.text)
        if start < self.arrows_until:
            return
        self.arrows_until = behind
        code = self.text[start:behind].split("#")[0]
        arrows = [start + found.start() for found in re.finditer("->", code)]
        gaps = [len(self.text[:at]) - len(self.text[:at].rstrip(" \t")) for at in arrows]
        edits = [self.edit(at - gap, at + 2, ",") for at, gap in zip(arrows, gaps, strict=True)]
        self.report(
            "foreign-sign",
            "`->` is not part of the language",
            start,
            start + 2,
            help=help,
            edits=tuple(edits),
        )

    def foreign_word(self, start: int, end: int) -> tuple[str | None, int]:
        if self.ends and self.ends[-1] == start and self.types[-1] in ("WORD", "NUMBER"):
            start = self.starts[-1]  # the part of the word before its first foreign letter
            self.truncate(len(self.types) - 1)
            self.append("WORD", start, end)
        word = self.text[start:end]
        self.report(
            "foreign-word",
            f"`{shorten(word)}`: names are written with the letters a-z and A-Z, digits and `_`",
            start,
            end,
            help='any language is welcome in comments and in "text"',
        )
        return ("WORD", end) if self.ends[-1:] != array("q", [end]) else (None, end)

    def strange(self, start: int, end: int) -> tuple[str | None, int]:
        run = self.text[start:end]
        count = f" ({len(run):,} in a row)" if len(run) > 1 else ""
        self.report(
            "strange-character",
            f"{describe_character(run[0])} cannot be used in a spec{count}",
            start,
            end,
            help='take it out; any character is allowed in a comment or in "text"',
            replace="",
        )
        return None, end


def _balanced(closer: str, text: str) -> bool:
    """Whether every bracket in the text is closed in it."""
    return text.count("(" if closer == ")" else "[") >= text.count(closer)


_PERCENT = frozenset({"percent", "pct", "pc"})
_UNITS = _PERCENT | frozenset({"deg", "degree", "degrees", "px", "pixel", "pixels"})
"""Units that other languages write after numbers; here each argument has a fixed unit."""
_UNITS_OF_TIME = {
    spelling: unit
    for unit, spellings in (
        ("s", "s sec secs second seconds"),
        ("min", "m min mins minute minutes"),
        ("h", "h hr hrs hour hours"),
    )
    for spelling in spellings.split()
}


def _mended_number(text: str) -> str:
    """The number that was probably meant by malformed text, or ""."""
    if re.fullmatch(r"[0-9][0-9_]*", text):
        return text.replace("_", "")
    if re.fullmatch(r"[0-9]+\.", text):
        return text[:-1]
    if re.fullmatch(r"\.[0-9]+[x%]?", text):
        return "0" + text
    if re.fullmatch(r"[0-9]+(?:[xX][0-9]+)*X?", text):
        return text.lower()
    unit = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)_?([A-Za-z]+)", text)
    if unit and unit[2].lower() in _UNITS:
        return unit[1] + ("%" if unit[2].lower() in _PERCENT else "")
    if unit and unit[2].lower() in ("day", "days"):
        return f"{float(unit[1]) * 24:g}h"
    if unit and (unit[2] if len(unit[2]) == 1 else unit[2].lower()) in _UNITS_OF_TIME:
        return unit[1] + _UNITS_OF_TIME[unit[2].lower()]
    return ""


def _as_tuple(text: str) -> str:
    """`(1, k)` for `1xk`: a size of numbers and names; or ""."""
    sides = text.split("x")
    named = any(side[:1].isalpha() for side in sides)
    if named and 2 <= len(sides) <= 4 and all(re.fullmatch(_SIDE, side) for side in sides):
        return f"({', '.join(sides)})"
    return ""


_SIDE = r"[0-9]+|[A-Za-z_][A-Za-z_0-9]*"
_LINE_END = re.compile(r"\r\n|\n|\r")
_AHEAD = re.compile(
    rf"{_SHIELDED}|(?P<sign>[()\[\]{{}}|])|(?P<line>(?:\r\n|\n|\r)[ \t]*)(?P<word>(?=[A-Za-z_]))?"
)
# The number of characters searched for the end of malformed brackets.
_MAX_AHEAD = 20_000
_MINUS_AND_OPERAND = re.compile(r"-(?:[A-Za-z_0-9.]*\([^()\r\n]*\)|[A-Za-z_0-9.]+)?")
_NAME_LIKE_X = re.compile(
    rf"{_SHIELDED}|(?<![0-9])[0-9]++[ \t]++x[0-9]*+|(?<![A-Za-z_0-9.])(x[0-9]*+)(?![A-Za-z_0-9])"
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
_NO_CHANGE = "a name gets its value once, by `let`; give the new value a name of its own"
_MEANINGLESS = (ERROR, "it means nothing in a spec; take it out", None)
_FOREIGN_SIGNS: dict[str, tuple[str | None, str, str | None]] = {
    ";": ("COMMA", "statements are separated by a comma or a new line", ","),
    "&&": ("AND", "write `and`", " and "),
    "&": ("AND", "write `and`", " and "),
    "!": ("NOT", "write `not`", "not "),
    "===": ("COMPARISON", "write `==`", "=="),
    "<>": ("COMPARISON", "write `!=`", "!="),
    "=<": ("COMPARISON", "write `<=`", "<="),
    "...": ("TO", "a range is written with two dots: `0.5..1`", ".."),
    "^": ("POWER", "a power is written `2**i`", "**"),
    **dict.fromkeys(("+=", "-=", "*=", "/=", "%="), (ERROR, _NO_CHANGE, None)),
    "\\": (None, "a statement ends with its line; inside ( ) and [ ] it may go on", None),
    "=>": (ERROR, "a body is written in braces: `block name(width) { … }`", None),
    "->": ("COMMA", "layers follow one another in the order written, without arrows", ","),
    ".": (ERROR, "a dot is used in numbers and in names such as `layer1.conv2`", None),
    "?": (ERROR, "a choice is written `64 if wide else 32`", None),
    "$": (None, "a name is written without it", ""),
}
"""For each sign: how it is read (None: it is skipped), the help text, and a replacement."""
_Explain = Callable[[_Lexer, int, int], tuple[str | None, int]]
_EXPLAINED: dict[str, _Explain] = {
    "SPACED_SIZE": _Lexer.spaced_size,
    "POINT_LAST": _Lexer.bad_number,
    "FOREIGN_COMMENT": _Lexer.foreign_comment,
    "TRIPLE_QUOTED": _Lexer.triple_quoted,
    "UNQUOTED_PATH": _Lexer.unquoted_path,
    "SINGLE_QUOTED": _Lexer.single_quoted,
    "UNCLOSED_STRING": _Lexer.unclosed_string,
    "BAD_NUMBER": _Lexer.bad_number,
    "FOREIGN_SIGN": _Lexer.foreign_sign,
    "FOREIGN_WORD": _Lexer.foreign_word,
    "STRANGE": _Lexer.strange,
}
