"""Checks that go further than tests: every state, every order, every fault. python -m faction_tools.dev.verify runs them all."""
