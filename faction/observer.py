"""Observers: who watches a machine, and how several watch one.

A machine calls its observer once for each call of ``process``, after the state has changed, with ints and without
allocating; whether the whole call allocates is then up to the observer. The machine calls by name, so a class need
not derive from Observer. A node calls the same object when it finds another node misconfigured.
"""

from .machine import Faction

const = int  # folded away on boards: see machine.py
_FOR_TYPE_CHECKERS = const(0)
if _FOR_TYPE_CHECKERS:
    from .node import Node


class Observer:
    """An observer that does nothing: derive from it and override what matters."""

    def observe(self, machine: Faction, command: int, peer_id: int, previous_state: int, result: int) -> None:
        """Take note of an accepted command; machine.state is the state that followed."""

    def observe_query(self, machine: Faction) -> None:
        """Take note of a PROBE."""

    def observe_rejection(self, machine: Faction, command: int, peer_id: int, result: int) -> None:
        """Take note of a rejected command; command and peer_id may be any ints."""

    def observe_conflict(self, node: "Node", conflict: int, peer_id: int) -> None:
        """Take note of a misconfigured node, once for each: see Node.poll."""


class Observers(Observer):
    """Several observers as one, called in the order given. What one of them raises keeps the later ones uninformed.

    Adds nothing to what its observers allocate, but for this: a call with so many arguments is more than MicroPython
    keeps on its stack, so the frame comes from the heap and goes back there; with the heap locked it stays on the stack.
    """

    def __init__(self, *observers: Observer) -> None:
        """Keep the observers. Allocates."""
        self._observers = observers

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
            observer.observe_conflict(node, conflict, peer_id)
