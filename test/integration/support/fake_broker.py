import socket
import struct
import threading

METADATA, SASL_HANDSHAKE, API_VERSIONS, SASL_AUTHENTICATE = 3, 17, 18, 36
UNSUPPORTED_VERSION, SASL_AUTHENTICATION_FAILED = 35, 58


def _text(data):
    return struct.pack(">h", len(data)) + data


def _array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


class FakeBroker:
    """Speaks as much of Kafka's protocol as tells clients what real brokers never would: any bytes as names of topics,
    and as the reason why it lets nobody in."""

    def __init__(self, topics=(), refusal=b""):
        self._topics, self._refusal = topics, refusal
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._port = self._listener.getsockname()[1]
        self.bootstrap = f"127.0.0.1:{self._port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self._listener.close()

    def _accept(self):
        try:
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()
        except OSError:
            pass  # closed

    def _serve(self, client):
        with client, client.makefile("rb") as requests:
            while len(size := requests.read(4)) == 4:
                request = requests.read(*struct.unpack(">i", size))
                api, version, number = struct.unpack(">hhi", request[:8])
                answer = struct.pack(">i", number) + self._answer(api, version)
                client.sendall(struct.pack(">i", len(answer)) + answer)

    def _answer(self, api, version):
        """See https://kafka.apache.org/protocol: the versions that API_VERSIONS tells of."""
        if api == API_VERSIONS:
            error = UNSUPPORTED_VERSION if version > 0 else 0
            versions = {METADATA: 2, SASL_HANDSHAKE: 1, API_VERSIONS: 0, SASL_AUTHENTICATE: 0}
            return struct.pack(">h", error) + _array([struct.pack(">hhh", key, 0, most) for key, most in versions.items()])
        if api == SASL_HANDSHAKE:
            return struct.pack(">h", 0) + _array([_text(b"PLAIN")])
        if api == SASL_AUTHENTICATE:
            return struct.pack(">h", SASL_AUTHENTICATION_FAILED) + _text(self._refusal) + struct.pack(">i", 0)
        assert api == METADATA, api
        brokers = _array([struct.pack(">i", 1) + _text(b"127.0.0.1") + struct.pack(">ih", self._port, -1)])
        partition = struct.pack(">hii", 0, 0, 1) + _array([struct.pack(">i", 1)]) * 2
        topics = [struct.pack(">h", 0) + _text(name) + b"\0" + _array([partition]) for name in self._topics]
        return brokers + struct.pack(">hi", -1, 1) + _array(topics)
