"""What boards make of configurations: micropython load_rosters.py FILE, with a JSON object on each line.

Each is written as the faction.json of a board, loaded, and made into a node, with the sockets that it names where the board is a
process. Prints what goes wrong, and at the end how many nodes there were.
"""

import sys

from member import addresses, connect, load, make

from faction.transports.loopback import Hub
from faction.transports.udp import UDP


def node_of(line, path):
    """Return the node of a configuration, and poll it."""
    with open(path, "w") as file:
        file.write(line)
    settings = load(path)
    hub = Hub()
    openers = {kind: lambda each: hub.join() for kind in ("udp", "uart", "espnow")}
    if settings.pop("is_process"):
        openers = {"udp": lambda each: UDP(each["port"], addresses(each), each["bind"])}
    transport = connect(settings["transports"], openers)
    node = make(settings, transport)
    for _ in range(3):
        node.poll()
    node.complete()
    node.poll()
    if hasattr(transport, "close"):
        transport.close()
    return node


def main(path):
    count = 0
    with open(path) as file:
        for line in file:
            try:
                node_of(line, path + ".board")
                count += 1
            except Exception as error:
                sys.print_exception(error)
                print("wrong:", line)
    print("nodes:", count)


main(sys.argv[1])
