"""The commands of `cnn` that do not need torch: one file each, with its arguments and its action.

A command is a module with `EXAMPLES`, `add_arguments(parser)` and `run(options)`, which returns an
exit code or raises SpecError or CommandError; cli.py lists the commands, imports a module when its
command is run, and prints its errors. Commands that need torch are under training/commands.

command.py      a command: its name, its parser, how it is imported
options.py      arguments that several commands share
specs.py        reads, compiles and analyses the specs named on the command line
terminal.py     exit codes, messages, colors and width
output_file.py  files that a command writes
"""
