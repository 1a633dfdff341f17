"""Masks for people and other programs: colors of classes, overlays, polygons, whole large images.

class_colors.py     a color for each class, the same in pages, PNG palettes and overlays
mask_overlay.py     masks over their images; which pixels are right and which are wrong
mask_png.py         masks as PNG files with a palette
polygons.py         masks as polygons
whole_image.py      the answers of a network for whole images of any size, by tiles
"""
