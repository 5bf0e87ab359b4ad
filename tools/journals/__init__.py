"""Journals as files, and the steps in them."""
