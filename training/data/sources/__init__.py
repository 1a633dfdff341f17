"""Where images and labels come from: folders, archives, named data sets; how they are split."""
