"""CPU time is read from where the kernel says it is."""

import os

from bench.cpu import Usage, parse_stat

SECOND = os.sysconf("SC_CLK_TCK")


def test_a_process_with_brackets_in_its_name_is_read() -> None:
    """Parent, user and system time are found whatever the program calls itself."""
    line = f"42 (a (b) 1 2) S 7 42 42 0 -1 4194304 9 9 0 0 {3 * SECOND} {SECOND} 500 600 20 0 1 0"
    assert parse_stat(line) == Usage(parent=7, seconds=4.0)
