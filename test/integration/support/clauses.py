"""Random WHERE clauses over a Kafka table's part, offs, ts, key, n and url, whose constants can become parameters."""

import datetime
import re

EPOCH = datetime.datetime(1970, 1, 1)
PART, OFFS = "part", "offs"
COMPARISONS = ["=", "<>", "<", "<=", ">", ">="]
INTEGER_RANGES = {"int2": 2**15, "int4": 2**31, "int8": 2**63}
ODD_NUMBERS = ["NaN", "Infinity", "-Infinity", "1e30", "-1e30", "0.5", "-0.5", "4294967296", "9223372036854775808"]
ODD_TIMES = ["infinity", "-infinity", "1969-07-20 20:17:40", "1970-01-01", "0044-03-15 BC", "294275-12-31",
             "9999-12-31"]
URLS = ["/", "/a", "/ab", "/abc/def"]
SELDOM_NULL = 0.04
ALTERNATIVES = 3


class Constant:
    """A type and several values of it, as texts; None is NULL."""

    def __init__(self, type_name, texts):
        self.type_name, self.texts = type_name, texts

    def literal(self, alternative=0):
        text = self.texts[alternative]
        return f"NULL::{self.type_name}" if text is None else "'" + text.replace("'", "''") + f"'::{self.type_name}"


class Clause:
    def __init__(self, template, constants):
        self._template, self.constants = template, constants

    @property
    def reads_table(self):
        """Whether it has a subquery over the table, which in the inner side of a join takes long."""
        return "{table} x" in self._template

    def sql(self, table, constant):
        """The clause over a table, with constant(number) where its constants stand."""
        text = self._template.replace("{table}", table)
        return re.sub("\x01(\\d+)\x01", lambda found: constant(int(found.group(1))), text)

    def literal(self, table, alternative=0):
        return self.sql(table, lambda number: self.constants[number].literal(alternative))


class ClauseGenerator:
    """times: seconds since the epoch that lie among those of the topic; time_type: of ts; key_type: of key."""

    def __init__(self, rng, time_type, key_type, partitions, offsets, times, keys):
        self._rng, self._time_type, self._key_type = rng, time_type, key_type
        self._partitions, self._offsets, self._times, self._keys = partitions, offsets, times, keys
        self._constants = []

    def clause(self):
        self._constants = []
        template = self._condition(self._rng.choice([0, 1, 1, 2, 2, 3]))
        return Clause(template, self._constants)

    # --- conditions ---

    def _condition(self, depth):
        if depth == 0:
            return self._atom()
        chance = self._rng.random()
        if chance < 0.72:
            word = self._rng.choice([" AND ", " OR "])
            return "(" + word.join(self._condition(depth - 1) for _ in range(self._rng.choice([2, 2, 3]))) + ")"
        if chance < 0.87:
            return f"NOT ({self._condition(depth - 1)})"
        if chance < 0.97:
            test = self._rng.choice(["TRUE", "FALSE", "UNKNOWN", "NOT TRUE", "NOT FALSE", "NOT UNKNOWN"])
            return f"({self._condition(depth - 1)}) IS {test}"
        return f"CASE WHEN {self._condition(depth - 1)} THEN {self._atom()} ELSE {self._atom()} END"

    def _atom(self):
        kinds = [(self._comparison, 30), (self._list, 12), (self._array, 14), (self._between, 8), (self._rows, 10),
                 (self._null_test, 4), (self._subquery, 7), (self._local, 8), (self._key, 8), (self._columns, 3)]
        kind, = self._rng.choices([kind for kind, _ in kinds], [weight for _, weight in kinds])
        return kind()

    def _comparison(self):
        column = self._column()
        operands = [self._cast_of(column), self._value(column)]
        if self._rng.random() < 0.3:
            operands.reverse()
        return f"{operands[0]} {self._operator()} {operands[1]}"

    def _list(self):
        column = self._column()
        values = ", ".join(self._value(column) for _ in range(self._rng.randint(1, 5)))
        return f"{column} {self._rng.choice(['IN', 'IN', 'NOT IN'])} ({values})"

    def _array(self):
        column = self._column()
        type_name = self._value_type(column)
        elements = [[self._text(column, type_name, 0.08) for _ in range(self._rng.choice([0, 1, 2, 3, 6]))]
                    for _ in range(ALTERNATIVES)]
        texts = ["{" + ",".join("NULL" if text is None else f'"{text}"' for text in texts) + "}" for texts in elements]
        if self._rng.random() < 0.1:
            texts[0] = None
        array = self._constant(f"{type_name}[]", texts)
        operator, word = self._rng.choice([("=", "ANY"), ("=", "ANY"), ("<>", "ALL"),
                                           (self._operator(), "ANY"), (self._operator(), "ALL")])
        return f"{column} {operator} {word} ({array})"

    def _between(self):
        column = self._column()
        return (f"{column} {self._rng.choice(['', '', 'NOT '])}BETWEEN {self._rng.choice(['', '', 'SYMMETRIC '])}"
                f"{self._value(column)} AND {self._value(column)}")

    def _rows(self):
        columns = self._rng.choice([[PART, OFFS], [PART, OFFS], [PART, OFFS], [OFFS, PART], [PART, "ts"],
                                    [PART, OFFS, "n"], [PART, PART], ["n", OFFS]])
        row = f"({', '.join(columns)})"
        values = [f"({', '.join(self._value(column) for column in columns)})" for _ in range(self._rng.randint(1, 3))]
        if self._rng.random() < 0.25:
            return f"{row} {self._rng.choice(['IN', 'IN', 'NOT IN'])} ({', '.join(values)})"
        operands = [row, values[0]]
        if self._rng.random() < 0.3:
            operands.reverse()
        return f"{operands[0]} {self._operator()} {operands[1]}"

    def _null_test(self):
        column = self._rng.choice([PART, OFFS, "ts", "key", "n"])
        word = self._rng.choice(["", "NOT "])
        if column == "key" or self._rng.random() < 0.4:
            return f"{column} IS {word}NULL"
        return f"{column} IS {word}DISTINCT FROM {self._value(column)}"

    def _subquery(self):
        return self._rng.choice([
            f"{OFFS} {self._operator()} (SELECT max(lim_o) FROM lims WHERE lim_k <= {self._value(PART)})",
            f"{OFFS} {self._operator()} (SELECT lim_o FROM lims WHERE lim_k = part LIMIT 1)",
            f"{OFFS} >= (SELECT max(x.offs) - 20 FROM {{table}} x WHERE x.part = {self._value(PART)})",
            f"{PART} IN (SELECT lim_k FROM lims WHERE lim_o > {self._value(OFFS)})",
            f"EXISTS (SELECT FROM lims WHERE lim_k = part AND lim_o {self._operator()} offs)",
            f"({PART}, {OFFS}) {self._operator()} (SELECT lim_k, lim_o FROM lims ORDER BY lim_k DESC LIMIT 1)",
            f"{OFFS} = ANY (ARRAY(SELECT lim_o FROM lims WHERE lim_k <> {self._value(PART)}))",
            f"EXISTS (SELECT FROM {{table}} x WHERE x.part = {{table}}.part AND x.offs = {{table}}.offs + 7 "
            f"AND x.n > {self._value('n')})"
        ])

    def _local(self):
        return self._rng.choice([
            "length(url) > 3", "url LIKE '%b%'", "n % 3 = 1", "random() >= 0", "true", "false", "NULL::bool",
            f"coalesce({OFFS} > {self._value(OFFS)}, false)",
            f"{OFFS} + 1 {self._operator()} {self._value(OFFS)}",
            f"abs({OFFS} - 100) {self._operator()} {self._value(OFFS)}",
            f"-{PART} {self._operator()} {self._value(PART)}",
            f"n {self._operator()} {self._value('n')}",
            f"greatest({PART}, {OFFS}) {self._operator()} {self._value(OFFS)}"])

    def _key(self):
        def value():
            text = self._rng.choice([*self._keys, "nobody's", ""]).replace("'", "''")
            return f"'{text}'::{self._key_type}"

        return self._rng.choice([
            f"key = {value()}", f"key = {value()}", f"{value()} = key", f"key IN ({value()}, {value()})",
            f"(key = {value()} AND {OFFS} {self._operator()} {self._value(OFFS)})", f"key <> {value()}", "key IS NULL",
            f"key {self._operator()} {value()}", f"key = ANY (ARRAY[{value()}, NULL, {value()}])"])

    def _columns(self):
        return self._rng.choice([f"{PART} < {OFFS}", f"{PART} = n % 4", f"{OFFS} = n", f"{OFFS} >= {PART} * 30",
                                 f"{OFFS} = {OFFS}"])

    # --- columns and values ---

    def _column(self):
        return self._rng.choices([PART, OFFS, "ts", "n"], [28, 40, 28, 4])[0]

    def _operator(self):
        return self._rng.choice(COMPARISONS)

    def _cast_of(self, column):
        if self._rng.random() > 0.1:
            return column
        if column == "ts" and self._time_type != "int8":
            return self._rng.choice(["ts::timestamptz", "ts::timestamp", "date_trunc('minute', ts)"])
        return f"{column}::{self._rng.choice(['int8', 'numeric', 'float8'])}"

    def _value(self, column):
        type_name = self._value_type(column)
        constant = self._constant(type_name, [self._text(column, type_name) for _ in range(ALTERNATIVES)])
        chance = self._rng.random()
        if chance < 0.85:
            return constant
        if type_name in ("timestamptz", "timestamp"):  # stable, and not folded by the planner
            return self._rng.choice([f"({constant}::timestamptz + (now() - now()))",
                                     "now()", "(now() - interval '5 min')", f"least({constant}::timestamptz, now())"])
        if type_name == "date":
            return constant
        zero = "length(current_setting('server_version_num')) - 6"  # stable; no sum that could overflow
        return f"({constant} + ({zero}))" if chance < 0.95 else f"(SELECT {constant})"

    def _constant(self, type_name, texts):
        self._constants.append(Constant(type_name, texts))
        return f"\x01{len(self._constants) - 1}\x01"

    def _value_type(self, column):
        if column == "ts" and self._time_type != "int8":
            return self._rng.choices(["timestamptz", "timestamp", "date"], [60, 25, 15])[0]
        return self._rng.choices(["int8", "int4", "int2", "numeric", "float8"], [40, 25, 8, 17, 10])[0]

    def _text(self, column, type_name, null=SELDOM_NULL):
        if self._rng.random() < null:
            return None
        if type_name in ("timestamptz", "timestamp", "date"):
            return self._time_text(type_name)
        return self._number_text(column, type_name)

    def _time_text(self, type_name):
        if self._rng.random() < 0.12:
            return self._rng.choice(ODD_TIMES)
        shift = self._rng.choice([0, 0, 0.001, -0.001, 0.0005, -0.000001, 0.4, 0.5, 30])
        seconds = self._rng.choice(self._times) + shift
        text = (EPOCH + datetime.timedelta(microseconds=round(seconds * 1e6))).isoformat(sep=" ")
        return text[:10] if type_name == "date" else text + ("+00" if type_name == "timestamptz" else "")

    def _number_text(self, column, type_name):
        if type_name in ("numeric", "float8") and self._rng.random() < 0.35:
            return self._rng.choice(ODD_NUMBERS + [str(self._number(column) + self._rng.choice([0.5, 0.25, -0.001]))])
        number = self._number(column)
        limit = INTEGER_RANGES.get(type_name, 2**63)
        return str(max(-limit, min(limit - 1, number)))

    def _number(self, column):
        if self._rng.random() < 0.08:
            return self._rng.choice([-1, -7, 2**31 - 1, 2**31, -2**31, 2**63 - 1, -2**63, 2**40])
        if column == PART:
            return self._rng.choice(self._partitions)
        if column == "ts":
            return round(self._rng.choice(self._times) * 1000) + self._rng.choice([0, 0, 1, -1])
        return self._rng.choice(self._offsets)
