"""Metadata, CreateTopics and DeleteTopics spoken over a socket.

A Java admin client costs a JVM start per call and a Python one a package to install; the broker command must work
before anything is installed. Layouts: https://kafka.apache.org/protocol, at versions that use no compact types.
"""

import socket
import struct

METADATA, CREATE_TOPICS, DELETE_TOPICS = (3, 1), (19, 2), (20, 1)  # (api key, version)
ERROR_NAMES = {3: "unknown topic", 7: "request timed out", 17: "invalid topic name", 36: "topic already exists",
               37: "invalid number of partitions", 40: "invalid configuration", 41: "not the controller"}


class KafkaError(Exception):
    """What the broker answered, with its error code where it gave one."""

    def __init__(self, message, code=None):
        super().__init__(message)
        self.code = code


def _string(text):
    if text is None:
        return struct.pack(">h", -1)
    data = text.encode()
    return struct.pack(">h", len(data)) + data


def _array(items):
    return struct.pack(">i", len(items)) + b"".join(items)


class _Reader:
    def __init__(self, data):
        self._data, self._at = data, 0

    def read(self, layout):
        (value,) = struct.unpack_from(">" + layout, self._data, self._at)
        self._at += struct.calcsize(">" + layout)
        return value

    def string(self):
        size = self.read("h")
        if size < 0:
            return None
        self._at += size
        return self._data[self._at - size:self._at].decode()

    def array(self, read_item):
        return [read_item() for _ in range(self.read("i"))]


def _receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise KafkaError("the broker closed the connection")
        data += part
    return data


def _call(bootstrap, api, body, timeout):
    host, port = bootstrap.split(",")[0].rsplit(":", 1)
    request = struct.pack(">hhi", *api, 1) + _string("kafka-broker") + body
    with socket.create_connection((host, int(port)), timeout) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        (size,) = struct.unpack(">i", _receive(connection, 4))
        answer = _Reader(_receive(connection, size))
    answer.read("i")  # the correlation id
    return answer


def metadata(bootstrap, topics=(), timeout=5.0):
    """Returns ({broker id: "host:port"}, {topic: {partition: leader id, -1 for none}}); absent topics are left out."""
    answer = _call(bootstrap, METADATA, _array([_string(name) for name in topics]), timeout)
    brokers = {}
    for _ in range(answer.read("i")):
        node, host, port = answer.read("i"), answer.string(), answer.read("i")
        brokers[node] = f"{host}:{port}"
        answer.string()  # rack
    answer.read("i")  # controller
    found = {}
    for _ in range(answer.read("i")):
        error, name = answer.read("h"), answer.string()
        answer.read("b")  # internal or not
        leaders = {}
        for _ in range(answer.read("i")):
            answer.read("h")
            partition, leader = answer.read("i"), answer.read("i")
            answer.array(lambda: answer.read("i"))  # replicas
            answer.array(lambda: answer.read("i"))  # in sync
            leaders[partition] = leader
        if error == 0:
            found[name] = leaders
    return brokers, found


def _raise_first_error(results):
    for name, code, message in results:
        if code != 0:
            raise KafkaError(f"{name}: {message or ERROR_NAMES.get(code, f'error {code}')}", code)


def create_topics(bootstrap, names, partitions=1, config=None, timeout=10.0):
    """Asks for topics with one replica; they have leaders some time later (see topics_ready)."""
    configs = _array([_string(key) + _string(value) for key, value in (config or {}).items()])
    topics = [_string(name) + struct.pack(">ih", partitions, 1) + _array([]) + configs for name in names]
    body = _array(topics) + struct.pack(">ib", int(timeout * 1000), 0)
    answer = _call(bootstrap, CREATE_TOPICS, body, timeout + 1)
    answer.read("i")  # throttle time
    _raise_first_error(answer.array(lambda: (answer.string(), answer.read("h"), answer.string())))


def delete_topics(bootstrap, names, timeout=10.0):
    body = _array([_string(name) for name in names]) + struct.pack(">i", int(timeout * 1000))
    answer = _call(bootstrap, DELETE_TOPICS, body, timeout + 1)
    answer.read("i")  # throttle time
    _raise_first_error(answer.array(lambda: (answer.string(), answer.read("h"), None)))


def broker_ready(bootstrap):
    """Whether metadata is answered and lists the broker at this very address."""
    try:
        return bootstrap in metadata(bootstrap)[0].values()
    except (OSError, KafkaError):
        return False


def topics_ready(bootstrap, names, partitions):
    """Whether every partition of every topic has a leader."""
    found = metadata(bootstrap, names)[1]
    return all(len(found.get(name, {})) == partitions and min(found[name].values()) >= 0 for name in names)


def topics_gone(bootstrap, names):
    return not metadata(bootstrap, names)[1]
