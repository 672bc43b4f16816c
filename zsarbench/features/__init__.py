"""Features of clips and sentences: their key, the store, extraction."""

from zsarbench.features.store.store import FeatureSet, FeatureStore

__all__ = ["FeatureSet", "FeatureStore"]
