"""One palette for all that shows a state: terminals, timelines, diagrams, pictures, and the page of a simulated run."""

from faction import BOOTSTRAPPED, COLLECTING, INITIAL, PINGING, TIMED_OUT

# A style of a terminal, as rich writes it.
STYLES = {INITIAL: "dim", PINGING: "yellow", COLLECTING: "cyan", BOOTSTRAPPED: "bold green", TIMED_OUT: "bold red"}
# The character of a timeline.
BARS = {INITIAL: "·", PINGING: "─", COLLECTING: "═", BOOTSTRAPPED: "█", TIMED_OUT: "×"}
# A colour of pictures and pages.
COLOURS = {INITIAL: "#9aa0a6", PINGING: "#e9c46a", COLLECTING: "#4aa3df", BOOTSTRAPPED: "#2a9d8f", TIMED_OUT: "#d1495b"}
OFF_COLOUR = "#dddddd"  # of a board without power
