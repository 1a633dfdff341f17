"""Arrays that cannot be used. Needs no numpy: commands that read no array import this, too."""


class Unfit(Exception):
    """An array that cannot be used as images or labels; the text says why."""
