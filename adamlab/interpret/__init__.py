"""An optimizer's own code, read in another algebra: jaxpr.py walks it, the other files say what the numbers are."""
