"""A plug-in: a Python module or package, and the words that it declares.

Every class of the module that has a word is declared: layers, losses, metrics, augmentations,
optimizers, schedules and callbacks; also those that it imports from other modules of its own, but
none of dotcnn itself.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType

from ...dsl.builder import RESERVED
from ...dsl.diagnostics import Diagnostic, SpecError
from ...dsl.source import Source, Span
from ..language.vocabulary import FORMS, SECTIONS, STATEMENTS
from ..language.words_in_force import belongs_to_the_language
from ..ops import REGISTRY as LAYERS
from ..ops.base import Op
from ..plan.directive import REGISTRY as DIRECTIVES
from ..plan.directive import SERIES, Directive
from ..plan.log import TOOLS
from ..plan.loss import Loss
from ..plan.metric_names import METRICS, PER_CLASS, TRAIN_LOSS
from ..plan.optimizer import Optimizer
from ..plan.own_augmentation import Augmentation
from ..plan.own_metric import Metric
from ..plan.schedule import Schedule
from .identity import Identity
from .plugin_files import files_of, given_as, is_package, line_span, source_of

_WORD = re.compile(r"[a-z][a-z_0-9]*( [a-z][a-z_0-9]*)?", re.ASCII)
_OF_LAYERS = ("output", "macs", "elementwise", "kept", "torch")
_OF_METRICS = ("sums", "count", "value")
_HEADS: dict[type, tuple[str, str]] = {
    Loss: ("loss", "function"),
    Optimizer: ("optimizer", "make_optimizer"),
    Schedule: ("schedule", "share_of_rate"),
}
"""The first word of a directive that has kinds, and the method that each defines."""


@dataclass(frozen=True, eq=False)
class Plugin:
    identity: Identity
    path: Path
    """Its main file."""
    module: ModuleType
    source: Source
    """The text of its main file."""
    distribution: str = ""
    """The installed package that it belongs to; "" for a file."""
    layers: dict[str, type[Op]] = field(default_factory=dict)
    directives: dict[str, dict[str, type[Directive]]] = field(default_factory=dict)
    metrics: dict[str, type[Metric]] = field(default_factory=dict)
    callbacks: dict[str, type] = field(default_factory=dict)
    """Of training, by the word that `log` has for them."""

    @property
    def name(self) -> str:
        return self.identity.name

    def words(self) -> Iterator[tuple[str, type]]:
        """What it declares, by the words as messages show them."""
        yield from self.layers.items()
        for kinds in self.directives.values():
            yield from kinds.items()
        yield from self.metrics.items()
        yield from self.callbacks.items()

    def place_of(self, kind: type) -> Span:
        """Where a class says its word, or else begins, in the text of its file."""
        file = getattr(sys.modules.get(kind.__module__), "__file__", None)
        return place_of(kind, source_of(self.path, self.source, file))

    def texts(self) -> dict[str, str]:
        """The texts of its files, by their places: `mine.py`, or `mine/layers.py`."""
        base = given_as(self.path).parent
        others = {
            file: source_of(self.path, self.source, str(file)) for file in files_of(self.path)
        }
        return {file.relative_to(base).as_posix(): text.text for file, text in others.items()}

    def defines(self, kind: type) -> bool:
        """Whether a class is written in one of its files, rather than imported by it."""
        own = self.module.__name__
        return kind.__module__ == own or kind.__module__.startswith(f"{own}.")


def declare(plugin: Plugin) -> None:
    """Enters what the module of a plug-in declares; raises SpecError with all that is wrong."""
    wrong: list[Diagnostic] = []
    for kind in _classes(plugin.module):
        try:
            declare_class(plugin, kind)
        except SpecError as error:
            wrong += error.diagnostics
    if not wrong and not any(plugin.words()) and not has_callbacks(plugin):
        message = f"the plug-in `{plugin.name}` declares nothing"
        help = (
            "it needs a class with a `word`, of `Layer`, `Loss`, `Metric`, `Augmentation`,"
            " `Optimizer` or `Schedule` from `dotcnn.plugins`, or a `dotcnn.Callback`, at its top"
            " level"
        )
        if is_package(plugin.path) and len(files_of(plugin.path)) > 1:
            help = "import the classes of its other files in `__init__.py`: `from .layers import …`"
        wrong.append(Diagnostic("plugin-empty", message, help=help, file=plugin.source.name))
    if wrong:
        raise SpecError(wrong)


def has_callbacks(plugin: Plugin) -> bool:
    """Whether it holds callbacks for training (`training/trainer/callback_files.py` takes them)."""
    values = vars(plugin.module)
    return "callbacks" in values or any(
        isinstance(value, type) and plugin.defines(value)
        for value in values.values()
        if getattr(value, "is_callback", False)
    )


def _classes(module: ModuleType) -> list[type]:
    """The classes of a module that have a word, each once, in the order of their definition."""
    found = [
        value
        for value in vars(module).values()
        if isinstance(value, type)
        and not belongs_to_the_language(value)
        and (issubclass(value, Op | Directive | Metric) or _is_callback(value))
        and vars(value).get("word")
    ]
    return list(dict.fromkeys(found))


def declare_class(plugin: Plugin, kind: type) -> None:
    """Enters one class; raises SpecError if it cannot be a word."""
    word = kind.word  # type: ignore[attr-defined]
    if not isinstance(word, str) or not _WORD.fullmatch(word):
        raise _wrong(
            plugin, kind, "plugin-word", f"{word!r} is not a word of the language",
            "write it in lower case, of letters, digits and `_`; at most two of them",
        )  # fmt: skip
    if issubclass(kind, Op):
        _declare_layer(plugin, kind, word)
    elif issubclass(kind, Metric):
        _declare_metric(plugin, kind, word)
    elif issubclass(kind, Directive):
        _declare_directive(plugin, kind, word)
    else:
        if word in TOOLS:
            raise _of_the_language(plugin, kind, word, "callback")
        _once(plugin, kind, word, plugin.callbacks)
        plugin.callbacks[word] = kind


def _is_callback(kind: type) -> bool:
    """Whether it is a callback of training, of which the compiler knows the name alone."""
    return any(
        belongs_to_the_language(base) and base.__name__ == "Callback" for base in kind.__mro__
    )


def _declare_layer(plugin: Plugin, kind: type[Op], word: str) -> None:
    own = {*FORMS, *STATEMENTS, *SECTIONS, *RESERVED}
    heads = {known.split(" ", 1)[0] for known in LAYERS.own}
    if word in LAYERS.own or word.split(" ")[0] in own or (" " not in word and word in heads):
        raise _of_the_language(plugin, kind, word, "layer")
    if not hasattr(kind, "kind"):
        raise _wrong(
            plugin, kind, "plugin-incomplete", f"the layer `{word}` does not say its kind",
            'write `kind = "conv"`, or "linear", "pool", "attention", "norm", "activation",'
            ' "dropout", "shape", "merge" or "filter"',
        )  # fmt: skip
    _complete(plugin, kind, Op, _OF_LAYERS, f"the layer `{word}`")
    if not kind.example:
        needed = [field for field in kind.fields.values() if field.required]
        kind.example = " ".join([word, *(f.example or " ".join(f.words[:1]) for f in needed)])
    _once(plugin, kind, word, plugin.layers)
    plugin.layers[word] = kind


def _declare_metric(plugin: Plugin, kind: type[Metric], word: str) -> None:
    known = METRICS.get(word)
    if (known is not None and not known.of_plugin) or word in (PER_CLASS, TRAIN_LOSS):
        raise _of_the_language(plugin, kind, word, "metric")
    _complete(plugin, kind, Metric, _OF_METRICS, f"the metric `{word}`")
    _once(plugin, kind, word, plugin.metrics)
    plugin.metrics[word] = kind


def _declare_directive(plugin: Plugin, kind: type[Directive], word: str) -> None:
    base = next((one for one in (*_HEADS, Augmentation) if issubclass(kind, one)), None)
    if base is None:
        raise _wrong(
            plugin, kind, "plugin-word", f"`{word}` is not a kind of directive that can be added",
            "a plug-in declares layers, losses, metrics, augmentations, optimizers and schedules",
        )  # fmt: skip
    head = _HEADS.get(base, ("", ""))[0]
    if head and (not word.startswith(f"{head} ") or word == f"{head} "):
        raise _wrong(
            plugin, kind, "plugin-word",
            f"the word of a class of `{base.__name__}` begins with `{head}`, not `{word}`",
            f'write `word = "{head} {word.rpartition(" ")[2]}"`',
        )  # fmt: skip
    own = DIRECTIVES[kind.section].own
    heads = {known.split(" ", 1)[0] for known in (*own, *SERIES.get(kind.section, ()))}
    if (
        word in own
        or word in SERIES.get(kind.section, ())
        or (issubclass(kind, Augmentation) and word.split(" ")[0] in heads)
    ):
        raise _of_the_language(plugin, kind, word, "directive")
    if issubclass(kind, Loss) and not kind.tasks:
        raise _wrong(
            plugin, kind, "plugin-incomplete", f"`{word}` does not say what it is a loss of",
            'write `tasks = ("classification",)`, or "multi_label", "segmentation",'
            ' "regression", "image_to_image"',
        )  # fmt: skip
    if issubclass(kind, Optimizer) and "lr" not in kind.fields:
        raise _wrong(
            plugin, kind, "plugin-incomplete", f"`{word}` has no learning rate",
            "write `lr: float = learning_rate(1e-3)`",
        )  # fmt: skip
    method = _HEADS[base][1] if base in _HEADS else "change"
    _complete(plugin, kind, base, (method,), f"`{word}`")
    words = plugin.directives.setdefault(kind.section, {})
    _once(plugin, kind, word, words)
    words[word] = kind


def _of_the_language(plugin: Plugin, kind: type, word: str, what: str) -> SpecError:
    return _wrong(
        plugin, kind, "plugin-word", f"`{word}` is a word of the language",
        f"give the {what} another word: `{_another(word)}`",
    )  # fmt: skip


def _another(word: str) -> str:
    """`loss my_poly`, `my_pool_max`."""
    head, _, rest = word.partition(" ")
    heads = [known for known, _ in _HEADS.values()]
    return f"{head} my_{rest}" if head in heads else f"my_{word.replace(' ', '_')}"


def _once(plugin: Plugin, kind: type, word: str, known: Mapping[str, type]) -> None:
    if word in known:
        raise _wrong(
            plugin, kind, "plugin-word",
            f"`{known[word].__name__}` and `{kind.__name__}` have the same word, `{word}`",
            "give one of them another word",
        )  # fmt: skip


def _complete(plugin: Plugin, kind: type, base: type, names: Sequence[str], what: str) -> None:
    """Refuses a class that leaves questions open that have no usual answer."""
    missing = [name for name in names if getattr(kind, name) is getattr(base, name, None)]
    if missing:
        listed = ", ".join(f"`{name}`" for name in missing)
        raise _wrong(
            plugin, kind, "plugin-incomplete", f"{what} does not define {listed}",
            f"`dotcnn.plugins.{base.__name__ if base is not Op else 'Layer'}` says what each is",
        )  # fmt: skip


def _wrong(plugin: Plugin, kind: type, code: str, message: str, help: str) -> SpecError:
    note = f"in the plug-in `{plugin.name}`"
    return SpecError([Diagnostic(code, message, plugin.place_of(kind), notes=(note,), help=help)])


def place_of(kind: type, source: Source) -> Span:
    """Where a class says its word in a text of Python, or else its head."""
    try:
        body = ast.parse(source.text).body
    except (SyntaxError, ValueError):
        body = []
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__:
            for inner in node.body:
                targets = inner.targets if isinstance(inner, ast.Assign) else ()
                annotated = inner.target if isinstance(inner, ast.AnnAssign) else None
                names = [each.id for each in (*targets, annotated) if isinstance(each, ast.Name)]
                if "word" in names:
                    return line_span(source, inner.lineno)
            return line_span(source, node.lineno)
    return line_span(source, 1)
