"""Formulas as a person would write them: SymPy's expressions laid out once, printed as text, LaTeX and MathML.

`layout` makes nodes of an expression, in the order and the parentheses of `order`; `text`, `latex` and `mathml` write
them; `names` takes symbols' names apart.
"""
