"""The sweep: planned runs are joined with stored ones, and what is missing is computed and written."""
