"""Features of clips and sentences: their key, the store, extraction."""

from zsarbench.features.clips import CaptionView, ClipView, MemoryClips
from zsarbench.features.store.feature_set import FeatureSet
from zsarbench.features.store.store import FeatureStore

__all__ = ["CaptionView", "ClipView", "FeatureSet", "FeatureStore", "MemoryClips"]
