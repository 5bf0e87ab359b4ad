"""A cluster on the desk: the shipped node under a virtual clock, on a simulated medium."""
