"""The checks that every plugin must pass; `zsarbench check zsarbench-template` runs the same from a shell."""

from zsarbench.plugins import load_plugins
from zsarbench.testing.conformance import parametrize


@parametrize(load_plugins().registry, plugin="zsarbench-template")
def test_conformance(case):
    case()
