"""Every SQL statement of the README's tour runs, and gives what the text says."""

import pathlib
import re

import pytest

README = (pathlib.Path(__file__).resolve().parents[2] / "README.md").read_text()


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def statements(block):
    """Splits at semicolons that end a line, outside dollar quotes."""
    found, current = [], ""
    for line in block.splitlines(keepends=True):
        current += line
        if line.rstrip().endswith(";") and current.count("$$") % 2 == 0:
            found.append(current.strip())
            current = ""
    assert not current.strip(), f"a statement without its end: {current}"
    return found


@pytest.mark.pg_settings(max_worker_processes=16)
def test_the_tour(own_pg, broker):
    database = own_pg.create_database()
    try:
        broker.create_topic("clicks")
        broker.produce("clicks", *blocks("json")[0].splitlines())
        results = {}
        for statement in (statement for block in blocks("sql") for statement in statements(block)):
            results[statement] = database.execute(statement.replace("127.0.0.1:9092", broker.bootstrap))
        checked = next(result for statement, result in results.items() if "kafka_check" in statement)
        assert len(checked) == 8 and all(ok for _, ok, _, _ in checked), checked
        assert results["SELECT count(*) FROM visits;"] == [(3,)]
        assert [row[:2] for row in results["SELECT * FROM page_views ORDER BY url;"]] == [("/cart", 1), ("/home", 2)]
        assert results["SELECT id, city FROM clicks WHERE part = 0 AND offs BETWEEN 0 AND 1;"] == [
            (1, "Lisbon"), (2, "Osaka")]
        assert all(result == [(True,)] for statement, result in results.items() if "kafka_consume_wait" in statement)
    finally:
        database.drop()
        broker.delete_topic("clicks")
