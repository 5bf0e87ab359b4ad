"""One palette for all that shows a state: terminals, timelines, diagrams, pictures, and the page of a simulated run."""

from faction import BOOTSTRAPPED, COLLECTING, INITIAL, PINGING, TIMED_OUT

# A style of a terminal, as rich writes it.
STYLES = {INITIAL: "dim", PINGING: "yellow", COLLECTING: "cyan", BOOTSTRAPPED: "bold green", TIMED_OUT: "bold red"}
# The character of a timeline.
BARS = {INITIAL: "·", PINGING: "─", COLLECTING: "═", BOOTSTRAPPED: "█", TIMED_OUT: "×"}
# A colour of pictures and pages. People who are colour-blind tell them apart, too: a test computes what they see.
COLOURS = {INITIAL: "#9aa0a6", PINGING: "#e9c46a", COLLECTING: "#4aa3df", BOOTSTRAPPED: "#1b7f6b", TIMED_OUT: "#c8553d"}
OFF_COLOUR = "#dddddd"  # of a board without power
START_COLOUR = "#5f0f40"  # of the common start
AIR_COLOURS = ("#7d8597", "#b5482f", "#7b2cbf", "#2b2d42", "#e0b400")  # of the airs of a simulated run, in their order
UNKNOWN_COLOUR = "#ffffff"  # of a readiness that a node does not count
WAY_COLOURS = ("#a7d8c9", "#f4b183")  # of one that it has learned of from the node itself, and from another
OWN_COLOUR = "#8a8f94"  # of its own


def ink(colour: str) -> str:
    """Return the colour of words on a colour, each written as #rrggbb: black or white, whichever is easier to read there."""
    red, green, blue = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    luminance = 0.2126 * red**2.2 + 0.7152 * green**2.2 + 0.0722 * blue**2.2  # WCAG 2, of sRGB
    return "#000000" if (luminance + 0.05) ** 2 > 0.05 * 1.05 else "#ffffff"
