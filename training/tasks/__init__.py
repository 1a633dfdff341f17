"""What a network learns to answer: one file for each kind of answer, called a task.

task.py             what every task declares: its metrics, how outputs become answers
task_recipe.py      what a new spec for a task has
classification.py   one class for each image
multi_label.py      several classes for each image, or none
probabilities.py    softmax and sigmoid
segmentation.py     a class for each pixel
regression.py       numbers for each image
image_to_image.py   an image for each image
multi_task.py       several answers at once, one for each output of a network
answer.py           what the labels of one of several outputs are
rows_with_maps.py   labels of several outputs as rows, with masks and images behind them
known_tasks.py      the task of a data set

Everything else of training, evaluation and prediction is the same for all tasks and asks them.
"""
