"""What `cnn` does without torch: one file for each command, its arguments and its action together.

A command is a module with `EXAMPLES`, `add_arguments(parser)` and `run(options)`, which returns an
exit code or raises SpecError or CommandError; cli.py names it, loads it when it is asked for, and
prints its errors. Commands that need torch are under training/commands.

command.py      a command by its name: its parser, how it is loaded
options.py      arguments that several commands take
specs.py        the files that a command is given: read, compiled, analysed
terminal.py     exit codes, messages, colours and width
output_file.py  files that a command writes
"""
