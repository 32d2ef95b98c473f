"""Parts of the pictures over steps: which quantities, their medians with bands, and all settings of a sweep."""
