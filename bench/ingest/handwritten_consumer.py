"""A consumer as one writes it by hand, tuned: batches of confluent-kafka, COPY by psycopg, and the offsets in the same
transaction. Prints "ready" when it is connected, begins when it is told to by a line, and with --drain ends at the ends
of the topic, with the seconds that this took.
"""

import argparse
import sys
import time

import orjson
import psycopg
from confluent_kafka import Consumer, KafkaException, TopicPartition

FIELDS = ("id", "at", "customer", "city", "amount", "quantity", "score", "paid")
COPY = f"COPY filled ({', '.join(FIELDS)}) FROM STDIN"
STORE = """INSERT INTO offsets (topic, partition, next_offset) VALUES (%s, %s, %s)
           ON CONFLICT (topic, partition) DO UPDATE SET next_offset = excluded.next_offset"""
ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def make_consumer(bootstrap):
    return Consumer({"bootstrap.servers": bootstrap, "group.id": "handwritten", "enable.auto.commit": False,
                     "queued.min.messages": 1_000_000, "queued.max.messages.kbytes": 65536,
                     "fetch.message.max.bytes": 4_194_304})


def assign(consumer, session, topic):
    """To where the table of offsets says; returns the ends of the partitions."""
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    stored = dict(session.execute("SELECT partition, next_offset FROM offsets WHERE topic = %s", [topic]).fetchall())
    session.commit()
    consumer.assign([TopicPartition(topic, partition, stored.get(partition, 0)) for partition in partitions])
    return {partition: consumer.get_watermark_offsets(TopicPartition(topic, partition))[1] for partition in partitions}


def next_batch(consumer, size):
    """Waits for the first message, and takes those that are there with it."""
    messages = consumer.consume(1, timeout=1)
    if messages:
        messages += consumer.consume(size - 1, timeout=0)
    return messages


def line(message):
    if message.error():
        raise KafkaException(message.error())
    fields = orjson.loads(message.value())
    return (f"{fields['id']}\t{fields['at']}\t{fields['customer'].translate(ESCAPED)}\t{fields['city'].translate(ESCAPED)}\t"
            f"{fields['amount']}\t{fields['quantity']}\t{fields['score']}\t{fields['paid']}\n")


def store(session, topic, messages):
    """One transaction."""
    cursor = session.cursor()
    with cursor.copy(COPY) as copy:
        copy.write("".join(map(line, messages)))
    ends = {message.partition(): message.offset() + 1 for message in messages}
    cursor.executemany(STORE, [(topic, partition, offset) for partition, offset in ends.items()])
    session.commit()
    return ends


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("bootstrap", "topic", "database"):
        parser.add_argument(name)
    parser.add_argument("--drain", action="store_true")
    parser.add_argument("--batch", type=int, default=50_000)
    arguments = parser.parse_args()
    session, consumer = psycopg.connect(arguments.database), make_consumer(arguments.bootstrap)
    print("ready", flush=True)
    sys.stdin.readline()
    start = time.perf_counter()
    ends, reached = assign(consumer, session, arguments.topic), {}
    while not arguments.drain or reached != ends:
        messages = next_batch(consumer, arguments.batch)
        if messages:
            reached |= store(session, arguments.topic, messages)
    print(time.perf_counter() - start, flush=True)


if __name__ == "__main__":
    main()
