"""Losses that are drawn: online counterexamples, regressions on made data, the noise of deep nets."""
