"""What `cnn` does with torch, or with what only training/ knows: one file for each command.

See compiler/commands/__init__.py for what makes a module a command.
"""
