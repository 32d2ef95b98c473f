"""Functions of a few parameters: quadratics, curved valleys, several minima."""
