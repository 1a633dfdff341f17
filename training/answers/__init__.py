"""What a run answered, kept for every image of its validation and test set: so that runs can be
compared image by image without evaluating them again. Needs no torch, except to collect them.

kept_answers.py  what is kept, by the kind of answer, and how large it may get
answers_file.py  answers-val.npz and answers-test.npz in a run folder: writes and reads them
collect.py       takes the answers from an evaluation
"""
