"""report.html: the results of a training as one self-contained page.

write.py             the whole page; called by the rest of the program
contents.py          the data of the page; history.py: reads metrics.jsonl and record.json
document.py          the page around its sections; css.py: its style sheet, light and dark
markup.py            tags and tables, with everything in them escaped
summary.py           metrics and facts of the run
curves.py            learning curves; chart.py: line charts as SVG
confusion_matrix.py  the confusion matrix and the most frequent confusions
per_class.py         precision and recall of each class
mistakes.py          the most confident mistakes
filters.py           filters of the first layer
gradcam_section.py   Grad-CAM
initial_weights.py   transfer learning: source of the weights, frozen layers
network.py           drawing, layers and spec
picture.py           tensors as images inside the page
"""
