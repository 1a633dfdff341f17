"""Text to syntax tree: what each construct becomes, and where each node says it was written."""

from __future__ import annotations

import pytest
from hypothesis import given

from dotcnn.dsl.diagnostics import SpecError
from dotcnn.dsl.parser import parse, read
from dotcnn.dsl.source import Source
from dotcnn.dsl.syntax import (
    Argument,
    Binary,
    Block,
    Body,
    Branches,
    Call,
    Duration,
    Expression,
    Factor,
    For,
    Function,
    If,
    Import,
    Let,
    List,
    Name,
    Network,
    Node,
    Number,
    Path,
    Percent,
    Range,
    Repeat,
    Size,
    Spec,
    Statement,
    String,
    Switch,
    Tuple,
    Unary,
    walk,
)

from .strategies import Text, texts


def statement(text: str) -> Statement:
    (found,) = parse(text).statements
    return found


def value(text: str) -> Expression:
    """The value that a text is, as the argument of a call."""
    call = statement(f"f ({text})")
    assert isinstance(call, Call)
    (argument,) = call.arguments
    return argument.value


def said(node: object) -> str:
    """A tree in few words: operators with their operands in brackets, values as they are."""
    match node:
        case Binary(operator=sign, left=left, right=right):
            return f"[{said(left)} {sign} {said(right)}]"
        case Unary(operator=sign, operand=operand):
            return f"[{sign} {said(operand)}]"
        case Range(low=low, high=high):
            return f"[{said(low)} .. {said(high)}]"
        case Name() | Path():
            return node.value
        case Number() | Percent() | Factor() | Duration():
            return node.text
        case Size(dims=dims):
            return "x".join(map(str, dims))
        case String(value=text):
            return repr(text)
        case Switch(value=on):
            return "on" if on else "off"
        case List(items=items):
            return f"list({', '.join(map(said, items))})"
        case Tuple(items=items):
            return f"tuple({', '.join(map(said, items))})"
        case Function(name=name, arguments=arguments):
            return f"{name.value}({', '.join(map(said, arguments))})"
        case Argument(name=key, value=found):
            return f"{key}={said(found)}" if key else said(found)
    raise AssertionError(node)


# ---- values ----


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64", Number),
        ("20%", Percent),
        ("10x", Factor),
        ("10min", Duration),
        ("3x3", Size),
        ('"a"', String),
        ("on", Switch),
        ("width", Name),
        ("layer1.0.conv2", Path),
        ("[1, 2]", List),
        ("(1, 2)", Tuple),
        ("max(1, 2)", Function),
        ("0.5..1", Range),
    ],
)
def test_kinds_of_values(text: str, expected: type[Node]) -> None:
    assert type(value(text)) is expected


def test_what_values_are_worth() -> None:
    """Whole numbers stay exact; a percentage is a hundredth."""
    found = statement('f 64 5e-4 007 20% 0.1x 3x224x224 on off "a\\n\\"b\\"\\\\ \\u00e9"')
    assert isinstance(found, Call)
    values = [getattr(it.value, "value", getattr(it.value, "dims", 0)) for it in found.arguments]
    assert values == [64, 5e-4, 7, 0.2, 0.1, (3, 224, 224), True, False, 'a\n"b"\\ é']
    assert type(found.arguments[0].value) is Number
    assert isinstance(getattr(found.arguments[0].value, "value"), int)  # noqa: B009
    huge = value("123456789012345678901234567890")
    assert isinstance(huge, Number)
    assert huge.value == 123456789012345678901234567890


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1 + 2 * 3", "[1 + [2 * 3]]"),
        ("1 * 2 + 3", "[[1 * 2] + 3]"),
        ("(1 + 2) * 3", "[[1 + 2] * 3]"),
        ("1 - 2 - 3", "[[1 - 2] - 3]"),
        ("1 - (2 - 3)", "[1 - [2 - 3]]"),
        ("8 / 4 / 2", "[[8 / 4] / 2]"),
        ("8 // 3 % 2", "[[8 // 3] % 2]"),
        ("8 % 3 * 2", "[[8 % 3] * 2]"),
        ("-a * b", "[[- a] * b]"),
        ("a * -b", "[a * [- b]]"),
        ("--a", "[- [- a]]"),
        ("-max(a, b)", "[- max(a, b)]"),
        ("a + b < c - d", "[[a + b] < [c - d]]"),
        ("a < b and c >= d", "[[a < b] and [c >= d]]"),
        ("a and b or c and d", "[[a and b] or [c and d]]"),
        ("a or b or c", "[[a or b] or c]"),
        ("not a and b", "[[not a] and b]"),
        ("not a == b", "[not [a == b]]"),
        ("not not a", "[not [not a]]"),
        ("a and not b", "[a and [not b]]"),
        ("off==a", "[off == a]"),
        ("a==on", "[a == on]"),
        ("1 + 2 .. 3 * 4", "[[1 + 2] .. [3 * 4]]"),
        ("-1..1", "[[- 1] .. 1]"),
        ("(1)", "1"),
        ("((1))", "1"),
        ("(1,)", "tuple(1)"),
        ("(1, 2,)", "tuple(1, 2)"),
        ("[]", "list()"),
        ("[1,]", "list(1)"),
        ("[(a, 1), [2]]", "list(tuple(a, 1), list(2))"),
        ("f()", "f()"),
        ("f(1, by=2,)", "f(1, by=2)"),
        ("f(g(1)) + 1", "[f(g(1)) + 1]"),
        ("20% * 2", "[20% * 2]"),
        ("20%3", "[20 % 3]"),
        ("2*3x", "[2 * 3x]"),
    ],
)
def test_precedence(text: str, expected: str) -> None:
    """From `..` and `or`, the loosest, to the sign, the tightest; equals group to the left."""
    assert said(value(text)) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("f a b", ["a", "b"]),
        ("f a (b)", ["a", "b"]),
        ("f a(b)", ["a(b)"]),
        ("f a [b]", ["a", "list(b)"]),
        ("f a - b", ["[a - b]"]),
        ("f -a b", ["[- a]", "b"]),
        ("f (-a) (-b)", ["[- a]", "[- b]"]),
        ("f a=-1 b", ["a=[- 1]", "b"]),
        ("f 4*a 3x3 s=a/2", ["[4 * a]", "3x3", "s=[a / 2]"]),
        ("f a not b", ["a", "[not b]"]),
        ("f a=b.c d.e", ["a=b.c", "d.e"]),
        ("f a.b=1", ["a.b=1"]),
        ("f 1 2..3 4", ["1", "[2 .. 3]", "4"]),
        ("f k=(1, 2) [3]", ["k=tuple(1, 2)", "list(3)"]),
        ("f a=1 a=2", ["a=1", "a=2"]),
    ],
)
def test_where_an_argument_ends(text: str, expected: list[str]) -> None:
    """At the first blank that no operator continues."""
    call = statement(text)
    assert isinstance(call, Call)
    assert [said(argument) for argument in call.arguments] == expected


# ---- statements ----


def test_a_call() -> None:
    """A layer, a block, a directive, a section: a word, its arguments, perhaps a body."""
    call = statement("stem: conv 64 3x3 stride=2 { relu }")
    assert isinstance(call, Call)
    assert call.label is not None
    assert (call.label.value, call.head.value) == ("stem", "conv")
    assert [(it.name, said(it.value)) for it in call.arguments] == [
        *((None, "64"), (None, "3x3"), ("stride", "2"))
    ]
    assert isinstance(call.body, Body)
    assert [said_head(it) for it in call.body.statements] == ["relu"]
    bare = statement("relu")
    assert bare == Call(bare.span, None, Name(bare.span, "relu"), (), None)


def said_head(node: Statement) -> str:
    return node.head.value if isinstance(node, Call) else type(node).__name__


@pytest.mark.parametrize(
    "text",
    [
        *("a, b, c", "a\nb\nc", "a,\nb,\n,c,", "\n\na\n\n\nb,c\n,\n", ",a,,b,,c,,"),
        *("a\r\nb\r\rc", "a # , d\nb, c"),
    ],
)
def test_separators(text: str) -> None:
    """Commas and line ends, any number of both, also where nothing follows."""
    assert [said_head(it) for it in parse(text).statements] == ["a", "b", "c"]


@pytest.mark.parametrize(
    "text", ["", "\n", "   ", "# only this", "# this\n\n# and this", ",", ",,\n,"]
)
def test_a_text_without_statements(text: str) -> None:
    assert parse(text).statements == ()


def test_definitions() -> None:
    text = 'import "a.cnn"\nblock b(x, y=2*x,) { }\nblock c { a }\nnetwork N(k=[1]) { input 3x8x8 }'
    imported, b, c, network = parse(text).statements
    assert isinstance(imported, Import)
    assert imported.path.value == "a.cnn"
    assert isinstance(b, Block)
    assert isinstance(c, Block)
    assert isinstance(network, Network)
    assert [it.name.value for it in b.parameters] == ["x", "y"]
    assert [it.default and said(it.default) for it in b.parameters] == [None, "[2 * x]"]
    assert (c.parameters, b.body) == ((), Body(b.body.span, ()))
    assert (network.name.value, said(network.parameters[0].default)) == ("N", "list(1)")


def test_repeat_and_for() -> None:
    counted, named, loop = parse(
        "repeat n - 1 { a }\nl: repeat 3 as i { a }\nfor a, b in [(1, 2)] { c }"
    ).statements
    assert isinstance(counted, Repeat)
    assert isinstance(named, Repeat)
    assert isinstance(loop, For)
    assert (said(counted.count), counted.index) == ("[n - 1]", None)
    assert named.label is not None
    assert named.index is not None
    assert (named.label.value, named.index.value) == ("l", "i")
    assert [name.value for name in loop.names] == ["a", "b"]
    assert said(loop.items) == "list(tuple(1, 2))"


@pytest.mark.parametrize("gap", [" ", "\n", "\n\n# why\n  ", "  # why\n"])
def test_if(gap: str) -> None:
    """A chain is flat; an `else` may stand on the next line, behind comments too."""
    found = statement(f"if a {{ x }}{gap}else if b > 1 {{ y }}{gap}else {{ | z | }}")
    assert isinstance(found, If)
    assert [said(arm.condition) for arm in found.arms] == ["a", "[b > 1]"]
    assert isinstance(found.otherwise, Branches)
    alone = statement("if a { x }")
    assert isinstance(alone, If)
    assert (len(alone.arms), alone.otherwise) == (1, None)


@pytest.mark.parametrize("text", ["let a = 1", "let a=1", "let a= 1", "let a =1", "let  a  =  1"])
def test_let(text: str) -> None:
    """The one place where blanks around `=` are as good as none."""
    found = statement(text)
    assert isinstance(found, Let)
    assert (found.name.value, said(found.value)) == ("a", "1")


@pytest.mark.parametrize(
    ("text", "paths"),
    [
        ("{ | a | b }", [["a"], ["b"]]),
        ("{| a, b | c }", [["a", "b"], ["c"]]),
        ("{\n  | a\n    b\n  | c\n}", [["a", "b"], ["c"]]),
        ("{ | a | }", [["a"], []]),
        ("{ | | }", [[], []]),
        ("{||}", [[], []]),
        ("{ | }", [[]]),
        ("{\n,\n | a,\n | ,b }", [["a"], ["b"]]),
    ],
)
def test_branches(text: str, paths: list[list[str]]) -> None:
    """Every path begins with a bar; one without statements is the identity."""
    found = statement(f"concat {text}")
    assert isinstance(found, Call)
    assert isinstance(found.body, Branches)
    assert [[said_head(it) for it in path.statements] for path in found.body.paths] == paths


def test_bodies_without_statements() -> None:
    for text in ("residual { }", "residual {}", "residual {\n\n}", "residual { , # c\n }"):
        found = statement(text)
        assert isinstance(found, Call)
        assert found.body is not None
        assert found.body == Body(found.body.span, ())


def test_the_program_of_the_design() -> None:
    """The one that LANGUAGE.md begins with."""
    text = (
        'network ResNet50 {\n  input 3x224x224\n  conv 64 7x7 stride=2 same, bn, relu\n'
        "  pool max 3x3 stride=2 same\n"
        "  for width, depth, stride in [(64, 3, 1), (128, 4, 2), (256, 6, 2), (512, 3, 2)] {\n"
        "    bottleneck width stride=stride\n    repeat depth - 1 { bottleneck width }\n  }\n"
        "  pool avg global, flatten\n  fc 1000\n}\n\n"
        'train {\n  data folder "flowers" val=20%\n  optimizer sgd lr=0.05 nesterov '
        "weight_decay=5e-4\n}\n\naugment {\n  crop 224 scale=0.35..1\n}\n\ntransfer {\n"
        '  from "torchvision:ResNet50_Weights.IMAGENET1K_V2"\n  freeze until layer4\n'
        "  head reset lr=10x\n}\n"
    )  # fmt: skip
    network, *sections = parse(text).statements
    assert isinstance(network, Network)
    assert [said_head(it) for it in sections] == ["train", "augment", "transfer"]
    assert [said_head(it) for it in network.body.statements] == [  # type: ignore[union-attr]
        *("input", "conv", "bn", "relu", "pool", "For", "pool", "flatten", "fc")
    ]


# ---- equality, comments, errors ----


def test_trees_are_equal_when_they_say_the_same() -> None:
    """Spans and spelling do not count; values do."""
    assert parse("f 5e-4 (a)\n") == parse("  f   0.0005 a # c")
    assert parse("f 1") != parse("f 2")
    assert parse("f 1") != parse("f (1,)")
    assert parse("f 20%") != parse("f 0.2")


def test_comments_come_with_the_tree() -> None:
    spec = parse("# one\nf ( # two\n 1)\n")
    assert [comment.text for comment in spec.comments] == ["# one", "# two"]


def test_parse_raises_all_mistakes_and_read_returns_them() -> None:
    text = "f 1 = 2\nnetwork {\n}\n"
    with pytest.raises(SpecError) as raised:
        parse(text)
    spec, found = read(Source("t", text))
    assert [it.code for it in raised.value.diagnostics] == [it.code for it in found]
    assert len(found) == 2
    assert spec.statements == ()
    assert "error[" in str(raised.value)


def test_warnings_do_not_stop_it() -> None:
    spec, found = read(Source("t", "\tf"))
    assert [it.severity for it in found] == ["warning"]
    assert parse("\tf").statements == spec.statements != ()


def test_the_collector_of_garbage_is_left_as_it_was() -> None:
    """Parsing pauses it, which is faster, also where it ends with an error."""
    import gc

    for text in ("f", "f ("):
        assert gc.isenabled()
        read(Source("t", text))
        assert gc.isenabled()
    gc.disable()
    try:
        read(Source("t", "f"))
        assert not gc.isenabled()
    finally:
        gc.enable()


# ---- spans ----


def inner(node: Node) -> list[Node]:
    """The nodes that a node holds."""
    found: list[Node] = []
    for name in type(node).written:
        content = getattr(node, name)
        parts = content if isinstance(content, tuple) and name != "span" else (content,)
        found += [part for part in parts if isinstance(part, Node)]
    return found


def check_spans(spec: Spec) -> None:
    """Every node lies inside its parent, behind its elder siblings, and holds its own words."""
    text = spec.source.text
    for node in walk(spec):
        assert node.span.source is spec.source
        assert 0 <= node.span.start <= node.span.end <= len(text)
        last = node.span.start
        for part in sorted(inner(node), key=lambda part: part.span.start):
            assert last <= part.span.start <= part.span.end <= node.span.end
            last = part.span.end
        own = node.span.text
        match node:
            case Name() | Path():
                assert own == node.value
            case Number() | Percent() | Factor() | Duration():
                assert own == node.text
            case Size():
                assert own == "x".join(map(str, node.dims)) or own[0] == "0" or "x0" in own
            case String():
                assert own[0] == own[-1] == '"'
            case List():
                assert (own[0], own[-1]) == ("[", "]")
            case Tuple():
                assert (own[0], own[-1]) == ("(", ")")
            case Function():
                assert own[-1] == ")"
            case Argument(name=str()):
                assert node.name_span.text == node.name
            case Body():
                assert own[0] in "{|"
            case Branches():
                assert (own[0], own[-1]) == ("{", "}")
        if type(node) is not Body:
            assert own == own.strip()


@given(texts(comments=False))
def test_what_a_span_holds_says_the_same_by_itself(drawn: Text) -> None:
    """A statement's own text, parsed alone, is that statement; so is a value's."""
    spec = parse(drawn.text)
    for node in spec.statements:
        assert parse(node.span.text).statements == (node,)
    for node in walk(spec):
        if isinstance(node, Argument):
            # In brackets, where a line may end, as it may have where the value was written.
            again = (
                value(f"{node.value.span.text}\n") if not isinstance(node.value, Tuple) else None
            )
            assert again in (None, node.value)


@given(texts())
def test_any_layout_says_the_same(drawn: Text) -> None:
    """Blanks, line ends, commas and comments change nothing; every span is exact in any of them."""
    spec = parse(drawn.text)
    check_spans(spec)
    assert spec.statements == drawn.statements
    assert tuple(comment.text for comment in spec.comments) == drawn.comments
