"""Clips to stored features: which are missing, who encodes them."""
