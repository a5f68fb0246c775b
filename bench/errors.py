"""What keeps a benchmark from giving a figure.

BenchError       a server or the load went wrong: there is no figure (exit 1)
+-- CannotRun    this machine, or this call, can't run it at all (exit 2)
"""


class BenchError(Exception):
    """A measurement went wrong, so there is no figure."""

    exit_code = 1


class CannotRun(BenchError):
    """The benchmark can't run here, or not in this way."""

    exit_code = 2
