"""What the command line shows: progress, tables, lists, formulas."""
