"""Translates lines of Keras and torch: `model.add(Conv2D(32, 3))`, `self.conv1 = nn.Conv2d(3, 64,
3)`. Python's `ast` parses them; nothing is executed. A line may define layers, call them, or do
something that a spec does not need.
"""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator

from ....dsl.gallery import in_gallery
from ...language import foreign, translate
from ...language.translate import Statement, Value, value_of
from ...language.vocabulary import layer_words
from .darknet import advice_on_setting
from .translation import Translation

MAX_CHARACTERS = 2_000
"""The most characters of a Python statement that are parsed: no layer is longer."""

Directive = Callable[[str, list[Value], dict[str, Value]], "tuple[Statement | None, str]"]
"""Translates a word of other tools with its arguments into a directive, or gives advice if there is
none.
"""

_PLAIN_NAMES = frozenset(
    "x y h out outputs output net model inputs input features logits z o feat result ret".split()
)
"""Variables that do not name a layer: they are reassigned after each."""

_RUNS = re.compile(
    r"(?:[\w.]+\.)?(?:fit|fit_generator|compile|evaluate|predict|summary|train|eval|to|cuda|cpu"
    r"|build|save|load_weights|load_state_dict|zero_grad|backward|step|parameters|print|__init__"
    r"|to_categorical|astype|cnn_learner|vision_learner|fine_tune|fit_one_cycle|device"
    r"|manual_seed|set_seed)\Z"
)
_LOOP = frozenset({"backward", "step", "zero_grad"})
"""Methods that a training loop calls."""
_NO_LOOP = "`cnn train` runs the training loop; its settings go in `train { epochs 10, batch 64 }`"
_EPOCHS = re.compile(r"epoch|batch|step|iter|loader|data|images|inputs|enumerate|True")
"""What a training loop goes through."""
_ADDS = frozenset({"add", "append", "add_module", "push"})
_IN_TRAIN = frozenset({"compile", "fit", "fit_generator", "fine_tune", "fit_one_cycle"})
_ARGUMENT = "`{}` is an argument: it goes after its layer, as in `conv 64 3x3 stride=2`"


class _Unknown(Exception):
    """Raised for an expression that is not a layer, nor anything else that is recognised."""

    def __init__(self, advice: str = "") -> None:
        super().__init__(advice)
        self.advice = advice


def translate_python(
    code: str,
    start: int,
    section: str,
    directive: Directive,
    *,
    train: Directive,
    has_input: bool = True,
    own_line: bool = False,
) -> Translation | None:
    """Translates a Python statement; None if it is not one, or is not recognized. `section` is the
    section that contains it, "" for the body of a network or block; `train` translates directives
    of training, which code for a network has in its midst. If the network has no input
    yet, a layer's `input_shape` becomes one. With `own_line`, nothing but it is on its line.
    """
    if len(code) > MAX_CHARACTERS:
        return None
    tree = _parsed(code)
    if tree is None or len(tree.body) != 1:
        return None
    where = start, start + len(code)
    statement = tree.body[0]
    if isinstance(statement, ast.Import | ast.ImportFrom):
        return Translation(
            *where,
            "a spec cannot import Python modules",
            "",
            "take it out: all layers are built in",
        )
    if isinstance(statement, ast.ClassDef):
        return Translation(
            *where,
            "a network is not a class here",
            None,
            f"write `network {statement.name} {{ input 3x224x224 … }}`, with its layers one a line",
        )
    if isinstance(statement, ast.FunctionDef):
        return _function(statement, where)
    if section == "sweep" and isinstance(statement, ast.Assign):
        searched = _searched(statement, code, where)
        if searched is not None:
            return searched
    if isinstance(statement, ast.Expr) and _is_own_call(statement.value):
        return None  # a word of a spec: the parser's message is better
    reader = _Reader(section, directive, train)
    try:
        lines = list(reader.statement(statement))
    except _Unknown as unknown:
        message, advice = "this is a line of Python", unknown.advice
        target = statement.targets[0] if isinstance(statement, ast.Assign) else None
        if section and own_line and isinstance(target, ast.Name):
            message = f"`{target.id}` is not a directive of `{section}`"
            advice = advice or "a directive is a word and its arguments: `flip horizontal p=50%`"
        takes_out = "take it out" in advice if section else advice.startswith("take it out")
        gone = "" if takes_out else None
        return Translation(*where, message, gone, advice) if advice else None
    except (RecursionError, ValueError):
        return None
    if reader.first_line and not has_input:
        lines.insert(0, reader.first_line)
    written = ", ".join(line for line in lines if line)
    message = "this is not the syntax of a spec: a layer is a word and its arguments"
    if section:
        message = "this is not the syntax of a section: a directive is a word and its arguments"
    if not written:
        message = "a spec does not need this: layers follow one another in the order written"
        return Translation(*where, message, "", reader.advice or "take it out")
    left = ", ".join(f"`{one}`" for one in reader.left_out)
    return Translation(*where, message, written, f"left out: {left}" if left else "")


def _searched(statement: ast.Assign, code: str, where: tuple[int, int]) -> Translation | None:
    """`width = [8, 16]` and `lr = (1e-3, 1)`: choices and a range."""
    name = ast.unparse(statement.targets[0])
    value = statement.value
    written = None
    if isinstance(value, ast.List):
        written = f"{name} in {ast.get_source_segment(code, value)}"
    elif isinstance(value, ast.Tuple) and len(value.elts) == 2:
        low, high = (ast.get_source_segment(code, each) for each in value.elts)
        written = f"{name} {low}..{high}"
    elif not isinstance(value, ast.Call):
        return None
    message = f"`{name}` is searched, and a line of `sweep` has no `=`"
    advice = "choices are written `width in [16, 24]`, and a range `lr log 1e-4..1e-1`"
    return Translation(*where, message, written, advice)


def _is_own_call(node: ast.expr) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Name)
        and (node.func.id in layer_words())
    )


def _parsed(code: str) -> ast.Module | None:
    for text in (code, f"{code} pass", code.rstrip(",")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return ast.parse(text)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return None


def _function(statement: ast.FunctionDef, where: tuple[int, int]) -> Translation:
    if statement.name in ("__init__", "forward", "call", "build"):
        advice = "take it out: the layers of a network follow one another in the order written"
        return Translation(*where, "a network has no functions", "", advice)
    names = [a.arg for a in statement.args.args if a.arg not in ("self", "x", "input", "inputs")]
    written = f"block {statement.name}({', '.join(names)}) {{ … }}"
    advice = f"write `{written}` at the top of the file"
    return Translation(*where, "a reusable part is a block, not a function", None, advice)


class _Reader:
    """Translates Python expressions into statements of a spec."""

    def __init__(self, section: str, directive: Directive, train: Directive) -> None:
        self.section = section
        self.directive = directive
        self.train = train
        self.left_out: list[str] = []
        self.advice = ""
        self.first_line = ""
        """The network's input from an argument of a layer: `input_shape=(28, 28, 1)`."""

    def statement(self, node: ast.stmt) -> Iterator[str]:
        match node:
            case ast.Expr(value=value):
                yield from self.layers(value)
            case ast.Return(value=value):
                if value is not None:
                    yield from self.layers(value)
            case ast.Assign(targets=[target], value=value) if self.section:
                yield from self.setting(target, value)
            case ast.Assign(targets=[target], value=value):
                yield from self.named(target, value)
            case ast.AugAssign(target=ast.Name(id=name), value=ast.Constant(), op=op):
                changed = ast.unparse(ast.BinOp(node.target, op, node.value))
                raise _Unknown(f"a name keeps its value: write `let {name}2 = {changed}`")
            case ast.AugAssign(op=ast.Add()):
                raise _Unknown("write what is added into `residual { … }`")
            case ast.For(iter=over):
                raise _Unknown(_loop(ast.unparse(node.target), over))
            case ast.While(test=ast.Constant(value=True)):
                raise _Unknown(_NO_LOOP)
            case ast.With():
                raise _Unknown("take it out: `cnn train` knows when gradients are needed")
            case ast.If(test=ast.Compare(left=ast.Name(id="__name__"))):
                raise _Unknown("take it out: a spec is read, not run")
            case _:
                raise _Unknown

    def setting(self, target: ast.expr, value: ast.expr) -> Iterator[str]:
        """`rotation_range=20`, `optimizer = optim.SGD(…)` in a section."""
        if isinstance(value, ast.Call):
            try:
                yield from self.layers(value)
                return
            except _Unknown:
                pass
        found, advice = self.directive(_last(target), [self.value(value)], {})
        yield self.written(found, advice)

    def named(self, target: ast.expr, value: ast.expr) -> Iterator[str]:
        """`self.conv1 = nn.Conv2d(…)`: the attribute becomes the label."""
        name = _last(target)
        if not isinstance(value, ast.Call | ast.List | ast.Tuple):
            known = self.value(value)
            if name in foreign.ACTIVATION and known.text in foreign.LINEAR:
                self.advice = "take it out: a layer without an activation is linear"
                return
            meant = _own_line(name, known)
            if meant:
                yield meant
                return
            if isinstance(value, ast.BinOp):
                yield from self.layers(value)
            raise _Unknown(self.setting_of_a_layer(name, known))
        lines = list(self.layers(value))
        if len(lines) == 1 and name.isidentifier() and name not in _PLAIN_NAMES and lines[0]:
            first = lines[0].split(" ", 1)[0]
            if not first.endswith(":") and first != "input":
                lines[0] = f"{name}: {lines[0]}"
        yield from lines

    def setting_of_a_layer(self, name: str, value: Value) -> str:
        """Advice for `filters=32`, `from=-3` and `batch=64` on lines of their own in a network."""
        if foreign.argument(name, foreign.ARGUMENTS):
            return _ARGUMENT.format(name)
        if foreign.is_number_of_classes(name):
            return "`classes` is the number of classes in the data: write `fc classes`"
        return advice_on_setting(name) or self.directive(name, [value], {})[1]

    def training(self, node: ast.Call) -> list[str]:
        """The directives for `model.compile(optimizer="adam")`, `model.fit(x, y, epochs=5)`."""
        lines = []
        named = {k.arg: k.value for k in node.keywords if k.arg is not None}
        if _last(node.func) in ("fine_tune", "fit_one_cycle") and node.args:
            named.setdefault("epochs", node.args[0])
        for name, example in _OF_TRAIN.items():
            if name not in named:
                continue
            value = named[name]
            written = None
            if name in ("optimizer", "loss"):
                call = value if isinstance(value, ast.Call) else ast.Call(value, [], [])
                settings = {k.arg: self.value(k.value) for k in call.keywords if k.arg is not None}
                kind = _last(call.func) or self.value(call.func).text
                written = self.train(kind, [], settings)[0]
            elif isinstance(value, ast.Constant) and type(value.value) is int:
                written = self.train(name, [self.value(value)], {})[0]
            sound = written is not None and not written.left_out
            of_it = sound and written is not None and written.text.startswith(example.split()[0])
            lines.append(written.text if of_it and written is not None else example)
        return lines

    def layers(self, node: ast.expr) -> Iterator[str]:
        """The statements for an expression, those of its inputs first."""
        match node:
            case ast.Call():
                yield from self.call(node)
            case ast.Name() | ast.Constant():
                return
            case ast.Tuple(elts=items) | ast.List(elts=items):
                for item in items:
                    yield from self.layers(item)
            case ast.Attribute(value=ast.Name()):
                meaning = foreign.layer(_last(node))
                if meaning is None:
                    raise _Unknown
                yield self.layer(_last(node), [], [])
            case ast.BinOp(op=ast.Add()):
                raise _Unknown(
                    "write what is added into `residual { … }`, or label both and write `add a b`"
                )
            case _:
                raise _Unknown

    def call(self, node: ast.Call) -> Iterator[str]:
        function = node.func
        name = _last(function)
        if isinstance(function, ast.Call):  # `Conv2D(32, 3)(x)`
            for argument in node.args:
                yield from self.layers(argument)
            yield from self.call(function)
            return
        adds = isinstance(function, ast.Attribute) and name in _ADDS
        if adds and any(isinstance(one, ast.Call) for one in node.args):
            for argument in node.args:
                yield from self.layers(argument)
            return
        if name in ("Sequential", "ModuleList", "Compose", "OneOf", "SomeOf", "AugmentationPipe"):
            for argument in node.args:
                yield from self.layers(argument)
            if not node.args:
                self.advice = "take it out: a network is the list of its layers"
            return
        if name in ("Input", "InputLayer") and not self.section:
            yield self.input(node)
            return
        if name == "Model" or (name == "__init__" and not self.section):
            return
        if name in _IN_TRAIN and isinstance(function, ast.Attribute):
            lines = self.training(node)
            if self.section == "train" and lines:
                yield from lines
                return
            listed = ", ".join(lines or ['data folder "images"', "epochs 10"])
            raise _Unknown(
                f"write training settings into a section of their own: `train {{ {listed} }}`"
            )
        if name in _LOOP and isinstance(function, ast.Attribute):
            self.advice = "take it out: `cnn train` runs the training loop"
            return
        if self.section:
            yield self.in_section(name, node)
            return
        if _RUNS.match(_path(function)):
            return
        if isinstance(function, ast.Attribute) and name in ("view", "reshape"):
            yield from self.layers_of_data(function.value)
            yield self.reshaped(node)
            return
        if isinstance(function, ast.Attribute) and name == "mean":
            yield from self.layers_of_data(function.value)
            name, node = "reduce_mean", ast.Call(node.func, [], [])
        elif name in ("cat", "concatenate", "concat", "Concatenate", "Add", "stack"):
            raise _Unknown(_advice("Add" if name == "Add" else "Concatenate"))
        elif _is_layer_of_self(function):
            raise _Unknown(_forward(name))
        elif name == "Reshape" and _OPEN_SIZE.search(ast.unparse(node)):
            raise _Unknown(_RESHAPED)
        arguments = list(node.args)
        while arguments and _is_data(arguments[0]) and _takes_data(function):
            yield from self.data(arguments.pop(0))
        if isinstance(function, ast.Attribute) and _is_data(function.value):
            yield from self.data(function.value)
        yield self.layer(name, arguments, node.keywords)

    def data(self, node: ast.expr) -> Iterator[str]:
        """The statements for a function's input: layers, or a variable with an earlier result."""
        if isinstance(node, ast.Call):
            yield from self.layers(node)

    def layers_of_data(self, node: ast.expr) -> Iterator[str]:
        return self.data(node)

    def layer(self, name: str, args: list[ast.expr], keywords: list[ast.keyword]) -> str:
        named = {k.arg: self.value(k.value) for k in keywords if k.arg is not None}
        shape = next((named[one] for one in ("input_shape", "input_dim") if one in named), None)
        if shape is not None:
            self.first_line = _input(shape)
        translated = translate.layer(name, [self.value(a) for a in args], named)
        if translated is None:
            meaning = foreign.layer(name)
            raise _Unknown(meaning.advice if meaning else self.no_layer(name, args, named))
        self.left_out += translated.left_out
        return translated.text

    def no_layer(self, name: str, args: list[ast.expr], named: dict[str, Value]) -> str:
        """Advice for a call that makes no layer: a whole network, or what belongs in a section."""
        first = args[0].value if args and isinstance(args[0], ast.Constant) else ""
        network = in_gallery(name) or (in_gallery(first) if isinstance(first, str) else "")
        if network or name in ("create_model", "load_model", "get_model"):
            return of_the_gallery(network)
        positional = [self.value(a) for a in args if not _is_object(a)]
        return self.directive(name, positional, named)[1]

    def in_section(self, name: str, node: ast.Call) -> str:
        positional = [self.value(a) for a in node.args if not _is_object(a)]
        named = {k.arg: self.value(k.value) for k in node.keywords if k.arg is not None}
        return self.written(*self.directive(name, positional, named))

    def written(self, found: Statement | None, advice: str) -> str:
        """The text of a directive; refuses one that loses a value."""
        if found is None:
            raise _Unknown(advice)
        if found.left_out:
            left = ", ".join(f"`{one}`" for one in found.left_out)
            start = found.text.split(" ")[0]
            raise _Unknown(f"here it is `{start} …`; there is no equivalent for {left}")
        self.advice = advice
        return found.text

    def reshaped(self, node: ast.Call) -> str:
        """`x.view(-1, 400)`, `x.view(x.size(0), -1)` flatten."""
        values = [self.value(argument).known for argument in node.args]
        if len(values) == 2:
            return self.layer("Flatten", [], [])
        if len(values) == 4 and all(type(v) is int and v > 0 for v in values[1:]):
            return self.layer("view", [ast.Tuple(list(node.args[1:]), ast.Load())], [])
        raise _Unknown(_RESHAPED)

    def input(self, node: ast.Call) -> str:
        """`Input(shape=(28, 28, 1))`: in Keras, channels come last."""
        shapes = [*node.args, *(k.value for k in node.keywords if k.arg and "shape" in k.arg)]
        text = _input(self.value(shapes[0])) if shapes else ""
        if not text:
            raise _Unknown("write `input 3x224x224`: channels x height x width")
        return text

    def value(self, node: ast.expr) -> Value:
        if isinstance(node, ast.Dict):  # `class_weight={0: 1, 1: 5}`: one for each class
            keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
            if keys == list(range(len(keys))):
                return Value(f"[{', '.join(self.value(one).text for one in node.values)}]")
        try:
            return value_of(ast.literal_eval(node))
        except (ValueError, TypeError, SyntaxError, RecursionError):
            pass
        match node:
            case ast.Name(id=name):
                return Value("classes") if foreign.is_number_of_classes(name) else Value(name)
            case ast.Attribute():
                return value_of(_last(node))
            case ast.Call(func=function) if not node.args and not node.keywords:
                return value_of(_last(function))
            case ast.BinOp(op=ast.Mult() | ast.Add() | ast.FloorDiv() | ast.Sub()):
                return Value(f"({ast.unparse(node)})")
        return Value(ast.unparse(node))


_OPEN_SIZE = re.compile(r"-\s*1\b")
_RESHAPED = "write `flatten`, or `reshape 3x32x32` with channels x height x width"


def _input(shape: Value) -> str:
    """`input 1x28x28` for (28, 28, 1), since in Keras channels come last."""
    known = shape.known
    if type(known) is int:
        return f"input {known}"
    if not isinstance(known, tuple) or any(type(side) is not int for side in known):
        return ""
    if len(known) == 3 and known[2] <= 4 < known[0]:
        known = (known[2], known[0], known[1])
    return f"input {'x'.join(map(str, known))}"


def _own_line(name: str, value: Value) -> str:
    """A statement for `activation=gelu` and `batch_normalize=1` on lines of their own."""
    if name in foreign.ACTIVATION:
        return translate.activation(value) or ""
    if name == "batch_normalize" and value.known == 1:
        return "bn"
    return ""


def _advice(name: str) -> str:
    meaning = foreign.layer(name)
    return meaning.advice if meaning else ""


def _forward(name: str) -> str:
    return (
        f"a network has no `forward`: write the layer `{name}` itself where it is used, with its"
        " arguments, then what follows it"
    )


_OF_TRAIN = {
    "optimizer": "optimizer adam", "loss": "loss cross_entropy", "metrics": "metrics top1",
    "epochs": "epochs 10", "batch_size": "batch 64",
}  # fmt: skip
"""Arguments of Keras' `compile` and `fit`, each with a directive for it."""


def of_the_gallery(network: str) -> str:
    """Advice for code that loads a known network; `network` is its name in the gallery, or ""."""
    what = f"`cnn new net --like {network or 'resnet18'}` writes such a network"
    listed = "" if network else "`cnn gallery` lists the networks that there are; "
    return f"{listed}{what}; pretrained weights are loaded by `transfer {{ from … }}`"


def _loop(target: str, over: ast.expr) -> str:
    """Advice for the head of a Python loop; "" if a spec has the same one."""
    if _EPOCHS.search(f"{target} {ast.unparse(over)}"):
        return _NO_LOOP
    if isinstance(over, ast.Call) and _last(over.func) == "range" and len(over.args) == 1:
        return f"write `repeat {ast.unparse(over.args[0])} {{ … }}`, with what is repeated in it"
    return ""


def _last(node: ast.expr) -> str:
    """`Conv2d` of `torch.nn.Conv2d`."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _path(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_path(node.value)}.{node.attr}".lstrip(".")
    return node.id if isinstance(node, ast.Name) else ""


def _is_layer_of_self(node: ast.expr) -> bool:
    """`self.conv1`, called."""
    return isinstance(node, ast.Attribute) and _path(node.value) == "self"


def _is_data(node: ast.expr) -> bool:
    """Whether it is a variable, or a function of one."""
    return isinstance(node, ast.Name | ast.Call) and not foreign.is_number_of_classes(_last(node))


def _is_object(node: ast.expr) -> bool:
    """Whether it only exists in a running program: `model.parameters()`, `optimizer`."""
    return isinstance(node, ast.Name | ast.Call | ast.Attribute)


def _takes_data(node: ast.expr) -> bool:
    """Whether the first argument is the input, as for functions such as `F.relu`, unlike layers
    such as `ReLU`.
    """
    name = _last(node)
    return name[:1].islower() and isinstance(node, ast.Attribute)
