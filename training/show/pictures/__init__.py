"""Pictures that are written to files.

contact_sheet.py  the maps of all layers of a network for some images
picture_sheet.py  groups of pictures with captions, as a PNG file or as a web page
colors.py         the colors of signed numbers, of filters, and of what lies over an image
"""
