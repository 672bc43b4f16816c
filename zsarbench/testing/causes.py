"""What is most often behind a finding of a check, as a clause that a message ends with."""

from collections.abc import Mapping

CAUSES: Mapping[tuple[str, str], str] = {}
