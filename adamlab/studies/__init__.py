"""Experiment configs become runs, and runs become a dataset."""
