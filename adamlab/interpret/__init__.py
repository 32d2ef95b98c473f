"""An optimizer's own code, read in another algebra: jaxpr.py walks it, the other files say what the numbers are.

Two files know JAX's internals: jaxprs are looked into in jaxpr.py and in `adamlab.dependence`, nowhere else; JAX's
private package is imported in a single line, of jaxpr.py, for the line of code that an error names.
"""
