"""Starting from somebody's weights: what a `transfer` section comes to while a network learns.

source.py       whose weights: a run, a file, or library.py: torchvision's; of_timm.py: timm's
pixels.py       what they take pixels to be, where the spec says nothing
prepared.py     all of that before the data are read; whether policy, and a run gone on with
begin.py        weights into a module, by structure; misfit.py: what does not fit, in words;
                parting.py: whether it then computes what theirs does
freezing.py     what does not learn now; anchor.py: drawn back to where it began
cut.py          a network in two: what is computed once, and what learns from that
cached.py       … computed, kept in files, read again; key.py: and never stale
explained.py    `cnn explain FILE transfer`, without training

What is frozen when, and how fast the rest learns, is decided without torch, in compiler/plan:
strategy.py and policy.py.
"""
