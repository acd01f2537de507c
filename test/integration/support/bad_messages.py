"""Messages that are good or bad in known ways, and what a table of them has to show for each, by the reference:
doc/reference.md, "Messages that do not decode". Knows the formats from outside: no message is parsed here."""

import dataclasses
import itertools

MISSING = "missing"
SHAPE = "22P04"  # of a message with too few or too many fields, or that ends within one


@dataclasses.dataclass(frozen=True)
class Bad:
    """What does not decode, with the SQLSTATE that it is refused with."""
    sqlstate: str


@dataclasses.dataclass
class Message:
    value: bytes | None
    fields: dict = dataclasses.field(default_factory=dict)  # by column: text, None, MISSING or Bad
    whole: Bad | None = None  # what is wrong with the message as a whole
    whole_if_strict: Bad | None = None  # the same, with the option strict
    key: bytes | None = None


@dataclasses.dataclass(frozen=True)
class Options:
    strict: bool = False
    ignore_junk: bool = False
    junk: bool = False
    junk_error: bool = False

    @property
    def keeps_errors(self):
        return self.ignore_junk or self.junk or self.junk_error


EVERY_OPTIONS = [Options(*chosen) for chosen in itertools.product([False, True], repeat=4)]


class Table:
    """Columns offs, key, one for each field and, as far as the options say so, junk and why."""

    def __init__(self, fields, options, not_null=()):
        self._fields, self._options, self._not_null = fields, options, not_null
        self.columns = ["offs", "key", *fields, *(["junk"] if options.junk else []), *(["why"] if options.junk_error else [])]

    def looked_at(self):
        """The sets of columns that queries may look at."""
        yield []
        for column in self.columns:
            yield [column]
        yield self.columns
        if len(self.columns) > 3:
            yield [self.columns[3], self.columns[-1]]

    def errors(self, message, looked_at):
        """What is wrong with the message as far as the query looks: [(column or None, Bad)]."""
        if {"junk", "why"} & set(looked_at):
            looked_at = self.columns
        errors = []
        if message.key is not None and not is_text(message.key) and "key" in looked_at:
            errors.append(("key", Bad("22021")))
        fields = [field for field in self._fields if field in looked_at]
        if message.value is None or not fields:
            return errors
        whole = message.whole or (message.whole_if_strict if self._options.strict else None)
        found = [(field, self._field(message, field, whole)) for field in fields]
        return ([(None, whole)] if whole else []) + errors + [(field, bad) for field, bad in found if isinstance(bad, Bad)]

    def _field(self, message, field, whole):
        """Of a message that is no text or no JSON nothing is there; of one that ends early or has too much, something."""
        found = MISSING if whole and whole.sqlstate != SHAPE else message.fields.get(field, MISSING)
        if found == MISSING:
            found = None
        return Bad("23502") if found is None and field in self._not_null and not whole else found

    def row(self, offset, message, looked_at):
        """The row as a dictionary; the reason of an error is left to the caller."""
        errors = self.errors(message, looked_at)
        whole = next((bad for column, bad in errors if column is None), None)
        row = {"offs": str(offset), "key": message.key.decode() if message.key is not None and is_text(message.key) else None}
        for field in self._fields:
            found = None if message.value is None else self._field(message, field, whole)
            row[field] = None if isinstance(found, Bad) else found
        row["junk"] = shown(message.value) if errors and message.value is not None else None
        return {column: row[column] for column in looked_at if column != "why"}


def is_text(value):
    try:
        return "\0" not in value.decode()
    except UnicodeDecodeError:
        return False


def shown(value):
    return value.decode() if is_text(value) else "\\x" + value.hex()


# --- messages of each format: fields id int, word varchar(5), small, which is a domain over int without NULL ---

FIELDS = ["id", "word", "small"]
TYPES = {"id": "int", "word": "varchar(5)", "small": "small"}
DOMAIN = "CREATE DOMAIN small AS int NOT NULL CHECK (VALUE < 100)"

# (as it is written, what it shows[, what is wrong with the whole message if it is strict])
JSON = {
    "id": [("7", "7"), ('"8"', "8"), ("null", None), ('"two"', Bad("22P02")), ("99999999999", Bad("22003")), ("{}", Bad("22P02")),
           ("01", Bad("22P02"), Bad("22P02"))],
    "word": [('"a\\u00e9"', "aé"), ("[1]", "[1]"), ("null", None), ('"too long"', Bad("22001")), ('"\\u0000"', Bad("22P05")),
             ('"\\ud800"', Bad("22P02")), ("[tru]", Bad("22P02"), Bad("22P02"))],
    "small": [("7", "7"), ("100", Bad("23514")), ("null", None), ("nul", Bad("22P02"), Bad("22P02"))],
}
CSV = {
    "id": [("7", "7"), ('" 8"', "8"), ("", None), ("two", Bad("22P02")), ("99999999999", Bad("22003"))],
    "word": [("abc", "abc"), ('"a,""b"', 'a,"b'), ("", None), ("too long", Bad("22001"))],
    "small": [("7", "7"), ("100", Bad("23514")), ("", None), ('""', Bad("22P02"))],
}
TEXT = {
    "id": [("7", "7"), ("\\N", None), ("two", Bad("22P02")), ("", Bad("22P02"))],
    "word": [("a\\tb", "a\tb"), ("", ""), ("\\N", None), ("too long", Bad("22001")), ("\\xff", Bad("22021")), ("\\0", Bad("22021"))],
    "small": [("7", "7"), ("100", Bad("23514")), ("\\N", None), ("x", Bad("22P02"))],
}


def choices(written):
    """One of the ways to write each field."""
    return itertools.product(*(written[field] for field in FIELDS))


def json_messages():
    absent = {field: [*ways, (None, MISSING)] for field, ways in JSON.items()}
    for number, chosen in enumerate(choices(absent)):
        parts = [f'"{field}": {way[0]}' for field, way in zip(FIELDS, chosen, strict=True) if way[0] is not None]
        strict = [way[2] for way in chosen if len(way) == 3] + [Bad(SHAPE) for way in chosen if way[0] is None]
        if number % 3 == 0:
            parts.insert(number % len(parts) if parts else 0, '"more": [1, {"id": 2}]')
            strict.append(Bad(SHAPE))
        broken = next((bad for bad in strict if bad.sqlstate == "22P02"), None)
        yield Message(("{" + ", ".join(parts) + "}").encode(), outcomes(chosen), whole_if_strict=broken or next(iter(strict), None))
    for value in [b"no json", b'{"id": 7', b'{"id": 7}}', b"", b" ", b"[1]", b'{"id" 7}', b'{"id": 7, "small": 7,}', b"{}\0"]:
        yield Message(value, whole=Bad("22P02"))
    yield Message(b'{"id": 7, "small": 7, "word": "\xff"}', whole=Bad("22021"))


def csv_messages():
    yield from delimited_messages(CSV, ",")
    yield Message(b"", {"id": None}, whole_if_strict=Bad(SHAPE))
    yield Message(b'7,"abc,7', {"id": "7"}, whole=Bad(SHAPE))
    yield Message(b'"7,abc,7', whole=Bad(SHAPE))
    yield Message(b"7,abc\n,7", {"id": "7", "word": "abc"}, whole=Bad(SHAPE))
    yield Message(b"two,a\rbc,7", {"id": Bad("22P02"), "word": "a"}, whole=Bad(SHAPE))
    for value in [b"7,a\xff,7", b"7,a\0,7"]:
        yield Message(value, whole=Bad("22021"))


def text_messages():
    yield from delimited_messages(TEXT, "\t")
    yield Message(b"7\ta\nb\t7", {"id": "7", "word": "a"}, whole=Bad(SHAPE))
    yield Message(b"7\t\\.\t7", {"id": "7"}, whole=Bad(SHAPE))
    for value in [b"7\ta\xff\t7", b"7\ta\0\t7"]:
        yield Message(value, whole=Bad("22021"))


def delimited_messages(written, delimiter):
    """Whole rows, with a line break or a field more, and rows that end early."""
    for number, chosen in enumerate(choices(written)):
        for length in range(1, len(FIELDS) + 1):
            line = delimiter.join(way[0] for way in chosen[:length])
            fields = outcomes(chosen[:length])
            if length < len(FIELDS):
                if number % 7 == 0:
                    yield Message(line.encode(), fields, whole_if_strict=Bad(SHAPE))
            elif number % 5 == 0:
                yield Message((line + delimiter + "more").encode(), fields, whole_if_strict=Bad(SHAPE))
            else:
                yield Message((line + ("\r\n" if number % 3 == 0 else "")).encode(), fields)


def outcomes(chosen):
    return {field: way[1] for field, way in zip(FIELDS, chosen, strict=False)}


def raw_messages(type_name):
    for value in [b"", b"plain", "zwölf".encode(), b"\xff", b"a\0b", b'{"a": 1}', b'"x"', b'{"a"']:
        yield Message(value, {"v": raw_outcome(value, type_name)})


def raw_outcome(value, type_name):
    if type_name == "bytea":
        return "\\x" + value.hex()
    if not is_text(value):
        return Bad("22021")
    if type_name == "jsonb" and value not in (b'{"a": 1}', b'"x"'):
        return Bad("22P02")
    return value.decode()


MAKERS = {"json": json_messages, "csv": csv_messages, "text": text_messages}


def with_keys(messages):
    """Some have a key, some of these one that is no text; and a few tombstones."""
    keys = itertools.cycle([b"k", None, b"", "ü".encode(), b"\xff", b"k\0"])
    return [*(dataclasses.replace(message, key=key) for message, key in zip(messages, keys, strict=False)),
            Message(None, key=b"gone"), Message(None, key=b"\xff")]
