"""Predictions that another program made, scored under a protocol as if a method had returned them."""
