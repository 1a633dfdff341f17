"""report.html: the results of a run as one self-contained web page.

write.py             the whole page; called by the rest of the program
contents.py          what the page shows; history.py: reads metrics.jsonl and record.json
document.py          HTML head, title and list of sections; css.py: its style sheet, light and dark
markup.py            HTML elements and tables; escapes their content
summary.py           metrics, data, device and versions of the run
curves.py            learning curves; chart.py: line charts as SVG
confusion_matrix.py  the confusion matrix and the most frequent confusions
per_class.py         precision, recall and F1 of each class
mistakes.py          the most confident mistakes
filters.py           filters of the first layer
gradcam_section.py   Grad-CAM heatmaps
initial_weights.py   transfer learning: source of the weights, frozen layers
network.py           drawing, layers and spec
picture.py           images that are embedded in the page
"""
