"""The host side of faction, installed as the package faction_tools."""
