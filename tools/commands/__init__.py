"""The commands of faction, one module each.

``add(parser)``   adds the options to the parser of the command
``run(options)``  does it, and returns the exit code

A module imports what takes long to start inside its functions, so that --help shows at once.
"""

ROSTER = "faction.toml"  # where no roster is named
FAILED, NO_ANSWER, INTERRUPTED = 2, 3, 130  # exit codes: see the help of the command
