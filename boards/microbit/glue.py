# On the micro:bit, behind machine.py: the machine answers a gateway, which is its radio and its clock.
def make(peer_id, peers, quorum):
    global m
    m = Faction(Config(peer_id, peers, quorum))


def do(command, peer_id=-1):
    print(m.process(command, peer_id), m.state, int(m.is_pinging_completed))


def probe(line=""):
    p = m.config.peers
    ready = m.collecting.count
    heard = [i for i in p if i != m.config.peer_id and (m.pinging.has(i) or m.collecting.has(i))]
    done = "true" if m.is_pinging_completed else "false"
    print('{"faction": "probe", "id": %d, "state": %d, "complete": %s,' % (m.config.peer_id, m.state, done), end=" ")
    print('"heard": %d, "ready": %d, "required": %d,' % (len(heard), ready, m.config.quorum), end=" ")
    print('"peers": %d, "remaining_ms": 0, "uptime_cs": 0}' % len(p))
    rows = ["[%d, null, %d, %d, -1, 0]" % (i, i in heard, m.collecting.has(i)) for i in p]
    print('{"faction": "peers", "peers": [' + ", ".join(rows) + "]}")


def reset():
    m.reset()
    print(m.state)
