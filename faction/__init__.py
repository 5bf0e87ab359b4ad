"""Is the cluster ready to proceed? A machine that answers with Bootstrapped or TimedOut, and a node around it.

``import faction`` gives the machine and its codes, all from faction.machine. This takes little memory. Import what else you
need by its name:

    faction.machine     Config, Faction, PeerSet, the codes, and the quorum rules majority, byzantine, everyone
    faction.names       words for the codes
    faction.view        ClusterView, a snapshot of a machine
    faction.observer    Observer and Observers, which a machine tells of each command
    faction.journal     Journal, a record of a run, and replay
    faction.node        Node: it brings one board into the cluster
    faction.wire        Wire and Checksum: the frames of a node
    faction.peers       Peers: what a node knows of the other members
    faction.key         Key: protects the frames with a secret
    faction.clock       Clock, and system_clock
    faction.console     Console and probe: ask a board about its node
    faction.transports  how frames travel: udp, espnow, uart, ring, loopback, bridge

help(faction.machine) and help(faction.node) begin with their theory of operation. The reference is faction/README.md.
"""

from .machine import *  # noqa: F403

__version__ = "0.1.0"
