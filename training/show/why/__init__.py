"""What explains a prediction: the evidence for and against a class in an image (`--why`).

why.py                   three methods, and the smallest box with half of the evidence
class_scores.py          the score of each class, which is what they explain
occlusion.py             how far the score falls if a part of the image is hidden
integrated_gradients.py  what each pixel adds to the score

The third method, Grad-CAM, is in `training/inference`: report.html shows it, too.
"""
