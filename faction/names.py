"""Words for the codes of faction, for people. Everything here allocates; nothing here is for interrupt handlers."""

_STATES = ("initial", "pinging", "collecting", "bootstrapped", "timed out")
_COMMANDS = (
    "participation observed",
    "ready observed",
    "local participation completed",
    "deadline expired",
    "probe",
    "withdrawal observed",
)
# The words for the bits of a result, from the lowest bit up.
_FLAGS = (
    "accepted",
    "rejected",
    "probed",
    "participation accepted",
    "ready accepted",
    "local completed",
    "broadcast ready",
    "concluded bootstrapped",
    "concluded timed out",
    "duplicate",
    "non-member",
    "not admissible",
    "concluded",
    "unknown command",
    "nothing observed",
    "withdrawal accepted",
)


def state_name(state: int) -> str:
    """Return the word for a state code, or "state N" if N is not a state code."""
    return _name("state", _STATES, state)


def command_name(command: int) -> str:
    """Return the words for a command code, or "command N" if N is not a command code."""
    return _name("command", _COMMANDS, command)


def describe(result: int) -> str:
    """Return a result of Faction.process in words: "rejected: duplicate". A bit without a meaning appears as a number."""
    if result < 0:
        return "result %d" % result
    words = [_FLAGS[i] for i in range(len(_FLAGS)) if result >> i & 1]
    unknown = result >> len(_FLAGS) << len(_FLAGS)
    if unknown or not words:
        words.append("result 0x%x" % unknown)
    return words[0] if len(words) == 1 else words[0] + ": " + ", ".join(words[1:])


def _name(kind: str, names: "tuple[str, ...]", code: int) -> str:
    return names[code] if 0 <= code < len(names) else "%s %d" % (kind, code)
