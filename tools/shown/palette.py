"""One palette for all that shows a state: terminals, timelines, diagrams, pictures, and the page of a simulated run."""

from faction import BOOTSTRAPPED, COLLECTING, INITIAL, PINGING, TIMED_OUT

# A style of a terminal, as rich writes it.
STYLES = {INITIAL: "dim", PINGING: "yellow", COLLECTING: "cyan", BOOTSTRAPPED: "bold green", TIMED_OUT: "bold red"}
# The character of a timeline.
BARS = {INITIAL: "·", PINGING: "─", COLLECTING: "═", BOOTSTRAPPED: "█", TIMED_OUT: "×"}
# A colour of pictures and pages.
COLOURS = {INITIAL: "#9aa0a6", PINGING: "#e9c46a", COLLECTING: "#4aa3df", BOOTSTRAPPED: "#2a9d8f", TIMED_OUT: "#d1495b"}
OFF_COLOUR = "#dddddd"  # of a board without power
START_COLOUR = "#5f0f40"  # of the common start
AIR_COLOURS = ("#7d8597", "#c8553d", "#6a4c93", "#588157", "#b08900")  # of the airs of a simulated run, in their order
WAY_COLOURS = {
    "told by the node itself": "#a7d8c9",
    "told by another, whose id stands there": "#f4b183",
}  # of how a node learned of a readiness
OWN_COLOUR = "#eeeeee"  # of what a node knows of itself
