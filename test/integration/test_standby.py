"""What a standby shows and refuses, and that consumers go on there once it is promoted."""

import contextlib

import psycopg
import pytest
from support import Postgres, consumers, wait_for
from support.flow import Flow
from support.streams import numbers


@pytest.fixture
def standby(own_pg):
    with contextlib.closing(Postgres(standby_of=own_pg)) as server:
        yield server


def test_consumers_go_on_where_a_standby_is_promoted(own_pg, broker, topic, request):
    name, primary = topic(partitions=2), own_pg.create_database()
    primary.use_broker(broker)
    primary.execute("CREATE TABLE stream (n bigint)")
    consumers.begin(primary, "stream", name, parallelism=2)
    with Flow(broker, name, 2) as flow:
        wait_for(lambda: numbers(primary), what="rows")
        server = request.getfixturevalue("standby")
        copy = server.database(primary.name)
        wait_for(lambda: numbers(copy), what="rows on the standby")
        state, workers, detail = copy.execute("SELECT state, workers, detail FROM kafka_stat_consumers")[0]
        assert state in ("running", "idle") and workers == 2 and detail is None
        assert consumers.workers(copy) == []
        for call in ("end('stream', %s)", "drop('stream', %s)", "seek('stream', %s, 'latest')", "once('stream', %s)",
                     "begin('stream', %s, batch_size => 7)"):
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                copy.execute("SELECT kafka_consume_" + call, [name])
        assert copy.value("SELECT kafka_consume_position('stream', %s) IS NOT NULL", [name])

        primary.close_sessions()
        own_pg.stop("immediate")
        copy.execute("SELECT pg_promote()")
        taken = len(numbers(copy))
        wait_for(lambda: len(numbers(copy)) > taken, what="more rows on the new primary")
    consumers.wait_for_end(copy, "stream", name)
    assert numbers(copy) == list(range(flow.sent))
    assert len(consumers.workers(copy)) == 2
