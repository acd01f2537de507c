"""Scans in an order where blocks are larger than what may be held, and what they cost."""

import json
import random

ORDERS = ["offs DESC, part DESC", "offs, part", "part DESC, offs DESC", "part DESC, offs"]


def create_table(database, topic):
    database.execute(f"""CREATE FOREIGN TABLE log (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'),
                                                   value text OPTIONS (payload 'true'))
                         SERVER pipeline_kafka OPTIONS (topic '{topic}', format 'raw')""")


def scan_of(database, query):
    """What EXPLAIN ANALYZE says of the foreign scan of a query."""
    def find(plan):
        if plan["Node Type"] == "Foreign Scan":
            return plan
        return next(filter(None, map(find, plan.get("Plans", []))), None)

    plan, = database.value(f"EXPLAIN (ANALYZE, FORMAT json) {query}")
    return find(plan["Plan"])


def test_blocks_that_are_larger_than_the_buffer_are_read_in_parts(db, broker, topic):
    name = topic(partitions=3)
    create_table(db, name)
    choice = random.Random(4)
    # A run of small messages lets blocks grow before large ones come, in either direction.
    sizes = [choice.choice([1, 300, 200_000 if 400 < number < 800 else 10]) for number in range(1500)]
    for partition in range(3):
        broker.produce(name, *("x" * size for size in sizes[partition * 100:]), partition=partition)
    rows = {(partition, offset): size for partition in range(3) for offset, size in enumerate(sizes[partition * 100:])}

    with db.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET kafka_fdw.fetch_buffer = '1MB'")
        for order in ORDERS:
            cursor.execute(f"SELECT part, offs, length(value) FROM log ORDER BY {order}")
            found = cursor.fetchall()
            columns = [(0 if column.startswith("part") else 1, -1 if column.endswith("DESC") else 1)
                       for column in order.split(", ")]
            expected = sorted(rows, key=lambda row: [row[place] * sign for place, sign in columns])
            assert [row[:2] for row in found] == expected, order
            assert all(rows[row[:2]] == row[2] for row in found), order


def test_a_few_messages_fetch_a_small_multiple_of_them(db, broker, topic):
    name = topic()
    create_table(db, name)
    broker.produce(name, *(json.dumps({"number": number}) for number in range(50_000)), settings={"batch.num.messages": 100})
    for query, rows in [("SELECT * FROM log ORDER BY offs DESC LIMIT 10", 10), ("SELECT max(offs) FROM log", 1)]:
        scan = scan_of(db, query)
        assert scan["Messages"] == rows
        assert scan["Messages"] + scan["Skipped"] < 3 * rows + 10, scan
    # What lies behind a few messages comes along: what fits a small fetch or two.
    for query in ["SELECT * FROM log LIMIT 10", "SELECT * FROM log ORDER BY offs LIMIT 10",
                  "SELECT * FROM log WHERE part = 0 AND offs = 25000", "SELECT * FROM log WHERE offs BETWEEN 100 AND 120"]:
        scan = scan_of(db, query)
        assert scan["Messages"] + scan["Skipped"] <= 4000, (query, scan)
