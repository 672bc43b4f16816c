"""From scores to numbers, by numpy alone."""
