"""Broken files: each in `tests/broken/` begins with what must be said of it, word for word.

# expected: KEY: MESSAGE        one line for each finding
# warning: KEY: MESSAGE         one line for each warning

A case is a file and needs no code. It is put beside the files of `tests/broken/good/`: a policy or
a tenant as one more, settings in place of the good ones.
"""

from __future__ import annotations

from itertools import takewhile
from pathlib import Path
from shutil import copyfile, copytree
from typing import TYPE_CHECKING

import pytest

from fairuse.stores.configuration import Configuration

if TYPE_CHECKING:
    from fairuse.base.errors import Finding

BROKEN = Path(__file__).parents[1] / "broken"
PLACES = {
    "policies": "policies/wrong.toml",
    "settings": "gateway.toml",
    "tenants": "tenants/wrong.toml",
}
CASES = sorted(case for place in PLACES for case in (BROKEN / place).glob("*.toml"))


def _expected(case: Path, kind: str) -> list[str]:
    lines = takewhile(lambda line: line.startswith("#"), case.read_text().splitlines())
    begin = f"# {kind}: "
    return sorted(line.removeprefix(begin) for line in lines if line.startswith(begin))


def _said(findings: list[Finding], name: str) -> list[str]:
    assert {finding.file for finding in findings} <= {name}
    return sorted(f"{finding.key}: {finding.message}" for finding in findings)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.parent.name}/{case.stem}")
def test_what_is_wrong_with_a_file_is_said(tmp_path: Path, case: Path) -> None:
    """F-50, A29, P3, E31: whatever a file breaks is said of it, with its key, and nothing else."""
    name = PLACES[case.parent.name]
    copyfile(case, copytree(BROKEN / "good", tmp_path / "config") / name)
    configuration = Configuration(tmp_path / "config")
    expected, warned = _expected(case, "expected"), _expected(case, "warning")
    assert expected or warned
    assert _said(configuration.reload(), name) == expected
    assert _said(configuration.warnings(), name) == warned


def test_the_good_files_are_good() -> None:
    """F-50: nothing is said of the files that the broken ones are put beside."""
    configuration = Configuration(BROKEN / "good")
    assert configuration.reload() == []
    assert configuration.warnings() == []
