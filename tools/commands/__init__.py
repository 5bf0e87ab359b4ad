"""The commands of faction, one module each."""
