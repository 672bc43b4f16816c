"""The checks that every plugin must pass; `zsarbench check my-plugin` runs the same from a shell."""

from zsarbench.plugins import load_plugins
from zsarbench.testing import parametrize


@parametrize(load_plugins().registry, plugin="my-plugin")
def test_conformance(case):
    case()
