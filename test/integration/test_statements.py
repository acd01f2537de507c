"""Statements of consumers and where they write: several topics and targets, MERGE, CALL, views, foreign tables."""

import json

from support import consumers, wait_for
from support.flow import Flow
from support.streams import count, numbers, produce, wait_for_error


def create_source(db, topic, columns="n bigint", name="source", file_format="text"):
    db.execute(f"""CREATE FOREIGN TABLE {name} (part int OPTIONS (partition 'true'), offs bigint OPTIONS ("offset" 'true'), {columns})
                   SERVER pipeline_kafka OPTIONS (topic '{topic}', format '{file_format}')""")


def begin(db, topic, statement, stream="stream", **arguments):
    consumers.begin(db, stream, topic, statement=statement, **arguments)


def test_a_foreign_key_between_two_targets_of_a_consumer_of_two_topics(db, broker, topic):
    """Both parts of an order come in any order; the constraint is looked at when the batch is done."""
    orders, items = topic(partitions=2), topic(partitions=2)
    create_source(db, orders, "id int", "orders_log", "json")
    create_source(db, items, "id int, order_id int", "items_log", "json")
    db.execute("""CREATE TABLE orders (id int PRIMARY KEY, part int, offs bigint);
                  CREATE TABLE items (id int, order_id int REFERENCES orders DEFERRABLE INITIALLY DEFERRED, part int, offs bigint)""")
    statement = """WITH i AS (INSERT INTO items SELECT id, order_id, part, offs FROM items_log)
                   INSERT INTO orders SELECT id, part, offs FROM orders_log"""
    for number in range(0, 200, 50):
        broker.produce(orders, *({"value": json.dumps({"id": n}), "partition": n % 2} for n in range(number, number + 50)))
        broker.produce(items, *({"value": json.dumps({"id": n, "order_id": n // 3}), "partition": n // 3 % 2}
                                for n in range(3 * number, 3 * number + 150)))
    begin(db, orders, statement, "orders", parallelism=2)
    consumers.wait_for_end(db, "orders", orders)
    assert db.value("SELECT count(*) FROM orders") == 200 and db.value("SELECT count(DISTINCT id) FROM items") == 600
    # An item without its order stops the consumer; with the order it goes on.
    broker.produce(items, '{"id": 1000, "order_id": 1000}', partition=0)
    sqlstate, *place, _ = wait_for_error(db, "orders")
    assert (sqlstate, place) == ("23503", [items, 0, 300])
    broker.produce(orders, '{"id": 1000}', partition=0)
    consumers.begin(db, "orders", orders)
    consumers.wait_for_end(db, "orders", orders)
    wait_for(lambda: db.value("SELECT count(*) FROM items") == 601, what="the item")


def test_merge(db, broker, topic):
    name = topic()
    create_source(db, name, "k int, v int", file_format="json")
    db.execute("CREATE TABLE stream (k int PRIMARY KEY, v int, times int)")
    begin(db, name, """MERGE INTO stream t USING (SELECT k, sum(v) AS v, count(*) AS n FROM source GROUP BY k) s ON t.k = s.k
                       WHEN MATCHED THEN UPDATE SET v = t.v + s.v, times = t.times + s.n
                       WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.v, s.n)""", batch_size=7)
    broker.produce(name, *(json.dumps({"k": n % 5, "v": n}) for n in range(100)))
    consumers.wait_for_end(db, "stream", name)
    assert db.execute("SELECT * FROM stream ORDER BY k") == [(k, sum(range(k, 100, 5)), 20) for k in range(5)]


def test_messages_of_one_key_in_one_batch(db, broker, topic):
    """ON CONFLICT cannot change a row twice (21000); the batch is divided until it need not, and in the log's order."""
    name = topic()
    create_source(db, name, "k int, v int", file_format="json")
    db.execute("CREATE TABLE stream (k int PRIMARY KEY, v int, times int DEFAULT 1)")
    broker.produce(name, *(json.dumps({"k": n % 5 if n % 7 else n, "v": n}) for n in range(100)))
    begin(db, name, """INSERT INTO stream AS t SELECT k, v FROM source
                       ON CONFLICT (k) DO UPDATE SET v = excluded.v, times = t.times + 1""")
    consumers.wait_for_end(db, "stream", name)
    last, times = {}, {}
    for n in range(100):
        key = n % 5 if n % 7 else n
        last[key], times[key] = n, times.get(key, 0) + 1
    assert db.execute("SELECT * FROM stream ORDER BY k") == [(k, last[k], times[k]) for k in sorted(last)]


def test_call_of_a_procedure(db, broker, topic):
    name = topic(partitions=2)
    create_source(db, name)
    db.execute("""CREATE TABLE stream (part int, offs bigint, n bigint); CREATE TABLE log (n bigint);
                  CREATE PROCEDURE take() LANGUAGE plpgsql AS $$
                  BEGIN INSERT INTO stream SELECT * FROM source WHERE n % 2 = 0;
                        INSERT INTO log SELECT n FROM source WHERE n % 2 = 1; END$$""")
    begin(db, name, "CALL take()", parallelism=2, batch_size=30)
    broker.produce(name, *({"value": str(n), "partition": n % 2} for n in range(200)))
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == list(range(0, 200, 2)) and numbers(db, "log") == list(range(1, 200, 2))
    db.execute("CREATE OR REPLACE PROCEDURE take() LANGUAGE plpgsql AS $$BEGIN COMMIT; END$$")
    produce(broker, name, 200, 202, partition=0)
    assert wait_for_error(db)[0] == "2D000"
    db.execute("CREATE OR REPLACE PROCEDURE take() LANGUAGE sql AS 'INSERT INTO stream SELECT * FROM source'")
    wait_for(lambda: count(db) == 102, what="the messages that waited")


def test_a_view_with_instead_of_triggers(db, broker, topic):
    name = topic()
    db.execute("""CREATE TABLE kept (kafka_offset bigint, n bigint);
                  CREATE VIEW stream AS SELECT kafka_offset, n FROM kept;
                  CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
                  $$BEGIN IF NEW.n = 13 THEN RAISE 'unlucky'; END IF;
                    INSERT INTO kept VALUES (NEW.kafka_offset, NEW.n); RETURN NEW; END$$;
                  CREATE TRIGGER keep INSTEAD OF INSERT ON stream FOR EACH ROW EXECUTE FUNCTION keep()""")
    produce(broker, name, 0, 20)
    consumers.begin(db, "stream", name, on_error="dead_letter")
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db) == [n for n in range(20) if n != 13]
    assert db.execute("SELECT message_offset, error FROM pipeline_kafka_errors") == [(13, "unlucky")]


def test_a_table_of_another_server(db, broker, topic):
    """Its rows commit with the offsets unless the server is lost in between."""
    name = topic(partitions=2)
    info = db.connect().info
    db.execute(f"""CREATE EXTENSION postgres_fdw; CREATE SCHEMA there;
                   CREATE TABLE there.stream (n bigint CHECK (n <> 7), kafka_offset bigint);
                   CREATE SERVER other FOREIGN DATA WRAPPER postgres_fdw
                       OPTIONS (host '{info.host}', port '{info.port}', dbname '{db.name}');
                   CREATE USER MAPPING FOR CURRENT_USER SERVER other OPTIONS (user '{info.user}');
                   CREATE FOREIGN TABLE stream (n bigint, kafka_offset bigint) SERVER other OPTIONS (schema_name 'there')""")
    broker.produce(name, *({"value": str(n), "partition": n % 2} for n in range(50)))
    consumers.begin(db, "stream", name, parallelism=2, on_error="dead_letter")
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db, "there.stream") == [n for n in range(50) if n != 7]
    assert db.execute("SELECT partition, message_offset, sqlstate FROM pipeline_kafka_errors") == [(1, 3, "23514")]
    # The other server goes away: that is waited for.
    db.execute("ALTER SERVER other OPTIONS (SET port '1')")
    produce(broker, name, 50, 51, partition=0)
    wait_for(lambda: consumers.stat(db, "stream", "error_sqlstate") == "08001", what="the trouble")
    assert consumers.stat(db, "stream", "state") == "backoff"
    db.execute(f"ALTER SERVER other OPTIONS (SET port '{info.port}')")
    consumers.wait_for_end(db, "stream", name)
    assert numbers(db, "there.stream") == [n for n in range(51) if n != 7]


def test_a_continuous_aggregate_equals_the_query_over_the_log_at_every_moment(db, broker, topic):
    name = topic(partitions=3)
    create_source(db, name)
    db.execute("CREATE TABLE totals (k bigint PRIMARY KEY, messages bigint, total numeric)")
    session = db.connect()
    with Flow(broker, name, 3) as flow:
        begin(db, name, """INSERT INTO totals AS t SELECT n % 17, count(*), sum(n) FROM source GROUP BY 1 ORDER BY 1
                           ON CONFLICT (k) DO UPDATE SET messages = t.messages + excluded.messages, total = t.total + excluded.total""",
              "totals", parallelism=2, batch_delay="20 ms")
        flow.wait_for_more()
        seen = set()
        for _ in range(15):
            aggregate, log = session.execute("""
                WITH log AS (SELECT n % 17, count(*), sum(n) FROM source
                             JOIN pipeline_kafka_offsets o ON o.partition = part AND offs < o.next_offset GROUP BY 1 ORDER BY 1)
                SELECT (SELECT array_agg(t ORDER BY k) FROM totals t)::text, (SELECT array_agg(log ORDER BY 1) FROM log)::text""",
                                             prepare=True).fetchone()
            assert aggregate == log
            seen.add(aggregate)
    assert len(seen) > 3
    consumers.wait_for_end(db, "totals", name)
    assert db.execute("SELECT sum(messages), sum(total) FROM totals") == [(flow.sent, sum(range(flow.sent)))]
