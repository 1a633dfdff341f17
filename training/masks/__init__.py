"""Masks for people and other programs: colors of classes, overlays, polygons.

class_colors.py     a color for each class, the same in pages, PNG palettes and overlays
mask_overlay.py     masks over their images; which pixels are right and which are wrong
sample_masks.py     masks of series as tracks, those of scans over slices
mask_png.py         masks as PNG files with a palette; mask_npz.py: of series and scans, as arrays
polygons.py         masks as polygons
tiling.py           images of any size, divided into tiles whose answers are blended
"""
