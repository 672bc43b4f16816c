"""The feature store: immutable shards with an index over them."""
