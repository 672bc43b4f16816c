"""Extraction: which features are missing, and who computes them."""
