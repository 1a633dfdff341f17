"""`cnn play`: the playground's page beside a file of this computer, compiled by this Python.

serve.py     the page and its socket, for this computer alone
image_page.py  an image through the network, where torch is installed
own_file.py  the file: written as it is typed, read again when something else changes it
"""
