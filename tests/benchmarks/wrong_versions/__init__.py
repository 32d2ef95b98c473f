"""Wrong versions of adamlab: changes that a test has to notice, each with the tests nearest to it.

`python -m tests.benchmarks.wrong_versions` applies them to a copy, one after the other, and writes the table beside
this file; see `__main__`.
"""
