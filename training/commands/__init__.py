"""The commands of `cnn` that train or use networks: one file for each command.

See compiler/commands/__init__.py for what makes a module a command.
"""
