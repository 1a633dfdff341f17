"""Text to tokens: what each spelling is read as, and what is done about strange characters."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dotcnn.dsl.characters import LOOK_ALIKES, UNSEEN
from dotcnn.dsl.diagnostics import Diagnostic
from dotcnn.dsl.lexer import ERROR, Lexed, lex
from dotcnn.dsl.source import Source


def read(text: str) -> Lexed:
    return lex(Source("t", text))


def kinds(text: str) -> str:
    """The types of the tokens, for a text that is read without complaint."""
    found = read(text)
    assert found.diagnostics == []
    return " ".join(found.types)


def complaint(text: str) -> Diagnostic:
    """The only thing that is said about a text."""
    (found,) = read(text).diagnostics
    return found


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("conv", "WORD"),
        ("_a1", "WORD"),
        ("64", "NUMBER"),
        ("007", "NUMBER"),
        ("0.5", "NUMBER"),
        ("5e-4", "NUMBER"),
        ("1E+3", "NUMBER"),
        ("20%", "PERCENT"),
        ("0.5%", "PERCENT"),
        ("3x3", "SIZE"),
        ("3x224x224", "SIZE"),
        ("10x", "FACTOR"),
        ("0.1x", "FACTOR"),
        ("1e-4x", "FACTOR"),
        ("10min", "DURATION"),
        ("0.5h", "DURATION"),
        ("30s", "DURATION"),
        ('"text"', "STRING"),
        (r'"a \" b"', "STRING"),
        ('"# { ( ,"', "STRING"),
        ('"字 × \t"', "STRING"),
        ("on", "SWITCH"),
        ("off", "SWITCH"),
        ("one", "WORD"),
        ("layer1.0.conv2", "PATH"),
        ("a.on", "PATH"),
        ("stride=2", "KEY NUMBER"),
        ("layer1.0=2", "KEY NUMBER"),
        ("for=2", "KEY NUMBER"),
        ("stride = 2", "WORD EQUAL NUMBER"),
        ("a==2", "WORD COMPARISON NUMBER"),
        ("a= =2", "WORD EQUAL EQUAL NUMBER"),
        ("max(8)", "FUNCTION_NAME LPAR NUMBER RPAR"),
        ("max (8)", "WORD LPAR NUMBER RPAR"),
        ("not(a)", "NOT LPAR WORD RPAR"),
        ("f a[0]", "WORD WORD AT NUMBER RSQB"),
        ("f a [0]", "WORD WORD LSQB NUMBER RSQB"),
        ("f[0]", "WORD LSQB NUMBER RSQB"),
        ("f (a)[0][1]", "WORD LPAR WORD RPAR AT NUMBER RSQB AT NUMBER RSQB"),
        ("2**-3", "NUMBER POWER NEGATIVE NUMBER"),
        ("0.35..1", "NUMBER TO NUMBER"),
        ("1..2", "NUMBER TO NUMBER"),
        ("1 .. 2", "NUMBER TO NUMBER"),
        ("a..b", "WORD TO WORD"),
        ("20%3", "NUMBER MODULO NUMBER"),
        ("20%x", "NUMBER MODULO WORD"),
        ("20%(3)", "NUMBER MODULO LPAR NUMBER RPAR"),
        ("20 % 3", "NUMBER MODULO NUMBER"),
        ("20% 3", "PERCENT NUMBER"),
        ("f a//2/3", "WORD WORD FLOOR_DIVIDE NUMBER DIVIDE NUMBER"),
        ("f 1 if a else b//c", "WORD NUMBER IF WORD ELSE WORD FLOOR_DIVIDE WORD"),
        ("f 1 if a else b - c", "WORD NUMBER IF WORD ELSE WORD MINUS WORD"),
        ("f 1 if a else -b", "WORD NUMBER IF WORD ELSE NEGATIVE WORD"),
        ("a<=b<c", "WORD COMPARISON WORD COMPARISON WORD"),
        ("a: b", "WORD COLON WORD"),
        ("{ | a | }", "LBRACE VBAR WORD VBAR RBRACE"),
        ("a # b", "WORD"),
        ("a#b", "WORD"),
        ("", ""),
        ("   ", ""),
        ("a ", "WORD"),
        ("conv 3x3 same", "WORD SIZE WORD"),
        ("conv 3 x", "WORD NUMBER WORD"),
        ("let x = 1, f 3 x 3", "LET WORD EQUAL NUMBER COMMA WORD NUMBER WORD NUMBER"),
        ("x3: conv 3, add 2 x3", "WORD COLON WORD NUMBER COMMA WORD NUMBER WORD"),
    ],
)  # fmt: skip
def test_spellings(text: str, expected: str) -> None:
    """The table of lexical rules; where two fit, a name is preferred to a mistake."""
    assert kinds(text) == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends(end: str) -> None:
    """Of all three kinds; empty lines and those with a comment alone separate nothing twice."""
    assert kinds(end.join(["", "a", "", "  # c", " ", "b", ""])) == "WORD NEWLINE WORD NEWLINE"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("(a\n b)", "LPAR WORD WORD RPAR"),
        ("[1,\n # c\n 2]\na", "LSQB NUMBER COMMA NUMBER RSQB NEWLINE WORD"),
        ("if a {\n}\nelse {\n}", "IF WORD LBRACE NEWLINE RBRACE ELSE LBRACE NEWLINE RBRACE"),
        ("}\n# why\n\nelse {", "RBRACE ELSE LBRACE"),
        ("} # why\nelse if a {", "RBRACE ELSE IF WORD LBRACE"),
    ],
)
def test_where_a_line_end_is_a_blank(text: str, expected: str) -> None:
    """Inside brackets, and before `else`."""
    assert kinds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a - b", "WORD MINUS WORD"),
        ("a-b", "WORD MINUS WORD"),
        ("f 1 - 2", "WORD NUMBER MINUS NUMBER"),
        ("f 1-2", "WORD NUMBER MINUS NUMBER"),
        ("f 1- 2", "WORD NUMBER MINUS NUMBER"),
        ("f -2", "WORD NEGATIVE NUMBER"),
        ("f-2", "WORD MINUS NUMBER"),
        ("x: f -2", "WORD COLON WORD NEGATIVE NUMBER"),
        ("f a=-2", "WORD KEY NEGATIVE NUMBER"),
        ("let a = -b", "LET WORD EQUAL NEGATIVE WORD"),
        ("f (-2)", "WORD LPAR NEGATIVE NUMBER RPAR"),
        ("f (1 -2)", "WORD LPAR NUMBER MINUS NUMBER RPAR"),
        ("f [1, -2]", "WORD LSQB NUMBER COMMA NEGATIVE NUMBER RSQB"),
        ("f 1 - -2", "WORD NUMBER MINUS NEGATIVE NUMBER"),
        ("f 1--2", "WORD NUMBER MINUS NEGATIVE NUMBER"),
        ("f 1 * -2", "WORD NUMBER TIMES NEGATIVE NUMBER"),
        ("f not -a", "WORD NOT NEGATIVE WORD"),
        ("f -1..-2", "WORD NEGATIVE NUMBER TO NEGATIVE NUMBER"),
        ("repeat n - 1", "REPEAT WORD MINUS NUMBER"),
    ],
)
def test_minus(text: str, expected: str) -> None:
    """Subtracts between two operands that stand alike, negates in front of one."""
    assert kinds(text) == expected


@pytest.mark.parametrize(
    ("text", "marked", "fix"),
    [
        ("f 1 -2", "-2", "(-2)"),
        ("f a -b", "-b", "(-b)"),
        ("f a -max(1, b)", "-max(1, b)", "(-max(1, b))"),
        ("f (a) -layer1.0", "-layer1.0", "(-layer1.0)"),
    ],
)
def test_a_minus_that_could_be_either_is_neither(text: str, marked: str, fix: str) -> None:
    """`f 1 -2`: a subtraction, or two arguments?"""
    found = complaint(text)
    assert (found.code, found.span and found.span.text) == ("ambiguous-minus", marked)
    assert [edit.text for edit in found.edits] == [fix]
    assert marked[1:] in found.help
    assert fix in found.help


def test_comments_are_kept_with_their_place() -> None:
    text = "# one\nconv 64 # two  \n\t # three\r\nlist [ # four\n]#five"
    found = read(text)
    assert [(it.text, it.alone) for it in found.comments] == [
        ("# one", True),
        ("# two", False),
        ("# three", True),
        ("# four", False),
        ("#five", False),
    ]
    assert [it.span.text.rstrip() for it in found.comments] == [it.text for it in found.comments]


def test_tokens_cover_the_text() -> None:
    """Nothing but blanks, comments and line ends lies between them, and none overlaps another."""
    text = 'network A(x=2) {\r\n  conv 3*x 3x3 stride=-1, bn # c\n\t| "t" on 20% .. 1 }\n'
    found = read(text)
    behind = 0
    for start, end in zip(found.starts, found.ends, strict=True):
        assert behind <= start < end <= len(text)
        gap = text[behind:start].partition("#")[0]
        assert not gap.strip()
        behind = end


# ---- characters that are not what they look like ----


@pytest.mark.parametrize("char", sorted(LOOK_ALIKES))
def test_every_look_alike_is_read_as_what_was_meant(char: str) -> None:
    """One message, an exact place, and the sign that it looks like in its stead."""
    plain = LOOK_ALIKES[char]
    text = f"a {char} b" if plain != '"' else f"a {char}b{char}"
    found = read(text)
    (message,) = [it for it in found.diagnostics if it.code == "look-alike"]
    assert message.span is not None
    assert message.span.text == char
    assert f"U+{ord(char):04X}" in message.message
    assert found.text == text.replace(char, plain)
    assert {edit.text for edit in message.edits} == {"" if char in UNSEEN else plain}


@pytest.mark.parametrize(
    "text",
    [
        'data "3 × 3 – “x” ，"',
        "# 3 × 3 – “x” ，",
        'data "а" # а',
    ],
)
def test_any_character_may_stand_in_text_and_comments(text: str) -> None:
    assert read(text).diagnostics == []


def test_between_curly_quotes_too() -> None:
    """They are mended, not what stands between them."""
    found = read("data folder “flowers – big”")
    assert [it.span and it.span.text for it in found.diagnostics] == ["“", "”"]
    assert found.text == 'data folder "flowers – big"'


def test_a_look_alike_all_over_a_file_is_one_message() -> None:
    """It tells how often it is there, and mends all of them."""
    found = complaint("conv 3×3\n" * 40)
    assert "39 more" in found.help
    assert len(found.edits) == 40


@pytest.mark.parametrize(
    "text", ["\tconv 64", "conv\t64", "conv 64\t# c", "(\n\t1)"], ids=["indent", "gap", "end", "in"]
)
def test_tabs_are_a_warning(text: str) -> None:
    found = complaint(text)
    assert (found.code, found.severity) == ("tab", "warning")
    assert found.span is not None
    assert found.span.text == "\t"


@pytest.mark.parametrize("text", ['conv "a\tb"', "conv 64 # a\tb"])
def test_a_tab_in_text_or_in_a_comment_indents_nothing(text: str) -> None:
    """`cnn fmt` leaves it there, so it must not complain of it for ever."""
    assert read(text).diagnostics == []


@pytest.mark.parametrize("char", ["\x00", "\x07", "\x1b", "\x7f", "\x0b", "\x0c", "\x85", "\u2028"])
def test_control_characters_cannot_stand_in_a_spec(char: str) -> None:
    found = complaint(f"conv {char * 3} 64")
    assert found.code == "strange-character"
    assert found.span is not None
    assert found.span.text == char * 3
    assert char not in found.message  # it is named, not printed
    assert f"U+{ord(char):04X}" in found.message


# ---- mistakes that the lexer mends ----

_IF_ELSE_IF = "IF WORD LBRACE RBRACE ELSE IF WORD LBRACE RBRACE"


@pytest.mark.parametrize(
    ("text", "code", "marked", "expected", "fixed"),
    [
        ("conv 3 x 3", "spaced-size", "3 x 3", "WORD SIZE", "conv 3x3"),
        ("conv 3x 3", "spaced-size", "3x 3", "WORD SIZE", "conv 3x3"),
        ("conv 3 x3", "spaced-size", "3 x3", "WORD SIZE", "conv 3x3"),
        ("input 3 x 224 x 224", "spaced-size", "3 x 224 x 224", "WORD SIZE", "input 3x224x224"),
        ("data 'a'", "quotes", "'a'", "WORD STRING", 'data "a"'),
        ("data 'say \"a\"'", "quotes", "'say \"a\"'", "WORD STRING", r'data "say \"a\""'),
        ("data 'a", "quotes", "'a", "WORD STRING", 'data "a"'),
        ("data ./a/b.c", "quotes", "./a/b.c", "WORD STRING", 'data "./a/b.c"'),
        ("data ../a, b", "quotes", "../a", "WORD STRING COMMA WORD", 'data "../a", b'),
        ("data x=~/a", "quotes", "~/a", "WORD KEY STRING", 'data x="~/a"'),
        ('data """a"""', "quotes", '"""', "WORD STRING", 'data "a"'),
        ('data "a', "unclosed-string", '"a', "WORD STRING", 'data "a"'),
        ('data "a\\', "unclosed-string", '"a\\', "WORD STRING", 'data "a\\\\"'),
        ('f "a {', "unclosed-string", '"a', "WORD STRING LBRACE", 'f "a" {'),
        ('f "a # b', "unclosed-string", '"a', "WORD STRING", 'f "a" # b'),
        ('f ["a]', "unclosed-string", '"a', "WORD LSQB STRING RSQB", 'f ["a"]'),
        ("f 5.", "bad-number", "5.", "WORD NUMBER", "f 5"),
        ("f .5", "bad-number", ".5", "WORD NUMBER", "f 0.5"),
        ("f 1_000", "bad-number", "1_000", "WORD NUMBER", "f 1000"),
        ("f 3X3", "bad-number", "3X3", "WORD NUMBER", "f 3x3"),
        ("f 10sec", "bad-number", "10sec", "WORD NUMBER", "f 10s"),
        ("f 10X", "bad-number", "10X", "WORD NUMBER", "f 10x"),
        ("f 0.5...1", "foreign-sign", "...", "WORD NUMBER TO NUMBER", "f 0.5..1"),
        ("a; b", "foreign-sign", ";", "WORD COMMA WORD", "a, b"),
        ("a -> b", "foreign-sign", "->", "WORD COMMA WORD", "a, b"),
        ("if a && b", "foreign-sign", "&&", "IF WORD AND WORD", "if a  and  b"),
        ("if !a", "foreign-sign", "!", "IF NOT WORD", "if not a"),
        ("if a <> b", "foreign-sign", "<>", "IF WORD COMPARISON WORD", "if a != b"),
        ("if a === b", "foreign-sign", "===", "IF WORD COMPARISON WORD", "if a == b"),
        ("if a =< b", "foreign-sign", "=<", "IF WORD COMPARISON WORD", "if a <= b"),
        ("f $x", "foreign-sign", "$", "WORD WORD", "f x"),
        ("f (1, 2", "unclosed-bracket", "(", f"WORD {ERROR}", "f (1, 2)"),
        ("f [(1, 2]", "unclosed-bracket", "]", "WORD LSQB LPAR NUMBER COMMA NUMBER RPAR RSQB", "f [(1, 2)]"),  # noqa: E501
        ("f (1, 2]", "unclosed-bracket", "]", "WORD LPAR NUMBER COMMA NUMBER RPAR", "f (1, 2)"),
        ("f (1}, 2)", "inside-brackets", "}", "WORD LPAR NUMBER COMMA NUMBER RPAR", "f (1, 2)"),
        ("f [1, |\n]", "inside-brackets", "|", "WORD LSQB NUMBER COMMA RSQB", "f [1, \n]"),
        ("f (1], 2)", "unclosed-bracket", "]", "WORD LPAR NUMBER COMMA NUMBER RPAR", "f (1, 2)"),
        ("f 1)", "unopened-bracket", ")", "WORD NUMBER", "f 1"),
        ("if a { } elif b {}", "else-if", "elif", _IF_ELSE_IF, "if a { } else if b {}"),
        ("if a { }\nelseif b {}", "else-if", "elseif", _IF_ELSE_IF, "if a { }\nelse if b {}"),
        ("/* a */", "comment", "/*", "", "# a"),
            ("/* a\n * b */", "comment", "/*", "", "# a\n# b"),
            ("f /* a */ 3x3", "comment", "/*", "WORD SIZE", "f 3x3  # a"),
        ("f 3x3 // (a", "comment", "//", "WORD SIZE", "f 3x3 # (a"),
        ("<!-- a -->", "comment", "<!--", "", "# a"),
        ('"""a"""\nb', "quotes", '"""', "WORD", '# """a"""\nb'),
    ],
)  # fmt: skip
def test_mended(text: str, code: str, marked: str, expected: str, fixed: str) -> None:
    """Told once, marked exactly, read as what was meant, and the edit writes that."""
    found = read(text)
    (message,) = found.diagnostics
    assert (message.code, message.span and message.span.text) == (code, marked)
    assert " ".join(found.types) == expected
    for edit in sorted(message.edits, key=lambda edit: -edit.span.start):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    assert text == fixed
    assert read(text).diagnostics == []


@pytest.mark.parametrize(
    ("text", "code", "marked"),
    [
        ("f 3D", "bad-number", "3D"),
        ("f 1e", "bad-number", "1e"),
        ("f 3.5.2", "bad-number", "3.5.2"),
        ("größe", "foreign-word", "größe"),
        ("f größe2", "foreign-word", "größe2"),
        ("层 64", "foreign-word", "层"),
        ("f 2^3", "foreign-sign", "^"),
        ("x += 1", "foreign-sign", "+="),
        ("f a@b", "foreign-sign", "@"),
        ("f a ? b", "foreign-sign", "?"),
        ("f 64 \\\n 3", "foreign-sign", "\\"),
        ("a => b", "foreign-sign", "=>"),
        ("a .b", "foreign-sign", "."),
    ],
)
def test_explained(text: str, code: str, marked: str) -> None:
    """What was meant cannot be known; the place is exact and there is advice."""
    found = complaint(text)
    assert (found.code, found.span and found.span.text) == (code, marked)
    assert found.help


@pytest.mark.parametrize("text", ["conv[64]", "conv [64]", "a: conv[64]", "f (a)[1]", "f a=[1]"])
def test_a_list_that_is_an_argument_indexes_nothing(text: str) -> None:
    assert read(text).diagnostics == []


def test_a_comment_that_never_ends_ends_the_reading() -> None:
    """All the rest would be in it, so nothing more can be said."""
    for text in ("conv 1\n/* open\nconv (", 'conv 1\n"""open\nconv (', "conv 1\n<!-- open\n("):
        found = read(text)
        assert len(found.diagnostics) == 1
        assert not found.complete


def test_an_unclosed_bracket_takes_no_more_than_its_statement() -> None:
    """What follows is read as if it had been closed, up to the end of the list that it holds."""
    found = read("f (1, 2\nconv 64\nfor a in [1, 2 {\n  b\n}\nfor a in [\n  1,\n  2\n{\n  b\n}")
    assert [it.code for it in found.diagnostics] == ["unclosed-bracket"] * 3
    assert " ".join(found.types) == (
        f"WORD {ERROR} NEWLINE WORD NUMBER NEWLINE "
        f"FOR WORD IN {ERROR} LBRACE NEWLINE WORD NEWLINE RBRACE NEWLINE "
        f"FOR WORD IN {ERROR} LBRACE NEWLINE WORD NEWLINE RBRACE"
    )


def test_what_is_read_twice_is_told_once() -> None:
    """After an unclosed bracket, reading goes back to where it should have been closed."""
    found = read("f (1,\nconv 1e\nconv 2e # c\nnetwork")
    codes = sorted(it.code for it in found.diagnostics)
    assert codes == ["bad-number", "bad-number", "unclosed-bracket"]
    assert len(found.comments) == 1


@given(
    st.text(st.sampled_from("ab1 x.(){}[]|,:=-+*/%<>!&;\"'#\\\n\r\t×“\u200b字\x00"), max_size=40)
)
def test_any_text_has_tokens(text: str) -> None:
    """In order, inside the text, and what is said lies inside the text, too."""
    found = read(text)
    assert list(found.starts) == sorted(found.starts)
    assert len(found.types) == len(found.starts) == len(found.ends)
    assert len(found.text) == len(text)
    for message in found.diagnostics:
        assert message.span is not None
        spans = [message.span, *(edit.span for edit in message.edits)]
        assert all(0 <= span.start <= span.end <= len(text) for span in spans)
    places = [(it.code, it.span) for it in found.diagnostics]
    assert len(places) == len(set(places))
