from .machine import *  # noqa: F403

__version__ = "0.1.0"
