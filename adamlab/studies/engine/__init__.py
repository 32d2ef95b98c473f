"""The engine: one compiled program for each optimizer on each problem, mapped over blocks of runs."""
