"""Syntax tree to canonical text: what `cnn fmt` writes.

The tree says what is printed, the source it was read from a little of how: which statements share
a line, which braces do, where a line was left blank, where the comments stand. The rules:

* Two blanks a level. Statements that shared a line share one still, joined by `, `, and as many of
  them as fit in 100 columns. A statement that takes several lines shares none of them.
* A body stays on one line, `{ bn, relu }`, if its braces were on one line and it fits with the
  whole statement; `{}` is an empty one. An `if` stays on one line, or else all its arms take
  several. Paths take a line each; their statements stand under the first of them, what makes
  further paths (a loop, an `if`) under the bar.
* One blank line is kept where there were some, none at either end of a body. Between definitions,
  that is between statements with bodies at the top of a file and their neighbours, there is one.
* Operations are spaced, except `*`, `/` and `//` on plain operands: `4*width`, `(a + b)/2`.
  `%` is always spaced, since `20%` is a number. Ranges are unspaced between unspaced ends. An
  argument of a statement that holds a blank stands in parentheses: `fc (classes + 1)`.
* Parentheses that change nothing go. Numbers stay as they were written.
* A list, a tuple, parameters, or the arguments of a function go over several lines where they do
  not fit, where they hold a comment, and where they were written so, with a comma behind the last
  item and the closing bracket on the next line. Each item takes a line, but items that shared one
  of several lines share one still, as statements do.
* A comment stays behind the word that it stood behind, or on its own line before the word that
  it stood before. Where one stands inside an operation, its line ends there, before the operator;
  parentheses are put around the operation if no bracket is.

A line is longer than 100 columns only where it cannot be broken: at a long statement without
brackets, or at a comment, which counts for nothing when a line is measured.
"""

from __future__ import annotations

import re
import sys
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .syntax import (
    Argument,
    Arm,
    Binary,
    Block,
    Body,
    Branches,
    Call,
    Conditional,
    Duration,
    Expression,
    Factor,
    For,
    Function,
    If,
    Import,
    Item,
    Let,
    List,
    Name,
    Network,
    Number,
    OutputName,
    Parameter,
    Path,
    Percent,
    Range,
    Repeat,
    Setting,
    Size,
    Spec,
    Statement,
    String,
    Switch,
    Tuple,
    Unary,
    makers_of,
)

WIDTH = 100

# How tightly things bind, loosest first; the grammar has the same order.
_RANGE, _OR, _AND, _NOT, _COMPARISON, _SUM, _PRODUCT, _SIGNED, _POWER, _ATOM = range(10)
_LEVELS = {
    "or": _OR,
    "and": _AND,
    **dict.fromkeys(("<", "<=", ">", ">=", "==", "!="), _COMPARISON),
    **dict.fromkeys("+-", _SUM),
    **dict.fromkeys(("*", "/", "//", "%"), _PRODUCT),
    "**": _POWER,
}

# These stand close to plain operands.
_CLOSE = frozenset({"*", "/", "//", "**"})

_NEVER = sys.maxsize
"""The offset of a comment that is not there."""
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_OPEN_END = re.compile(r",[ \t]*\n[ \t\n]*[\])]")
_WHOLE_NUMBER_OR_FACTOR = re.compile(r"[0-9]+x?")
_REST_OF_SIZE = re.compile(r"x?[0-9]+(?![A-Za-z_0-9])")
# What a reader could not see, or what would turn the text around it about.
_UNSEEN = re.compile(
    r'["\\\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ud800-\udfff]'
)
_ESCAPES = {'"': r"\"", "\\": r"\\", "\n": r"\n", "\t": r"\t"}


def print_spec(spec: Spec) -> str:
    """The canonical text of a spec without mistakes; lines end in a plain newline."""
    page = _Page(spec)
    _Printer(page).statements(spec.statements, 0, top=True)
    page.comments_before(_NEVER, 0)
    return page.finished()


@dataclass(frozen=True, slots=True)
class _Item:
    """What stands between two commas in brackets."""

    start: int
    """Comments before this offset come before the item."""
    pieces: list[_Piece]
    joins: bool
    """Whether it shares the line of the item before it, if both fit."""


@dataclass(frozen=True, slots=True)
class _Group:
    """Brackets and what is in them, on one line or on several."""

    opening: str
    items: list[_Item]
    closing: str
    end: int
    """Comments before this offset come before the closing bracket."""
    comma: str
    """What ends each item's line."""
    comments: int
    """How many comments it holds."""
    flat: str | None
    """The whole on one line; None where it must not or cannot be."""


# Text; brackets that may be broken; an offset: here stand the comments before it.
_Piece: TypeAlias = str | _Group | int
_InBrackets: TypeAlias = Expression | Argument | Parameter


class _Page:
    """The lines written so far, and the comments still to be placed among them."""

    def __init__(self, spec: Spec) -> None:
        # One sign a line end, and every offset as it was.
        self.text = spec.source.text.replace("\r\n", " \n").replace("\r", "\n")
        self.comments = spec.comments
        self.placed = 0
        """How many comments have been placed; the first of the others starts at `next_comment`."""
        self.next_comment = 0
        self.read = 0
        """Where in the source the thing written last ended."""

        self.lines: list[str] = []
        self.line: list[str] = []
        self.column = 0
        self.indent = 0
        """The indentation of the current line."""
        self.commented = False
        """Whether the current line ends with a comment: nothing more may stand on it."""
        self.opening = True
        """Whether nothing stands in the current body yet: no blank line may."""
        self.blank_wanted = False
        """Whether a blank line comes next even if the source had none."""
        self._pass_comments(0)

    def finished(self) -> str:
        if not self.line:
            return ""
        self.start_line(0)
        return "\n".join(self.lines) + "\n"

    def put(self, text: str) -> None:
        self.line.append(text)
        self.column += len(text)

    def start_line(self, indent: int) -> None:
        if self.line:
            self.lines.append("".join(self.line))
        self.line = [" " * indent]
        self.column = self.indent = indent
        self.commented = False

    def start_spaced_line(self, indent: int, start: int) -> None:
        """A new line for what starts at an offset, behind a blank one where that is wanted."""
        blank = self.blank_wanted or (not self.opening and self.blank_line(self.read, start))
        self.start_line(indent)
        if blank and self.lines:
            self.lines.append("")
        self.opening = self.blank_wanted = False

    def newline(self, start: int, end: int) -> bool:
        """Whether the source has a line end there."""
        return self.text.find("\n", start, end) >= 0

    def blank_line(self, start: int, end: int) -> bool:
        return _BLANK_LINE.search(self.text, start, end) is not None

    def source_column(self, offset: int) -> int:
        return offset - self.text.rfind("\n", 0, offset)

    def comments_before(self, offset: int, indent: int) -> None:
        """Comments between statements: behind what they stand behind, or lines of their own."""
        while self.next_comment < offset:
            comment = self.comments[self.placed]
            start = comment.span.start
            if not self.line or self.commented or self.newline(self.read, start):
                self.start_spaced_line(indent, start)
                self.put(comment.text)
            else:
                self.put(" " + comment.text)
            self.commented = True
            self.read = comment.span.end
            self._pass_comments(1)

    def comments_in_brackets(self, offset: int, indent: int) -> None:
        """The same inside brackets, where blank lines go."""
        while self.next_comment < offset:
            comment = self.comments[self.placed]
            if self.commented or comment.alone:
                self.start_line(indent)
                self.put(comment.text)
            else:
                self.put(" " + comment.text)
            self.commented = True
            self._pass_comments(1)

    def comments_between_paths(self, offset: int, bar: int, indent: int) -> None:
        """Comments to the right of a bar belong to the path before; those below it to the next."""
        if self.next_comment >= offset:
            return
        column = self.source_column(bar)
        while self.next_comment < offset and (
            not self.comments[self.placed].alone or self.source_column(self.next_comment) > column
        ):
            self.comments_before(self.next_comment + 1, indent + 2)
        self.comments_before(offset, indent)

    def _pass_comments(self, count: int) -> None:
        self.placed += count
        none_left = self.placed == len(self.comments)
        self.next_comment = _NEVER if none_left else self.comments[self.placed].span.start


class _Speller:
    """What stands on a line: the heads of statements and their expressions, as pieces of text."""

    def __init__(self, page: _Page) -> None:
        self.page = page
        self.comment_starts = [comment.span.start for comment in page.comments]
        self.grouping = False
        """Whether brackets are kept as groups, to be laid out on several lines."""
        self.kept_open = False
        """Whether there were brackets that must stay on several lines."""

    def one_line(self, node: Statement | Arm) -> str | None:
        """The head of a statement on one line; None where it has brackets that are kept open."""
        self.kept_open = False
        pieces: list[_Piece] = []
        self.head(node, pieces)
        return None if self.kept_open else _joined(pieces)

    def pieces(self, node: Statement | Arm) -> list[_Piece]:
        """The head of a statement with what is needed to lay it out on several lines."""
        pieces: list[_Piece] = []
        self.grouping = True
        self.head(node, pieces)
        self.grouping = False
        return pieces

    # ---- what stands before the body ----

    def head(self, node: Statement | Arm, out: list[_Piece]) -> None:
        if isinstance(node, Call):
            out.append(_labelled(node) + node.head.value)
            first = True
            for argument in node.arguments:
                if _is_bound(node):
                    out.append(" ")
                    self.outermost(argument.value, argument.span.start, argument.span.end, out)
                    continue
                self.argument(argument, first, out)
                first = False
        elif isinstance(node, Setting):
            out.append(f"{node.head.value} {node.sign} ")
            self.outermost(node.value, node.head.span.end, node.span.end, out)
        elif isinstance(node, Arm):
            out.append("if ")
            self.outermost(node.condition, node.span.start, node.body.span.start, out)
        elif isinstance(node, Let):
            out.append(f"let {node.name.value} = ")
            self.outermost(node.value, node.name.span.end, node.span.end, out)
        elif isinstance(node, Repeat):
            out.append(_labelled(node) + "repeat ")
            self.outermost(node.count, node.span.start, node.body.span.start, out)
            if node.index:
                out.append(f" as {node.index.value}")
        elif isinstance(node, For):
            names = ", ".join(name.value for name in node.names)
            out.append(f"{_labelled(node)}for {names} in ")
            self.outermost(node.items, node.names[-1].span.end, node.body.span.start, out)
            if node.index:
                out.append(f" as {node.index.value}")
        elif isinstance(node, Import):
            out.append(f"import {_quoted(node.path.value)}")
        elif isinstance(node, (Block, Network)):
            out.append(f"{type(node).__name__.lower()} {node.name.value}")
            if node.parameters:
                start, end = node.name.span.end, node.body.span.start
                self.bracket("(", node.parameters, ")", start, end, out)
        else:
            raise AssertionError(node)  # an If has no head, its arms have

    def argument(self, argument: Argument, first: bool, out: list[_Piece]) -> None:
        """An argument of a statement: only blanks keep it from its neighbours."""
        out.append(f" {argument.name}=" if argument.name else " ")
        begin = len(out)
        clear = self.outermost(argument.value, argument.span.start, argument.span.end, out)
        # Behind another argument, a minus could be meant to subtract.
        if not clear or (out[begin] == "-" and not first and not argument.name):
            out.insert(begin, "(")
            out.append(")")
        elif not first:
            _keep_apart(out, begin)

    def outermost(self, node: Expression, start: int, end: int, out: list[_Piece]) -> bool:
        """An expression that no bracket is around, so that it cannot go over several lines.

        It could in the source, if it stood in parentheses, which are not in the tree: where
        a comment stood in them and not in deeper brackets, they are printed.
        Returns what `express` does.
        """
        if not self.grouping:
            return self.express(node, out)
        pieces: list[_Piece] = []
        clear = self.express(node, pieces)
        comments = self.comments_within(start, end)
        if comments == sum(piece.comments for piece in pieces if isinstance(piece, _Group)):
            out += pieces
            return clear
        items = [_Item(_first_offset(node), pieces, False)]
        out.append(_Group("(", items, ")", end, "", comments, None))
        return True

    # ---- expressions ----

    def express(self, node: Expression, out: list[_Piece], least: int = _RANGE) -> bool:
        """Appends the text of an expression, in parentheses if it binds less tightly than asked.

        Returns whether that has no blanks outside of brackets.
        """
        if _level(node) < least:
            out.append("(")
            self.express(node, out)
            out.append(")")
        elif isinstance(node, Name):
            out.append(node.value)
        elif isinstance(node, (Number, Percent, Factor, Duration)):
            out.append(node.text)
        elif isinstance(node, Size):
            out.append("x".join(map(str, node.dims)))
        elif isinstance(node, Switch):
            out.append("on" if node.value else "off")
        elif isinstance(node, Path):
            out.append(node.value)
        elif isinstance(node, String):
            out.append(_quoted(node.value))
        elif isinstance(node, Tuple):
            close = ",)" if len(node.items) == 1 else ")"
            self.bracket("(", node.items, close, node.span.start, node.span.end, out)
        elif isinstance(node, List):
            self.bracket("[", node.items, "]", node.span.start, node.span.end, out)
        elif isinstance(node, Function):
            opening = f"{node.name.value}("
            self.bracket(opening, node.arguments, ")", node.span.start, node.span.end, out)
        elif isinstance(node, Item):
            self.express(node.value, out, _ATOM)
            self.index(node, out)
        elif isinstance(node, Unary):
            return self.unary(node, out)
        elif isinstance(node, Binary):
            return self.binary(node, out)
        elif isinstance(node, Conditional):
            return self.conditional(node, out)
        else:
            return self.range(node, out)
        return True

    def unary(self, node: Unary, out: list[_Piece]) -> bool:
        if node.operator == "not":
            out.append("not ")
            self.express(node.operand, out, _NOT)
            return False
        out.append("-")
        return self.express(node.operand, out, _SIGNED)

    def binary(self, node: Binary, out: list[_Piece]) -> bool:
        level = _LEVELS[node.operator]
        clear = self.express(node.left, out, level + (level in (_COMPARISON, _POWER)))
        clear = clear and node.operator in _CLOSE and not isinstance(node.right, Unary)
        if self.grouping:
            out.append(_first_offset(node.right))
        out.append(node.operator if clear else f" {node.operator} ")
        self.express(node.right, out, _SIGNED if level == _POWER else level + 1)
        return clear

    def range(self, node: Range, out: list[_Piece]) -> bool:
        clear = self.express(node.low, out, _OR)
        if out[-1] in ("on", "off"):  # read as a name where a dot follows
            clear = False
        if self.grouping:
            out.append(_first_offset(node.high))
        middle = len(out)
        clear = self.express(node.high, out, _OR) and clear
        out.insert(middle, ".." if clear else " .. ")
        return clear

    def conditional(self, node: Conditional, out: list[_Piece]) -> bool:
        self.express(node.value, out, _OR)
        if self.grouping:
            out.append(_first_offset(node.condition))
        out.append(" if ")
        self.express(node.condition, out, _OR)
        if self.grouping:
            out.append(_first_offset(node.otherwise))
        out.append(" else ")
        self.express(node.otherwise, out)
        return False

    # ---- brackets ----

    def index(self, node: Item, out: list[_Piece]) -> None:
        """`[i]` directly after a list."""
        if not self.grouping:
            out.append("[")
            self.express(node.index, out)
            out.append("]")
            return
        pieces: list[_Piece] = []
        self.express(node.index, pieces)
        comments = self.comments_within(node.value.span.end, node.span.end)
        made = [_Item(_first_offset(node.index), pieces, False)]
        flat = None if comments else _flat("[", made, "]")
        out.append(_Group("[", made, "]", node.span.end, "", comments, flat))

    def bracket(
        self,
        opening: str,
        items: Sequence[_InBrackets],
        closing: str,
        start: int,
        end: int,
        out: list[_Piece],
    ) -> None:
        """What stands in brackets from `start` to `end` of the source, and the brackets."""
        keep_open = bool(items) and self.ends_open(items[-1].span.end, end)
        self.kept_open |= keep_open
        if self.grouping:
            comments = self.comments_within(start, end)
            if items or comments:
                made = self.items(items, self.page.newline(start, end))
                flat = None
                if not keep_open and not comments:
                    flat = _flat(opening, made, closing)
                out.append(_Group(opening, made, closing[-1], end, ",", comments, flat))
                return
        out.append(opening)
        for index, item in enumerate(items):
            if index:
                out.append(", ")
            self.item(item, out)
        out.append(closing)

    def ends_open(self, start: int, end: int) -> bool:
        """Whether, between a last item and the end, a comma ends a line before the bracket."""
        page = self.page
        return page.newline(start, end) and bool(_OPEN_END.search(page.text, start, end))

    def item(self, item: _InBrackets, out: list[_Piece]) -> None:
        """Commas are around it: nothing in it needs parentheses."""
        if isinstance(item, Argument):
            if item.name:
                out.append(f"{item.name}=")
            self.express(item.value, out)
        elif not isinstance(item, Parameter):
            self.express(item, out)
        elif item.default is None:
            out.append(item.name.value)
        else:
            out.append(f"{item.name.value}=")
            self.express(item.default, out)

    def items(self, items: Sequence[_InBrackets], several_lines: bool) -> list[_Item]:
        made = []
        end = None
        for item in items:
            pieces: list[_Piece] = []
            self.item(item, pieces)
            start = item.span.start
            joins = several_lines and end is not None and not self.page.newline(end, start)
            made.append(_Item(_first_offset(item), pieces, joins))
            end = item.span.end
        return made

    def comments_within(self, start: int, end: int) -> int:
        starts = self.comment_starts
        return bisect_left(starts, end) - bisect_left(starts, start) if starts else 0


class _Printer:
    """Walks the statements and puts them on the page."""

    def __init__(self, page: _Page) -> None:
        self.page = page
        self.speller = _Speller(page)
        self.after_bar = False
        """Whether the current line is a `|` that waits for its first statement."""
        self.inner_lines: dict[int, str | None] = {}
        """What `one_line` said of statements in bodies, by id: outer ones will ask again."""

    def statements(self, statements: Sequence[Statement], indent: int, top: bool = False) -> None:
        page = self.page
        above: Statement | None = None
        joins = False  # whether there is a line that the next one may share
        for statement in statements:
            start = statement.span.start
            if top and above and not (_is_plain(above) and _is_plain(statement)):
                page.blank_wanted = not page.blank_line(page.read, start)
                joins = False
            if page.next_comment < start:
                page.comments_before(start, indent)
            text = None
            if page.next_comment > statement.span.end:
                text = self.one_line(statement)
                if text and indent + len(text) > WIDTH:
                    text = None
            if self.after_bar and not page.commented:
                page.put(" ")
                page.indent = indent
                page.opening = False
            elif (
                joins
                and text
                and page.column + 2 + len(text) <= WIDTH
                and not page.newline(page.read, start)
            ):
                page.put(", ")
            else:
                page.start_spaced_line(indent, start)
            self.after_bar = False
            if text:
                page.put(text)
            else:
                self.several_lines(statement, indent)
            page.read = statement.span.end
            joins = bool(text)
            above = statement

    # ---- on one line ----

    def one_line(self, statement: Statement) -> str | None:
        """The statement on one line of any length; None where it takes several in any case."""
        if isinstance(statement, If):
            return self.one_line_if(statement)
        head = self.speller.one_line(statement)
        body = _body_of(statement)
        if head is None or body is None:
            return head
        inner = self.one_line_body(body)
        return f"{head} {inner}" if inner else None

    def one_line_if(self, statement: If) -> str | None:
        first = statement.arms[0].body
        if _has_else(statement) and self.page.newline(first.span.start, statement.span.end):
            return None
        parts = []
        for arm in statement.arms:
            head = self.speller.one_line(arm)
            inner = self.one_line_body(arm.body)
            if head is None or inner is None:
                return None
            parts.append(f"{head} {inner}")
        if statement.otherwise:
            inner = self.one_line_body(statement.otherwise)
            if inner is None:
                return None
            parts.append(inner)
        return _labelled(statement) + " else ".join(parts)

    def one_line_body(self, body: Body | Branches) -> str | None:
        """None also where it is longer than a line: nobody copies long texts at each level."""
        if _is_empty(body):
            return "{}"
        if self.page.newline(body.span.start, body.span.end):
            return None
        if isinstance(body, Body):
            inner = self.one_line_statements(body.statements)
            return f"{{ {inner} }}" if inner else None
        length = 0
        paths = []
        for path in body.paths:
            inner = self.one_line_statements(path.statements)
            if inner is None or length > WIDTH:
                return None
            paths.append(f"| {inner}" if inner else "|")
            length += len(paths[-1])
        return f"{{ {' '.join(paths)} }}"

    def one_line_statements(self, statements: Sequence[Statement]) -> str | None:
        texts = []
        length = 0
        for statement in statements:
            key = id(statement)
            if key not in self.inner_lines:
                text = self.one_line(statement)
                self.inner_lines[key] = text if text and len(text) <= WIDTH else None
            text = self.inner_lines[key]
            if text is None or length > WIDTH:
                return None
            texts.append(text)
            length += len(text)
        return ", ".join(texts)

    # ---- on several lines ----

    def several_lines(self, statement: Statement, indent: int) -> None:
        if isinstance(statement, If):
            self.several_lines_if(statement, indent)
            return
        body = _body_of(statement)
        self.head(statement, body, statement.span.end)
        if body:
            self.body(body, indent)

    def several_lines_if(self, statement: If, indent: int) -> None:
        # With `else` behind it, an empty body takes two lines like any other.
        may_close = not _has_else(statement)
        page = self.page
        page.put(_labelled(statement))
        for arm in statement.arms:
            if arm is not statement.arms[0]:
                self.start_else(arm.span.start, indent)
                page.put(" ")
            self.head(arm, arm.body, arm.span.end)
            self.body(arm.body, indent, may_close)
        if statement.otherwise:
            self.start_else(statement.otherwise.span.start, indent)
            self.body(statement.otherwise, indent, may_close)

    def start_else(self, offset: int, indent: int) -> None:
        """`else` stands behind the brace, or, behind a comment, on the next line."""
        page = self.page
        page.comments_before(offset, indent)
        if page.commented:
            page.start_line(indent)
        else:
            page.put(" ")
        page.put("else")

    def body(self, body: Body | Branches, indent: int, may_close: bool = True) -> None:
        page = self.page
        start, end = body.span.start, body.span.end
        if may_close and _is_empty(body) and page.next_comment >= end:
            page.put(" {}")
        else:
            page.put(" {")
            page.read = start + 1
            page.opening = True
            if isinstance(body, Body):
                self.statements(body.statements, indent + 2)
                page.comments_before(end - 1, indent + 2)
            else:
                self.paths(body, indent + 2)
            page.start_line(indent)
            page.put("}")
        page.opening = False
        page.read = end

    def paths(self, branches: Branches, indent: int) -> None:
        """Each path starts at its bar; its other lines stand under its first statement."""
        page = self.page
        for path in branches.paths:
            bar = path.span.start
            if path is branches.paths[0]:
                page.comments_before(bar, indent)
            else:
                page.comments_between_paths(bar, bar, indent)
            page.start_spaced_line(indent, bar)
            page.put("|")
            page.read = bar + 1
            page.opening = self.after_bar = True
            makers = makers_of(path)
            self.statements(path.statements[: len(path.statements) - len(makers)], indent + 2)
            page.opening = self.after_bar = False
            self.statements(makers, indent)
        page.comments_between_paths(branches.span.end - 1, branches.paths[-1].span.start, indent)

    # ---- heads that are too long for a line, or hold comments ----

    def head(self, node: Statement | Arm, body: Body | Branches | None, end: int) -> None:
        """What stands before a body that will take several lines."""
        page = self.page
        after = (len(" {}") if _is_empty(body) else len(" {")) if body else 0
        if page.next_comment >= (body.span.start if body else end):
            text = self.speller.one_line(node)
            if text and page.column + len(text) + after <= WIDTH:
                page.put(text)
                return
        self.lay_out(self.speller.pieces(node), page.indent, after)

    def lay_out(self, pieces: list[_Piece], hang: int, after: int) -> None:
        """Puts pieces where they fit, with `after` columns more behind the last.

        `hang` is the indentation of a line that goes on after a comment.
        """
        page = self.page
        for piece, width in zip(pieces, _widths_behind(pieces, after), strict=True):
            if isinstance(piece, int):
                page.comments_in_brackets(piece, hang)
                continue
            continues = page.commented
            if continues:
                page.start_line(hang)
            if isinstance(piece, str):
                page.put(piece.lstrip(" ") if continues else piece)
            elif piece.flat and page.column + len(piece.flat) + width <= WIDTH:
                page.put(piece.flat)
            else:
                self.lay_out_group(piece)

    def lay_out_group(self, group: _Group) -> None:
        page = self.page
        indent = page.indent
        inner = indent + 2
        page.put(group.opening)
        joins = False  # whether there is a line that the next item may share
        for item in group.items:
            page.comments_in_brackets(item.start, inner)
            text = None if self.has_comments(item) else _joined(item.pieces)
            if text is None or inner + len(text) + len(group.comma) > WIDTH:
                page.start_line(inner)
                self.lay_out(item.pieces, inner + 2 if group.comma else inner, len(group.comma))
                joins = False
            elif (
                joins
                and item.joins
                and not page.commented
                and page.column + len(text) + len(" ,") <= WIDTH
            ):
                page.put(" " + text)
            else:
                page.start_line(inner)
                page.put(text)
                joins = True
            page.put(group.comma)
        page.comments_in_brackets(group.end, inner)
        page.start_line(indent)
        page.put(group.closing)

    def has_comments(self, item: _Item) -> bool:
        """Whether comments stand between the words of an item, outside of brackets in it."""
        next_comment = self.page.next_comment
        return any(isinstance(piece, int) and next_comment < piece for piece in item.pieces)


# ---- what can be said of a node or a piece by itself ----


def _is_plain(statement: Statement) -> bool:
    return not isinstance(statement, If) and _body_of(statement) is None


def _body_of(statement: Statement) -> Body | Branches | None:
    return None if isinstance(statement, (Let, Import, If, Setting)) else statement.body


def _is_bound(call: Call) -> bool:
    """`limit params < 300k`, whose only argument is a comparison of a name."""
    if len(call.arguments) != 1 or call.arguments[0].name or call.body is not None:
        return False
    match call.arguments[0].value:
        case Binary(operator="<" | "<=" | ">" | ">=", left=Name(), right=Number()):
            return True
    return False


def _has_else(statement: If) -> bool:
    return len(statement.arms) > 1 or statement.otherwise is not None


def _is_empty(body: Body | Branches) -> bool:
    return isinstance(body, Body) and not body.statements


def _labelled(statement: Call | Repeat | For | If) -> str:
    if statement.label is None:
        return ""
    output = "output " if isinstance(statement.label, OutputName) else ""
    return f"{output}{statement.label.value}: "


def _level(node: Expression) -> int:
    if isinstance(node, Binary):
        return _LEVELS[node.operator]
    if isinstance(node, Unary):
        return _NOT if node.operator == "not" else _SIGNED
    return _RANGE if isinstance(node, (Range, Conditional)) else _ATOM


def _first_offset(node: _InBrackets) -> int:
    """Where the first word of its value stands: before that, a comment is not inside of it."""
    while True:
        if isinstance(node, Binary):
            node = node.left
        elif isinstance(node, Range):
            node = node.low
        elif isinstance(node, Conditional | Item):
            node = node.value
        elif isinstance(node, Unary):
            node = node.operand
        elif isinstance(node, Argument):
            node = node.value
        elif isinstance(node, Parameter):
            node = node.default or node.name
        else:
            return node.span.start


def _keep_apart(pieces: list[_Piece], begin: int) -> None:
    """Puts parentheses around a number if what follows it, at `begin`, would make it a size.

    That is what `3 x3`, `3 x 3` and `10x 3` are taken for.
    """
    name, first, before = pieces[begin - 1], pieces[begin], pieces[begin - 2]
    if not (isinstance(name, str) and isinstance(first, str) and isinstance(before, str)):
        return
    index = begin - 2
    text = name[1:] + first
    if before == "x" and begin >= 4 and pieces[begin - 3] == " ":
        index -= 2
        text = "x" + text
    number = pieces[index]
    if (
        isinstance(number, str)
        and _WHOLE_NUMBER_OR_FACTOR.fullmatch(number)
        and _REST_OF_SIZE.match(text)
        and number.endswith("x") != text.startswith("x")
    ):
        pieces[index] = f"({number})"


def _quoted(value: str) -> str:
    return f'"{_UNSEEN.sub(_escaped, value)}"'


def _escaped(match: re.Match[str]) -> str:
    char = match.group()
    return _ESCAPES.get(char) or f"\\u{ord(char):04x}"


def _joined(pieces: list[_Piece]) -> str | None:
    """Pieces on one line; None where there is a group that cannot be."""
    texts = []
    for piece in pieces:
        if isinstance(piece, int):
            continue
        text = piece if isinstance(piece, str) else piece.flat
        if text is None:
            return None
        texts.append(text)
    return "".join(texts)


def _flat(opening: str, items: list[_Item], closing: str) -> str | None:
    """Brackets on one line; None where that is too long for any: nobody copies it again then."""
    texts: list[str] = []
    length = len(opening + closing)
    for item in items:
        text = _joined(item.pieces)
        if text is None or length + len(text) > WIDTH:
            return None
        texts.append(text)
        length += len(text) + len(", ")
    return f"{opening}{', '.join(texts)}{closing}"


def _widths_behind(pieces: list[_Piece], after: int) -> list[int]:
    """For each piece how much must follow it on its line: all up to the next bracket."""
    widths = [0] * len(pieces)
    width = after
    for index in range(len(pieces) - 1, -1, -1):
        widths[index] = width
        piece = pieces[index]
        if isinstance(piece, str):
            width += len(piece)
        elif isinstance(piece, _Group):
            width = len(piece.opening)
    return widths
