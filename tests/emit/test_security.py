"""Nothing that a spec says becomes code: names, labels, comments, strings, file names, defaults."""

from __future__ import annotations

import ast
import builtins
import keyword
import os
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import dotcnn
from dotcnn.compiler.emit.allowed import NotAllowed, check
from dotcnn.compiler.emit.source import NAMESPACE, Names
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.inference.load import as_module, construct

from .equality import hold
from .gallery import source

# ---- what may stand in emitted text -------------------------------------------------------------

HEAD = '''"""From net.cnn."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


'''
NET = f"""{HEAD}class Net(nn.Module):
    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        return x
"""


def replaced(old: str, new: str) -> str:
    assert old in NET
    return NET.replace(old, new)


def in_forward(*lines: str) -> str:
    return replaced("        return x\n", "".join(f"        {line}\n" for line in lines))


def in_init(*lines: str) -> str:
    made = "        self.conv = nn.Conv2d(3, width, 3)\n"
    return replaced(made, made + "".join(f"        {line}\n" for line in lines))


REFUSED = {
    "another import": NET + "\n\nimport os\n",
    "a relative import": NET + "\n\nfrom . import os\n",
    "an import under another name": replaced("import torch\n", "import torch as nn\n"),
    "all of a module": replaced("Tensor, nn", "*"),
    "an import in a method": in_forward("import os", "return x"),
    "a call at the top": NET + "\n\nprint(1)\n",
    "an assignment at the top": NET + "\n\nx = 1\n",
    "a function at the top": NET + "\n\ndef f() -> None:\n    pass\n",
    "a condition at the top": NET + '\n\nif __name__ == "__main__":\n    Net()\n',
    "a second text": NET + '\n\n"""Text."""\n',
    "a decorator of a class": replaced("class Net", "@print\nclass Net"),
    "a decorator of a method": replaced("    def forward", "    @print\n    def forward"),
    "a metaclass": replaced("(nn.Module)", "(nn.Module, metaclass=print)"),
    "two bases": replaced("(nn.Module)", "(nn.Module, dict)"),
    "another base": replaced("(nn.Module)", "(dict)"),
    "a base that is called": replaced("(nn.Module)", "(print(1))"),
    "a class attribute": replaced("    def __init__", "    y = print(1)\n\n    def __init__"),
    "a field with a value": HEAD + "class A(NamedTuple):\n    a: int = print(1)\n",
    "a call in a class": replaced("    def __init__", "    print(1)\n\n    def __init__"),
    "a call as a default": replaced("= 8", "= print(1)"),
    "a name as a default": replaced("= 8", "= open"),
    "a lambda as a default": replaced("= 8", "= lambda: 1"),
    "a call as an annotation": replaced("width: int", "width: print(1)"),
    "a text as an annotation": replaced("width: int", 'width: "print(1)"'),
    "a call as a result's annotation": replaced("-> Tensor:", "-> print(1):"),
    "a subscript as an annotation": replaced("width: int", "width: list[print(1)]"),
    "arguments of all names": replaced("x: Tensor", "x: Tensor, **more: int"),
    "a method of Python's own": replaced("def forward", "def __getattr__"),
    "a hook": replaced("def forward", "def extra_repr"),
    "a static method": replaced("self, x: Tensor", "x: Tensor"),
    "a method called eval": replaced("def forward", "def eval"),
    "a method in a method": in_forward("def f(x: int) -> int:", "    return x", "return x"),
    "a class in a method": in_forward("class A:", "    y = 1", "return x"),
    "eval": in_forward('return eval("1")'),
    "exec, handed on": in_init("self.apply(exec)"),
    "a builtin as a value": in_init("self.z = open"),
    "a builtin under another name": in_forward("f = open", 'return f("x")'),
    "getattr of anything": in_forward('return getattr(x, "numpy")'),
    "getattr of what it is for, with another default": in_forward('return getattr(x, "groups", F)'),
    "a module of a module": in_forward('return F.importlib.import_module("os")'),
    "a module of a module as a value": in_forward("y = F.importlib", "return x"),
    "a library as a value": in_forward("y = torch", "return x"),
    "a library called like a local": in_forward("torch = x", "return x"),
    "modules below nn": in_forward("return nn.modules.conv.math.sqrt(x)"),
    "what is private in nn": in_forward("return nn._reduction(x)"),
    "loading": in_forward('return torch.load("x")'),
    "compiling": in_init("torch.compile(self)"),
    "operators of others": in_init('torch.ops.load_library("x")'),
    "the hub": in_forward('return torch.hub.load("x", "y")'),
    "a file of numbers": in_forward('return x.detach().numpy().tofile("x")'),
    "a chain of attributes": in_forward("return x.__class__.__base__.__subclasses__()"),
    "a chain behind an attribute": in_forward("return self.conv.__class__(1, 2, 3)(x)"),
    "Python's own attributes of self": in_init("self.__class__ = nn.Conv2d"),
    "a dictionary of self": in_forward("return self.__dict__"),
    "what a class holds by itself": in_forward("return self._modules"),
    "what a method of another holds": in_forward("return self.conv.forward.__globals__"),
    "a hook on a module": in_init("self.conv.register_forward_hook(nn.Conv2d)"),
    "a hook on self": in_init("self.register_forward_hook(nn.Conv2d)"),
    "super of something": in_forward("return super(nn.Module, self).forward(x)"),
    "super's attributes": in_init('super().__setattr__("a", 1)'),
    "arguments for the base": replaced("super().__init__()", "super().__init__(1)"),
    "a format": in_forward('return f"{x}"'),
    "a method of a text": in_forward('return "{0.__class__}".format(x)'),
    "with": in_forward("with x:", "    return x"),
    "while": in_forward("while x:", "    return x"),
    "try": in_forward("try:", "    return x", "except Exception:", "    return x"),
    "raise": in_forward("raise x"),
    "assert": in_forward("assert x, x", "return x"),
    "del": in_forward("del x"),
    "global": in_forward("global y", "return x"),
    "yield": in_forward("yield x"),
    "await": replaced("    def forward", "    async def forward"),
    "a walrus": in_forward("return (y := x)"),
    "a lambda": in_forward("return (lambda y: y)(x)"),
    "a dictionary": in_forward("return {1: x}"),
    "a set": in_forward("return {x}"),
    "a comprehension of a set": in_forward("return {y for y in x}"),
    "a comprehension with a condition": in_forward("return [y for y in x if y]"),
    "a comprehension over an attribute": in_forward("return [self.conv for self.conv in x]"),
    "a comprehension's name outside": in_forward("y = [v for v in x]", "return v"),
    "two comprehensions in one": in_forward("return [z for y in x for z in y]"),
    "a call of what was computed": in_forward("return (x + x)(x)"),
    "a call of a subscript": in_forward("return x[0](x)"),
    "a call of a call": in_forward("return self.conv(x)(x)"),
    "options of all names": in_forward("return self.conv(**x)"),
    "what another class holds": in_forward("return self.other(x)"),
    "an attribute of something else": in_forward("x.grad = x", "return x"),
    "a place in a list": in_forward("x[0] = x", "return x"),
    "a text that stands alone": in_forward('"""Text."""; "more"', "return x"),
    "a value that stands alone": in_forward("x", "return x"),
    "a name that nobody gave": in_forward("return y"),
    "a class twice": NET + "\n\n" + NET.removeprefix(HEAD),
    "a class called like a library": replaced("class Net", "class torch"),
    "an argument called like a library": replaced("x: Tensor", "nn: Tensor"),
    "a match": in_forward("match x:", "    case y:", "        return y"),
    "printing": in_init("print(self)"),
}  # fmt: skip


def test_what_the_table_is_made_of_is_allowed() -> None:
    check(NET)
    construct(NET, "Net")


@pytest.mark.parametrize("what", REFUSED)
def test_refuses(what: str) -> None:
    text = REFUSED[what]
    ast.parse(text)  # it is refused for what it means, not for how it is written
    with pytest.raises(NotAllowed):
        check(text)
    with pytest.raises(NotAllowed):
        as_module(text, "Net")


def test_helpers_are_known_to_the_letter() -> None:
    """A class that differs from the compiler's own in one word is held to the rules of others."""
    text = source("stochastic_depth")
    check(text)
    with pytest.raises(NotAllowed):
        check(text.replace("bernoulli_", "requires_grad_"))


@pytest.mark.parametrize(
    "name",
    "lenet5 googlenet densenet121 efficientnet_b0 mobilenet_v3_small unet_same convnext_tiny "
    "filters pool_mixed pool_stochastic pool_tree pool_wavelet pool_spp pool_lp".split(),
)
def test_emitted_text_is_allowed(name: str) -> None:
    check(source(name))
    check(dotcnn.emit(name, flat=True))


# ---- names --------------------------------------------------------------------------------------

WORDS = sorted(
    {
        *keyword.kwlist, *keyword.softkwlist, *dir(builtins), *NAMESPACE,
        *"range isinstance super getattr Tensor NamedTuple init_weights training hidden half count "
        "index logits paths aux value i x y z a v out_channels in_channels in_features divisible "
        "DropPath LayerNorm2d SeparableConv2d haar crop Outputs N NOutputs N2 Part module module2 "
        "weight bias parameters state_dict modules children train eval to type double apply call "
        "blocks append extend insert pop keys items values forward predict __class__ __init__ "
        "__getattr__ __import__ _modules os sys importlib".split(),
    }
)  # fmt: skip
"""What a name in a spec could be mistaken for."""

PROGRAM = """
block {0}({1}, width=8) {{
  # A part.
  conv {1} 1x1 bias=off
  {2}: relu
  residual {{ separable width 3x3 same, bn, droppath 0.5 }}
}}
network {3} {{
  input 4x4x4
  let {4} = 6
  repeat 2 as {5} {{ {0} {4} + {5} }}
  for {6} in [4, 8] {{ {0} 6 width={6} }}
  {7}: aux {{ pool avg global, flatten, fc 2 }}
  {8}: conv {4} 1x1
  relu
  concat {8}
  pool avg global, flatten, fc 2
}}
"""
PLACES = "block parameter label network let index loop head labelled".split()
USUAL = "unit wide act N w i width2 early stem".split()


def program(places: dict[str, str]) -> str:
    return PROGRAM.format(*(places.get(p, u) for p, u in zip(PLACES, USUAL, strict=True)))


def accepted(text: str) -> bool:
    """Whether the compiler takes it; if not, it says so."""
    try:
        dotcnn.compile(text)
    except SpecError:
        return False
    return True


def each_accepted(place: str, words: list[str]) -> int:
    """How many words the compiler takes there; what it makes of those is allowed and compiles."""
    taken = 0
    for word in words:
        text = program({place: word})
        if accepted(text):
            taken += 1
            emitted = dotcnn.emit(text)
            check(emitted)
            compile(emitted, "<emitted>", "exec")
    return taken


@pytest.mark.parametrize("place", ["label", "head"])
def test_no_label_hides_what_a_module_has(place: str) -> None:
    of_modules = {*dir(nn.Module()), *vars(nn.Module())} - {"T_destination"}
    assert [word for word in of_modules if accepted(program({place: word}))] == []


SOME = "class print self super nn torch F Tensor in_channels hidden i value __class__".split()


@pytest.mark.parametrize("place", PLACES)
def test_names_of_python_and_torch(place: str) -> None:
    """The compiler refuses a name, or says something else in its place."""
    assert each_accepted(place, SOME) > 4


@pytest.mark.slow
@pytest.mark.parametrize("place", PLACES)
def test_any_name_in_any_place(place: str) -> None:
    assert each_accepted(place, WORDS) > len(WORDS) // 3


@settings(max_examples=10)
@given(st.lists(st.sampled_from(WORDS), min_size=9, max_size=9, unique=True))
def test_names_that_are_taken_all_at_once(words: list[str]) -> None:
    """Those that are refused are taken out; with the others the outcome is what it should be."""
    places: dict[str, str] = {}
    for place, word in zip(PLACES, words, strict=True):
        if accepted(program({**places, place: word})):
            places[place] = word
    network = dotcnn.compile(program(places))
    hold(network)
    hold(network, flat=True)


@given(st.lists(st.text(max_size=12)))
def test_names_are_identifiers_and_never_twice(wanted: list[str]) -> None:
    names = Names()
    given_out = [names.free(word) for word in wanted]
    assert len(set(given_out)) == len(given_out)
    for name in given_out:
        assert name.isidentifier()
        assert name.isascii()
        assert not keyword.iskeyword(name)
        assert not hasattr(builtins, name)


# ---- texts --------------------------------------------------------------------------------------

MARK = "DOTCNN_WAS_HERE"
ATTACKS = [
    '"""', "'''", '\\"""', '\\\\"""', '""', '"', "\\", "\\\\", "\\N{QUOTATION MARK}" * 3,
    "\\x22" * 3, "\\u0022" * 3, '"\\""', "\n", "\r", "\r\n", "\x0b", "\x0c", "\x1c", "\x85",
    "\u2028", "\u2029",
    "\0", "\x1a", "\x1b[2J", "\u202e", "\u2066", "\u200b", "\ufeff", "\ud800", "${x}", "{x}", "{{",
    "%s",
    "{0.__class__}", "#", "# type: ignore", "# coding: utf-7", "-*- coding: rot13 -*-", "+ADs-",
    f"import os; os.environ['{MARK}'] = '1'", f"\nimport os\nos.environ['{MARK}'] = '1'\n",
    f'"""\nimport os\nos.environ["{MARK}"] = "1"\n"""',
    f'"""; __import__("os").environ.setdefault("{MARK}", "1"); """', "__class__", "\u202eabc\u2066",
    "a" * 200, " ", "    ", "\t",
]  # fmt: skip


def hostile() -> st.SearchStrategy[str]:
    part = st.one_of(st.sampled_from(ATTACKS), st.text(max_size=5))
    return st.lists(part, max_size=6).map("".join)


def comment(text: str) -> str:
    """As lines of comment, each of what a spec takes for one line."""
    return "\n".join(f"# {line}" for line in text.split("\n")) + "\n"


@pytest.fixture(autouse=True)
def _nothing_was_run() -> Iterator[None]:
    yield
    assert MARK not in os.environ


def docstrings(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Module | ast.ClassDef):
            found = ast.get_docstring(node, clean=False)
            if found is not None:
                yield found


@settings(max_examples=150)
@given(hostile(), hostile(), hostile())
def test_comments_stay_comments(top: str, block: str, network: str) -> None:
    """At the top of a file, above a block, above the network: the same classes come out, and do
    what they did; nothing in the text is invisible."""
    text = (
        f"{comment(top)}\n{comment(block)}block part(n) {{ conv n, relu }}\n"
        f"{comment(network)}network N {{\n  input 1x4x4\n  part 2\n}}\n"
    )
    if not accepted(text):
        return
    emitted = dotcnn.emit(text)
    visible(emitted)
    check(emitted)
    plain = dotcnn.emit("block part(n) { conv n, relu }\nnetwork N {\n  input 1x4x4\n  part 2\n}\n")
    assert without_texts(emitted) == without_texts(plain)
    construct(emitted, "N")


def without_texts(text: str) -> str:
    """What is run of it."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef) and ast.get_docstring(node) is not None:
            node.body = node.body[1:]
    return ast.dump(tree)


def visible(text: str) -> None:
    strange = {char for char in text if unicodedata.category(char)[0] in "CZ"} - {" ", "\n"}
    assert not strange
    text.encode()


def test_comments_are_said_as_they_are() -> None:
    """What is no danger is not touched: quotes, backslashes and braces can be read in the text."""
    said = 'quotes "..." and \'...\', """three""", a \\ backslash, {braces}, ${x}, %s, ünïcode →'
    text = f"# net.cnn: {said}\nnetwork N {{ input 1x4x4, conv 2 }}\n"
    assert any(said in found for found in docstrings(dotcnn.emit(text)))


NAMES_OF_FILES = [
    'a"""b.cnn', "a'''b.cnn", "a\nimport os\nb.cnn", "a\\.cnn", "a\\", "{x}.cnn", "\u202eb.cnn",
    "a\rb.cnn", "a\x1b[2Jb.cnn", '"""', '"', "#.cnn", "a\u2028b.cnn",
    "\N{CJK UNIFIED IDEOGRAPH-4E2D}.cnn",
    f'"""\nimport os\nos.environ["{MARK}"] = "1"\n""".cnn'.replace("/", ""),
    "a\ud800.cnn", "a\udcff.cnn",
]  # fmt: skip


@pytest.mark.skipif(sys.platform != "linux", reason="other systems refuse such names")
@pytest.mark.parametrize("name", NAMES_OF_FILES)
@pytest.mark.parametrize("imported", [False, True])
def test_names_of_files(name: str, imported: bool, tmp_path: Path) -> None:
    """Of the file itself, and of one that it imports."""
    block = "block part(n) { conv n, relu }\n"
    network = "network N { input 1x4x4, part 2 }\n"
    try:
        file = tmp_path / name
        file.write_text(block if imported else block + network, encoding="utf-8")
    except (OSError, UnicodeEncodeError):
        pytest.skip("the file system has no such names")
    if imported:
        file = tmp_path / "net.cnn"
        written = name.replace("\\", "\\\\").replace('"', '\\"')
        file.write_text(f'import "{written}"\n{network}', encoding="utf-8", errors="replace")
    try:
        emitted = dotcnn.emit(file)
    except SpecError:
        return  # such a name cannot be written in a spec
    visible(emitted)
    check(emitted)
    construct(emitted, "N")
