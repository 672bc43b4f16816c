"""Versioned, hashed protocols: which classes are seen, which compete, and which clips count."""

from zsarbench.protocols.choices import check as check_choices
from zsarbench.protocols.choices import mask as options_mask
from zsarbench.protocols.clips import protocol_clips, round_clips, sharing_a_source
from zsarbench.protocols.files import CLIP_LISTS, schema
from zsarbench.protocols.protocol import ListedRound, Protocol, load, miscounted, read, rounds_in_words

__all__ = [
    "CLIP_LISTS",
    "ListedRound",
    "Protocol",
    "check_choices",
    "load",
    "miscounted",
    "options_mask",
    "protocol_clips",
    "read",
    "round_clips",
    "rounds_in_words",
    "schema",
    "sharing_a_source",
]
