"""From image files to pixels: decoding, checking, resizing, preprocessing."""
