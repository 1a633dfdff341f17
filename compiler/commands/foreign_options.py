"""Options of other tools on the command line, and what is written here: `--lr 0.01` is `--set
train.optimizer.lr=0.01`. The table below has those about commands; what belongs to a section of the
spec is known to its directives, as for `cnn check`.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ...dsl.closest import closest

OPTIONS: Mapping[str, str] = {
    "--data": "d dataset datasets data_dir data_path data_root dataset_path train_dir root images",
    "--device": "gpu cuda accelerator no_cuda cpu mps",
    "--devices": "gpus num_gpus n_gpus ngpus nproc nproc_per_node world_size",
    "--force": "overwrite yes replace exist_ok",
    "--format": "json table csv",
    "--like": "template",
    "--trials": "n n_trials num_trials",
    "--input": "input_size input_shape image_size img_size imgsz size resolution shape",
    "--network": "arch architecture model_name",
    "--output": "out out_dir output_dir output_path outfile save save_dir save_path save_to to dest"
    " destination logdir log_dir project name run_name exp_name experiment",
    "--resume": "resume_from resume_from_checkpoint restart auto_resume",
    "--set": "param params override overrides define cfg_options opts hparams",
    "--tag": "tags label",
    "--note": "notes description comment",
    "--top": "topk top_k k",
    "--weights": "pretrained checkpoint ckpt state_dict load initial_checkpoint",
    "--find-lr": "lr_find auto_lr_find",
    "--batch": "batch_size batchsize bs",
    "--fold": "folds kfold",
    "--why": "gradcam cam saliency explain",
    "--raw": "unscaled",
}
"""Options of commands, by their names in other tools; one is proposed where the command has it."""

FIRST = frozenset(
    "model models model_path net run run_dir checkpoint ckpt weights config config_file cfg spec"
    " file network_file input_file yaml path load load_from".split()
)
"""What other tools have as an option and is an argument without a name here: the first one."""

SECOND = frozenset("image images source sources img imgs input inputs file files".split())
"""The same for the second one."""

INSTEAD: Mapping[str, Mapping[str, str]] = {
    "export": {
        "the ending of -o decides: `-o net.onnx`, `-o net.pt2` or `-o net.safetensors`": "format"
        " onnx pt2 torch_export safetensors type include export_format",
        "torch.export took its place: `-o net.pt2`": "torchscript jit trace",
    },
    "emit": {"the code is PyTorch; the file is `-o net.py`": "format pytorch torch type"},
    "draw": {"the ending of -o decides: `-o net.svg`": "type svg png dot pdf mermaid"},
    "show": {"the layer is named behind the image: `cnn show NET IMAGE LAYER`": "layer layers"},
    "explain": {"the layer is named behind the spec: `cnn explain FILE LAYER`": "layer layers"},
    "features": {"the layer is named behind the run: `cnn features RUN LAYER`": "layers"},
    "predict": {"a trained network knows its classes": "classes names labels"},
    "": {"each mode is a command of its own; `cnn --help` lists them": "mode task"},
}
"""What is said of an option in a command ("": in each), and the names that it is said of."""

NO_SECTIONS = frozenset({"diff", "emit", "export", "report"})
"""Commands that build a network without its sections."""

_OPTION = re.compile(r"--?([A-Za-z][\w-]*)(?:=(.*))?\Z", re.DOTALL)
_SETTING = re.compile(r"([A-Za-z_][\w.]*)=(.+)\Z", re.DOTALL)


class Wrong(NamedTuple):
    """A word of a command line that the command does not know."""

    text: str
    """`--lr`."""
    help: str
    """What to write instead."""


def wrong_words(
    command: str, parser: argparse.ArgumentParser, arguments: Sequence[str]
) -> Iterator[Wrong]:
    """The options that a command does not have, and values of `--set` without a `--set`."""
    known = _Known(command, parser, arguments)
    at = 0
    while at < len(arguments) and arguments[at] != "--":
        word, at = arguments[at], at + 1
        option, setting = _OPTION.match(word), _SETTING.match(word)
        action = known.action(word) if option is not None else None
        if action is not None:
            at += known.values(action, word, arguments[at:])
            while action.dest == "set" and at < len(arguments) and _SETTING.match(arguments[at]):
                yield Wrong(arguments[at], f"write one `--set` for each: `--set {arguments[at]}`")
                at += 1
        elif option is not None:
            name, value = option[1], option[2]
            if value is None and at < len(arguments) and not _OPTION.match(arguments[at]):
                value = arguments[at]
            yield Wrong(word.partition("=")[0], known.instead(name, value or ""))
        elif setting is not None and not os.path.lexists(word):
            help = known.setting_without_option(word, setting[1], setting[2])
            if help:
                yield Wrong(word, help)


class _Known:
    """What a command knows."""

    def __init__(
        self, command: str, parser: argparse.ArgumentParser, arguments: Sequence[str]
    ) -> None:
        self.command = command
        self.arguments = arguments
        self.options = {
            name: action for action in parser._actions for name in action.option_strings
        }
        self.positional = [action for action in parser._actions if not action.option_strings]

    def action(self, word: str) -> argparse.Action | None:
        """The option that a word names, perhaps by the beginning of its name."""
        name = word.partition("=")[0]
        if name in self.options:
            return self.options[name]
        if not name.startswith("--"):  # `-n5`
            return self.options.get(name[:2])
        return next((a for option, a in self.options.items() if option.startswith(name)), None)

    def values(self, action: argparse.Action, word: str, following: Sequence[str]) -> int:
        """How many of the following words are the values of an option."""
        if action.nargs == 0 or "=" in word or (not word.startswith("--") and len(word) > 2):
            return 0
        if action.nargs in (None, "?"):
            return min(1, len(following)) if action.nargs is None else 0
        most = action.nargs if isinstance(action.nargs, int) else len(following)
        ends = (i for i, each in enumerate(following[:most]) if _OPTION.match(each))
        return next(ends, most)

    def instead(self, name: str, value: str) -> str:
        """What is written instead of an option."""
        folded = name.lower().replace("-", "_").strip("_")
        for command in (self.command, ""):
            for help, names in INSTEAD.get(command, {}).items():
                if folded in names.split():
                    return help
        places = [action.metavar or action.dest for action in self.positional]
        for place, words in enumerate((FIRST, SECOND)):
            if folded in words and len(places) > place and self._is_path(place):
                written = " ".join(str(each).split(" ")[0].strip("[]") for each in places)
                return f"it is an argument without a name: `cnn {self.command} {written}`"
        for option, names in OPTIONS.items():
            if option in self.options and folded in names.split():
                return self._option(option, folded, value)
        return self._setting(name, value) or self._close(name)

    def _is_path(self, place: int) -> bool:
        """Whether an argument without a name is a network, a run, or images."""
        names = ("FILE", "NET", "RUN", "SPEC", "IMAGE", "NETWORK")
        return str(self.positional[place].metavar).split(" ")[0].strip("[]") in names

    def _option(self, option: str, name: str, value: str) -> str:
        nothing = self.options[option].nargs == 0
        if name in ("json", "table", "csv", "cuda", "cpu", "mps"):
            value = name
        shown = value or {"no_cuda": "cpu", "gpu": "cuda"}.get(name, "…")
        return f"write `{option}`" if nothing else f"write `{option} {_quoted(shown)}`"

    def _close(self, name: str) -> str:
        close = closest(f"--{name}", [option for option in self.options if option[:2] == "--"])
        if close:
            return f"did you mean `{close}`?"
        return f"`cnn {self.command} --help` lists the options"

    # ---- what the spec has ----

    def setting_without_option(self, word: str, name: str, value: str) -> str:
        """What is written instead of `width=8` alone; "" where it may be meant as it is."""
        from ..language.vocabulary import SECTIONS

        if "--set" not in self.options:
            return ""
        head, dot, _ = name.partition(".")
        if (dot and head in SECTIONS) or name in self._parameters():
            return f"write `--set {word}`"
        # `left=FILE` of a network with several inputs
        takes_many = any(action.nargs in ("+", "*") for action in self.positional)
        return "" if takes_many else self._setting(name, value)

    def _setting(self, name: str, value: str) -> str:
        """`--set` with what is meant; "" where nothing is known of it."""
        if "--set" not in self.options:
            return ""
        written = name.replace("-", "_")
        if written in self._parameters():
            return f"write `--set {written}={_quoted(value or '…')}`"
        from ..plan.setting_elsewhere import setting_elsewhere

        setting, advice = setting_elsewhere(written, value)
        if setting and self.command in NO_SECTIONS:
            return f"it belongs to training: `cnn train FILE --set {_shell(setting)}`"
        return f"write `--set {_shell(setting)}`" if setting else advice

    def _parameters(self) -> list[str]:
        """The parameters of the networks that the command line names."""
        from ...dsl.diagnostics import SpecError
        from ...dsl.parser import read
        from ...dsl.syntax import Network
        from .specs import source_of

        found: list[str] = []
        for word in self.arguments:
            if word.startswith("-") or not (word.endswith(".cnn") or word.isidentifier()):
                continue
            try:
                spec, _ = read(source_of(word))
            except (SpecError, OSError, ValueError):
                continue
            networks = (each for each in spec.statements if isinstance(each, Network))
            found += [parameter.name.value for each in networks for parameter in each.parameters]
        return found


def _quoted(value: str) -> str:
    return value if re.fullmatch(r"[\w.,:/…+-]+", value) else f'"{value}"'


def _shell(setting: str) -> str:
    name, _, value = setting.partition("=")
    return f"{name}={_quoted(value)}"
