"""From a roster to boards: check, build, deploy."""
