"""Data sets: images by name, minibatches of any data, and what nets see of images."""
