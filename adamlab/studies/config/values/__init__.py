"""Values of a config: numbers, ranges, designs, expressions, and names that they cannot have."""
