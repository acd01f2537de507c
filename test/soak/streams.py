"""What the consumers of a database fill, and what has to be there in the end."""

import json

import psycopg
from load import BAD, GOOD, REFUSED, REJECTED, TOMBSTONE, TOPIC
from support import consumers
from support.waiting import wait_for

# Small, so that a fault meets transactions at every stage.
BATCH_SIZE = 2000
CATCH_UP_SECONDS = 180
SHOWN = 10  # wrong messages, of each kind

STREAMS = ("events", "totals", "sought")

TABLES = f"""
    CREATE TABLE events (kafka_partition int, kafka_offset bigint, key text, v bigint CHECK (v < {REFUSED}));
    CREATE TABLE sought (kafka_partition int, kafka_offset bigint, key text, v bigint CHECK (v < {REFUSED}));
    CREATE TABLE totals (key text PRIMARY KEY, n bigint NOT NULL, v numeric NOT NULL);
    CREATE FOREIGN TABLE event_log (key text, v bigint) SERVER pipeline_kafka OPTIONS (topic '{TOPIC}', format 'json');
    CREATE TABLE seeks (at timestamptz DEFAULT clock_timestamp(), before jsonb NOT NULL, behind jsonb NOT NULL);
    CREATE TABLE kept_letters (stream text, partition int, message_offset bigint);
    CREATE TABLE kept_tombstones (stream text, tombstones bigint);
    CREATE TABLE log (kafka_partition int, kafka_offset bigint, kind text, key text, v bigint,
                      PRIMARY KEY (kafka_partition, kafka_offset));"""

TOTALS = """INSERT INTO totals AS t SELECT key, count(*), sum(v) FROM event_log GROUP BY key
            ON CONFLICT (key) DO UPDATE SET n = t.n + excluded.n, v = t.v + excluded.v"""

# Every message, and how often the sought stream has to have taken it: once, and once more for each seek back over it.
ONCE = "SELECT l.*, 1 AS times FROM log l"
TIMES = """
    SELECT l.*, 1 + coalesce((
        SELECT sum(CASE WHEN l.kafka_offset >= s.behind AND l.kafka_offset < s.before THEN 1
                        WHEN l.kafka_offset >= s.before AND l.kafka_offset < s.behind THEN -1 END)
          FROM sought_seeks s WHERE s.partition = l.kafka_partition), 0) AS times
      FROM log l"""
SEEKS = """
    CREATE TEMPORARY TABLE sought_seeks AS
    SELECT p.partition::int, coalesce((s.before -> p.partition)::bigint, 0) AS before, p.behind::bigint
      FROM seeks s, jsonb_each_text(s.behind) AS p (partition, behind)
     WHERE (s.before -> p.partition)::bigint IS DISTINCT FROM p.behind::bigint"""


LETTERS = """SELECT c.stream::text AS stream, e.partition, e.message_offset
               FROM pipeline_kafka_errors e JOIN pipeline_kafka_consumers c ON c.id = e.consumer_id"""


class Streams:
    """Three consumers: rows and dead letters of the shard; sums of the shard; rows of the whole topic, which seeks move."""

    def __init__(self, database, number, count):
        self.db, self._number, self._count = database, number, count

    def create(self, broker):
        self.db.use_broker(broker)
        self.db.execute(TABLES)
        for stream, arguments in self.arguments().items():
            consumers.begin(self.db, stream, TOPIC, **arguments)

    def arguments(self):
        """Of kafka_consume_begin, by stream."""
        shard = {"shard": f"{self._number}/{self._count}"}
        common = {"on_error": "dead_letter", "batch_size": BATCH_SIZE, "parallelism": 2}
        return {"events": {"format": "json", **shard, **common}, "totals": {"statement": TOTALS, **shard, **common},
                "sought": {"format": "json", **common}}

    def ready(self):
        """Waits until the server answers: its first statement tells a session of a restart."""
        wait_for(lambda: self.db.value("SELECT true"), what="PostgreSQL", ignore=psycopg.OperationalError)

    def stopped(self):
        """Consumers that stand still and should not."""
        self.ready()
        return self.db.execute("SELECT stream_name, state, last_error, error_sqlstate, error_partition, error_offset "
                               "FROM kafka_stat_consumers JOIN pipeline_kafka_consumers c USING (id) WHERE state = 'error'")

    def settle(self):
        """Has all consumers run to the end of the log."""
        self.ready()
        for stream in STREAMS:
            self.db.execute(f"SELECT kafka_consume_begin('{stream}', '{TOPIC}', parallelism => 2)")
        for stream in STREAMS:
            if not self.db.value(f"SELECT kafka_consume_wait('{stream}', '{TOPIC}', '{CATCH_UP_SECONDS} s')"):
                raise SystemExit(f"{stream} does not reach the end: {self.db.execute('TABLE kafka_stat_partitions')}, "
                                 f"{self.db.execute('TABLE kafka_stat_consumers')}")

    # --- the oracle ---

    def copy_log(self):
        """COPY to the log of the oracle."""
        return self.db.connect().cursor().copy("COPY log FROM STDIN")

    def wrong(self):
        """What is not as it has to be: [(what, (partition, offset, …))]"""
        self.db.execute("ANALYZE log")
        self.db.execute(SEEKS)
        mine = f"mod(kafka_partition, {self._count}) = {self._number}"
        return [*self._wrong_rows("events", f"{ONCE} WHERE {mine}"), *self._wrong_rows("sought", TIMES),
                *self._wrong_totals(mine), *self._wrong_letters("events", f"{ONCE} WHERE {mine}", (BAD, REJECTED)),
                *self._wrong_letters("sought", TIMES, (BAD, REJECTED)), *self._wrong_letters("totals", f"{ONCE} WHERE {mine}", (BAD,)),
                *self._wrong_tombstones("events", mine), *self._wrong_tombstones("totals", mine)]

    def _wrong_rows(self, stream, expected):
        rows = self.db.execute(f"""
            WITH expected AS (SELECT * FROM ({expected}) AS e WHERE kind = '{GOOD}' AND times <> 0),
                 taken AS (SELECT kafka_partition, kafka_offset, count(*) AS rows, min(key) AS key, min(v::numeric) AS v,
                                  count(DISTINCT (key, v)) AS versions
                             FROM {stream} GROUP BY 1, 2)
            SELECT kafka_partition, kafka_offset, e.times, t.rows, e.key, t.key, e.v, t.v
              FROM expected e FULL JOIN taken t USING (kafka_partition, kafka_offset)
             WHERE e.times IS DISTINCT FROM t.rows OR t.versions > 1 OR (t.key, t.v) IS DISTINCT FROM (e.key, e.v::numeric)
             ORDER BY 1, 2 LIMIT {SHOWN}""")
        return [(f"{stream} (partition, offset, times due, rows, key due, key, v due, v)", row) for row in rows]

    def _wrong_letters(self, stream, expected, kinds):
        """Dead letters, and those that went with a consumer that was dropped."""
        rows = self.db.execute(f"""
            WITH expected AS (SELECT * FROM ({expected}) AS e WHERE kind = ANY(%s) AND times <> 0),
                 letters AS (SELECT partition AS kafka_partition, message_offset AS kafka_offset, count(*) AS letters
                               FROM ({LETTERS} UNION ALL SELECT * FROM kept_letters) AS all_letters
                              WHERE stream = '{stream}' GROUP BY 1, 2)
            SELECT kafka_partition, kafka_offset, e.kind, e.times, l.letters
              FROM expected e FULL JOIN letters l USING (kafka_partition, kafka_offset)
             WHERE e.times IS DISTINCT FROM l.letters ORDER BY 1, 2 LIMIT {SHOWN}""", [list(kinds)])
        return [(f"{stream} (partition, offset, kind, times due, dead letters)", row) for row in rows]

    def _wrong_totals(self, mine):
        rows = self.db.execute(f"""
            WITH expected AS (SELECT key, count(*) AS n, sum(v) AS v FROM log
                               WHERE {mine} AND kind IN ('{GOOD}', '{REJECTED}') GROUP BY key)
            SELECT key, e.n, t.n, e.v, t.v FROM expected e FULL JOIN totals t USING (key)
             WHERE (e.n, e.v) IS DISTINCT FROM (t.n, t.v) ORDER BY 1 LIMIT {SHOWN}""")
        return [("totals (key, count due, count, sum due, sum)", row) for row in rows]

    def _wrong_tombstones(self, stream, mine):
        due = self.db.value(f"SELECT count(*) FROM log WHERE {mine} AND kind = '{TOMBSTONE}'")
        kept = self.db.value("SELECT coalesce(sum(tombstones), 0) FROM kept_tombstones WHERE stream = %s", [stream])
        found = consumers.stat(self.db, stream, "tombstones") + kept
        return [] if due == found else [(f"{stream} (tombstones due, counted)", (due, found))]

    def counts(self):
        """To be printed."""
        return {stream: self.db.value(f"SELECT count(*) FROM {stream}") for stream in (*STREAMS, "seeks", "pipeline_kafka_errors")}


def log_row(message):
    """Of a message as another client read it."""
    kind = message.key().decode()
    fields = json.loads(message.value()) if kind in (GOOD, REJECTED) else {"key": None, "v": None}
    return message.partition(), message.offset(), kind, fields["key"], fields["v"]
