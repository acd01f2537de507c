"""The topics that the SQL tests read. Each message names its partition and time (ms): what they print is known."""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "integration"))
from support.broker import ExistingBroker  # noqa: E402

MINUTE = 60_000
NEW_YEAR_2024 = 1_704_067_200_000


def clicks(broker):
    """Three messages in partition 0 and two in partition 1, a minute apart, with keys and headers."""
    broker.create_topic("clicks", partitions=2)
    broker.produce("clicks", *(
        {"partition": number % 2, "timestamp": NEW_YEAR_2024 + number * MINUTE, "key": f"user-{number}",
         "headers": [("source", b"web"), ("try", str(number).encode())],
         "value": f'{{"id": {number}, "page_url": "/page/{number}", "geo": {{"city": "Oslo"}}}}'}
        for number in range(5)))


def empty(broker):
    broker.create_topic("empty")


def orders(broker):
    """Keys, headers, nested data, numbers of many digits, a name twice; the last of partition 1 is a tombstone."""
    broker.create_topic("orders", partitions=2)
    broker.produce("orders", *(
        {"timestamp": NEW_YEAR_2024 + number * MINUTE, **message} for number, message in enumerate((
            {"partition": 0, "key": "alice", "headers": [("source", b"web"), ("trace", b"1"), ("trace", b"2")],
             "value": '{"id": 1, "item": "pen", "price": 1.50, "address": {"city": "Berlin", "zip": "10115"},'
                      ' "tags": ["a", "b"], "paid": true, "at": "2024-01-01T12:00:00Z"}'},
            {"partition": 0, "key": "bob", "headers": [("binary", b"\xff\x00"), ("nothing", None)],
             "value": '{"id": 2, "item": "ink \\u00e9", "price": 123456789012345678901234567890.50,'
                      ' "address": {"city": "Paris"}, "tags": [], "paid": false, "at": "2024-02-29"}'},
            {"partition": 0, "value": '{"id": 3, "item": null, "price": 0.1, "extra": {"ignored": true}}'},
            {"partition": 1, "key": "carol", "value": '{"id": 4, "item": "nib", "price": 2, "item": "nib, the last"}'},
            {"partition": 1, "key": "carol", "value": None}))))


def people(broker):
    """The same rows by COPY's rules as text and csv; the last message ends with a newline."""
    broker.create_topic("people_text")
    broker.produce("people_text", "1\tAda\t1815-12-10\t\\N", "2\tGrace\\tHopper\t1906-12-09\ta backslash: \\\\",
                   "3\t\\N\t\\N\t", "4\tKatherine\t1918-08-26\ttwo\\nlines\n")
    broker.create_topic("people_csv")
    broker.produce("people_csv", "1,Ada,1815-12-10,", '2,"Grace\tHopper",1906-12-09,"a ""quote"", a comma"',
                   '3,,,""', '4,Katherine,1918-08-26,"two\nlines"\n')
    broker.create_topic("people_latin1")
    broker.produce("people_latin1", "1;Ren\u00e9;NIX;x".encode("latin1"))


def lines(broker):
    """Any bytes: text, JSON, what is no text in any encoding, nothing at all."""
    broker.create_topic("lines")
    broker.produce("lines", "the first line", '{"second": 2}', "", None)
    broker.create_topic("bytes")
    broker.produce("bytes", {"key": b"\x00\x01", "value": b"\xff\x00\x01"})


def mixed(broker):
    """Messages that do not decode among others that do, and a tombstone."""
    broker.create_topic("mixed")
    broker.produce("mixed", '{"id": 0, "amount": 10}', "this is not json", '{"id": "two", "amount": 20}', '{"id": 3}',
                   '{"id": 4, "amount": 40, "more": 1}', {"key": "gone", "value": None},
                   b'{"id": 6, "amount": 60, "note": "\xff"}', '{"id": 7, "amount": 70, "note": "a\\u0000b"}',
                   '{"id": 99999999999, "amount": 80}', '{"id": 9, "amount": 90, "note": "' + "x" * 200 + '"')
    broker.create_topic("mixed_text")
    broker.produce("mixed_text", "1\tone", "2", "3\tthree\tdrei", "x\tfour", b"5\t\xff", "6\tsix")


def numbers(broker):
    """Offset i of partition p, of 4 with 100 each, says n = 100 p + i, at i seconds in 2024."""
    broker.create_topic("numbers", partitions=4)
    broker.produce("numbers", *(
        {"partition": number // 100, "timestamp": NEW_YEAR_2024 + number % 100 * 1000, "value": f'{{"n": {number}}}'}
        for number in range(400)))


def visits(broker):
    """Of two regions and three months, a topic each region; the last of visits_us is where it does not belong."""
    for topic, region, months in (("visits_eu", "eu", (1, 1, 2, 3)), ("visits_us", "us", (1, 2, 2))):
        broker.create_topic(topic)
        broker.produce(topic, *(f'{{"region": "{region}", "day": "2024-0{month}-15", "n": {number}}}'
                                for number, month in enumerate(months)))
    broker.produce("visits_us", '{"region": "eu", "day": "2024-03-15", "n": 99}')


def readings(broker):
    """Sensors' values in csv and JSON, of 4 partitions with 50 each; and what does not decode, in one partition."""
    for topic, line in (("readings_csv", '{n},"sensor {n}",2024-01-{day:02},2024-01-{day:02} 12:00:00'),
                        ("readings_json", '{{"nr": {n}, "label": "sensor {n}", "day": "2024-01-{day:02}", '
                                          '"at": "2024-01-{day:02}T12:00:00"}}')):
        broker.create_topic(topic, partitions=4)
        broker.produce(topic, *({"partition": n // 50, "value": line.format(n=n, day=n % 28 + 1)} for n in range(200)))
    broker.create_topic("readings_bad_csv")
    broker.produce("readings_bad_csv", '1,"all is well",2024-01-01,2024-01-01 12:00:00', '2,"one more",2024-01-02,,x',
                   '3,"one less"', '4,"no such day",2024-02-31,', '99999999999,"bad twice",yesterday-ish,',
                   '6,"never ends,2024-01-06', None)
    broker.create_topic("readings_bad_json")
    broker.produce("readings_bad_json", '{"nr": 1, "label": "all is well"}', '{"nr": 2, "label": "one more", "x": 1}',
                   '{"nr": "three", "label": "no number"}', '{"nr": 4, "label": "never ends}', None)


def growing(broker):
    """Tests add to it."""
    broker.create_topic("growing")
    broker.produce("growing", '{"n": 0}')


def shop(broker):
    """What a table is inferred from: types that widen, odd keys, many keys, nothing at all; names that are too long."""
    broker.create_topic("shop.orders", partitions=2)
    broker.produce("shop.orders", *(
        {"partition": number % 2, "key": f"customer-{number}", "timestamp": NEW_YEAR_2024, "value": value}
        for number, value in enumerate((
            '{"id": 1, "total": 10, "at": "2024-01-01T12:00:00Z", "due": "2024-02-01", "paid": true, "note": null,'
            ' "ref": "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "lines": [{"item": "pen"}], "code": 7,'
            ' "customer": {"name": "Ada", "address": {"city": "London", "zip": 1815}}}',
            '{"id": 3000000000, "total": 10.50, "at": "2024-01-01T12:00:00.123456789+02:00", "due": "2024-02-02T10:00",'
            ' "paid": null, "ref": null, "code": "x", "customer": null}',
            '{"id": 2, "big": 123456789012345678901234567890, "customer": {"name": "Grace", "address": {"floor": 3}},'
            ' "customer_name": "a field at the top"}'))))
    broker.create_topic("shop.Order-Items")
    broker.produce("shop.Order-Items", '{"sku": "a"}')
    broker.create_topic("shop.empty")
    broker.create_topic("shop.gone")
    broker.produce("shop.gone", {"key": b"\x00\x01", "value": None})
    for end in "ab":
        broker.create_topic("shop.long-" + "x" * 60 + end)
        broker.produce("shop.long-" + "x" * 60 + end, f'{{"{end}": 1}}')
    broker.create_topic("odd")
    broker.produce("odd", '{"": 1, "/slash": 2, "til~de/": 3, "Quote\\"d": 4, "quote\'d": 5, "back\\\\slash": 6, "id": 7, "ID": 8,'
                   ' "ctid": 9, "kafka_offset": 10, "zero\\u0000": 11, "select": 12, "%s": 13, "a\\nb": 14, "twice": "x",'
                   ' "twice": 15, "\u00e9t\u00e9": 16, "payload": 17,'
                   f' "{"long-" * 20}a": 18, "{"long-" * 20}b": 19, "{"k" * 2000}": 20}}', "not json")
    broker.create_topic("wide")
    broker.produce("wide", "{" + ", ".join(f'"k{number}": {number}' for number in range(1200)) + "}", '{"k1199": 0}')
    broker.create_topic("wide_csv")
    broker.produce("wide_csv", ",".join(str(number) for number in range(1001)))


def accounts(broker):
    """Rows by key: changed, deleted, made again; keys of one column as it is, as a field and wrapped; of two columns."""
    broker.create_topic("accounts")
    broker.produce("accounts", *({"key": key, "value": value} for key, value in (
        ("1", '{"name": "Ada", "balance": 10}'), ("2", '{"name": "Bob", "balance": 20}'),
        ('{"id": 3}', '{"name": "Cyd", "balance": 30}'), ("1", '{"name": "Ada", "balance": 11}'), ("2", None),
        ('{"schema": {"type": "int32"}, "payload": 4}', '{"schema": {}, "payload": {"id": 99, "name": "Dee"}}'),
        ("5", '{"name": "Eve", "balance": 50}'), ("5", None), ("5", '{"name": "Eva"}'), (None, '{"id": 6, "name": "Fay"}'),
        ("7", None))))
    broker.create_topic("prices")
    broker.produce("prices", *({"key": f'{{"shop": "{shop}", "item": {item}}}', "value": value} for shop, item, value in (
        ("north", 1, "1.50"), ("south", 1, "1.60"), ("north", 2, "9"), ("north", 1, "1.40"), ("north", 2, None))))
    broker.create_topic("settings")
    broker.produce("settings", *({"key": key, "value": value} for key, value in (
        ("color", "red"), ("size", '{"x": 1}'), ("color", "green"), ("old", "x"), ("old", None))))


def customers(broker):
    """What Debezium writes of a table: a snapshot, changes, a key that changes in both ways, a message of the log."""
    def event(op, before=None, after=None, key=None):
        return {"key": f'{{"id": {(after or before)["id"] if key is None else key}}}',
                "value": json.dumps({"before": before, "after": after, "op": op, "source": {"table": "customers"}})}

    ada, bob, cyd = ({"id": number, "name": name, "born": born, "more": '{"n": [%d]}' % number} for number, name, born in (
        (1, "Ada", 0), (2, "Bob", 19723), (3, "Cyd", None)))
    broker.create_topic("customers")
    broker.produce("customers", event("r", None, ada), event("r", None, bob), event("c", None, cyd),
                   event("u", None, ada | {"name": "Ada L."}), event("d", {"id": 2}), {"key": '{"id": 2}', "value": None},
                   event("u", cyd, cyd | {"id": 30}), {"value": '{"op": "m", "message": {"prefix": "p"}}'},
                   event("d", {"id": 1}), event("c", None, ada | {"id": 10}), event("d", None, None, 10),
                   {"key": '{"schema": null, "payload": {"id": 4}}',
                    "value": json.dumps({"schema": {}, "payload": {"op": "c", "after": {"id": 4, "name": "Dee"}}})})
    broker.create_topic("customers_bad")
    broker.produce("customers_bad", event("c", None, {"id": 1, "name": "Ada"}), '{"id": 2, "name": "no event"}',
                   event("c", None, {"name": "no key"}, 3) | {"key": None}, event("t", None, None, 0),
                   event("c", None, {"id": 4, "name": "__debezium_unavailable_value"}),
                   event("c", None, {"id": 5, "name": "Eve", "seen": 1704067200000000}))


def main():
    broker = ExistingBroker(os.environ["KAFKA_BOOTSTRAP"])
    for make in (clicks, empty, orders, people, lines, mixed, numbers, visits, readings, growing, shop, accounts,
                 customers):
        make(broker)


if __name__ == "__main__":
    main()
