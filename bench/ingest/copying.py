"""PostgreSQL's own COPY: of a file of the same rows, and of what kcat prints."""

import subprocess
import time

from input import COLUMNS

from .contestant import Aggregate, Contestant, WithKey


class CopyText(Contestant):
    name, label = "copy-text", "COPY FROM a file, text"

    def drain(self):
        start = time.perf_counter()
        self.db.execute(f"COPY filled FROM '{self.input.tsv}'")
        return time.perf_counter() - start


class CopyCsv(Contestant):
    name, label = "copy-csv", "COPY FROM a file, csv"

    def drain(self):
        start = time.perf_counter()
        self.db.execute(f"COPY filled FROM '{self.input.csv}' (FORMAT csv)")
        return time.perf_counter() - start


class CopyWithKey(WithKey, CopyText):
    name, label = "copy-text-key", "COPY FROM a file, text, primary key"


class CopyAggregate(Aggregate, Contestant):
    name, label = "copy-aggregate", "COPY into a temporary table, GROUP BY"

    def drain(self):
        start = time.perf_counter()
        self.db.execute(f"""BEGIN; CREATE TEMPORARY TABLE copied ({COLUMNS}) ON COMMIT DROP;
                            COPY copied FROM '{self.input.tsv}'; {self.upsert.format("copied")}; COMMIT""")
        return time.perf_counter() - start


class KcatCopy(Contestant):
    """The messages are lines of COPY's own text format, so that nobody has anything to decode."""

    name, label = "kcat", "kcat | psql COPY, messages of text"
    topic = "lines"
    statement = "COPY filled FROM STDIN"

    def drain(self):
        kcat = ["kcat", "-C", "-b", self.broker.bootstrap, "-t", self.topic, "-o", "beginning", "-e", "-q", "-u",
                "-X", "fetch.wait.max.ms=10", "-X", "queued.min.messages=1000000"]
        start = time.perf_counter()
        with subprocess.Popen(kcat, stdout=subprocess.PIPE) as source:
            subprocess.run([*self.bench.psql, "-c", self.statement], stdin=source.stdout, check=True)
        if source.returncode != 0:
            raise SystemExit(f"kcat ended with code {source.returncode}")
        return time.perf_counter() - start


class KcatCopyJson(KcatCopy):
    """Lines of JSON as they are, taken apart by SQL."""

    name, label = "kcat-json", "kcat | psql COPY, JSON by SQL"
    topic = "rows"
    # Quote and delimiter are bytes that JSON cannot have, so that COPY takes each line as one field.
    statement = r"""
        CREATE TEMPORARY TABLE documents (document json);
        COPY documents FROM STDIN (FORMAT csv, QUOTE E'\x01', DELIMITER E'\x02');
        INSERT INTO filled SELECT r.* FROM documents, json_populate_record(NULL::filled, document) AS r;"""
