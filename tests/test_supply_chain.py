"""What is installed, and what is imported (F-56)."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest
from tests.sbom.bill import LOCK, bill, locked
from tests.support import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LOCKS = ["requirements.lock", "tests/hop/httpbin.lock"]
SOURCES = sorted((REPOSITORY / "src").rglob("*.py"))
EXTRAS = {"asyncpg": "stores/server.py", "redis": "stores/shared/channel.py"}
"""What only those have who asked for it, and the one module that needs it."""
PINNED = re.compile(r"([a-z0-9][a-z0-9.-]*)(?:\[[a-z0-9,-]+\])?==[^\s;]+(?: ; [^\\]+)?")


def pyproject() -> dict[str, Any]:
    """Read what is declared."""
    return tomllib.loads((REPOSITORY / "pyproject.toml").read_text())


def names(requirements: Iterable[str]) -> set[str]:
    """Give the distributions that requirements name."""
    found = (re.match(r"[A-Za-z0-9._-]+", each) for each in requirements)
    return {each[0].lower().replace("_", "-") for each in found if each}


def imported(tree: ast.AST) -> Iterator[str]:
    """Give the packages that a module imports, wherever it does, but for types alone."""
    for node in _run(tree):
        if isinstance(node, ast.Import):
            yield from (each.name.partition(".")[0] for each in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.partition(".")[0]


def _run(tree: ast.AST) -> Iterator[ast.AST]:
    """Give the nodes of a module, less those that no program ever runs."""
    yield tree
    typing = isinstance(tree, ast.If) and ast.unparse(tree.test) == "TYPE_CHECKING"
    for node in () if typing else ast.iter_child_nodes(tree):
        yield from _run(node)


def guarded(tree: ast.Module) -> set[str]:
    """Give the packages that a module can do without."""
    tries = [node for node in tree.body if isinstance(node, ast.Try)]
    return {name for node in tries for each in node.body for name in imported(each)}


@pytest.mark.parametrize("lock", LOCKS)
def test_the_lock_has_hashes_and_nothing_else(lock: str) -> None:
    """F-56: each requirement is one version with its hashes; no index, link or path is in it."""
    entries = [*locked((REPOSITORY / lock).read_text())]
    assert len(entries) > 10
    for requirement, hashes in entries:
        assert PINNED.fullmatch(requirement), requirement
        assert hashes, requirement
        assert all(re.fullmatch(r"--hash=sha256:[0-9a-f]{64}", each) for each in hashes)


def test_the_bill_of_materials_has_all_that_is_locked() -> None:
    """F-56: `make sbom` lists each package of the lock, with its version and its hashes."""
    told = json.loads(bill())
    assert told["bomFormat"] == "CycloneDX"
    found = {
        each["purl"]: {f"--hash=sha256:{digest['content']}" for digest in each["hashes"]}
        for each in told["components"]
    }
    for requirement, hashes in locked(LOCK.read_text()):
        name, _, version = requirement.partition(" ;")[0].partition("==")
        assert found[f"pkg:pypi/{name.partition('[')[0]}@{version}"] == {*hashes}


def test_all_that_is_declared_is_locked() -> None:
    """F-56: nothing is installed that the lock does not hold."""
    project = pyproject()["project"]
    declared = names([*project["dependencies"], *chain(*project["optional-dependencies"].values())])
    entries = locked(LOCK.read_text())
    assert declared <= names(requirement for requirement, _ in entries)


def test_only_what_is_declared_is_imported() -> None:
    """F-56: what is there by chance, because another package needs it, is not imported."""
    project = pyproject()["project"]
    declared = names(project["dependencies"])
    of = {
        package: {each.lower().replace("_", "-") for each in distributions}
        for package, distributions in packages_distributions().items()
    }
    for path in SOURCES:
        for package in imported(ast.parse(path.read_text())):
            if package not in sys.stdlib_module_names and package not in {"fairuse", *EXTRAS}:
                assert of.get(package, set()) & declared, f"{path.name} imports {package}"


@pytest.mark.parametrize("package", EXTRAS)
def test_an_extra_is_imported_where_it_is_needed_alone(package: str) -> None:
    """F-56: one module imports it, and can do without."""
    trees = {path: ast.parse(path.read_text()) for path in SOURCES}
    users = [path for path, tree in trees.items() if package in imported(tree)]
    assert [path.relative_to(REPOSITORY / "src/fairuse").as_posix() for path in users] == [
        EXTRAS[package]
    ]
    assert package in guarded(trees[users[0]])


def test_nothing_but_what_everybody_has_is_needed() -> None:
    """F-56: without the extras, and without what only developers have, the command runs."""
    absent = [*EXTRAS, "pytest", "hypothesis", "fastapi", "trustme", "httpx2"]
    program = f"""
import sys
sys.modules.update(dict.fromkeys({absent!r}))
from fairuse.entry.cli import main
sys.argv = ["fairuse", "check", "--config", {str(REPOSITORY / "config")!r}]
main()
"""
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (ran.returncode, "is fine" in ran.stdout) == (0, True), ran.stderr
