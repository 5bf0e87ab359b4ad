# Runs on the micro:bit, after machine.py: the machine answers a gateway, a computer that is its radio and its clock.
import gc


def make(peer_id, peers, quorum):
    global m
    m = Faction(Config(peer_id, peers, quorum))


def do(command, peer_id=-1):
    print(m.process(command, peer_id), m.state, int(m.is_pinging_completed))
    gc.collect()  # the parser of the next command needs much memory in one piece


def reset():
    m.reset()
    print(m.state)
