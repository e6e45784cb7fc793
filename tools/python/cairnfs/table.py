"""The result of a job: rows in the order of the table, each a dict."""

import json


class Table(list):
    """A list of rows. Numbers are int or float, texts str, what is missing None."""

    @classmethod
    def from_json_lines(cls, text):
        return cls(json.loads(line) for line in text.split("\n") if line)

    def column(self, name):
        return [row[name] for row in self]

    def to_pandas(self):
        """A pandas.DataFrame."""
        import pandas

        return pandas.DataFrame(list(self))
