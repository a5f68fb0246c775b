"""What is done with each kind of code block in the README and the docs.

Each function gives None where the block is true, and what is wrong with it otherwise.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from tests.docs.office import office
from tests.support import NOON, REPOSITORY, Recorder, Reply, call, mounted, serving, write_config

from fairuse.base.clock import ManualClock
from fairuse.rules.policy import Policy
from fairuse.rules.settings import Settings
from fairuse.rules.tenant import Tenant
from fairuse.stores.files import read_model

if TYPE_CHECKING:
    from pydantic import BaseModel
    from sybil import Example

AT_THE_DESK = (
    "check --usage",
    "cases",
    "approve",
    "override",
    "topup",
    "waive",
    "cost",
    "export",
    "verify",
)
"""Commands that need a ledger with cases to show anything."""
MODELS: dict[str, type[BaseModel]] = {
    "config": Settings,
    "policies": Policy,
    "tenants": Tenant,
}


def run_toml(example: Example) -> str | None:
    """Read a block as the file that its first line names."""
    name = example.parsed.splitlines()[0].removeprefix("# ")
    path = example.namespace["tmp_path"] / "block.toml"
    path.write_text(example.parsed)
    read = read_model(path, name, MODELS[Path(name).parent.name])
    return "\n".join(map(str, read)) if isinstance(read, list) else None


def run_python(example: Example) -> str | None:
    """Run a block beside the shipped configuration."""
    folder: Path = example.namespace["tmp_path"]
    shutil.copytree(REPOSITORY / "config", folder / "config")
    command = [sys.executable, "-W", "error", "-c", example.parsed]
    return _run(command, folder).stderr or None


def run_console(example: Example) -> str | None:
    """Run each line that begins with `$ `, and compare with what stands below it.

    What an operator does is done beside a ledger with two cases.
    """
    tmp_path: Path = example.namespace["tmp_path"]
    place = REPOSITORY
    if any(f"$ fairuse {command}" in example.parsed for command in AT_THE_DESK):
        place = office(tmp_path)
    for block in example.parsed.removeprefix("$ ").split("\n$ "):
        line, _, expected = block.partition("\n")
        if line.startswith("make "):
            found = _run(["make", "--dry-run", line.split()[1]], REPOSITORY)
        elif line.startswith("fairuse serve"):
            with serving(write_config(tmp_path)) as gateway:
                if gateway.stop() != 0:
                    return f"{line} did not stop with 0"
            continue
        else:
            found = _run(["bash", "-c", line], place)
        if found.returncode or not _lines(found.stdout).startswith(expected):
            return f"{line}\n{found.stdout}{found.stderr}"
    return None


def _lines(text: str) -> str:
    """Give a text without the spaces that fill a table up."""
    return "\n".join(line.rstrip() for line in text.split("\n"))


def run_http(example: Example) -> str | None:
    """Compare a refusal with the real one."""
    head, _, body = example.parsed.partition("\n\n")
    shown = {
        name: value for name, _, value in (line.partition(": ") for line in head.splitlines()[1:])
    }
    refused = asyncio.run(_refusal(example.namespace["tmp_path"]))
    problem = {**refused.json(), "instance": "urn:fairuse:request:..."}
    if json.dumps(json.loads(body)) != json.dumps(problem):
        return f"the body is {json.dumps(problem, indent=2)}"
    if not shown.items() <= refused.headers.items():
        return f"the headers are {refused.headers}"
    return None if f" {refused.status} " in head.splitlines()[0] else f"it is {refused.status}"


async def _refusal(folder: Path) -> Reply:
    """Book once more than a minute allows."""
    async with mounted(write_config(folder), Recorder(), ManualClock(NOON)) as fair:
        for _ in range(60):
            await call(fair)
        return await call(fair, headers=[(b"accept-language", b"en")])


def _run(command: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    search = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PATH": search, "COLUMNS": "120"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
