"""`cnn new --data`: a spec that fits a data set, each choice with its reason.

survey.py       what is in the data: the kind of answer, classes, parts, a sample of the images
pairs.py        the same for pairs of images
machine.py      what the spec is to run on: memory, and how fast
networks.py     the networks to choose from, small to large
choices.py      input size, network, batch, epochs, augmentation, and the reasons
write_spec.py   the text of the spec, checked as `cnn check` does

Only a sample of the files is decoded. The same data gives the same spec on the same machine.
"""
