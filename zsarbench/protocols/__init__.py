"""Versioned, hashed rules of who is seen, who competes and which clips count."""

from zsarbench.protocols.clips import protocol_clips, round_clips
from zsarbench.protocols.protocol import (
    CLIP_RULES,
    FileProtocol,
    load,
    miscounted,
    read,
    rounds_in_words,
)

__all__ = [
    "CLIP_RULES",
    "FileProtocol",
    "load",
    "miscounted",
    "protocol_clips",
    "read",
    "round_clips",
    "rounds_in_words",
]
