"""Predictions of other programs, scored under a protocol as if a method had returned them."""
