"""Consumers after pg_upgrade: another cluster, which takes over all rows and starts nothing by itself."""

import contextlib

from support import Postgres, consumers, wait_for
from support.streams import count, numbers, produce


def test_consumers_wait_to_be_begun_after_pg_upgrade_and_go_on_where_they_were(own_pg, broker, topic):
    name, old = topic(), own_pg.create_database()
    old.use_broker(broker)
    old.execute("CREATE TABLE stream (n bigint)")
    produce(broker, name, 0, 50)
    consumers.begin(old, "stream", name)
    consumers.wait_for_end(old, "stream", name)
    old.close_sessions()
    own_pg.stop()
    produce(broker, name, 50, 60)

    with contextlib.closing(Postgres({"shared_preload_libraries": "kafka_fdw"}, upgrade_of=own_pg)) as server:
        new = server.database(old.name)
        state, detail, hint = new.execute("SELECT state, detail, hint FROM kafka_stat_consumers")[0]
        assert state == "stopped" and "another cluster" in detail and "kafka_consume_begin()" in hint
        wait_for(lambda: "was begun in another database and is not started" in server.log.tail(), what="the launcher's warning")
        assert count(new) == 50 and consumers.position(new, "stream", name) == {0: 50}
        assert new.value("SELECT kafka_consume_begin()") == 1
        consumers.wait_for_end(new, "stream", name)
        assert numbers(new) == list(range(60))
