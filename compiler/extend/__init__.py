"""Plug-ins: layers, losses, metrics and augmentations of one's own, in Python.

`plugin.py` is what one holds, `plugin_files.py` which files it has, `load_plugin.py` how it comes
in, `used_plugins.py` which ones a program uses. A plug-in is a Python module or package. It is
either installed, as an entry point of the group `dotcnn.plugins`, or a file or folder that the user
names: `--plugin mine.py`, `plugins=["mine/"]`. Nothing else executes one: a spec says `use "mine"`,
a name, and what a run folder keeps of a plug-in is a record of it.
"""
