"""Features of clips and sentences: their key, the store, extraction."""

from zsarbench.features.clips import CaptionView, ClipView, MemoryClips
from zsarbench.features.store.store import FeatureSet, FeatureStore

__all__ = ["CaptionView", "ClipView", "FeatureSet", "FeatureStore", "MemoryClips"]
