"""Checks of every state rather than of some: python -m faction_tools.verify.exhaustive walks through all that a small cluster can do."""
