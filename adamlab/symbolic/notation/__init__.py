"""Formulas written as a person would: SymPy's expressions laid out once, printed as text, LaTeX and MathML."""
