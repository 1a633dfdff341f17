"""Pictures that are written to files.

picture_sheet.py  a sheet: groups of pictures with captions, and how to read them
as_png.py         draws a sheet as a PNG file; as_html.py: writes it as a web page
contact_sheet.py  the sheet of the maps of all layers of a network for some images
adjust.py         pictures resized, framed, put in rows, boxed, in three channels
colors.py         the colors of signed numbers, of filters, and of what lies over an image
lettering.py      fonts for any alphabet, and lines that fit into a width
"""
