"""Specs, sections, and what stands behind `--set` and `--data`: any bytes, words and slips.

Of a spec it is checked that the places of diagnostics lie in the text, that their edits can be
applied, and that the formatter keeps what it says; then it is compiled, with all that `cnn check`
says about it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from random import Random

import foreign_corpus
from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.build.elaborate import elaborate
from dotcnn.compiler.diagnose.check import check
from dotcnn.compiler.emit import allowed, emit
from dotcnn.compiler.language.overrides import OverrideError, divide, read_override
from dotcnn.compiler.language.vocabulary import FORMS, STATEMENTS
from dotcnn.compiler.load_spec import load
from dotcnn.compiler.ops.base import REGISTRY as LAYERS
from dotcnn.compiler.plan.directive import REGISTRY as DIRECTIVES
from dotcnn.compiler.plan.directive import SERIES, Directive
from dotcnn.compiler.plan.make import plan
from dotcnn.compiler.report import output
from dotcnn.compiler.report.style import Style
from dotcnn.dsl.diagnostics import Diagnostic, SpecError, has_errors, in_order
from dotcnn.dsl.files import decode
from dotcnn.dsl.mistakes import TABLE
from dotcnn.dsl.parser import read
from dotcnn.dsl.printer import print_spec
from dotcnn.dsl.program import load_program
from dotcnn.dsl.render import render_json, render_sarif, render_text
from dotcnn.dsl.source import Source, Span
from dotcnn.dsl.syntax import Spec, walk
from dotcnn.training.data.sources.given import given
from emit.programs import written
from fuzz.frame import Target, register
from support import ROOT


def examine(data: bytes) -> list[Diagnostic]:
    """What reading says about bytes; AssertionError where that is not sound."""
    try:
        source = decode(data, "net.cnn")
    except SpecError as error:
        _sound_output(error.diagnostics)
        return list(error.diagnostics)
    spec, found = read(source)
    for diagnostic in found:
        _sound(diagnostic, source)
    places = [(it.code, it.span) for it in found]
    assert len(set(places)) == len(places), "said twice"
    assert found == in_order(found)
    _sound_output(found)
    # Each is a text to be read again: of many, some.
    for diagnostic in [it for it in found if it.edits][:5]:
        read(Source("net.cnn", applied(source.text, diagnostic)))
    if not has_errors(found):
        _sound_tree(spec)
    return found


def applied(text: str, diagnostic: Diagnostic) -> str:
    """The text after the edits that a diagnostic offers."""
    for edit in sorted(diagnostic.edits, key=lambda it: it.span.start, reverse=True):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


def _sound(diagnostic: Diagnostic, source: Source) -> None:
    size = len(source.text)
    assert diagnostic.message
    assert len(diagnostic.message) + len(diagnostic.help) < 600
    assert diagnostic.span is not None or diagnostic.code == "limit"
    spans = [label.span for label in diagnostic.labels]
    spans += [edit.span for edit in diagnostic.edits]
    for span in [*spans, diagnostic.span or Span(source, 0, 0)]:
        assert span.source is source
        assert 0 <= span.start <= span.end <= size
    edits = sorted((edit.span.start, edit.span.end) for edit in diagnostic.edits)
    for (_, end), (start, _) in pairwise(edits):
        assert end <= start, "edits overlap"


def _sound_output(found: list[Diagnostic] | tuple[Diagnostic, ...]) -> None:
    text = render_text(found, color=False, width=60, limit=100)
    assert not any(ord(char) < 32 and char != "\n" for char in text)
    assert len(json.loads(render_json(found))["diagnostics"]) == len(found)
    assert len(json.loads(render_sarif(found, "0"))["runs"][0]["results"]) == len(found)


def _sound_tree(spec: Spec) -> None:
    """Exact spans; and the formatter says the same again, in the same words ever after."""
    for node in walk(spec):
        assert 0 <= node.span.start <= node.span.end <= len(spec.source.text)
    text = print_spec(spec)
    again, found = read(Source("fmt.cnn", text))
    assert not has_errors(found), "what the formatter wrote cannot be read"
    assert again.statements == spec.statements
    assert [comment.text for comment in again.comments] == [it.text for it in spec.comments]
    assert print_spec(again) == text


# ---- targets ---------------------------------------------------------------------------------


def spec(data: bytes) -> str:
    """`cnn check` and `cnn fmt`; in small networks also the report."""
    said = examine(data)
    if has_errors(said):
        return _advised(data, said)
    return _checked(decode(data, "net.cnn"))


def _advised(data: bytes, said: list[Diagnostic]) -> str:
    """What is said about a text that cannot be read, once its fixes have been tried."""
    try:
        source = decode(data, "net.cnn")
        load(source)
    except SpecError as error:
        _sound_output(error.diagnostics)
        for diagnostic in error.diagnostics:
            if diagnostic.span is not None and diagnostic.span.source.name == "net.cnn":
                assert diagnostic.span.end <= len(diagnostic.span.source.text)
                applied(diagnostic.span.source.text, diagnostic)
        return render_text(error.diagnostics, color=False, width=60)
    return render_text(said, color=False, width=60)


def _checked(source: Source) -> str:
    program = load_program(source)
    found = check(program)
    for diagnostic in found:
        assert diagnostic.span is None or diagnostic.span.end <= len(diagnostic.span.source.text)
    _sound_output(found)
    return render_text(found, color=False, width=60)


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def section(data: bytes) -> str:
    """The lines of a section, in a spec that is sound: which, the first byte says."""
    network = NETWORKS[data[0] % len(NETWORKS)] if data else NETWORK
    return _checked(Source("net.cnn", f"{network}\n{_text(data[1:])}\n"))


def emitted(data: bytes) -> str:
    """`cnn emit` and `cnn report` of a network that is small."""
    network = elaborate(load_program(decode(data, "net.cnn")), max_layers=MOST_LAYERS)
    texts = [emit(network, "0"), emit(network, "0", flat=True, main=True)]
    for text in texts:
        allowed.check(text.partition('\nif __name__ == "__main__":')[0])
    report = output.report([analyse(network)], "table", depth=2, style=Style(color=False))
    return "\n".join([*texts, report])


def set_(data: bytes) -> str:
    """What stands behind `--set`."""
    program = load_program(Source("net.cnn", NETWORK))
    parameters, sections = divide([read_override(_text(data))])
    network = elaborate(program, overrides=parameters)
    return repr(plan(network, sections, needs_data=False))


def data_(data: bytes) -> str:
    """What stands behind `--data`."""
    override = given(_text(data), NOWHERE)
    return repr(plan(elaborate(load_program(Source("net.cnn", NETWORK))), [override]))


NOWHERE = Path("/nowhere")
"""A folder that is not there: what is said does not depend on the machine."""

NETWORK = """network Net(width=4, depths=[1, 2], act=relu, wide=off) {
  input 3x16x16
  for n in depths { repeat n { conv width 3x3 same, bn, act } }
  if wide { conv 2*width 1x1 }
  pool avg global, flatten, fc classes
}"""

ANSWERS_IMAGES = """network Net(width=4) {
  input 3x16x16
  residual { conv width 3x3 same, relu, conv channels 3x3 same }
}"""
SERIES_NETWORK = """network Net {
  input 1x400
  conv 8 9 stride=4 same_upper, bn, relu, pool avg global, flatten, fc classes
}"""
OUTPUTS = """network Net(ages=8) {
  input 3x16x16
  conv 8 3x3 same, relu, pool avg global
  features: flatten
  output age: fc 1
  output sex { from features, fc 2 }
}"""
NETWORKS = [NETWORK, OUTPUTS, SERIES_NETWORK, ANSWERS_IMAGES]
"""Of each kind of answer."""

MOST_LAYERS = 300

NEW = [
    *NETWORKS,
    """block cell(before, width, adapt) {
  here: conv width 1x1
  from before, old: adapt width
  sum: add { | from here, conv width 3x3 same | from old, conv width 1x1 }
  relu
}
block fit(width) { if channels != width { conv width 1x1, bn } }
network Cells(size=2) {
  input 3x16x16
  before: conv 8 1x1
  conv 8 3x3 same
  for width in [8, 16] {
    cells: repeat size as i {
      cell before (2*width if i > 0 else width) fit
      carry before=input
    }
    carry before=before
  }
  pool avg global, flatten, fc 10
}""",
    """block tower { conv 4 3x3, relu }
network Twins {
  input left 1x16x16
  input right 1x16x16
  from left
  one: tower
  from right
  two: share one
  concat one two
  flatten, fc 2
}""",
    """network Heads(widths=[8, 16, 32], labels=5) {
  input 3x32x32
  stem: conv 8 3x3 same
  for width in widths as i {
    stage: residual { conv width 3x3 stride=(1 if i == 0 else 2) same, bn }
  }
  concat { for i in [1, 2, 3] { | conv 4*i 3x3 dilation=i same } }
  lambda_layer heads=4 key=4 kernel=9
  up: upsample like=stem mode=bilinear
  output mask: conv labels 1x1
  output size { from stem, pool avg global, flatten, fc 2 }
  aux weight=0.4 { pool avg global, flatten, fc 3 }
}
""",
]
"""The newest forms; those of a single word come from the registries."""

SETS = [
    "width=8", "width=1.5", "depths=[3, 4, 6, 3]", "act=gelu", "wide=on", "train.epochs=3",
    "train.optimizer.lr=0.1", 'train.optimizer="adam lr=0.1"', "augment=off", "width=4*2+1",
    'train.data="folder a/b-c"', "train.data=folder a-b(c)", 'augment="flip horizontal, rotate 20"',
    "train.schedule=cosine warmup=5", "evaluate.tta=flip", "train.ema=off", "depths=[(1, 2)]",
]  # fmt: skip
DATAS = [
    "digits", "cifar10", "mnist", 'folder "images"', 'folder "images" val=30%', "flowers",
    'npz "a.npz"', 'cifar10 root="sets"', "folder a/b-c", "a-a-a-a(b)", "/dev/null", "~x", "..",
    'folder "a" test="b" normalize=measured', "fashion-mnist",
]  # fmt: skip

WORDS = [
    *"(){}[]|,:=.+-*/%<>!&;\"'#\\\n\t x3\r\x00",
    *("if ", "else ", "elif ", "for ", "in ", "repeat ", "let ", "block ", "network ", "import "),
    *(
        "output ",
        "output a { ",
        "share ",
        "carry ",
        "from a, ",
        "like=a",
        "as i ",
        "[i]",
        "**",
        "input a ",
    ),
    *("as ", "and ", "or ", "not ", "on", "off", "conv ", "a", "b ", "layer1.0", "max(", "x="),
    *("64", "3x3", "3 x 3", "10x", "20%", "0.5", "5e-4", "1.", ".5", "0x1", "1_0", '"a"', "'a'"),
    *("..", "...", "//", "==", "->", "=>", "**", "||", "&&", "/*", "*/", '"""', "--", "# c"),
    *(" { ", "}\n", " = ", " - ", " -", "- ", ": ", "else if a {", "} else {", "| ", "\n  "),
    *("×", "–", "“", "”", "（", "，", "\u00a0", "\u200b", "\u2028", "а", "é", "字", "😀"),
    *("\x1b", "\\u00", "\r\n", "x ", "\n    ", "residual {", "concat {|", "aux {", "split {|"),
    *("input 3x8x8\n", "pool avg global", "flatten", "fc classes", "gate {", "dense {", "from "),
    *("allow ", "init ", "filter ", "upsample ", "train {", "augment {", "transfer {", "classes"),
    *("channels", "height", "width", "divisible(", "len(", "repeat 9999 {", "repeat n as i {"),
    *("\ufeff", "same", "stride=2", "groups=channels", "[1, 2]", "[(1, 2)]", "(a, b)", "let a = "),
]


def slip(text: str, random: Random) -> str:
    """A piece of a spec, with one or a few slips: words left out, doubled, exchanged, strange."""
    words = _TOKENS.findall(text)
    if len(words) > 150 and random.random() < 0.5:
        begin = random.randrange(len(words) - 100)
        words = words[begin : begin + random.randrange(20, 100)]
    for _ in range(random.choice([1, 1, 1, 2, 3, 6])):
        at = random.randrange(len(words) + 1)
        kind = random.randrange(5)
        if kind == 0:
            del words[at : at + random.choice([1, 1, 3, 8])]
        elif kind == 1:
            words.insert(at, random.choice([*words, "a"]))
        elif kind == 2:
            words[at : at + 2] = reversed(words[at : at + 2])
        elif kind == 3:
            words.insert(at, random.choice(WORDS if random.random() < 0.7 else EXAMPLES))
        else:
            words[at : at + 1] = [random.choice(WORDS)]
    return "".join(words)


_TOKENS = re.compile(r"[A-Za-z_0-9.]+|\s+|.", re.DOTALL)


def encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _drawn(random: Random) -> bytes:
    """A spec with slips, or words one after the other."""
    if random.random() < 0.7:
        return encoded(slip(random.choice(TEXTS), random))
    return encoded("".join(random.choices(WORDS, k=random.randrange(60))))


def _drawn_section(random: Random) -> bytes:
    """A section that was written, or one of directives drawn from all there are; with slips."""
    text = random.choice(SECTIONS)
    if random.random() < 0.6:
        section = random.choice([*DIRECTIVE_LINES])
        lines = random.choices(DIRECTIVE_LINES[section], k=random.choice([1, 1, 2, 4]))
        text = f"{section} {{ {', '.join(lines)} }}"
    if random.random() < 0.8:
        text = slip(text, random)
    return bytes([random.randrange(len(NETWORKS))]) + encoded(text)


def _drawn_network(random: Random) -> bytes:
    """A program that is sound, one of the examples in a network, or a text of the newest forms."""
    kind = random.random()
    if kind < 0.4:
        return encoded(written(random))
    text = random.choice(NEW)
    if kind < 0.8:
        lines = "\n  ".join(random.choices(EXAMPLES, k=random.choice([1, 1, 2, 3])))
        text = f"network Net {{\n  input 16x32x32\n  x: conv 16 1x1\n  {lines}\n}}"
    return encoded(slip(text, random) if random.random() < 0.5 else text)


def _drawn_set(random: Random) -> bytes:
    return encoded(slip(random.choice(SETS), random))


def _drawn_data(random: Random) -> bytes:
    return encoded(slip(random.choice(DATAS), random))


def _texts(folder: Path, step: int = 1) -> list[str]:
    return [path.read_text("utf-8", "replace") for path in sorted(folder.glob("**/*.cnn"))[::step]]


def _kinds(
    known: Mapping[str, Mapping[str, type[Directive]]], section: str
) -> list[type[Directive]]:
    return [kind for kind in dict.fromkeys(known.get(section, {}).values()) if kind.offered]


SPECS = _texts(ROOT / "specs", 7)
MISTAKES = _texts(ROOT / "tests" / "errors" / "compile", 3)
DIRECTIVE_LINES = {
    section: [kind.shown() for known in (DIRECTIVES, SERIES) for kind in _kinds(known, section)]
    for section in DIRECTIVES
}
"""An example of every directive, by section."""
DIRECTIVE_LINES["sweep"] += [
    "train.optimizer.lr log 1e-4..1",
    "batch in [16, 32]",
    "augment.rotate 0..30 step=5",
    'train.optimizer in ["sgd lr=0.1", adam]',
]

EXAMPLES = [
    *(form.example for form in [*STATEMENTS.values(), *FORMS.values()]),
    *(kind.example for kind in LAYERS.values()),
]
"""An example of every statement, form and layer."""

TEXTS = [
    *SPECS,
    *MISTAKES,
    *NEW,
    *(one.spec for one in foreign_corpus.lines()),
    *(snippet for _, snippet, _ in TABLE),
]
SECTIONS = [
    text[at:]
    for text in [*_texts(ROOT / "specs"), *_texts(ROOT / "tests" / "errors")]
    for at in [text.find("\ntrain {")]
    if at >= 0 and len(text) - at < 3000
][:60]

_words = [encoded(word) for word in WORDS]
register(Target("spec", spec, lambda: [encoded(t) for t in TEXTS], _words, draw=_drawn))
register(
    Target(
        "section", section, lambda: [b"\0" + encoded(t) for t in SECTIONS], _words,
        draw=_drawn_section,
    )
)  # fmt: skip
register(
    Target("emit", emitted, lambda: [encoded(t) for t in NEW], _words, draw=_drawn_network, few=10)
)
register(
    Target(
        "set", set_, lambda: [encoded(t) for t in SETS], _words, (OverrideError,), draw=_drawn_set
    )
)
register(Target("data", data_, lambda: [encoded(t) for t in DATAS], _words, draw=_drawn_data))
