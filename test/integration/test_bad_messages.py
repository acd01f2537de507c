"""strict, ignore_junk, junk and junk_error in every combination, for each format, whatever a query looks at: which rows,
which NULLs, what is junk, or which error."""

import random

import psycopg
import pytest
from psycopg import sql
from support.bad_messages import DOMAIN, EVERY_OPTIONS, FIELDS, MAKERS, TYPES, Table, raw_messages, with_keys

SEED = 20261124
RAISED = 60  # messages of which each query must raise, or give the row, one by one

CASES = [*MAKERS, "raw text", "raw bytea", "raw jsonb"]


def messages_of(case):
    if case in MAKERS:
        return with_keys(MAKERS[case]()), {field: TYPES[field] for field in FIELDS}
    type_name = case.split()[1]
    return with_keys(raw_messages(type_name)), {"v": type_name}


def create_table(session, name, topic, case, types, options):
    columns = ["offs bigint OPTIONS (\"offset\" 'true')", "key text OPTIONS (\"key\" 'true')",
               *(f"{field} {type_name}" for field, type_name in types.items())]
    if options.junk:
        columns.append("junk text OPTIONS (junk 'true')")
    if options.junk_error:
        columns.append("why text OPTIONS (junk_error 'true')")
    session.execute(f"""CREATE FOREIGN TABLE {name} ({', '.join(columns)}) SERVER pipeline_kafka OPTIONS (topic '{topic}',
        format '{case.split()[0]}', strict '{options.strict}', ignore_junk '{options.ignore_junk}')""")


def select(name, columns):
    shown = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(column)) for column in columns)
    return sql.SQL("SELECT {} FROM {}").format(shown, sql.Identifier(name))


def assert_rows(session, name, table, messages, columns):
    """Where errors are kept: every message has its row, whatever is in it."""
    rows = session.execute(select(name, columns) + sql.SQL(" AS t ORDER BY t.offs")).fetchall()
    assert len(rows) == len(messages)
    for offset, (message, row) in enumerate(zip(messages, rows, strict=True)):
        found = dict(zip(columns, row, strict=True))
        reason = found.pop("why", None)
        assert found == table.row(offset, message, columns), (name, message)
        errors = table.errors(message, columns)
        assert bool(reason) == (bool(errors) and "why" in columns), (name, message, reason)
        lines = reason.split("\n") if reason else []
        assert len(lines) in (0, len(errors)), (name, message, reason)
        for line, (column, _) in zip(lines, errors, strict=False):
            assert column is None or line.startswith(f'column "{column}": '), (name, message, reason)


def assert_raises(session, name, topic, table, messages, columns, chosen):
    """Where errors are raised: the row, or an error of a class that the message is in, which says where."""
    query = select(name, columns) + sql.SQL(" WHERE offs = %s")
    for offset in chosen:
        errors = table.errors(messages[offset], columns)
        if not errors:
            rows = session.execute(query, [offset]).fetchall()
            assert rows == [tuple(table.row(offset, messages[offset], columns).values())], (name, messages[offset])
            continue
        with pytest.raises(psycopg.Error) as raised:
            session.execute(query, [offset])
        diagnostic = raised.value.diag
        assert diagnostic.sqlstate in {bad.sqlstate for _, bad in errors}, (name, messages[offset], str(raised.value))
        assert f'topic "{topic}", partition 0, offset {offset}' in diagnostic.context


@pytest.mark.parametrize("case", CASES)
def test_bad_messages_give_what_the_options_say(case, db, broker, topic):
    messages, types = messages_of(case)
    name = topic()
    broker.produce(name, *({"value": message.value, "key": message.key} for message in messages))
    session = db.connect(options="-c log_min_messages=panic")
    session.execute(DOMAIN)
    chosen = sorted(random.Random(SEED).sample(range(len(messages)), min(RAISED, len(messages))))
    for number, options in enumerate(EVERY_OPTIONS):
        table_name = f"t{number}"
        create_table(session, table_name, name, case, types, options)
        table = Table(list(types), options, not_null=["small"])
        assert session.execute(f"SELECT count(*) FROM {table_name}").fetchone() == (len(messages),)
        for columns in table.looked_at():
            if options.keeps_errors:
                assert_rows(session, table_name, table, messages, columns)
            else:
                assert_raises(session, table_name, name, table, messages, columns, chosen)
