"""Observers: objects that a machine tells of each command.

A machine calls one method of its observer for each call of ``process``, after the state has changed. It passes ints and
allocates nothing for that. The observer may allocate; then the call of ``process`` does, too. The machine calls the
methods by name, so a class with these methods need not derive from Observer. A node calls the same object when it finds
another node with a wrong configuration, if it has observe_conflict.
"""

from .machine import Faction

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from .node import Node


class Observer:
    """An observer that does nothing and allocates nothing. Derive from it, and override the methods that you need."""

    def observe(self, machine: Faction, command: int, peer_id: int, previous_state: int, result: int) -> None:
        """Take note of an accepted command. machine.state is the state after it, previous_state the one before."""

    def observe_query(self, machine: Faction) -> None:
        """Take note of a PROBE."""

    def observe_rejection(self, machine: Faction, command: int, peer_id: int, result: int) -> None:
        """Take note of a rejected command. command and peer_id may be any ints."""

    def observe_conflict(self, node: "Node", conflict: int, peer_id: int) -> None:
        """Take note of a node with a wrong configuration. It is called once for each such node: see Node.poll."""


class Observers(Observer):
    """Several observers as one. They are called in the given order.

    If one of them raises an exception, the later ones are not called. MicroPython takes the frame of a call with so many
    arguments from the heap and gives it back afterwards. With the heap locked the frame stays on the stack. Apart from
    this, it allocates only what its observers allocate.
    """

    def __init__(self, *observers: Observer) -> None:
        """Keep the observers. Allocates."""
        self._observers = observers  # in the order in which they are called

    def observe(self, machine: Faction, command: int, peer_id: int, previous_state: int, result: int) -> None:
        """Pass an accepted command on."""
        for observer in self._observers:
            observer.observe(machine, command, peer_id, previous_state, result)

    def observe_query(self, machine: Faction) -> None:
        """Pass a PROBE on."""
        for observer in self._observers:
            observer.observe_query(machine)

    def observe_rejection(self, machine: Faction, command: int, peer_id: int, result: int) -> None:
        """Pass a rejection on."""
        for observer in self._observers:
            observer.observe_rejection(machine, command, peer_id, result)

    def observe_conflict(self, node: "Node", conflict: int, peer_id: int) -> None:
        """Pass a conflict on."""
        for observer in self._observers:
            if hasattr(observer, "observe_conflict"):
                observer.observe_conflict(node, conflict, peer_id)
