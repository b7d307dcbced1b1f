"""Tables: those of the book, public training runs, and the reader's own."""

from moelaws.data.tables import (
    ROOT,
    RUNS,
    columns,
    files_read,
    load,
    load_runs,
    printed,
    read,
    sets,
    tables,
    write,
)

__all__ = ["ROOT", "RUNS", "columns", "files_read", "load", "load_runs", "printed", "read", "sets", "tables", "write"]
