"""What a way to get the messages of a topic into a table has to offer."""

from input import COLUMNS

# Values, and not how they are written: 1.50 and 1.5 are one number.
ROW_CHECKSUM = """sum(hashtextextended(concat_ws('|', id, at, customer, city, trim_scale(amount), quantity, score, paid), 0))"""


class Contestant:
    """Fills the table `table`, which the part makes before and drops behind each measurement."""

    #: Its word in CONTESTANTS, and what it is.
    name = label = None
    topic = "rows"
    table = "filled"
    #: To make the table, and to compare it: the same of the rows of {table} and of the reference.
    definition = f"CREATE TABLE filled ({COLUMNS})"
    found = f"SELECT count(*), {ROW_CHECKSUM} FROM filled"
    expected = f"SELECT count(*), {ROW_CHECKSUM} FROM reference"
    #: Whether it can go on and on, and so takes part in the steady loads.
    steady = False

    def __init__(self, bench):
        self.bench, self.db, self.broker, self.input = bench, bench.db, bench.broker, bench.input

    def drain(self):
        """Takes all of the topic; returns the seconds that it took."""
        raise NotImplementedError

    def offsets(self):
        """{partition: next offset} as it has stored them with the rows; None: it stores none."""
        return None

    def begin(self, topic):
        """Begins to take this topic, of one partition, for good."""
        raise NotImplementedError

    def end(self):
        """Ends what drain or begin left running, and forgets its offsets."""

    def processes(self):
        """Ids of the processes outside PostgreSQL that work for it and are not ended yet."""
        return []

    def close(self):
        """Ends what is kept between measurements."""


class WithKey:
    definition = f"CREATE TABLE filled ({COLUMNS}, PRIMARY KEY (id))"


class Aggregate:
    """Rows per city and minute instead of the rows."""

    definition = """CREATE TABLE filled (city text, minute timestamptz, orders bigint NOT NULL, amount numeric NOT NULL,
                                         PRIMARY KEY (city, minute))"""
    grouped = "SELECT city, date_trunc('minute', at) AS minute, count(*) AS orders, sum(amount) AS amount FROM {} GROUP BY 1, 2"
    upsert = "INSERT INTO filled AS f " + grouped + """
        ON CONFLICT (city, minute) DO UPDATE SET orders = f.orders + excluded.orders, amount = f.amount + excluded.amount"""
    checksum = "count(*), sum(hashtextextended(concat_ws('|', city, minute, orders, trim_scale(amount)), 0))"
    found = f"SELECT {checksum} FROM filled"
    expected = f"SELECT {checksum} FROM ({grouped.format('reference')}) AS grouped"
