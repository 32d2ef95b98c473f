"""The store: results in a folder, written a block of runs at a time or in one go, and read back as datasets."""
