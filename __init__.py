"""dotcnn: a language and compiler for convolutional networks.

A network is a spec: a file, a name of the gallery (`cnn gallery`), or the text itself.

    network = dotcnn.compile("net.cnn")              # the graph, every shape known
    print(dotcnn.report("resnet18")["totals"])       # parameters, multiply-adds, memory
    source = dotcnn.emit("net.cnn")                  # the torch module, as text
    model = dotcnn.load("net.cnn")                   # that text, live: an nn.Module

Training needs `pip install "dotcnn[torch]"`. Everything about a run is in its folder:

    result = dotcnn.train("net.cnn", data="flowers", epochs=20)     # a folder of images
    result = dotcnn.train("net.cnn", data=(images, labels))         # or arrays
    result.metrics, result.module, result.folder                    # runs/net

Where a spec is expected, a run's folder will do as well:

    dotcnn.evaluate("runs/net").metrics              # how good a trained network is
    dotcnn.predict("runs/net", "photo.jpg")          # or Pillow's image, an array, a list
    model = dotcnn.load("runs/net")                  # its best weights, as an nn.Module
    dotcnn.export("runs/net", "net.onnx")            # also .pt2, .safetensors
    dotcnn.match("net.cnn", theirs).load_into(model) # somebody else's weights, by structure

What is wrong with a spec, data or a run raises `dotcnn.SpecError`: its text is what the command
line would print, and `.diagnostics` is the same as data, with places, codes and help.

Importing this imports nothing else; each function imports what it needs.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from .compiler.network import Network
    from .dsl.diagnostics import Diagnostic, SpecError
    from .dsl.source import Source
    from .training.export.export import Exported
    from .training.inference.predict import Prediction
    from .training.inference.trained_model import TrainedModel
    from .training.metrics.outcome import Outcome
    from .training.request import Request
    from .training.trainer.callbacks import Callback
    from .training.trainer.result import Result
    from .training.weights.match import Match

__version__ = "0.1.0"
__all__ = [
    "Callback", "Diagnostic", "SpecError", "check", "compile", "emit", "evaluate", "export", "load",
    "match", "predict", "report", "train",
]  # fmt: skip

_CLASSES = {
    "Callback": ".training.trainer.callbacks",
    "Diagnostic": ".dsl.diagnostics",
    "SpecError": ".dsl.diagnostics",
}


def __getattr__(name: str) -> Any:
    """Classes are imported when they are first asked for."""
    if name not in _CLASSES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_CLASSES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_CLASSES})


def compile(
    spec: str | Path,
    *,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    classes: int | None = None,
    network: str | None = None,
) -> Network:
    """The network of a spec or a run, every shape known.

    `spec` is a path, the name of a spec in the gallery, the text itself (anything with a brace), or
    the folder of a run. `parameters` are those of the network: `{"width": 32}`. `input` and
    `classes` replace what the spec says; `network` names one of several in a file. Raises SpecError
    with everything that is wrong.
    """
    from .compiler.build.elaborate import elaborate
    from .compiler.load_spec import load

    if _is_run(spec):
        _must_be_alone("a run", input=input, classes=classes, network=network)
        return _request_of_run(spec, parameters).network
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
    """All errors and warnings about a spec; an empty list where there are none."""
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
    """The source of a torch module that computes what a spec says; it needs nothing but torch.

    `flat`: one class with a line for each layer. `main`: adds a small check for whoever runs the
    file.
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

    Of a spec, its weights are initialized as the spec says, unless `weights` names a file of them
    (safetensors, or a state dict that torch saved; nothing in such a file is executed). It is in
    training mode. Raises SpecError where the weights do not fit: see `match`.

    Of a run (`load("runs/net")`), it has the best weights and is in evaluation mode; of an
    ensemble, its logits are those of the mean of all networks' probabilities. `predict` does the
    preprocessing, too.
    """
    from .training.export.trained import open_trained

    if weights is None and _is_run(spec):
        _must_be_alone("a run", input=input, classes=classes, network=network)
        return _module_of_run(spec, parameters)
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
    """Which of somebody else's weights belong where in a network: by structure, not by names.

        found = dotcnn.match("resnet18", torchvision.models.resnet18(weights="DEFAULT"))
        print(found.table())                         # every row, and how it was decided
        found.require_complete()
        found.load_into(model)

    `source` is a module, its state dict, or a file of weights; a module says most, since its
    computation can be followed. A weight that could belong in two places is not taken, unless
    `by_order` lets the order decide. `adapt_channels` takes a first convolution for three colours
    where the network has one, and the reverse. `example` is an input for modules that cannot be
    followed without one.
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
    script: bool = False,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    classes: int | None = None,
    network: str | None = None,
) -> Exported:
    """Writes a network as ONNX, for torch.export (`.pt2`), or its weights as safetensors, by the
    ending of `path`. The file is there once it has been read back and computes the same.

    `weights` is a file of them or a state dict; by default the best of a run, or, of a spec, as it
    initializes them. `fold` puts batch norms into the layers before them; `predict` makes
    probabilities the output; `batch` allows batches of one size only; `script` writes a script
    beside an ONNX file that classifies photographs with it. Raises SpecError, or OSError.
    """
    from .training.export.export import export as write

    if weights is None and _is_run(spec):
        from .training.saved_request import best_of

        weights = best_of(Path(str(spec)))
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
        script=script,
    )


def train(
    spec: str | Path | None = None,
    *,
    data: object = None,
    epochs: int | None = None,
    set: Mapping[str, object] | None = None,
    output: str | Path | None = None,
    resume: str | Path | None = None,
    device: str = "auto",
    callback: Callback | None = None,
    quiet: bool = False,
    parameters: Mapping[str, object] | None = None,
    input: tuple[int, ...] | None = None,
    network: str | None = None,
) -> Result:
    """Trains a network as its spec says. Everything about the run goes into a folder, `runs/NAME`.

        result = dotcnn.train("net.cnn", data="flowers", epochs=20, set={"train.batch": 32})
        result.metrics["top1"], result.module, result.folder

    `data` replaces the spec's `data` line: a folder with a folder of images for each class, a file
    .npz, the name of a data set (`"cifar10"`), or arrays (numpy's, torch's or lists): `(images,
    labels)`, or `{"train": (images, labels), "val": (images, labels)}`. Without `val`, 20 % are
    kept for validation.

    `set` replaces directives: `{"train.batch": 32, "train.optimizer": "sgd lr=0.1"}`; `parameters`
    those of the network. `output` is the folder of the run, `resume` that of a run to continue;
    the spec may then be left out. `device` is auto, cpu, cuda, cuda:1 or mps.

    Progress is shown on standard error, live on a terminal, else as a line for each epoch; `quiet`
    shows nothing, and `callback`, a `dotcnn.Callback` of your own, replaces the display.

    Raises SpecError for what is wrong with the spec, the data or the folder, and where training
    diverges.
    """
    from .training.request import overrides_of, request
    from .training.saved_request import request_of
    from .training.trainer.train import train as run

    changes = overrides_of({**(parameters or {}), **(set or {})}, epochs)
    given = _data(data)
    if spec is None:
        if resume is None:
            raise TypeError("train() needs a spec, or a run to resume")
        wanted = request_of(Path(resume), changes, given)
    else:
        wanted = request(_source(spec), set=changes, data=given, network=network, input=input)
    follower = _callback(wanted, callback, quiet)
    if wanted.warnings:
        from .dsl.render import render_text

        follower.note(render_text(wanted.warnings))
    return run(
        wanted,
        __version__,
        output=None if output is None else Path(output),
        resume=None if resume is None else Path(resume),
        device=device,
        callback=follower,
    )


def evaluate(
    run: str | Path,
    *,
    weights: str | Path | None = None,
    data: object = None,
    part: str = "val",
    tta: bool = False,
    device: str = "auto",
) -> Outcome:
    """How good a trained network is: metrics, figures of each class, the confusion matrix.

        outcome = dotcnn.evaluate("runs/net", data=(images, labels), part="all")
        outcome.metrics["top1"], outcome.per_class, outcome.confusion, outcome.probabilities

    `run` is the folder of a run or, with `weights`, a spec. `data` is as in `train`, by default the
    run's own; `part` is val, test, train or all. `tta` averages over the views that the spec's
    `tta` names. Raises SpecError.
    """
    from .training.inference.evaluate import assess, data_of, tta_of
    from .training.inference.trained_model import open_run, open_weights
    from .training.runtime.devices import find_device

    where, given = find_device(device), _data(data)
    if weights is None:
        model = open_run(Path(run), __version__, device=where, data=given)
    else:
        model = open_weights(_source(run), Path(weights), __version__, device=where, data=given)
    return assess(model, data_of(model), part, tta=tta_of(model.plan) if tta else None)


def predict(
    run: str | Path,
    images: Any,
    *,
    top: int = 5,
    tta: bool = False,
    device: str = "auto",
) -> list[Prediction]:
    """The classes of images with their probabilities, the most probable first.

        for prediction in dotcnn.predict("runs/net", ["a.jpg", "b.jpg"]):
            print(prediction.image, prediction.guesses[0].name, prediction.guesses[0].probability)

    `images` is an image or a list of them: a path, the bytes of a file, an image of Pillow's, or an
    array (numpy's or torch's) of H x W, H x W x C or C x H x W with numbers from 0 to 255 or, in
    fractions, to 1; an array of four dimensions is as many images. All are preprocessed as in
    training. The prediction of an image that cannot be used has a `reason` and no guesses. Raises
    SpecError.
    """
    from .training.inference.evaluate import tta_of
    from .training.inference.predict import named_images
    from .training.inference.predict import predict as predictions
    from .training.inference.trained_model import open_run
    from .training.runtime.devices import find_device

    model = open_run(Path(run), __version__, device=find_device(device))
    views = tta_of(model.plan) if tta else None
    return list(predictions(model, named_images(images), top=top, tta=views))


# ---- what the arguments mean -----------------------------------------------------------------


def _source(spec: str | Path) -> Source:
    from .dsl.gallery import open_spec
    from .dsl.source import Source

    if isinstance(spec, str) and "{" in spec:
        return Source("<text>", spec)
    return open_spec(spec)


def _is_run(spec: object) -> bool:
    """Whether it is the folder of a run; also of one that is damaged, to say so."""
    try:
        return isinstance(spec, (str, Path)) and "{" not in str(spec) and Path(spec).is_dir()
    except OSError:  # a name that no file can have
        return False


def _request_of_run(run: object, parameters: Mapping[str, object] | None) -> Request:
    from .training.request import overrides_of
    from .training.saved_request import request_of

    return request_of(Path(str(run)), overrides_of(parameters or {}))


def _module_of_run(run: object, parameters: Mapping[str, object] | None) -> nn.Module:
    import torch

    from .training.inference.trained_model import open_run
    from .training.request import overrides_of
    from .training.trainer.ensemble import EnsembleModule

    model: TrainedModel = open_run(
        Path(str(run)), __version__, device=torch.device("cpu"), set=overrides_of(parameters or {})
    )
    if len(model.modules) == 1:
        return model.modules[0].eval()
    return EnsembleModule(model.modules, bool(model.multi_label)).eval()


def _must_be_alone(what: str, **arguments: object) -> None:
    for name, value in arguments.items():
        if value is not None:
            raise TypeError(f"{what} has its own `{name}`: it cannot be given")


def _data(data: object) -> Any:
    """Text as `--data` has it, or arrays; None where nothing is given."""
    if data is None or isinstance(data, (str, Path)):
        return None if data is None else str(data)
    from .training.data.sources.arrays_given import ArrayData

    return ArrayData.of(data)


def _callback(request: Request, callback: Callback | None, quiet: bool) -> Callback:
    """A display unless something else is wanted, and the files that the spec's `log` asks for."""
    from .training.display.choose import callback_for, logs_of
    from .training.display.combined import Combined

    logs = logs_of(request.plan)
    if callback is not None:
        return Combined([callback, *logs]) if logs else callback
    if quiet:
        return Combined(logs)
    import sys

    return callback_for(sys.stderr, color=sys.stderr.isatty(), plan=request.plan)
