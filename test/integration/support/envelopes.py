"""Streams of changes of rows, and what they come to when they are replayed one by one.

A row is (*key, name, amount): what a stream (…key columns…, name text, amount int) holds.
"""

import json
import zlib

DELETE_CHANCE, MISSING_CHANCE, NEW_KEY_CHANCE = 0.25, 0.2, 0.1


def key_document(names, key):
    return dict(zip(names, key, strict=True))


def partition_of(key, partitions):
    """So that all that is said of a key is in one partition."""
    return zlib.crc32(repr(key).encode()) % partitions


def upserts(chance, names, keys, count, partitions):
    """Messages of a topic of rows by key; a field may be missing, a value null."""
    for number in range(count):
        key = chance.choice(keys)
        value = {"name": chance.choice(["a", "b", None]), "amount": number}
        for name in list(value):
            if chance.random() < MISSING_CHANCE:
                del value[name]
        document = key_document(names, key)
        one = next(iter(document.values())) if len(names) == 1 and chance.random() < 0.5 else document
        yield {"key": json.dumps(one), "partition": partition_of(key, partitions),
               "value": None if chance.random() < DELETE_CHANCE else json.dumps(value)}


def replay_upserts(messages, names):
    """The rows that confluent_kafka's messages, in the order of their partitions, leave."""
    rows = {}
    for message in messages:
        document = json.loads(message.key())
        key = tuple(document[name] for name in names) if isinstance(document, dict) else (document,)
        if message.value() is None:
            rows.pop(key, None)
        else:
            value = json.loads(message.value())
            rows[key] = (*key, value.get("name"), value.get("amount"))
    return sorted(rows.values(), key=repr)


class Source:
    """A table whose changes are written as Debezium's connectors write them."""

    def __init__(self, chance, names, keys, partitions):
        self._chance, self._names, self._keys, self._partitions = chance, names, keys, partitions
        self._rows, self._number = {}, 0

    def changes(self, count):
        for _ in range(count):
            yield from self._change(self._chance.choice(self._keys))

    def _change(self, key):
        old, new = self._rows.get(key), self._new_row(key)
        if old is None:
            self._rows[key] = new
            yield self._event(key, self._chance.choice("cr"), None, new)
        elif self._chance.random() < DELETE_CHANCE:
            yield from self._delete(key)
        elif self._chance.random() < NEW_KEY_CHANCE:
            yield from self._change_key(key)
        else:
            self._rows[key] = new
            # The row as it was is there or not, as the table's REPLICA IDENTITY has it.
            yield self._event(key, "u", self._chance.choice([None, old]), new)

    def _new_row(self, key):
        self._number += 1
        return key_document(self._names, key) | {"name": self._chance.choice(["a", "b", None]), "amount": self._number}

    def _delete(self, key):
        before = self._chance.choice([self._rows.pop(key), key_document(self._names, key), None])
        yield self._event(key, "d", before, None)
        if self._chance.random() < 0.5:
            yield self._message(key, None)

    def _change_key(self, key):
        """As a deletion and a creation, each with its own key."""
        free = [other for other in self._keys if other not in self._rows]
        if not free:
            return
        new = self._chance.choice(free)
        self._rows[new] = self._rows[key] | key_document(self._names, new)
        yield from self._delete(key)
        yield self._event(new, "c", None, self._rows[new])

    def _event(self, key, op, before, after):
        return self._message(key, {"before": before, "after": after, "source": {"table": "t", "id": -1}, "op": op})

    def _message(self, key, event):
        document = key_document(self._names, key)
        if self._chance.random() < 0.3:
            document = {"schema": {"type": "struct"}, "payload": document}
        if event is not None and self._chance.random() < 0.3:
            event = {"schema": {"type": "struct", "fields": [{"field": "op"}]}, "payload": event}
        return {"key": json.dumps(document), "partition": partition_of(key, self._partitions),
                "value": None if event is None else json.dumps(event)}


def replay_changes(messages, names):
    """The same for Debezium's messages, whose keys may change within one event."""
    rows = {}
    for message in messages:
        document = _payload(message.key())
        named = tuple(document[name] for name in names)
        event = None if message.value() is None else _payload(message.value())
        if event is None or event["op"] == "d":
            rows.pop(named if event is None else _key(event["before"], names) or named, None)
            continue
        rows.pop(_key(event["before"], names), None)
        after = event["after"]
        rows[_key(after, names)] = (*_key(after, names), after.get("name"), after.get("amount"))
    return sorted(rows.values(), key=repr)


def _payload(text):
    document = json.loads(text)
    return document["payload"] if "payload" in document else document


def _key(row, names):
    return None if row is None else tuple(row[name] for name in names)
