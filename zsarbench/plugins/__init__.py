"""How names become objects: the registry, what plugins hook into, options, construction."""

from zsarbench.plugins.loading import Host, PluginFailure, load_plugins

__all__ = ["Host", "PluginFailure", "load_plugins"]
