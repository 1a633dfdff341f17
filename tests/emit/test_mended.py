"""Programs for which the emitter was wrong once: each is held to all that a network is."""

from __future__ import annotations

import pytest

import dotcnn
from dotcnn.training.inference.load import construct

from .equality import hold

BODIES = {
    "a label that is called like a short variable":
        "mul {{ | conv 12 | conv 8, conv 12 | {label}: relu6, conv 8, concat {label}, conv 12}}",
    "a block without weights, and one that is empty":
        "repeat 2 {{ b2 b0 }}",
    "a round in a round without weights":
        "repeat 1 {{ repeat 1 {{ dropout 0.2 }} }}",
    "a loop that is no chain, in a loop of one round":
        "stem: conv 8, repeat 1 {{ repeat 2 {{ conv 8, concat stem }} }}",
    "auxiliary heads in a loop in a loop":
        "for n3 in [relu6] {{ for n4 in [1, 2] {{ aux {{ pool avg global, conv 3 }}, conv 8 }} }}",
    "a round that does nothing, before one that does":
        "for w in [4, 8] {{ if w != channels {{ conv w }} }}",
    "a loop without rounds, in one call of a block":
        "part 2, cell times=2",
    "a label of a round, and the same in the block that it is one with":
        "repeat 2 {{ e: droppath 0.2, labelled }}",
    "an auxiliary head in an auxiliary head":
        "aux {{ headed }}, conv 4",
    "an argument that is called like what arrives":
        "named 4, named 6 in_channels=8",
    "a round of nothing but the last activation":
        "ended",
    "a label for what was there already":
        "bn, a: repeat 0 {{ }}, relu, bn, add a",
    "rounds that ask for their number, and differ in what arrives too":
        "conv 12, counted 4",
    "a block of two inputs, whichever comes first":
        "a: conv 8\n b: conv 6\n pair a 8, pair b 8, pair a 6",
    "a block that is given what arrives, and one map twice":
        "a: conv 8\n pair a 8, pair input 8, both a a",
    "a block within a block, which hands on what it was given":
        "a: conv 8\n conv 4, outer a",
    "a loop that carries a label":
        "old: conv 8\n conv 4, repeat 3 {{ pair old 4, carry old=input }},"
        " add {{ | | from old, conv 4 }}",
    "a loop that carries two labels and passes a third on":
        "a: conv 4\n b: conv 4\n relu, repeat 3 {{ c: pair a 4\n d: pair b 4\n add c"
        "\n carry a=b b=d }}, r: relu\n concat r a b",
    "a loop that carries, in a loop that carries":
        "old: conv 8\n conv 4, for n in [2, 3, 1] {{ repeat n {{ pair old 4, carry old=input }},"
        " carry old=old }}, mul old",
    "a chain of rounds that are loops that carry":
        "conv 4, repeat 2 {{ old: from input\n repeat 3 {{ pair old 4, carry old=input }} }}",
    "a loop that carries, whose last round hands on what nothing reads":
        "old: conv 8\n conv 4, stages: for n in [2, 3, 2] {{"
        " repeat n {{ pair old 4, carry old=input }}, carry old=old }}",
    "a block that carries what it was given":
        "a: conv 4\n conv 8, deeper a 2, deeper a 3",
    "a loop whose first round is given one layer twice":
        "old: conv 4\n repeat 4 {{ pair old 4, carry old=input }}, add old",
    "rounds of several layers, the first of which is given one layer twice":
        "old: conv 4\n repeat 4 {{ relu, conv 4, add old, carry old=input }}, add old",
    "a loop of no rounds that carries":
        "old: conv 4\n conv 4, repeat 0 {{ pair old 4, carry old=input }}, add old",
    "rounds that swap two labels":
        "a: conv 4\n b: conv 6\n repeat 2 {{ pair a 4, carry a=b b=a }}, r: relu\n concat r a b",
    "a block whose parts are read by their labels":
        "m: parts 4\n c: conv 4\n add c m.one m.two",
    "paths that a loop makes":
        "concat {{ | conv 4\n for k in [1, 3] {{ | conv 2 k same, relu }} }}, conv 4",
    "paths that an if makes in some calls only":
        "paths 2 on, paths 1 off, paths 3 on",
    "a channel split of uneven parts":
        "conv 8, split 2 5 1 {{ | conv 2 | | relu }}, conv 4",
    "channel splits whose paths loops make":
        "conv 8, split {{ for k in [1, 3] {{ | conv 4 k same, relu }} }},"
        " split 4 2 2 {{ |\n repeat 2 {{ | conv 2 }} }}, conv 4",
    "sums of maps, of one number a channel and of one a position":
        "conv 8, add {{ | | pool avg global | conv 1 1x1 }}, a: pool avg global, flatten, add a",
    "calls that differ in the channels that they cut out":
        "conv 12, cut 8, cut 6, cut 4",
    "calls that differ in the sizes of a reshape, a split and a padding":
        "conv 12, shaped 12, shaped 8",
    "a block in which a number is called like a method of modules":
        "conv 12, halved 12, halved 8",
    "rounds that are scaled by a root of their number":
        "conv 4, repeat 4 as i {{ scaled i }}, scaled 8",
    "a sum of what was there and of paths":
        "a: conv 4, add {{ | from a, conv 4, relu | from a | from a, conv 4 1x1, bn }}, mul a",
    "an if with the same layers in both arms":
        "armed 4 on, armed 6 off",
    "an if that decides how many channels there are after it":
        "narrowed 6, narrowed 4, narrowed 2",
    "a stride of one axis, which is 1 in some calls":
        "axes 1, axes 2",
    "parts of the channels in both arms of an if":
        "conv 8, parted on, parted off",
    "paths that loops make of what arrives and of a label":
        "a: conv 6\n relu, concat {{ | conv 3 | from a, relu\n outs: for k in [1, 3]"
        " {{ | from a, conv 2 k same }}\n repeat 2 {{ | conv 3 1x1, bn }} }}, conv 4",
    "sums and products of paths that a loop makes":
        "conv 4, add {{ for k in [1, 3] {{ | conv 4 k same }} }},"
        " mul {{ | conv 4\n repeat 2 {{ | conv 4, sigmoid }} }}, paths 3 on, maximum {{ | conv 4\n"
        " for k in [1, 3] {{ | conv 4 k same }} }}",
    "paths that loops in loops make, and in a head":
        "aux {{ concat {{ repeat 2 {{ | conv 2 }} }}, pool avg global, conv 3 }},"
        " concat {{ for w in [2, 4] {{ for k in [1, 3] {{ | conv w k same }} }} }}",
    "paths that a loop makes of one shared layer":
        "one: conv 4\n concat {{ repeat 2 {{ | share one }} }}",
    "a sum that begins where a part of the channels ended":
        "conv 8, split {{ | conv 4 | relu }}, conv 4, add {{ | conv 4 | relu, conv 8, conv 4 }}",
    "one more label for what is there":
        "a: from input\n conv 4, relu, add {{ | | from a }}",
}  # fmt: skip

BLOCKS = """
block b0() { }
block b2(unit) { unit, dropout 0.2 }
block part(n) { repeat max(0, n - 1) { relu }, conv 4 }
block cell(times=1) { repeat max(0, times - 1) { part 1 } }
block named(n, in_channels=n) { conv in_channels, conv n + in_channels, conv n }
block headed() { aux { pool avg global, conv 2 }, relu }
block ended() { conv 12, for n in [1] { sigmoid } }
block pair(first, width) { add { | conv width, relu | from first, conv width } }
block paths(n, pooled) {
  add {
    | conv 4
    repeat n as i { | conv 4 (2*i + 1) same }
    if pooled { | pool max 3x3 stride=1 same, conv 4 }
  }
}
block both(a, b) { mul a, add b }
block outer(first) { pair first 4, pair input 4 }
block parts(n) { one: conv n
 two: relu }
block deeper(old, n) { pair old 4, repeat n { pair old 4, carry old=input }, mul old }
block narrowed(n) { if channels > n { conv n 1x1, bn }, conv n 3x3 same, relu, conv 8 }
block axes(stride) { conv 4 3x3 stride=(1, stride) same, relu }
block parted(wide) {
  if wide { split { | relu | conv 4 }, conv 8 } else { split { | conv 4 | tanh }, bn }
}
block cut(n) { conv 2*n, slice n/2..n, conv n }
block shaped(n) {
  split (n - 2) 2 { | relu | tanh }
  reshape (n/2, 16, 8), conv n 3x3 stride=2 same_upper, reshape (2*n, 4, 4)
  upsample 2, conv 8 1x1
}
block halved(n) { let half = channels//2
 concat { | slice 0..half, conv half | slice half..channels, conv half }, conv n }
block scaled(i) { conv 4 1x1, scale_by 1/sqrt(1 + i), offset_by sqrt(i + 1) }
block armed(n, wide) { if wide { conv n 3x3 same } else { conv n 1x1 }, relu }
block labelled() { e: conv 4 1x1 }
block counted(n) { repeat n as i { conv 4, if i == 0 { conv 8 } } }
"""


def program(what: str, label: str = "y") -> str:
    statements = BODIES[what].format(label=label)
    return f"{BLOCKS}\nnetwork Net {{\n  input 4x8x8\n  {statements}\n}}\n"


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("what", BODIES)
def test_what_went_wrong_once(what: str, flat: bool) -> None:
    hold(dotcnn.compile(program(what)), flat=flat)


@pytest.mark.parametrize("label", [*"yzabcde", "v", "paths", "aux"])
def test_labels_like_the_variables_of_forward(label: str) -> None:
    """What a label names keeps its value, whatever else is called like it."""
    text = program("a label that is called like a short variable", label)
    for flat in (False, True):
        hold(dotcnn.compile(text), flat=flat)


def test_rounds_that_do_nothing_keep_their_numbers() -> None:
    """The second round is `blocks.1` in the state dict too."""
    network = dotcnn.compile(program("a round that does nothing, before one that does"))
    model = construct(dotcnn.emit(network), network.name)
    assert list(model.state_dict()) == ["blocks.1.conv.weight", "blocks.1.conv.bias"]


def test_a_block_in_a_head_and_outside_is_one_class() -> None:
    text = """
block unit(width) { conv width 3x3 same, bn, relu }
network Net {
  input 4x8x8
  unit 8
  aux { unit 12, pool avg global, flatten, fc 3 }
  unit 16
  pool avg global, flatten, fc 3
}
"""
    source = dotcnn.emit(dotcnn.compile(text))
    assert source.count("class Unit") == 1
    assert "Unit(in_channels, 12)" in source
    assert "Unit(8, 16)" in source


def test_an_argument_is_named_for_what_it_is() -> None:
    """Where several options have one value in the first call, the others tell which it is."""
    source = dotcnn.emit(dotcnn.compile("inception_v3"))
    assert "in_channels: int, width: int, kernel: int" in source


def source_of(what: str) -> str:
    return dotcnn.emit(dotcnn.compile(program(what)))


def test_numbers_in_calls_are_arguments() -> None:
    """Calls that differ in what they cut out are one class, and say what it depends on."""
    source = source_of("calls that differ in the channels that they cut out")
    assert source.count("class Cut") == 1
    assert "self.conv1(x).narrow(1, self.n // 2, self.n - self.n // 2)" in source
    source = source_of("calls that differ in the sizes of a reshape, a split and a padding")
    assert "class Shaped(nn.Module):\n    def __init__(self, n: int) -> None:" in source
    assert "torch.split(x, [self.n - 2, 2], 1)" in source
    assert "self.half =" not in source_of(
        "a block in which a number is called like a method of modules"
    )


def test_rounds_that_are_loops_are_called_in_a_loop() -> None:
    source = source_of("a loop that carries, whose last round hands on what nothing reads")
    assert "class Stage(nn.ModuleList):" in source
    assert "        for stage in self.stages:\n            old, x = stage(x, old)\n" in source
    source = source_of("a chain of rounds that are loops that carry")
    assert "        for block in self:\n            x, old = block(x, old), x\n" in source


def test_values_that_depend_on_an_if_or_on_an_axis_are_expressions() -> None:
    source = source_of("an if that decides how many channels there are after it")
    assert "def __init__(self, in_channels: int, n: int) -> None:" in source
    assert "nn.Conv2d(min(n, in_channels), n, 3, padding=1)" in source
    source = source_of("a stride of one axis, which is 1 in some calls")
    assert "stride=(1, stride)" in source
    assert source_of("parts of the channels in both arms of an if").count("x.chunk(2, 1)\n") == 2
    assert "*[Bottleneck(512, 128) for _ in range(3)]" in dotcnn.emit(
        dotcnn.compile("fcn_resnet50")
    )


def test_paths_that_a_loop_makes_are_a_list_and_a_loop() -> None:
    source = source_of("paths that a loop makes")
    assert "self.blocks = nn.ModuleList([ConvRelu(4, 1), ConvRelu(4, 3)])" in source
    assert "torch.cat([self.conv1(x), *[block(x) for block in self.blocks]], 1)" in source
    source = source_of("paths that an if makes in some calls only")
    assert "        for block in self.blocks:\n            y += block(x)\n" in source
    assert source.count("class Paths") == 2  # a loop of one round is a chain
    # What arrives is computed once.
    source = source_of("paths that loops make of what arrives and of a label")
    assert "*[out(a) for out in self.outs]" in source
    assert "*[block(x) for block in self.blocks]" in source


def test_roots_are_computed() -> None:
    source = source_of("rounds that are scaled by a root of their number")
    assert source.count("class Scaled") == 1
    assert "self.offset = (index + 1) ** 0.5" in source


def test_what_both_arms_do_is_written_once() -> None:
    source = source_of("an if with the same layers in both arms")
    assert source.count("self.conv(x)") == 1
    assert "self.wide" not in source


def test_a_size_of_all_axes_is_passed_on_whole() -> None:
    """Annotated as what torch takes: a number, or one for each axis."""
    source = dotcnn.emit(dotcnn.compile("mc3_18"))
    assert "Shortcut(in_channels, width, stride)" in source
    assert "stride: int | tuple[int, int, int]" in source
    assert "padding: int | tuple[int, int, int] = 0" in source
