"""The algorithms of papers, written once, and how the forms of the table of translations stand to them."""
