"""The plugin is loaded, and adds what it says."""

from zsarbench.plugins import load_plugins


def test_it_is_loaded():
    host = load_plugins()
    assert not [failure for failure in host.failures if failure.plugin == "my-plugin"]
    assert [entry for entry in host.registry if entry.plugin == "my-plugin"]
