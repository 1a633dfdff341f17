"""Networks of Keras: what layers of all versions become, with the channels first, and what is said
about files that are wrong.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from dotcnn.dsl.diagnostics import SpecError
from importing.imported import body, imported
from support import shared

Config = dict[str, Any]


def layer(kind: str, name: str = "", **config: Any) -> Config:
    return {"class_name": kind, "config": {"name": name or kind.lower(), **config}}


def sequential(*layers: Config, shape: tuple[int, ...] = (8, 8, 3), **about: Any) -> str:
    layers[0]["config"].setdefault("batch_input_shape", [None, *shape])
    config = {"name": "small", "layers": list(layers)}
    return json.dumps({"class_name": "Sequential", "config": config, **about}, indent=1)


def functional(*layers: tuple[Config, list[str]], end: str, **about: Any) -> str:
    """Each layer with the names of those that it reads; the first is an input of 8x8x3."""
    listed: list[Config] = [layer("InputLayer", "in", batch_input_shape=[None, 8, 8, 3])]
    listed[0] |= {"name": "in", "inbound_nodes": []}
    for each, sources in layers:
        name = each["config"]["name"]
        nodes = [[[source, 0, 0, {}] for source in sources]]
        listed.append({**each, "name": name, "inbound_nodes": nodes})
    config = {"layers": listed, "input_layers": [["in", 0, 0]], "output_layers": [[end, 0, 0]]}
    return json.dumps({"class_name": "Model", "config": config, **about}, indent=1)


def lines(text: str) -> list[str]:
    spec = body(imported(text, "small.json").text)
    return [line.strip() for line in spec.splitlines()[2:-1]]


def problems(text: str) -> list[str]:
    with pytest.raises(SpecError) as caught:
        imported(text, "small.json")
    return [
        f"{each.span.line if each.span else 0}: {each.message}" for each in caught.value.diagnostics
    ]


def conv(filters: int = 4, kernel: int = 3, *, name: str = "conv2d", **config: Any) -> Config:
    return layer("Conv2D", name, filters=filters, kernel_size=[kernel, kernel], **config)


def test_padding() -> None:
    """`same` is even at stride 1, and has the odd row at the end at others."""
    assert lines(sequential(conv(padding="same"))) == ["conv 4 3x3 same"]
    assert lines(sequential(conv(padding="same", strides=[2, 2]))) == [
        "conv 4 3x3 stride=2 same_upper"
    ]
    assert lines(sequential(conv(kernel=1, padding="same", strides=2))) == ["conv 4 1x1 stride=2"]
    zeros = layer("ZeroPadding2D", padding=[[0, 1], [0, 1]])
    assert lines(sequential(zeros, conv(strides=2))) == ["conv 4 3x3 stride=2 same_upper"]
    assert lines(sequential(layer("ZeroPadding2D", padding=[1, 1]), conv())) == ["conv 4 3x3 same"]
    odd = layer("ZeroPadding2D", padding=[[2, 0], [0, 1]])
    assert lines(sequential(odd, conv())) == ["pad top=2 right=1", "conv 4 3x3"]


def test_zeros_around_a_maximum() -> None:
    """They are left out only where nothing is negative."""
    pool = [layer("ZeroPadding2D", padding=1), layer("MaxPooling2D", pool_size=3, strides=2)]
    assert lines(sequential(conv(activation="relu"), *pool))[-1] == "pool max 3x3 stride=2 same"
    assert lines(sequential(conv(), *pool))[-2:] == ["pad 1", "pool max 3x3 stride=2"]


def test_axes_count_from_the_other_end() -> None:
    norm = layer("BatchNormalization", axis=[3], momentum=0.9, epsilon=1e-5, scale=False)
    assert lines(sequential(conv(), norm)) == ["conv 4 3x3 bias=on, bn affine=bias"]
    assert "along another axis" in problems(sequential(layer("BatchNormalization", axis=1)))[0]
    permuted = layer("Permute", dims=[2, 1, 3])
    assert lines(sequential(permuted)) == ["permute (0, 2, 1)"]
    there = layer("Reshape", target_shape=[4, 16, 3])
    assert lines(sequential(there)) == ["reshape 3x4x16"]
    other = layer("Reshape", target_shape=[8, 4, 6])
    assert lines(sequential(other)) == [
        "permute (1, 2, 0)", "reshape 8x4x6", "permute (2, 0, 1)"
    ]  # fmt: skip


def test_a_flatten_is_said() -> None:
    text = sequential(layer("Flatten"), layer("Dense", units=5, activation="softmax"))
    assert lines(text) == ["flatten", "fc 5, softmax"]
    assert "the rows of dense are in another order" in imported(text, "s.json").text.replace(
        "\n# ", " "
    )


def test_keras_1() -> None:
    first = layer(
        "Convolution2D", nb_filter=4, nb_row=3, nb_col=5, border_mode="same", subsample=[1, 1],
        dim_ordering="th", activation="relu", batch_input_shape=[None, 3, 8, 6],
    )  # fmt: skip
    text = json.dumps(
        {
            "class_name": "Sequential",
            "keras_version": "1.2.2",
            "config": [
                first,
                layer("MaxPooling2D", pool_size=[2, 2], dim_ordering="th", border_mode="valid"),
                layer("Dropout", p=0.25),
                layer("Flatten"),
                layer("MaxoutDense", output_dim=6, nb_feature=2),
                layer("Activation", activation="hard_sigmoid"),
            ],
        }
    )
    assert lines(text) == [
        "conv 4 3x5 same, relu",
        "pool max 2x2",
        "dropout 0.25",
        "flatten",
        "maximum { | fc 6 | fc 6 }",
        "scale_by 1.2, hardsigmoid",
    ]


def test_residuals_and_gates() -> None:
    text = functional(
        (conv(3, padding="same"), ["in"]),
        (layer("Add"), ["conv2d", "in"]),
        (layer("GlobalAveragePooling2D", "mean"), ["add"]),
        (layer("Reshape", target_shape=[1, 1, 3]), ["mean"]),
        (conv(3, 1, name="gates", activation="sigmoid"), ["reshape"]),
        (layer("Multiply"), ["add", "gates"]),
        end="multiply",
    )  # fmt: skip
    assert lines(text) == [
        "residual { conv 3 3x3 same }",
        "gate {",
        "pool avg global",
        "conv 3 1x1, sigmoid",
        "}",
    ]


def test_a_hard_swish_of_its_parts() -> None:
    """As MobileNetV3 of Keras 2 has it."""

    def operation(name: str, function: str, source: str, y: float) -> Config:
        node = [[source, 0, 0, {"y": y}]]
        return {**layer("TFOpLambda", name, function=function), "name": name, "inbound_nodes": node}

    text = functional(
        (layer("ReLU", max_value=6.0), ["more"]),
        (layer("Multiply"), ["in", "less"]),
        end="multiply",
    )
    model = json.loads(text)
    model["config"]["layers"] += [
        operation("more", "__operators__.add", "in", 3.0),
        operation("less", "math.multiply", "relu", 1 / 6),
    ]
    assert lines(json.dumps(model)) == ["hardswish"]


def test_models_within_models() -> None:
    inner = json.loads(sequential(conv(3, padding="same"), layer("ReLU", max_value=6.0)))
    inner["config"]["name"] = "inner"
    text = functional((inner, ["in"]), (layer("Add"), ["inner", "in"]), end="add")
    assert lines(text) == ["residual { conv 3 3x3 same, relu6 }"]


def test_what_is_wrong() -> None:
    assert problems("{") == [
        "1: this is not JSON: Expecting property name enclosed in double quotes"
    ]
    assert problems("[1]") == ["1: this JSON is not the configuration of a Keras model"]
    three = sequential(layer("Conv2D", filters=4, kernel_size=[3, 3, 3]))
    assert problems(three) == ["7: `kernel_size` is not 2 whole numbers of at least 1"]
    assert problems(sequential(layer("Conv2D", filters=4)))[0].endswith("it has no `kernel_size`")
    here = sequential(conv(), layer("LSTM", units=3))
    (line,) = problems(here)
    assert "`LSTM` cannot be said here" in line
    assert '"LSTM"' in here.splitlines()[int(line.partition(":")[0]) - 1]
    assert "never run" in problems(sequential(layer("Lambda", function=["4wEAAA", None, None])))[0]
    assert "nothing says the size" in problems(sequential(conv(), shape=(None, None, 3)))[0]  # type: ignore[arg-type]
    circle = functional((layer("Add"), ["in", "relu"]), (layer("ReLU"), ["add"]), end="relu")
    assert "in a circle" in problems(circle)[0]
    lost = functional((layer("Add"), ["in", "gone"]), end="add")
    assert "it reads `gone`" in problems(lost)[0]


def test_depth_is_limited() -> None:
    assert "is nested more than" in problems('{"class_name": ' * 70 + "1" + "}" * 70)[0]
    assert "nested" in problems("[" * 100_000)[0]


@pytest.mark.parametrize(
    ("name", "most"),
    [("lenet", 11), ("toyresnet", 16), ("vgg", 15), ("mobilenet", 20), ("conv2d", 6)],
)
def test_networks_of_others(name: str, most: int) -> None:
    text = shared(f"corpora/keras/{name}.json").read_text()
    assert len(body(imported(text, f"{name}.json").text).splitlines()) <= most
