"""The output of commands on studies: their runs, progress and pictures."""
