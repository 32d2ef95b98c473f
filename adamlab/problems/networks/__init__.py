"""Networks: classifiers and an auto-encoder of images, a transformer of tokens."""
