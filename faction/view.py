"""A snapshot of a machine, for people and tests. Everything here allocates; nothing here is for interrupt handlers."""

from .machine import Faction
from .names import state_name


class ClusterView:
    """What a machine knew at one moment. Later commands do not change it. Attributes, only to be read:

    ``state``                 the state code
    ``pinging``               tuple of the ids whose participation was observed, in ascending order
    ``collecting``            tuple of the ids whose readiness was observed, in ascending order
    ``required``              the quorum: how many must be ready
    ``is_concluded``          whether the state is final
    ``conclusion``            BOOTSTRAPPED or TIMED_OUT; None before the machine has concluded
    ``is_pinging_completed``  whether our own part was complete
    """

    def __init__(self, machine: Faction) -> None:
        """Copy what the machine knows now. Allocates."""
        self.state = machine.state
        self.pinging = tuple(machine.pinging)
        self.collecting = tuple(machine.collecting)
        self.required = machine.config.quorum
        self.is_concluded = machine.is_concluded
        self.conclusion = machine.state if machine.is_concluded else None
        self.is_pinging_completed = machine.is_pinging_completed

    def _key(self) -> "tuple[int, tuple[int, ...], tuple[int, ...], int, bool]":
        return self.state, self.pinging, self.collecting, self.required, self.is_pinging_completed

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ClusterView) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __repr__(self) -> str:
        return "<ClusterView %s, pinging %s, collecting %s of %d>" % (
            state_name(self.state),
            self.pinging,
            self.collecting,
            self.required,
        )
