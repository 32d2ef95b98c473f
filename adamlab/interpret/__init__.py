"""An optimizer's own code, read in another algebra: plans.py lays it out, jaxpr.py walks it, the others say in what.

Eight files know JAX's internals: jaxprs are looked into in plans.py, in jaxpr.py, in `adamlab.dependence`, in
`adamlab.flattening.reading`, in `adamlab.parity.constants`, and in equations.py and loops.py of
`adamlab.studies.engine`, whose keys.py defines a kind of keys; nowhere else. JAX's private package is imported in a
single line, of jaxpr.py, for the line of code that an error names.
"""
