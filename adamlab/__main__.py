"""`python -m adamlab` is `adamlab`."""

from adamlab.cli import main

main()
