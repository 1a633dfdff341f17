"""`cnn completion`: scripts that complete commands, options and files in bash, zsh and fish.

A script contains all completions, generated from the arguments of the commands, so that completing
does not start Python.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from .command import Command
from .terminal import OK

TAKES_PLUGINS = False

EXAMPLES = """\
cnn completion bash >> ~/.bashrc
cnn completion zsh >> ~/.zshrc
cnn completion fish > ~/.config/fish/completions/cnn.fish"""

DETAILS = """\
It completes commands, options and their values, names of the gallery and of runs, .cnn files,
folders, and the words that `cnn help` explains. `eval "$(cnn completion bash)"` is for the current
shell alone."""

_SPECS = ("FILE", "A", "B", "SPEC")
_RUNS = ("RUN", "RUNS")
_FILES = ("OUT", "NETWORK", "PAGE", "DATA", "IMAGE")
_DEVICES = ("cpu", "cuda", "mps")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=_SHELLS, metavar="SHELL", help="bash, zsh or fish")


def run(options: argparse.Namespace) -> int:
    print(_SHELLS[options.shell](_described(options.commands)), end="")
    return OK


# ---- what there is to complete -----------------------------------------------------------------


class _Value(NamedTuple):
    """The possible values of an argument."""

    words: tuple[str, ...] = ()
    specs: bool = False
    folders: bool = False
    files: bool = False
    runs: bool = False
    """Names of runs: the folders in runs/."""


class _Option(NamedTuple):
    names: tuple[str, ...]
    help: str
    value: _Value | None
    """None for an option without a value."""


class _Described(NamedTuple):
    name: str
    summary: str
    options: tuple[_Option, ...]
    argument: _Value
    """The possible values of all its positional arguments."""


def _described(commands: Mapping[str, Command]) -> list[_Described]:
    described = []
    for name, command in commands.items():
        options, arguments = [], _Value()
        for action in command.parser()._actions:
            if not action.option_strings:
                arguments = _joined(arguments, _value(action))
                continue
            names = tuple(action.option_strings)
            value = None if action.nargs == 0 else _value(action)
            options.append(_Option(names, _first_sentence(action.help or ""), value))
        described.append(_Described(name, command.summary, tuple(options), arguments))
    return described


def _first_sentence(help: str) -> str:
    return help.split(";")[0].split(" (default")[0].replace("'", "")


def _value(action: argparse.Action) -> _Value:
    if action.choices is not None:
        return _Value(words=tuple(map(str, action.choices)))
    name = "OUT" if action.dest == "weights" else str(action.metavar)
    if name == "DEVICE":
        return _Value(words=_DEVICES)
    if name == "WORD":
        from ..report.words import words

        return _Value(words=tuple(word for word in words() if " " not in word))
    if name == "LAYER":
        from ..language.vocabulary import SECTIONS

        return _Value(words=SECTIONS)
    is_run = name in _RUNS and action.dest != "output"
    return _Value((), name in _SPECS, name in (*_RUNS, *_SPECS), name in _FILES, is_run)


def _joined(first: _Value, second: _Value) -> _Value:
    return _Value(
        first.words + second.words,
        first.specs or second.specs,
        first.folders or second.folders,
        first.files or second.files,
        first.runs or second.runs,
    )


def _gallery() -> str:
    from ...dsl.gallery import names

    return " ".join(names())


def _value_cases(commands: list[_Described], offered: Callable[[_Value], str]) -> str:
    """The `case` branches for the value after an option, in bash and zsh."""
    lines = []
    for command in commands:
        for option in command.options:
            if option.value is not None:
                names = "|".join(f"'{command.name} {name}'" for name in option.names)
                lines.append(f"    {names}) {offered(option.value)}; return ;;")
    return "\n".join(lines)


# ---- bash --------------------------------------------------------------------------------------


def _bash(commands: list[_Described]) -> str:
    def offered(value: _Value) -> str:
        words = " ".join(value.words) + (" $gallery" if value.specs else "")
        parts = [f'compgen -W "{words}" -- "$cur"'] if words.strip() else []
        if value.files:
            parts.append('compgen -f -- "$cur"')
        else:
            parts += ["compgen -f -X '!*.cnn' -- \"$cur\""] if value.specs else []
            parts += ['compgen -d -- "$cur"'] if value.folders else []
        parts += ['(cd runs 2>/dev/null && compgen -d -- "$cur")'] if value.runs else []
        return "; ".join(parts) or ":"

    def rest() -> Iterator[str]:
        for command in commands:
            names = " ".join(name for option in command.options for name in option.names)
            yield f"    '{command.name} -'*) compgen -W '{names}' -- \"$cur\" ;;"
            yield f"    '{command.name} '*) {offered(command.argument)} ;;"

    return f"""\
_cnn_offers() {{
  local cur=$1 prev=$2 command=$3
  local gallery='{_gallery()}'
  case "$command $prev" in
{_value_cases(commands, offered)}
  esac
  case "$command $cur" in
{chr(10).join(rest())}
  esac
}}
_cnn() {{
  local IFS=$'\\n' cur=${{COMP_WORDS[COMP_CWORD]}}
  if [ "$COMP_CWORD" -eq 1 ]; then
    COMPREPLY=($(compgen -W $'{_lines(each.name for each in commands)}' -- "$cur"))
  else
    local prev=${{COMP_WORDS[COMP_CWORD-1]}}
    COMPREPLY=($(IFS=$' \\t\\n' _cnn_offers "$cur" "$prev" "${{COMP_WORDS[1]}}"))
  fi
}}
complete -o filenames -F _cnn cnn
"""


def _lines(words: Iterator[str]) -> str:
    return "\\n".join(words)


# ---- zsh ---------------------------------------------------------------------------------------


def _zsh(commands: list[_Described]) -> str:
    def offered(value: _Value) -> str:
        parts = [f"compadd -- {' '.join(value.words)}"] if value.words else []
        if value.files:
            parts.append("_files")
        else:
            parts += ["compadd -- $gallery", "_files -g '*.cnn'"] if value.specs else []
            parts += ["_files -/"] if value.folders else []
        parts += ["compadd -- runs/*(N/:t)"] if value.runs else []
        return "; ".join(parts) or ":"

    def rest() -> Iterator[str]:
        for command in commands:
            options = " ".join(
                _zsh_entry(name, option.help) for option in command.options for name in option.names
            )
            yield f"    '{command.name} -'*) offers=({options}); _describe option offers ;;"
            yield f"    '{command.name} '*) {offered(command.argument)} ;;"

    return f"""\
#compdef cnn
_cnn() {{
  local -a offers gallery
  gallery=({_gallery()})
  if (( CURRENT == 2 )); then
    offers=({" ".join(_zsh_entry(each.name, each.summary) for each in commands)})
    _describe command offers
    return
  fi
  case "${{words[2]}} ${{words[CURRENT-1]}}" in
{_value_cases(commands, offered)}
  esac
  case "${{words[2]}} ${{words[CURRENT]}}" in
{chr(10).join(rest())}
  esac
}}
if (( ! $+functions[compdef] )); then autoload -Uz compinit && compinit; fi
compdef _cnn cnn
"""


def _zsh_entry(name: str, help: str) -> str:
    return f"'{name}:{help.replace(':', chr(92) + ':')}'"


# ---- fish --------------------------------------------------------------------------------------


def _fish(commands: list[_Described]) -> str:
    def offered(value: _Value) -> str:
        parts = [" ".join(value.words)] if value.words else []
        parts += (
            [_gallery(), "(for file in (commandline -ct)*.cnn; echo $file; end)"]
            if value.specs
            else []
        )
        parts += ["(__fish_complete_directories)"] if value.folders else []
        parts += ["(path basename runs/*/)"] if value.runs else []
        return " ".join(parts)

    def lines() -> Iterator[str]:
        yield "complete -c cnn -f"
        for command in commands:
            yield (
                f"complete -c cnn -n __fish_use_subcommand -a {command.name} -d '{command.summary}'"
            )
            prefix = f"complete -c cnn -n '__fish_seen_subcommand_from {command.name}'"
            for option in command.options:
                names = "".join(
                    f" -l {name[2:]}" if name.startswith("--") else f" -s {name[1:]}"
                    for name in option.names
                )
                value = option.value
                if value is None:
                    takes = ""
                elif value.files:
                    takes = " -r -F"
                else:
                    takes = f" -x -a '{offered(value)}'"
                yield f"{prefix}{names}{takes} -d '{option.help}'"
            if command.argument.files:
                yield f"{prefix} -F"
            if words := offered(command.argument):
                yield f"{prefix} -a '{words}'"

    return "\n".join(lines()) + "\n"


_SHELLS: dict[str, Callable[[list[_Described]], str]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
