"""An optimizer's own code, read in another algebra: jaxpr.py walks it, the other files say what the numbers are.

Four files know JAX's internals: jaxprs are looked into in jaxpr.py, in `adamlab.dependence`, in
`adamlab.flattening.reading` and in `adamlab.parity.constants`, nowhere else. JAX's private package is imported in a
single line, of jaxpr.py, for the line of code that an error names.
"""
