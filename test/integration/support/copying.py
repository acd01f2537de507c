"""What PostgreSQL's own COPY makes of a text: the reference for decoders and input functions."""

import itertools

import psycopg
from psycopg import sql


class CopyReference:
    """A table that each message is copied into by a COPY of its own. columns: [(name, type)], options: of COPY."""

    def __init__(self, session, table, columns, options=None):
        self._session, self._table = session, sql.Identifier(table)
        self._names = [name for name, _ in columns]
        definition = sql.SQL(", ").join(sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(type_name))
                                        for name, type_name in columns)
        session.execute(sql.SQL("CREATE TABLE {} (copied bigserial, {})").format(self._table, definition))
        self._copy = sql.SQL("COPY {} ({}) FROM STDIN WITH ({})").format(
            self._table, sql.SQL(", ").join(map(sql.Identifier, self._names)),
            sql.SQL(", ").join(self._option(name, value) for name, value in (options or {}).items()))

    @staticmethod
    def _option(name, value):
        if isinstance(value, (list, tuple)):
            value = sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Identifier, value)))
            return sql.SQL("{} {}").format(sql.SQL(name), value)
        return sql.SQL("{} {}").format(sql.SQL(name), sql.Literal(value))

    def outcomes(self, messages):
        """For each message its row as a tuple of texts, or its SQLSTATE; '1 row' stands for what is not one row."""
        counts = [self._count(message) for message in messages]
        shown = sql.SQL(", ").join(sql.SQL("{}::text").format(sql.Identifier(name)) for name in self._names)
        rows = iter(self._session.execute(
            sql.SQL("SELECT {} FROM {} ORDER BY copied").format(shown, self._table)).fetchall())
        self._session.execute(sql.SQL("DELETE FROM {}").format(self._table))
        return [self._outcome(count, rows) for count in counts]

    @staticmethod
    def _outcome(count, rows):
        if isinstance(count, str):
            return count
        found = list(itertools.islice(rows, count))
        return found[0] if count == 1 else "1 row"

    def _count(self, message):
        """The number of rows, or the SQLSTATE."""
        cursor = self._session.cursor()
        try:
            with cursor.copy(self._copy) as copy:
                copy.write(message if message else b"\n")  # COPY takes an empty input for no row at all
            return cursor.rowcount
        except psycopg.Error as error:
            return error.sqlstate
