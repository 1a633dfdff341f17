"""`--why`: where the evidence is, for any kind of network."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from dotcnn.compiler.report.style import Style
from dotcnn.dsl.diagnostics import SpecError
from dotcnn.training.show.choose_layer import choose_classes, choose_output
from dotcnn.training.show.input_images import InputImage, from_matrices
from dotcnn.training.show.pictures.as_html import sheet_page
from dotcnn.training.show.pictures.as_png import sheet_png
from dotcnn.training.show.subject import Subject
from dotcnn.training.show.why.why import (
    Why,
    smallest_box,
    why,
    why_data,
    why_lines,
    why_sheet,
)
from dotcnn.training.tasks.answer import Answer
from dotcnn.training.tasks.classification import Classification
from dotcnn.training.tasks.multi_label import MultiLabel
from dotcnn.training.tasks.multi_task import MultiTask, One
from dotcnn.training.tasks.regression import Regression

from .looking import image, subject

CONV = "conv 6 3x3, relu, conv 6 3x3, relu, pool avg global, flatten, fc 4"


def text(result: Why) -> str:
    return "\n".join(why_lines(result, Style(120)))


def bright(subject: Subject, rows: slice, columns: slice) -> InputImage:
    """A dark image with a bright square."""
    pixels = torch.full(subject.network.input.shape, 20, dtype=torch.uint8)
    pixels[:, rows, columns] = 220
    return InputImage("square", subject.preparation.prepare(pixels[None])[0], pixels)


def sees_brightness() -> Subject:
    """Class 0 counts brightness everywhere, class 1 its lack."""
    looked = subject("conv 1 3x3 same, pool avg global, flatten, fc 2", "1x28x28")
    with torch.no_grad():
        for name, value in (("conv.weight", 1.0), ("conv.bias", 0.0), ("fc.bias", 0.0)):
            looked.module.get_parameter(name).fill_(value)
        looked.module.get_parameter("fc.weight").copy_(torch.tensor([[3.0], [-3.0]]))
    return looked


def test_the_box_is_where_the_evidence_is() -> None:
    looked = sees_brightness()
    result = why(looked, bright(looked, slice(4, 10), slice(16, 24)), [0])
    (explained,) = result.classes
    assert [each.method for each in explained.evidence] == [
        "Grad-CAM", "occlusion", "integrated gradients",
    ]  # fmt: skip
    for each in explained.evidence[1:]:  # Grad-CAM sees the dark background answer, too
        assert each.box is not None
        top, bottom, left, right = each.box
        assert top >= 1
        assert bottom <= 12
        assert left >= 13
        assert right <= 26
        assert each.against < 0.1
        assert each.without < explained.probability
        assert each.gains == 1, "what is bright speaks against the class for the dark"
    assert "class 1, " in text(result)


def test_evidence_against_a_class_has_another_sign() -> None:
    looked = sees_brightness()
    result = why(looked, bright(looked, slice(4, 10), slice(16, 24)), [1])
    for each in result.classes[0].evidence[1:]:
        assert each.against > 0.9
        assert each.against_box is not None


def test_a_class_that_wins_nowhere_has_no_area() -> None:
    """And so comes after those that do, however many positions its score is the mean of."""
    looked = subject("conv 3 1x1", "1x6x6")
    with torch.no_grad():
        looked.module.get_parameter("conv.weight").copy_(
            torch.tensor([-1.0, 1.0, 0]).view(3, 1, 1, 1)
        )
        looked.module.get_parameter("conv.bias").copy_(torch.tensor([0.2, 0.0, -9.0]))
    result = why(looked, bright(looked, slice(0, 6), slice(0, 4)))
    assert [each.index for each in result.classes] == [1, 0, 2]
    assert [each.area for each in result.classes] == pytest.approx([2 / 3, 1 / 3, 0])


def test_a_map_of_one_position_is_a_vector() -> None:
    looked = subject("conv 4 3x3, relu, conv 5 1x1, pool avg global", "3x9x9")
    result = why(looked, image(looked))
    assert {each.area for each in result.classes} == {None}
    chances = [each.probability for each in result.classes]
    assert chances == sorted(chances, reverse=True)


def test_a_network_that_gives_nan_has_no_reasons() -> None:
    looked = subject(CONV, "3x7x7")
    with torch.no_grad():
        looked.module.get_parameter("fc.bias").fill_(float("nan"))
    with pytest.raises(SpecError, match="is not finite"):
        why(looked, image(looked))


def test_by_default_the_most_likely_classes_are_explained() -> None:
    looked = subject(CONV, "3x7x7")
    result = why(looked, image(looked))
    chances = [each.probability for each in result.classes]
    assert len(chances) == 3
    assert chances == sorted(chances, reverse=True)
    assert text(result) == text(why(looked, image(looked))), "the same again"


@pytest.mark.parametrize(
    ("body", "input"),
    [
        ("flatten, fc 8, relu, fc 3", "1x8x8"),
        (CONV, "3x5x5"),
        pytest.param(CONV, "1x28x28", marks=pytest.mark.slow),
        (CONV + ", softmax", "3x7x7"),
        (CONV + ", sigmoid", "3x6x5"),
        ("conv 4 3x3, relu, pool avg global, flatten, fc 1", "3x9x7"),
        ("conv 4 3x3 same, relu, conv 3 1x1", "3x8x6"),
        ("conv 4 3x3 same, relu, conv 1 1x1, sigmoid", "2x6x5"),
        ("residual { conv 3 3x3 same, relu }\n flatten, fc 3", "3x6x6"),
    ],
)
def test_it_works_for_any_kind_of_network(body: str, input: str) -> None:
    looked = subject(body, input)
    result = why(looked, image(looked))
    shape = looked.network.input.shape[1:]
    assert all(each.values.shape == shape for c in result.classes for each in c.evidence)
    assert all(each.values.isfinite().all() for c in result.classes for each in c.evidence)
    sheet = why_sheet([result])
    assert sheet_png(sheet).startswith(b"\x89PNG")
    assert "<script" not in sheet_page(sheet)
    lines = text(result)
    assert ("Grad-CAM needs feature maps" in lines) == body.startswith("flatten")
    assert ("is a map of" in lines) == body.startswith("conv 4 3x3 same")


def test_independent_classes_have_probabilities_of_their_own() -> None:
    looked = subject(CONV, "3x7x7")
    logits = why(looked, image(looked)).classes
    several = why(replace(looked, task=MultiLabel(looked.classes or ())), image(looked)).classes
    assert several[0].score == logits[0].score
    expected = float(torch.tensor(several[0].score).sigmoid())
    assert several[0].probability == pytest.approx(expected, rel=1e-5)


def test_an_image_of_one_color_has_nothing_to_hide() -> None:
    looked = subject("flatten, fc 3", "1x4x4")
    lines = text(why(looked, from_matrices([torch.ones(4, 4)]), [0]))
    assert "nothing is for it" in lines


def test_the_smallest_box_with_half_of_what_is_positive() -> None:
    values = torch.zeros(6, 9)
    values[1, 2:5] = 2.0
    values[5, 8] = 1.0
    values[3, 3] = -50.0
    assert smallest_box(values) == (1, 1, 2, 3)
    assert smallest_box(-values) == (3, 3, 3, 3)
    assert smallest_box(values.clamp(max=0)) is None
    large = torch.zeros(300, 200)
    large[100:120, 50:70] = 1.0
    box = smallest_box(large)
    assert box is not None
    assert box[0] >= 85
    assert box[1] <= 135


def test_a_network_without_learned_classes_is_refused() -> None:
    with pytest.raises(SpecError, match="needs a trained network"):
        why(subject(CONV, learned=False), image(subject(CONV)))
    edges = replace(subject("filter sobel_x"), learned="fixed")
    with pytest.raises(SpecError, match="none of its layers learns"):
        why(edges, image(edges))


# ---- series ------------------------------------------------------------------------------------


def sees_level(end: str = "pool avg global, flatten, fc 2") -> Subject:
    """Class 0 counts what is above zero, class 1 what is below."""
    looked = subject(f"first: conv 1 3 same bias=off\n{end}", "1x60")
    with torch.no_grad():
        looked.module.get_parameter("first.weight").fill_(1.0)
        last = [name for name, _ in looked.module.named_parameters() if name != "first.weight"]
        for name in last:
            weight = looked.module.get_parameter(name)
            weight.copy_(torch.tensor([3.0, -3.0]).view(-1, *[1] * (weight.dim() - 1)))
            if name.endswith("bias"):
                weight.zero_()
    return looked


def wave(*, high: slice = slice(40, 48)) -> InputImage:
    values = torch.zeros(1, 60)
    values[:, high] = 2.0
    return InputImage("wave", values, None)


@pytest.mark.parametrize("end", ["pool avg global, flatten, fc 2", "conv 2 1"])
def test_a_series_is_explained_over_its_steps(end: str) -> None:
    """Also where the network answers for each step."""
    result = why(sees_level(end), wave(), [0])
    (explained,) = result.classes
    for each in explained.evidence:
        assert each.values.shape == (1, 60)
        assert each.box is not None
        top, bottom, left, right = each.box
        assert (top, bottom) == (0, 0)
        assert left >= 36
        assert right <= 51
    told = text(result)
    assert "steps 4" in told
    assert "of the series" in told
    assert "pixel" not in told
    assert "image" not in told
    methods = why_data([result])["images"][0]["classes"][0]["methods"]
    assert {*methods[0]["box"]} == {"steps"}


def test_the_picture_of_a_series_is_warm_where_the_evidence_is() -> None:
    sheet = why_sheet([why(sees_level(), wave(), [0, 1])])
    for group, warmer in zip(sheet.groups, (0, 2), strict=True):  # red or blue
        picture = group.cells[3].picture.float()
        width = picture.shape[-1]
        there = picture[:, 2:6, width * 43 // 60].mean(1)
        before = picture[:, 2:6, width * 10 // 60].mean(1)
        assert there[warmer] - there[2 - warmer] > 20 + before[warmer] - before[2 - warmer]
    assert sheet_png(sheet)
    assert sheet_page(sheet)


# ---- several outputs -----------------------------------------------------------------------------

TWO = """
    conv 4 3x3 same, relu
    pool avg global
    both: flatten
    output kind: fc 3
    from both
    output place: fc 2
"""


def test_an_output_is_chosen_by_its_name() -> None:
    """The answer is the same as if it were the only output."""
    looked = subject(TWO)
    seen = image(looked)
    place, rest = choose_output(looked, "place:1", "--why")
    assert rest == "1"
    result = why(place, seen, choose_classes(place, rest, "--why"))
    (explained,) = result.classes
    with torch.no_grad():
        logits = looked.module(seen.input[None])[1][0]
    assert explained.score == pytest.approx(float(logits[1]), rel=1e-4)
    assert "Explained is the output `place`." in text(result)
    assert why_data([result])["output"] == "place"
    with pytest.raises(SpecError, match="has no class `2`"):
        choose_classes(place, "2", "--why")
    assert choose_output(looked, "kind", "--why")[0].network.output.name == "kind"
    assert looked.network.output.name == "kind"
    assert len(looked.network.outputs) == 2


def test_an_output_that_is_not_there() -> None:
    with pytest.raises(SpecError) as raised:
        choose_output(subject(TWO), "plase:1", "--why")
    (found,) = raised.value.diagnostics
    assert found.notes == ("its outputs are `kind`, `place`",)
    assert found.help == "did you mean `place`?"


def test_without_a_name_the_first_output_with_classes() -> None:
    """And its classes have the names that the weights know."""
    number, two = ("kind", "regression", ("age",)), ("place", "classification", ("a", "b"))
    answers = [Answer(*number), Answer(*two)]
    tasks = [Regression(("age",)), Classification(("a", "b"))]
    each = [One(answer, task, None) for answer, task in zip(answers, tasks, strict=True)]
    looked = replace(subject(TWO), task=MultiTask.of(each), classes=("kind", "place"))
    chosen, rest = choose_output(looked, "", "--why")
    assert (chosen.output, rest) == ("place", "")
    assert chosen.class_name(1) == "b"
    age, _ = choose_output(looked, "kind", "--why")
    with pytest.raises(SpecError, match="predicts numbers"):
        why(age, image(age))
