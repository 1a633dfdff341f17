"""dotcnn: a language and compiler for convolutional networks.

    network = dotcnn.compile("net.cnn")          # or the name of one in the gallery
    figures = dotcnn.report(network)             # what `cnn report --format json` prints
    problems = dotcnn.check("net.cnn")           # diagnostics, as data
    source = dotcnn.emit("net.cnn")              # the torch module, as text
    model = dotcnn.load("net.cnn")               # that text, live: an nn.Module
    print(dotcnn.match("net.cnn", theirs).table())   # whose weights go where, by structure
    dotcnn.export("net.cnn", "net.onnx")         # for others to run; also .pt2, .safetensors
    dotcnn.train("net.cnn", epochs=3).metrics    # trained; all about it is in runs/net
    dotcnn.evaluate("runs/net").metrics          # what a trained network is worth
    dotcnn.predict("runs/net", "photo.jpg")      # classes with probabilities

Importing this imports nothing else; each function imports what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .compiler.network import Network
    from .dsl.diagnostics import Diagnostic
    from .dsl.source import Source
    from .training.export.export import Exported
    from .training.inference.predict import Prediction
    from .training.metrics.outcome import Outcome
    from .training.trainer.callbacks import Callback
    from .training.trainer.result import Result
    from .training.weights.match import Match

__version__ = "0.1.0"
__all__ = [
    "check", "compile", "emit", "evaluate", "export", "load", "match", "predict", "report",
    "train",
]  # fmt: skip


def compile(
    spec: str | Path,
    *,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    classes: int | None = None,
    network: str | None = None,
) -> Network:
    """The network of a spec, every shape known; raises SpecError with all that is wrong with it.

    `spec` is a path, the name of a spec in the gallery, or the text itself (anything with a brace).
    """
    from .compiler.build.elaborate import elaborate
    from .compiler.load_spec import load

    return elaborate(
        load(_source(spec)),
        network=network,
        overrides=parameters,
        input_shape=input,
        classes=classes,
    )


def report(spec: str | Path | Network, *, batch: int = 1) -> dict[str, Any]:
    """Totals and layers of a network, as `cnn report --format json` prints them."""
    from .compiler.analysis import analyse
    from .compiler.report.data import report as figures

    network = compile(spec) if isinstance(spec, (str, Path)) else spec
    return figures(analyse(network), batch)


def check(spec: str | Path) -> list[Diagnostic]:
    """Everything that is to be said about a spec: mistakes and warnings."""
    from .compiler.diagnose.check import check as examine
    from .compiler.load_spec import load
    from .dsl.diagnostics import SpecError

    try:
        return examine(load(_source(spec)))
    except SpecError as error:
        return list(error.diagnostics)


def emit(
    spec: str | Path | Network,
    *,
    flat: bool = False,
    main: bool = False,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    classes: int | None = None,
    network: str | None = None,
) -> str:
    """The source of a torch module that computes what a spec says; torch is all that it needs.

    `flat`: one class with a line for each layer. `main`: a small check for who runs the file.
    """
    from .compiler.emit import emit as source

    if isinstance(spec, (str, Path)):
        spec = compile(spec, parameters=parameters, input=input, classes=classes, network=network)
    return source(spec, __version__, flat=flat, main=main)


def load(
    spec: str | Path | Network,
    *,
    weights: str | Path | None = None,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    classes: int | None = None,
    network: str | None = None,
) -> nn.Module:
    """A live torch module: the text that `emit` gives, executed.

    Its weights begin as the spec says, unless `weights` names a file of them (safetensors, or what
    torch saves of a state dict); nothing in such a file is run. Raises SpecError where they are
    another network's: see `match`.
    """
    from .training.export.trained import open_trained

    if isinstance(spec, (str, Path)):
        spec = compile(spec, parameters=parameters, input=input, classes=classes, network=network)
    return open_trained(spec, __version__, weights).module.train()


def match(
    spec: str | Path | Network,
    source: nn.Module | Mapping[str, object] | str | Path,
    *,
    example: Tensor | None = None,
    adapt_channels: bool = False,
    by_order: bool = False,
) -> Match:
    """What of somebody's weights belongs where in a network: by structure, not by names.

    `source` is a module, its state dict, or a file of weights; a module says most, since it can be
    followed. `.table()` of the answer shows every row and how it was told, `.load_into(model)`
    copies, once `.require_complete()` agrees. Nothing is taken that could as well be something
    else, unless `by_order` lets the order decide. `adapt_channels` takes a first convolution for
    three colours where there is one, or the other way around. `example` is an input for modules
    that cannot be followed without.
    """
    from .training.weights.match import match as find
    from .training.weights.read import read_weights

    network = compile(spec) if isinstance(spec, (str, Path)) else spec
    weights = read_weights(source) if isinstance(source, (str, Path)) else source
    return find(network, weights, example=example, adapt_channels=adapt_channels, by_order=by_order)


def export(
    spec: str | Path | Network,
    path: str | Path,
    *,
    weights: str | Path | Mapping[str, Tensor] | None = None,
    fold: bool = False,
    predict: bool = False,
    batch: int | None = None,
    opset: int | None = None,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    classes: int | None = None,
    network: str | None = None,
) -> Exported:
    """Writes a network as ONNX, for torch.export (`.pt2`) or its weights as safetensors, by the
    ending of `path`. The file is there once it has been read back and computes the same.

    `weights` is a file of them or a state dict; else they are as the network begins. `fold` puts
    batch norms into the layers before them; `predict` ends in probabilities, where the spec ends in
    a softmax or sigmoid; `batch` allows batches of one size alone. Raises SpecError, or OSError.
    """
    from .training.export.export import export as write

    if isinstance(spec, (str, Path)):
        spec = compile(spec, parameters=parameters, input=input, classes=classes, network=network)
    return write(
        spec,
        path,
        __version__,
        weights=weights,
        fold_norms=fold,
        predict=predict,
        batch=batch,
        opset=opset,
    )


def train(
    spec: str | Path | None = None,
    *,
    data: str | Path | None = None,
    epochs: int | None = None,
    set: Mapping[str, object] | None = None,
    output: str | Path | None = None,
    resume: str | Path | None = None,
    device: str = "auto",
    callback: Callback | None = None,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    network: str | None = None,
) -> Result:
    """Trains a network as its spec says; what comes of it goes into a folder, `runs/NAME`.

    `data` is what `--data` would say, `set` what `--set` would: `{"train.batch": 32,
    "train.optimizer": "sgd lr=0.1"}`. `resume` is the folder of a run to go on with; the spec may
    then be left out. `callback` is told how it goes. Raises SpecError, also where training
    diverges.
    """
    from .training.request import request, said
    from .training.saved_request import request_of
    from .training.trainer.train import train as run

    changes = said({**(parameters or {}), **(set or {})}, epochs)
    text = None if data is None else str(data)
    if spec is None:
        if resume is None:
            raise TypeError("train() needs a spec, or a run to resume")
        wanted = request_of(Path(resume), changes, text)
    else:
        wanted = request(_source(spec), set=changes, data=text, network=network, input=input)
    return run(
        wanted,
        __version__,
        output=None if output is None else Path(output),
        resume=None if resume is None else Path(resume),
        device=device,
        callback=callback,
    )


def evaluate(
    run: str | Path,
    *,
    weights: str | Path | None = None,
    data: str | None = None,
    part: str = "val",
    tta: bool = False,
    device: str = "auto",
) -> Outcome:
    """How well a trained network does: metrics, figures of each class, who was taken for whom.

    `run` is the folder of a run or, with `weights`, a spec. `data` is what `--data` would say, and
    `part` is val, test, train or all. Raises SpecError.
    """
    from .training.inference.evaluate import assess, data_of, tta_of
    from .training.inference.trained_model import open_run, open_weights
    from .training.runtime.devices import find_device

    where = find_device(device)
    if weights is None:
        ready = open_run(Path(run), __version__, device=where, data=data)
    else:
        ready = open_weights(_source(run), Path(weights), __version__, device=where, data=data)
    return assess(ready, data_of(ready), part, tta=tta_of(ready.plan) if tta else None)


def predict(
    run: str | Path,
    images: str | Path | bytes | Sequence[str | Path | bytes],
    *,
    top: int = 5,
    tta: bool = False,
    device: str = "auto",
) -> list[Prediction]:
    """What a trained network takes images for, the likeliest class first.

    `images` is a file, what is in one, or several of these. Of an image that cannot be used, the
    prediction has a reason and no guesses. Raises SpecError.
    """
    from .training.inference.evaluate import tta_of
    from .training.inference.predict import predict as predictions
    from .training.inference.trained_model import open_run
    from .training.runtime.devices import find_device

    several = [images] if isinstance(images, (str, Path, bytes)) else images
    named = [
        (f"image {place}" if isinstance(image, bytes) else str(image), image)
        for place, image in enumerate(several)
    ]
    ready = open_run(Path(run), __version__, device=find_device(device))
    return list(predictions(ready, named, top=top, tta=tta_of(ready.plan) if tta else None))


def _source(spec: str | Path) -> Source:
    from .dsl.gallery import open_spec
    from .dsl.source import Source

    if isinstance(spec, str) and "{" in spec:
        return Source("<text>", spec)
    return open_spec(spec)
