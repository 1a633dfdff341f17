"""What is measured on images and data: fields, gradients, accuracy of disturbed images, features.

measured_field.py  the receptive field as gradients measure it (`--field`); field_picture.py: drawn
gradients.py       the gradient at each layer before training (`--gradients`)
probe.py           accuracy against strength of a disturbance (`cnn probe`); probe_page.py: its page
features.py        the output of a layer for each image of a data set (`cnn features`), and its map
features_file.py   features as .csv, .npz or .parquet
"""
