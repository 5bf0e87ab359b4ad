"""The serial line to a board, and the survey of many boards."""
