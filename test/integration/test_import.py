"""Tables that are made from topics, whatever these hold."""

import json
import random

import psycopg
import pytest
from confluent_kafka.admin import AclBinding, AclOperation, AclPermissionType, ResourcePatternType, ResourceType

def import_topic(database, topic, options="format 'json'"):
    """Returns what the server told meanwhile."""
    told = []
    with database.connect() as session:
        session.add_notice_handler(lambda diagnostic: told.append(diagnostic.message_primary))
        session.execute(f'''IMPORT FOREIGN SCHEMA "{topic}" FROM SERVER pipeline_kafka INTO public OPTIONS ({options})''')
    return told


def columns(database, topic):
    """(name, type, the option field) of the fields, in their order: what shows no field has an option that says so."""
    return database.execute("""
        SELECT attname, format_type(atttypid, atttypmod), option_value
          FROM pg_attribute LEFT JOIN LATERAL pg_options_to_table(attfdwoptions) ON true
         WHERE attrelid = %s::regclass AND attnum > 0 AND coalesce(option_name, 'field') = 'field'
         ORDER BY attnum""", [f'"{topic}"'])


PIECES = ["a", "B", "_1", "kafka_", "payload", "ctid", "/", "~", "~1", '"', "'", "\\", "$$", "%", ";", "--", " ", "\n", "\t",
          "\x01", "é", "日本", "😀", "x" * 30]


def random_key(chance):
    return "".join(chance.choices(PIECES, k=chance.choice([0, 1, 1, 2, 3, 5])))


@pytest.mark.parametrize("flatten", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_any_key_gets_a_column_that_shows_its_field(db, broker, topic, flatten, seed):
    chance, name = random.Random(seed), topic()
    message = {random_key(chance): number for number in range(80)}
    if flatten:
        message |= {random_key(chance) + "o": {random_key(chance): 1000 + number for number in range(10)} for _ in range(5)}
    broker.produce(name, json.dumps(message))
    import_topic(db, name, f"flatten '{flatten}'")
    found = columns(db, name)
    expected = [value for field in message.values() for value in (field.values() if isinstance(field, dict) else [field])]
    assert len(found) == len(expected)
    with db.connect() as session:
        names = psycopg.sql.SQL(", ").join(psycopg.sql.Identifier(column) for column, _, _ in found)
        table = psycopg.sql.Identifier(name)
        (row,) = session.execute(psycopg.sql.SQL("SELECT {} FROM {}").format(names, table)).fetchall()
    assert list(row) == expected
    suggested = db.value("SELECT kafka_suggest_table(%s)", [name])
    if not flatten:
        db.execute(f'DROP FOREIGN TABLE "{name}"')
        db.execute(suggested.encode())
        assert columns(db, name) == found


def test_large_messages_of_all_partitions_are_looked_at_without_reading_them_all(db, broker, topic):
    name = topic(partitions=3, config={"max.message.bytes": "2000000"})
    filler = "x" * 1_000_000
    broker.produce(name, *({"partition": number % 3, "value": f'{{"p{number % 3}": 1, "n{number // 3}": "{filler}"}}'}
                           for number in range(60)), settings={"message.max.bytes": 2_000_000})
    import_topic(db, name)
    found = {column for column, _, _ in columns(db, name)}
    assert {"p0", "p1", "p2"} <= found
    assert len(found) < 20, "16 MB are enough of 60"


def test_a_sample_ends_at_an_aborted_transaction(db, broker, topic):
    name = topic()
    with broker.transaction() as produce:
        produce(name, '{"committed": 1}')
    with broker.transaction(abort=True) as produce:
        produce(name, '{"aborted": 1}')
    import_topic(db, name)
    assert [column for column, _, _ in columns(db, name)] == ["committed"]


def test_keys_that_the_encoding_of_the_database_lacks_get_no_column(pg, broker, topic):
    name = topic()
    broker.produce(name, '{"été": 1, "日本": 2, "plain": {"大": 3, "ü": 4}}')
    with pg.connect() as session:
        session.execute("CREATE DATABASE latin_import ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    database = pg.database("latin_import")
    try:
        database.use_broker(broker)
        assert any("without a column of their own: 2" in text for text in import_topic(database, name, "flatten 'true'"))
        assert columns(database, name) == [("été", "integer", None), ("plain_ü", "integer", "/plain/ü")]
        assert database.execute(f'SELECT "été", "plain_ü" FROM "{name}"') == [(1, 4)]
        assert "日本" in database.value(f'SELECT payload FROM "{name}"').decode()
    finally:
        database.drop()


@pytest.mark.broker_settings(authorizer_class_name="org.apache.kafka.metadata.authorizer.StandardAuthorizer",
                             allow_everyone_if_no_acl_found="true")
def test_a_topic_that_cannot_be_read_is_named_with_the_way_to_leave_it_out(own_broker, bare_db):
    own_broker.create_topic("open-to-all")
    own_broker.create_topic("open-to-few")
    denied = AclBinding(ResourceType.TOPIC, "open-to-few", ResourcePatternType.LITERAL, "User:ANONYMOUS", "*",
                        AclOperation.READ, AclPermissionType.DENY)
    own_broker.produce("open-to-few", "{}")
    seen = AclBinding(ResourceType.TOPIC, "open-to-few", ResourcePatternType.LITERAL, "User:ANONYMOUS", "*",
                      AclOperation.DESCRIBE, AclPermissionType.ALLOW)
    for result in own_broker.admin.create_acls([denied, seen]).values():
        result.result()
    bare_db.use_broker(own_broker)
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="open-to-few") as raised:
        import_topic(bare_db, "open-")
    assert 'EXCEPT ("open-to-few")' in raised.value.diag.message_hint
    bare_db.execute('IMPORT FOREIGN SCHEMA "open-" EXCEPT ("open-to-few") FROM SERVER pipeline_kafka INTO public')
    assert bare_db.value("SELECT count(*) FROM pg_foreign_table") == 1
