"""The output of commands that read optimizers: formulas, verdicts, comparisons, translations."""
