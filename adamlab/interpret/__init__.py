"""An optimizer's own code, read in another algebra: plans.py lays it out, jaxpr.py walks it, the others say in what.

Five files know JAX's internals: jaxprs are looked into in plans.py, in jaxpr.py, in `adamlab.dependence`, in
`adamlab.flattening.reading` and in `adamlab.parity.constants`, nowhere else. JAX's private package is imported in a
single line, of jaxpr.py, for the line of code that an error names.
"""
