"""Maps drawn to scale (`cnn draw --scale volumes`)."""

from __future__ import annotations

import pytest

from dotcnn.cli import main
from dotcnn.compiler.analysis import analyse
from dotcnn.compiler.report.drawing.formats import draw
from dotcnn.compiler.report.drawing.one_scale import one_scale
from dotcnn.compiler.report.drawing.scene import Group, Polygon, Scene, Words
from dotcnn.compiler.report.drawing.volumes import MOST, volumes
from networks import gallery, network

from .drawn import TANGLES, UNDER_TEST, body
from .examples import ALL, analysed


def maps_of(scene: Scene) -> list[Group]:
    return [item for item in scene.items if isinstance(item, Group) and item.kind == "box"]


def face(group: Group) -> tuple[float, float]:
    """Thickness and height of a drawn map."""
    front = group.items[-1]
    assert isinstance(front, Polygon)
    xs, ys = [x for x, _ in front.points], [y for _, y in front.points]
    return max(xs) - min(xs), max(ys) - min(ys)


def words_of(scene: Scene) -> str:
    return " ".join(item.text for item in [*scene.heading, *scene.items] if isinstance(item, Words))


def test_maps_of_lenet_are_to_scale() -> None:
    scene = volumes(analyse(gallery("teaching/lenet5")))
    drawn = [face(group) for group in maps_of(scene)]
    assert len(drawn) == 8
    heights = [height for _, height in drawn[:5]]
    assert [round(32 * height / heights[0], 3) for height in heights] == [32, 28, 14, 10, 5]
    assert drawn[3][0] == pytest.approx(16 / 6 * drawn[1][0])
    bars = [height for _, height in drawn[5:]]
    assert bars[0] / bars[1] == pytest.approx(120 / 84)
    assert "height and width linear" in words_of(scene)
    assert "6x28x28" in words_of(scene)


def test_several_networks_are_drawn_to_one_scale() -> None:
    scene = one_scale([analyse(gallery("teaching/mlp")), analyse(gallery("teaching/lenet5"))])
    drawn = [face(group) for group in maps_of(scene)]
    mlp, lenet = drawn[0], drawn[4]
    assert mlp[1] / lenet[1] == pytest.approx(28 / 32)
    assert drawn[1][1] / drawn[-1][1] == pytest.approx((300 / 10) ** 0.73, rel=0.01)
    assert "MLP" in words_of(scene)
    assert "bars to the power of 0.73" in words_of(scene)


def test_several_networks_need_the_scale(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["draw", "mlp", "lenet5", "-o", "both.svg"]) == 2
    assert "add --scale volumes" in capsys.readouterr().err


def test_maps_of_other_sizes_are_not_folded_into_one() -> None:
    """The last two stages of VGG-16 repeat, on maps of half the size."""
    scene = volumes(analyse(gallery("vgg/vgg16")))
    said = words_of(scene)
    for shape in ("512x28x28", "512x14x14", "512x7x7"):
        assert shape in said
    assert said.count("conv 512 3x3 same ×3") == 2


def test_what_is_compressed_is_said_and_nothing_vanishes() -> None:
    scene = volumes(analyse(gallery("vgg/vgg16")))
    assert "thickness (channels) to the power of 0." in words_of(scene)
    figure = draw(analyse(gallery("vgg/vgg16")), "tikz", volumes=True).decode()
    assert "{Scale: height and width to the power of 0." in figure
    assert all(min(face(group)) >= 3.9 for group in maps_of(scene))


@pytest.mark.parametrize("name", [*ALL, *UNDER_TEST[len(ALL) :]])
def test_maps_stand_beside_one_another_and_large_networks_stay_legible(name: str) -> None:
    analysis = analysed(ALL[name]) if name in ALL else analyse(gallery(name))
    scene = volumes(analysis)
    groups = maps_of(scene)
    assert 2 <= len(groups) <= MOST
    names = [each for group in groups for each in group.data["layers"].split(" ")]
    assert len(names) == len(set(names))
    assert set(names) <= {node.name for node in analysis.network.nodes}
    assert analysis.network.output.name in names
    for item in groups:
        for polygon in item.items:
            assert isinstance(polygon, Polygon)
            assert all(0 <= x <= scene.width and 0 <= y <= scene.height for x, y in polygon.points)


def test_each_part_of_the_trunk_has_its_map() -> None:
    for name, part in (
        ("dla/dla34", "level3"),
        ("resnet/resnet50", "layer2"),
        ("residual u", "e1"),
    ):
        network_ = network(body(TANGLES[name])) if name in TANGLES else gallery(name)
        groups = maps_of(volumes(analyse(network_)))
        names = [layer for group in groups for layer in group.data["layers"].split(" ")]
        assert any(layer.startswith(f"{part}.") or layer == part for layer in names), (name, names)


def test_two_towers_are_two_rows() -> None:
    tower = "conv 8 3x3 stride=2 same, relu, conv 16 3x3 same, relu"
    text = body(f"concat {{ | {tower} | {tower} }}\nflatten, fc 10")
    scene = volumes(analysed(text))
    tops = {min(y for _, y in g.items[-1].points) for g in maps_of(scene)}  # type: ignore[union-attr]
    assert len(maps_of(scene)) == 7
    assert len(tops) > 3


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("several/two_stream", ["3x224x224", "20x224x224"]),
        ("several/age_and_gender", ["age:", "gender:"]),
        ("detection/yolov3", ["large", "medium", "small"]),
    ],
)
def test_every_input_and_output_is_drawn(name: str, shown: list[str]) -> None:
    said = words_of(volumes(analyse(gallery(name))))
    assert [words for words in shown if words not in said] == []
