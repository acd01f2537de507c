"""key = '…' reads the one partition where producers put that key: Kafka's own Java client, and librdkafka."""

import pytest

KEYS = ["a", "bb", "ccc", "dddd", "kafka", "user 17", "Zürich", "東京", "🦩", "0", "-1", *(f"key-{n}" for n in range(60))]
PARTITIONS = 7


def produce_by_java(broker, topic, partitioner):
    assert partitioner == "murmur2"
    broker.produce_by_java(topic, [(key, key) for key in KEYS])


def produce_by_librdkafka(broker, topic, partitioner):
    setting = {"murmur2": "murmur2_random", "crc32": "consistent_random"}[partitioner]
    broker.produce(topic, *({"key": key, "value": key} for key in KEYS), settings={"partitioner": setting})


@pytest.mark.parametrize("produce, partitioner", [(produce_by_java, "murmur2"), (produce_by_librdkafka, "murmur2"),
                                                  (produce_by_librdkafka, "crc32")])
def test_a_key_is_looked_for_where_its_producer_put_it(db, broker, topic, produce, partitioner):
    name = topic(partitions=PARTITIONS)
    produce(broker, name, partitioner)
    db.execute(f"""CREATE FOREIGN TABLE log (part int OPTIONS (partition 'true'), k text OPTIONS ("key" 'true'), v text)
                   SERVER pipeline_kafka OPTIONS (topic '{name}', format 'raw', key_partitioner '{partitioner}')""")
    places = dict(db.execute("SELECT k, part FROM log"))
    assert set(places) == set(KEYS) and len(set(places.values())) == PARTITIONS
    for key in KEYS:
        assert db.execute("SELECT part, v FROM log WHERE k = %s", [key]) == [(places[key], key)]
        plan, = db.value("EXPLAIN (ANALYZE, FORMAT json) SELECT * FROM log WHERE k = %s", [key])
        assert plan["Plan"]["Ranges"] == 1, plan
    assert db.execute("SELECT * FROM log WHERE k = 'nobody''s'") == []
    some = KEYS[:9]
    assert {key for key, in db.execute("SELECT k FROM log WHERE k = ANY (%s)", [some])} == set(some)
