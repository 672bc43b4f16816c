"""The verbs: a file here is a verb of its name, and its `command` is what runs."""

from __future__ import annotations

from pkgutil import iter_modules

# In the order a user meets them; a verb that is not listed follows by name.
_FIRST = (
    *("run", "score", "ask", "sweep", "compare", "result", "plot", "leaderboard", "list", "show"),
    *("protocol", "contamination", "data", "features", "plugin", "check", "doctor", "completion"),
)
_NAMES = {module.name for module in iter_modules(__path__)}
VERBS = (*(name for name in _FIRST if name in _NAMES), *sorted(_NAMES - set(_FIRST)))
