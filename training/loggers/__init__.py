"""`log tensorboard mlflow wandb csv`: a run in the tools that people look at runs with.

Each logger is a callback, in one file for each tool, and writes through the tool's own client.

open_loggers.py         the loggers of a plan; packages that are missing
logger.py               what they have in common
tensorboard_logger.py, mlflow_logger.py, wandb_logger.py, csv_logger.py
tensorboard_graph.py    the network for TensorBoard's graph tab
hyperparameters.py      the plan as names with values
step_points.py          the curve of the loss, step by step
confusion_picture.py    the confusion matrix as an image
files_of_run.py         the spec and the drawing of the network, for tools that keep files

A logger that fails warns once, and training goes on (`display/combined.py`).
"""
