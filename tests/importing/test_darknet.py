"""Networks of Darknet: what each section becomes, and what is said about files that are wrong."""

from __future__ import annotations

import pytest

from dotcnn.dsl.diagnostics import SpecError
from importing.imported import body, imported
from support import shared

NET = "[net]\nheight=32\nwidth=32\nchannels=3\n"
CONV = "[convolutional]\nfilters=8\nsize=3\npad=1\nactivation=leaky\nbatch_normalize=1\n"


def spec(text: str) -> str:
    return body(imported(text, "small.cfg").text)


def lines(text: str) -> list[str]:
    return [line.strip() for line in spec(text).splitlines()[2:-1]]


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        imported(text, "small.cfg")
    return [
        f"{each.span.line if each.span else 0}: {each.message}" for each in caught.value.diagnostics
    ]


def test_layers() -> None:
    text = NET + CONV + "[maxpool]\nsize=2\nstride=2\n[avgpool]\n[connected]\noutput=10\n"
    assert lines(text + "activation=linear\n[softmax]\n") == [
        "conv 8 3x3 same, bn, leaky 0.1",
        "pool max 2x2",
        "pool avg global, flatten",
        "fc 10, softmax",
    ]


def test_pools_pad_as_darknet_does() -> None:
    """By size - 1 in all, of which half (rounded down) comes first."""
    odd = NET.replace("32", "31")
    assert lines(odd + "[maxpool]\nsize=2\nstride=2\n") == ["pool max 2x2 ceil"]
    assert lines(NET + "[maxpool]\nsize=2\nstride=1\n") == ["pool max 2x2 stride=1 same_upper"]
    assert lines(NET + "[maxpool]\nsize=3\nstride=2\n") == ["pool max 3x3 stride=2 same"]


def test_shortcuts_and_routes() -> None:
    text = NET + CONV + CONV + "[shortcut]\nfrom=-2\nactivation=linear\n[route]\nlayers=-1,0\n"
    inner = "residual { conv 8 3x3 same, bn, leaky 0.1 }"
    assert [line for line in lines(text) if "residual" in line] in ([inner], [f"| {inner}"])


def test_shortcuts_of_other_shapes_take_what_both_have() -> None:
    """Every second place, and zeros in the channels that are new."""
    wide = CONV.replace("filters=8", "filters=16").replace("size=3", "size=3\nstride=2")
    text = NET + CONV + wide + "[shortcut]\nfrom=-2\nactivation=leaky\n"
    assert "| pool max 1x1 stride=2, dense { scale_by 0 }" in spec(text)


def test_what_cannot_be_said_is_listed_with_its_place() -> None:
    text = NET + CONV + "[yolo]\nmask=0\n[yolo]\n" + CONV.replace("leaky", "ramp")
    assert problems(text) == [
        "11: `[yolo]` cannot be said here, 2 times: boxes are decoded outside of the network",
        "18: `activation=ramp` cannot be said here: the activation `ramp` is not one of the"
        " language",
    ]
    part = imported(text, "small.cfg", partial=True)
    assert "conv 8 3x3 same, bn, leaky 0.1" in part.text
    assert "it ends before what cannot be said, [yolo] (2), activation=ramp (1)" in part.text
    assert len(part.left_out) == 2


def test_a_slice_of_one_channel() -> None:
    """`slice 0..1` is read as two numbers, whatever their type."""
    narrow = CONV.replace("filters=8", "filters=1")
    assert "| slice 0..1" in spec(NET + CONV + narrow + "[shortcut]\nfrom=-2\n")


def test_paths_within_paths_without_end() -> None:
    """They become labels, and cost no recursion."""
    count = 300
    sums = [f"[shortcut]\nfrom={count - 2 - n}\nactivation=linear\n" for n in range(count - 1)]
    assert "add skip" in spec(NET + CONV * count + "".join(sums))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "1: this does not begin with [net]"),
        ("[convolutional]\n", "1: this does not begin with [net]"),
        ("[net]\nheight=4\n", "1: [net] has no channels"),
        ("size=3\n", "1: this is not a line of a .cfg"),
        (NET, "1: this network has no layers"),
        (NET + CONV.replace("=8", "=x"), "6: `filters` is not a whole number of at least 1"),
        (NET + CONV.replace("8", "9" * 50), "6: `filters` is not a whole number of at least 1"),
        (NET + "[route]\nlayers=4\n", "6: there is no layer 4 before this one, which is layer 0"),
        (NET + "[route]\nlayers=-1\n", "6: there is no layer -1 before this one, which is layer 0"),
        (NET + CONV + "[route]\nlayers=,\n", "12: `` is not the number of a layer"),
        (NET + "[connected]\n[maxpool]\nsize=2\n", "6: this layer does not fit: "),
        (NET + "[shortcut]\n", "5: this [shortcut] has no `from`"),
        (
            NET + CONV.replace("size=3", "size=99").replace("pad=1", "pad=0"),
            "5: this layer does not fit: a filter that spans 99 does not fit into 32",
        ),
    ],
)  # fmt: skip
def test_files_that_are_wrong(text: str, message: str) -> None:
    assert problems(text)[0].startswith(message)


@pytest.mark.parametrize(
    ("name", "lines"),
    [("darknet53", 16), ("yolov3-tiny", 25), ("densenet201", 26), ("resnet50", 38)],
)
def test_known_networks_in_few_lines(name: str, lines: int) -> None:
    """`imported` proves them; here they are short, too."""
    text = shared(f"corpora/darknet/{name}.cfg").read_text()
    found = imported(text, f"{name}.cfg", partial=True).text
    written = [line for line in found.splitlines() if line.strip() and line[0] != "#"]
    assert len(written) <= lines, found


@pytest.mark.slow
def test_all_of_the_corpus() -> None:
    for path in sorted(shared("corpora/darknet").glob("*.cfg")):
        imported(path.read_text(), path.name, partial=True)
