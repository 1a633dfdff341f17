"""Images that are restored: how the input of the network and its target are made.

degrade.py            noise, blur, fewer pixels, JPEG, gray: what makes the input worse
input_and_target.py   the input and the target of a batch, from the images of the data
augment.py            the same in training, after augmentation
baseline.py           how far the input itself is from its target
"""
