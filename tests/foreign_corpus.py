"""Mistakes of people who come from Keras, torch, Caffe and Darknet: specs with one of them each.

Made from the words of those tools, always the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from dotcnn.compiler.diagnose.check import check
from dotcnn.compiler.language import foreign
from dotcnn.compiler.load_spec import load
from dotcnn.compiler.ops import REGISTRY
from dotcnn.compiler.plan.directive import REGISTRY as DIRECTIVES
from dotcnn.compiler.plan.foreign_directives import NO_DIRECTIVE
from dotcnn.dsl.diagnostics import Diagnostic, SpecError
from dotcnn.dsl.source import Source


class Mistake(NamedTuple):
    """A line as another tool has it, in a spec that is well but for it."""

    tool: str
    line: str
    spec: str


def network(line: str, kind: str = "conv") -> str:
    """A network that is well once the line is a layer of a kind."""
    if kind == "linear":
        return f"network Net {{\n  input 784\n  {line}\n  relu\n}}\n"
    if kind == "input":
        return f"network Net {{\n  {line}\n  conv 8 3x3, flatten, fc 10\n}}\n"
    end = "fc 10" if kind == "flat" else "pool avg global, flatten, fc 10"
    return f"network Net {{\n  input 3x32x32\n  conv 8 3x3 same\n  {line}\n  {end}\n}}\n"


def section(word: str, line: str, *, says_data: bool = False) -> str:
    """A section with one line, and a network for it."""
    data = "" if says_data else "  data cifar10\n"
    train = f"train {{\n{data}  {line if word == 'train' else ''}\n}}\n"
    other = "" if word == "train" else f"{word} {{\n  {line}\n}}\n"
    start = "network Net {\n  input 3x32x32\n  conv 8 3x3 same, bn, relu\n"
    return f"{start}  pool avg global, flatten, fc classes\n}}\n{train}{other}"


def errors(text: str) -> list[Diagnostic]:
    """What is wrong with a spec, with the fixes that hold."""
    try:
        found = check(load(Source("net.cnn", text)))
    except SpecError as error:
        found = list(error.diagnostics)
    return [d for d in found if d.severity == "error"]


# ---- layers ----------------------------------------------------------------------------------

_VALUES = {
    "filters": "32", "nb_filter": "32", "out_channels": "32", "in_channels": "8",
    "kernel_size": "3",
    "pool_size": "2", "strides": "2", "stride": "2", "padding": "'same'", "activation": "'relu'",
    "units": "10", "in_features": "784", "out_features": "10", "num_features": "8", "p": "0.25",
    "rate": "0.25", "drop_prob": "0.1", "nb_row": "3", "nb_col": "3", "num_groups": "4",
    "num_channels": "8", "groups": "2", "group": "2", "output_size": "1", "size": "3", "ni": "8",
    "nf": "32", "ks": "3", "in_planes": "8", "out_planes": "32", "norm_type": "2", "n_in": "784",
    "n_out": "10", "dim": "8", "init_values": "1e-6", "alpha": "0.5", "scale_factor": "2",
    "negative_slope": "0.1", "depth_multiplier": "1", "normalized_shape": "8", "momentum": "0.9",
    "target_shape": "(32, 32, 8)", "eps": "1e-3", "epsilon": "1e-3", "use_bias": "False",
    "bias": "False", "dilation": "1", "ceil_mode": "True", "inplace": "True", "axis": "-1",
}  # fmt: skip
"""What arguments of other tools are given in these mistakes."""

_NUMERIC_PADDING = "1"


def _kind(meaning: foreign.Meaning) -> str:
    kind = meaning.kind.kind
    flat = "flatten" in (meaning.word, meaning.then) or meaning.word == "spp"
    return "flat" if flat else kind


def _argument(name: str, tool: str) -> str:
    return _NUMERIC_PADDING if name == "padding" and tool == "torch" else _VALUES.get(name, "")


def _needed(meaning: foreign.Meaning) -> str:
    """What a layer cannot do without, as a spec has it."""
    if meaning.instead.endswith("global"):
        return ""
    return {
        "conv": " 32 3x3", "deconv": " 32 3x3", "depthwise": " 3x3", "separable": " 32 3x3",
        "fc": " 10", "gn": " 4", "reshape": " 8x16x64", "permute": " (0, 2, 1)", "shuffle": " 2",
        "pad": " 1", "crop": " 24x24", "upsample": " 2", "spp": " 4 2 1",
    }.get(meaning.word, " 2x2" if meaning.word.startswith("pool") else "")  # fmt: skip


def layers() -> Iterator[Mistake]:
    """Each foreign word for a layer: in the place of ours, and called as its tool calls it."""
    for name, meaning in foreign.known_layers().items():
        if not meaning.instead:
            yield Mistake("word", name, network(name))
            continue
        if name not in REGISTRY:
            line = f"{name}{_needed(meaning)}"
            yield Mistake("word", line, network(line, _kind(meaning)))
        parameters = [theirs for theirs, _ in meaning.parameters]
        keras = name[:1].isupper() and ("2D" in name or {"units", "rate", "axis"} & {*parameters})
        tool = "keras" if keras else "torch"
        pairs = [(one, _argument(one, tool)) for one in parameters]
        if not pairs:
            continue
        first = 3 if tool == "torch" else 2
        given = [value for _, value in pairs[:first]]
        given = given[: next((i for i, value in enumerate(given) if not value), len(given))]
        named = [f"{one}={value}" for one, value in pairs[len(given) :] if value]
        prefix = {"keras": "layers.", "torch": "nn." if name[:1].isupper() else "F."}[tool]
        inside = ", ".join(given)
        call = f"{prefix}{name}({inside})"
        kind = _kind(meaning)
        if prefix == "F.":
            call = f"x = {prefix}{name}({', '.join(['x', *given])})"
        yield Mistake(tool, call, network(call, kind))
        if keras:
            yield Mistake(
                tool, f"model.add({name}({inside}))", network(f"model.add({name}({inside}))", kind)
            )
        if named and prefix != "F.":
            whole = ", ".join([*given, *named[:4]])
            line = (
                f"self.part = {prefix}{name}({whole})"
                if tool == "torch"
                else (f"x = {prefix}{name}({whole})(x)")
            )
            yield Mistake(tool, line, network(line, kind))


def lines() -> Iterator[Mistake]:
    """Whole lines as tutorials have them."""
    for tool, kind, text in _LINES:
        yield Mistake(tool, text, network(text, kind))


_LINES = [
    ("keras", "conv", 'model.add(Conv2D(32, (3, 3), activation="relu"))'),
    ("keras", "conv", "model.add(Conv2D(32, kernel_size=(3, 3), input_shape=(28, 28, 1)))"),
    ("keras", "conv", "model.add(layers.MaxPooling2D((2, 2)))"),
    ("keras", "conv", "MaxPooling2D(pool_size=(2,2))"),
    ("keras", "conv", "x = Conv2D(64, 3, activation='relu', padding='same')(x)"),
    (
        "keras",
        "conv",
        "conv1 = Conv2D(64, 3, kernel_initializer='he_normal')(inputs)",
    ),
    ("keras", "conv", "x = layers.BatchNormalization(axis=3, momentum=0.99)(x)"),
    ("keras", "conv", "x = layers.Activation('relu')(x)"),
    ("keras", "conv", "model.add(Activation('relu'))"),
    ("keras", "conv", "model.add(Dropout(0.25))"),
    ("keras", "flat", "model.add(Flatten())"),
    ("keras", "linear", "model.add(Dense(128, activation='relu'))"),
    ("keras", "linear", "model.add(Dense(num_classes, activation='softmax'))"),
    ("keras", "linear", "outputs = Dense(10)(x)"),
    ("keras", "input", "inputs = keras.Input(shape=(28, 28, 1))"),
    ("keras", "input", "inputs = Input((32, 32, 3))"),
    ("keras", "conv", "model = Sequential()"),
    ("keras", "conv", "model.summary()"),
    ("keras", "conv", "from keras.layers import Conv2D"),
    (
        "keras",
        "conv",
        "Conv2D(filters=32, kernel_size=3, strides=2, use_bias=False)",
    ),
    ("keras", "conv", "layers.ZeroPadding2D(((1, 1), (1, 1)))"),
    ("keras", "conv", "layers.UpSampling2D(size=(2, 2), interpolation='bilinear')"),
    ("keras", "conv", "layers.LeakyReLU(alpha=0.2)"),
    ("keras", "conv", "layers.ReLU(6.)"),
    ("torch", "conv", "self.conv1 = nn.Conv2d(8, 64, kernel_size=3, padding=1)"),
    ("torch", "conv", "nn.Conv2d(8, 16, 3, stride=2, padding=1, bias=False),"),
    ("torch", "conv", "nn.BatchNorm2d(16),"),
    ("torch", "conv", "nn.ReLU(inplace=True),"),
    ("torch", "conv", "self.pool = nn.MaxPool2d(2, 2)"),
    ("torch", "conv", "nn.AdaptiveAvgPool2d((1, 1))"),
    ("torch", "conv", "x = F.max_pool2d(F.relu(x), 2)"),
    ("torch", "conv", "x = F.relu(x)"),
    ("torch", "conv", "x = torch.relu(x)"),
    ("torch", "conv", "x = F.dropout(x, 0.5, training=self.training)"),
    ("torch", "flat", "x = x.view(-1, 16 * 5 * 5)"),
    ("torch", "flat", "x = x.view(x.size(0), -1)"),
    ("torch", "flat", "x = torch.flatten(x, 1)"),
    ("torch", "linear", "nn.Linear(784, 10)"),
    ("torch", "linear", "self.fc1 = nn.Linear(784, 120)"),
    ("torch", "conv", "import torch.nn as nn"),
    ("torch", "conv", "super().__init__()"),
    ("torch", "conv", "def forward(self, x):"),
    ("torch", "conv", "nn.Upsample(scale_factor=2, mode='bilinear', align_corners=True)"),
    ("torch", "conv", "nn.Sequential(nn.Conv2d(8, 64, 3), nn.BatchNorm2d(64), nn.ReLU())"),
    ("torch", "conv", "x = F.relu(self.conv1(x))"),
    ("torch", "conv", "out = out + identity"),
    ("torch", "conv", "x = torch.cat([x, y], dim=1)"),
    ("torch", "conv", "return x"),
    ("keras", "conv", "model.compile(optimizer='adam', loss='mse', metrics=['accuracy'])"),
    ("keras", "conv", "model.fit(x, y, epochs=10, batch_size=32)"),
    ("spec", "conv", "conv 64 5*5"),
    ("spec", "conv", "conv 64 3x3 valid"),
    ("spec", "conv", "conv 64 3x3 bias"),
    ("spec", "conv", "conv 64 3x3 activation=relu"),
    ("spec", "conv", "conv 64 3x3 pad=same"),
    ("spec", "conv", "filter laplacian 5x5"),
    ("spec", "linear", "dense 10"),
    ("spec", "linear", "Dense 10 activation=softmax"),
    ("spec", "input", "input 28x28x1"),
    ("spec", "conv", "Activation relu"),
    ("spec", "conv", "identity"),
]


# ---- Caffe and Darknet -----------------------------------------------------------------------


def caffe() -> Iterator[Mistake]:
    def layer(kind: str, fields: str = "", group: str = "") -> str:
        inner = f" {group} {{ {fields} }}" if group else f" {fields}" if fields else ""
        return f'layer {{ name: "part" type: "{kind}" bottom: "a" top: "b"{inner} }}'

    conv, pool = "convolution_param", "pooling_param"
    for more in ("", " stride: 2", " pad: 1", " bias_term: false", " group: 2", " dilation: 2"):
        line = layer("Convolution", f"num_output: 32 kernel_size: 3{more}", conv)
        yield Mistake("caffe", line, network(line))
    filler = 'num_output: 8 kernel_size: 1 weight_filler { type: "xavier" }'
    for kind, fields, group in [
        ("Convolution", filler, conv),
        ("Convolution", "num_output: 8 kernel_h: 1 kernel_w: 3 pad_h: 0 pad_w: 1", conv),
        ("CONVOLUTION", "num_output: 8 kernel_size: 3", conv),
        ("Deconvolution", "num_output: 8 kernel_size: 2 stride: 2", conv),
        ("Pooling", "pool: MAX kernel_size: 2 stride: 2", pool),
        ("Pooling", "pool: AVE kernel_size: 3 stride: 2", pool),
        ("Pooling", "pool: AVE global_pooling: true", pool),
        ("ReLU", "", ""),
        ("ReLU", "negative_slope: 0.1", "relu_param"),
        ("Sigmoid", "", ""),
        ("TanH", "", ""),
        ("ELU", "alpha: 0.5", "elu_param"),
        ("PReLU", "", ""),
        ("BatchNorm", "use_global_stats: true eps: 1e-5", "batch_norm_param"),
        ("Scale", "bias_term: true", "scale_param"),
        ("LRN", "local_size: 5 alpha: 0.0001 beta: 0.75", "lrn_param"),
        ("Dropout", "dropout_ratio: 0.4", "dropout_param"),
        ("Softmax", "", ""),
        ("Eltwise", "operation: SUM", "eltwise_param"),
        ("Concat", "axis: 1", "concat_param"),
        ("Data", "batch_size: 10", "data_param"),
        ("Accuracy", "", ""),
        ("SoftmaxWithLoss", "", ""),
    ]:
        line = layer(kind, fields, group)
        yield Mistake("caffe", line, network(line))
    line = layer("InnerProduct", "num_output: 10", "inner_product_param")
    yield Mistake("caffe", line, network(line, "linear"))
    yield Mistake("caffe", layer("Flatten"), network(layer("Flatten"), "flat"))


def darknet() -> Iterator[Mistake]:
    for kind, settings in [
        ("convolutional", "filters=32 size=3 stride=1 pad=1 activation=leaky"),
        ("convolutional", "batch_normalize=1 filters=32 size=3 stride=2 pad=1 activation=relu"),
        ("convolutional", "batch_normalize=1 filters=16 size=1 stride=1 pad=1 activation=linear"),
        ("convolutional", "filters=32 size=3 groups=8 pad=1 activation=logistic"),
        ("convolutional", "filters=32 size=3 activation=mish"),
        ("convolutional", "filters=32 size=3 activation=swish"),
        ("convolutional", "filters=32 size=3 padding=2 activation=elu"),
        ("convolutional", "filters=32 size=3 activation=ramp"),
        ("maxpool", "size=2 stride=2"),
        ("maxpool", "size=3 stride=2"),
        ("avgpool", ""),
        ("upsample", "stride=2"),
        ("dropout", "probability=.5"),
        ("softmax", "groups=1"),
        ("shortcut", "from=-3 activation=linear"),
        ("route", "layers=-1,8"),
        ("yolo", "mask=0,1,2 classes=80"),
        ("crop", "crop_height=28 crop_width=28 flip=0"),
        ("cost", "type=sse"),
    ]:
        line = "\n".join([f"[{kind}]", *settings.split()])
        yield Mistake("darknet", line, network(f"{line}\n"))
    line = "[connected]\noutput=10\nactivation=linear"
    yield Mistake("darknet", line, network(f"{line}\n", "flat").replace("\n  fc 10", ""))
    net = "[net]\nbatch=128\nheight=28\nwidth=28\nchannels=3\nmomentum=0.9\ndecay=0.0005"
    yield Mistake("darknet", net, network(f"{net}\n", "input"))
    for line in ("filters=32", "size=3", "batch_normalize=1", "activation=leaky"):
        yield Mistake("darknet", line, network(line))


# ---- arguments, and what sections have ---------------------------------------------------------

_WITH = {
    "conv": ("conv 8 3x3", {"stride": "2", "pad": "1", "dilation": "2", "groups": "2",
                            "bias": "off", "mode": "reflect"}),
    "conv 8 ": ("conv 8", {"kernel": "3"}),
    "conv ": ("conv", {"out": "8"}),
    "pool avg": ("pool avg 2x2", {"stride": "2", "pad": "1", "count_pad": "off"}),
    "dropout": ("dropout", {"p": "0.4"}),
    "bn": ("bn", {"eps": "0.001", "momentum": "0.2", "affine": "off", "track": "off"}),
    "leaky": ("leaky", {"slope": "0.2"}),
    "upsample": ("upsample", {"factor": "2"}),
    "pad": ("pad", {"by": "1"}),
    "lrn": ("lrn", {"size": "3"}),
}  # fmt: skip


def arguments() -> Iterator[Mistake]:
    for key, (line, fields) in _WITH.items():
        known = REGISTRY[key.split()[0] if key not in REGISTRY else key].fields
        for ours, value in fields.items():
            for theirs in foreign.ARGUMENTS[ours].split():
                if theirs not in known:
                    text = f"{line} {theirs}={value}"
                    yield Mistake("argument", text, network(text))
    for names in foreign.table(foreign.LEFT_OUT):
        text = f"conv 8 3x3 {names}=1"
        yield Mistake("argument", text, network(text))
    for text in ("padding=same", "padding=valid", "border_mode=same", "border_mode=valid",
                 "pad=same", "pad=valid", "padding=1", "use_bias=False", "use_bias=True",
                 "activation=linear", "act=relu", "activation=leaky_relu", "s=2",
                 "k=3"):  # fmt: skip
        line = f"conv 8 3x3 {text}" if text != "k=3" else "conv 8 k=3"
        yield Mistake("argument", line, network(line))


_DIRECTIVE_VALUES = {
    "rotate": "20", "scale": "0.2", "shift": "0.1", "shear": "10", "perspective": "0.5",
    "resize": "32", "epochs": "10", "batch": "32", "noise": "0.05", "blur": "1", "mixup": "0.2",
    "accumulate": "2", "seed": "1", "clip": "1", "ema": "0.99", "early_stop": "5", "workers": "2",
    "validate": "5",
    "ensemble": "2", "optimizer sgd lr=0.1": "0.05", "optimizer sgd momentum=0.9": "0.8",
    "optimizer sgd weight_decay=5e-4": "1e-4", "shift x=10%": "0.2", "shift y=10%": "0.2",
    "color brightness=0.2": "0.3", "color contrast=0.2": "0.3", "color saturation=0.2": "0.3",
    "color hue=0.05": "0.1", "flip horizontal": "True", "flip vertical": "True",
}  # fmt: skip


def directives() -> Iterator[Mistake]:
    """Names that other tools have for directives: alone, with a value, as a setting, as a call."""
    for word in ("train", "augment", "evaluate"):
        seen = set()
        for kind in dict.fromkeys(DIRECTIVES[word].values()):
            for instead, names in kind.elsewhere.items():
                for name in names.split():
                    if name in DIRECTIVES[word] or not name.isidentifier() or name in seen:
                        continue
                    seen.add(name)
                    says_data = instead.startswith("data")
                    yield Mistake(word, name, section(word, name, says_data=says_data))
                    value = _DIRECTIVE_VALUES.get(instead)
                    if value is not None:
                        for line in (f"{name}={value}", f"{name}({value})", f"{name} {value}"):
                            if not (line.endswith(" True") or "None" in line):
                                yield Mistake(word, line, section(word, line))
        for name in foreign.table(NO_DIRECTIVE.get(word, "")):
            yield Mistake(word, name, section(word, name))
    for word, line in [
        ("augment", "transforms.RandomCrop(32, padding=4)"),
        ("augment", "transforms.RandomHorizontalFlip(p=0.5)"),
        ("augment", "transforms.RandomRotation((-10, 20))"),
        ("augment", "transforms.ColorJitter(0.2, 0.2, 0.2, 0.1)"),
        ("augment", "A.HorizontalFlip(p=0.5),"),
        ("augment", "iaa.Fliplr(0.5)"),
        ("augment", "rotate 20deg"),
        ("augment", "transforms.ToTensor()"),
        ("train", "optimizer = optim.SGD(model.parameters(), lr=0.1, momentum=0.9)"),
        ("train", "optim.Adam(net.parameters(), lr=1e-3, weight_decay=1e-4)"),
        ("train", "criterion = nn.CrossEntropyLoss(label_smoothing=0.1)"),
        ("train", "loss categorical_crossentropy"),
        ("train", "optimizer Adam"),
        ("train", "optimizer SGD lr=0.1"),
        ("train", "metrics accuracy"),
        ("train", "metrics top_5"),
        ("train", "shuffle on"),
        ("train", "pin_memory on"),
        ("train", "EarlyStopping(patience=5)"),
        ("train", "scheduler = CosineAnnealingLR(optimizer, T_max=200)"),
        ("evaluate", "transforms.CenterCrop(32)"),
        ("evaluate", "transforms.Resize(40)"),
    ]:
        yield Mistake(word, line, section(word, line))


def mistakes() -> list[Mistake]:
    found = [*layers(), *lines(), *caffe(), *darknet(), *arguments(), *directives()]
    return list({one.spec: one for one in found}.values())


def changed_lines(before: str, after: str) -> str:
    """The lines that a fix wrote, for a golden file."""
    old = before.split("\n")
    new = [line.strip() for line in after.split("\n") if line not in old]
    return ", ".join(new) or "(nothing)"
