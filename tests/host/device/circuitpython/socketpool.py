import socket


class SocketPool:
    AF_INET = socket.AF_INET
    SOCK_DGRAM = socket.SOCK_DGRAM

    def __init__(self, radio):
        assert radio.connected, "a test wants to see that it waits for the network"

    def socket(self, family, kind):
        return socket.socket(family, kind)
