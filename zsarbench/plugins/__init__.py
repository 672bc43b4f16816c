"""How names become objects: the registry, what plugins hook into, options, construction."""

from zsarbench.plugins.loading import Failure, Host, load_plugins

__all__ = ["Failure", "Host", "load_plugins"]
