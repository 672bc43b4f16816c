"""Immutable shards with an index over them."""
