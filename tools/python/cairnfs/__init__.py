"""Near-data tasks of CairnFS from Python: the work goes to the servers that hold the bytes, a result comes back.

    from cairnfs import Cluster

    cluster = Cluster()                                      # of the mount that the files lie in
    counts = cluster.map("wc", ["/mnt/cairn/a.txt", "/mnt/cairn/b.txt"])
    counts[0]["lines"]

    table = cluster.run("stats", ["/mnt/cairn/sales/*.csv"], column="amount", group_by="city")
    for row in table: print(row["group"], row["mean"])
    table.to_pandas()                                        # if pandas is there

`cairn task run --help` lists the operators and their options: --group-by is group_by=, a flag is True.
Python 3.11 and the command `cairn`; nothing is compiled.
"""

from .cluster import Cluster
from .command import TaskError
from .job import Job
from .table import Table

__all__ = ["Cluster", "Job", "Table", "TaskError"]
