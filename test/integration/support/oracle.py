"""The oracle: what a log holds is in the stream or in pipeline_kafka_errors, each message once."""

import collections

from .waiting import wait_for

COORDINATES = "CREATE TABLE stream (kafka_partition int, kafka_offset bigint, n bigint)"
GAP = "58P01"


def taken(database, stream="stream", topic=None):
    """{(partition, offset): how often it took effect or was rejected}, of one topic where errors of others are kept."""
    return collections.Counter(database.execute(
        f"SELECT kafka_partition, kafka_offset FROM {stream} UNION ALL SELECT partition, message_offset "
        "FROM pipeline_kafka_errors WHERE sqlstate <> %s AND topic = coalesce(%s, topic)", [GAP, topic]))


def assert_each_once(database, broker, topic, stream="stream", skipped=()):
    """skipped: coordinates that the consumer has gone over, and said so."""
    expected = {(message.partition(), message.offset()) for message in broker.consume(topic)} - set(skipped)
    found = taken(database, stream, topic)
    assert set(found) == expected, (sorted(set(found) - expected)[:5], sorted(expected - set(found))[:5])
    assert set(found.values()) <= {1}, [place for place, times in found.items() if times > 1][:5]


def wait_until_taken(database, broker, topic, stream="stream"):
    """Waits until the whole log is taken, where a consumer in state error will go on by itself."""
    size = len(broker.consume(topic))
    wait_for(lambda: sum(taken(database, stream, topic).values()) >= size, what=f"{size} messages of {topic}")
    assert_each_once(database, broker, topic, stream)


def gaps(database):
    """(partition, offset, error) of the gaps that consumers went over, in the order in which they did."""
    return database.execute("SELECT partition, message_offset, error FROM pipeline_kafka_errors WHERE sqlstate = %s "
                            "ORDER BY id", [GAP])
