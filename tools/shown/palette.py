"""One palette for everything that shows a state: terminals, timelines and pictures."""

from faction import BOOTSTRAPPED, COLLECTING, INITIAL, PINGING, TIMED_OUT

STYLES = {INITIAL: "dim", PINGING: "yellow", COLLECTING: "cyan", BOOTSTRAPPED: "bold green", TIMED_OUT: "bold red"}  # of rich
BARS = {INITIAL: "·", PINGING: "─", COLLECTING: "═", BOOTSTRAPPED: "█", TIMED_OUT: "×"}  # a timeline's characters
COLOURS = {INITIAL: "#9aa0a6", PINGING: "#e9c46a", COLLECTING: "#4aa3df", BOOTSTRAPPED: "#2a9d8f", TIMED_OUT: "#d1495b"}  # of pictures
OFF_COLOUR = "#dddddd"  # of a board without power
