"""The bill of materials: each package of the lock, its version and the hashes it may have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cyclonedx.model import HashAlgorithm, HashType
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from tests.support import REPOSITORY

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCK = REPOSITORY / "requirements.lock"


def locked(text: str) -> Iterator[tuple[str, list[str]]]:
    """Give each requirement of a lock, with its hashes."""
    for entry in re.split(r"\n(?=\S)", text.strip()):
        requirement, *hashes = (line.strip(" \\") for line in entry.splitlines())
        yield requirement, hashes


def bill() -> str:
    """Write it, as JSON."""
    components = [_component(*each) for each in locked(LOCK.read_text())]
    whole = Component(name="fairuse", type=ComponentType.APPLICATION)
    bom = Bom(components=components)
    bom.metadata.component = whole
    bom.register_dependency(whole, components)
    return str(JsonV1Dot6(bom).output_as_string(indent=2))


def _component(requirement: str, hashes: list[str]) -> Component:
    name, version = requirement.partition(" ;")[0].split("==")
    name = name.partition("[")[0]
    digests = [line.rpartition(":")[2] for line in hashes]
    return Component(
        name=name,
        version=version,
        purl=PackageURL("pypi", None, name, version),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in digests],
    )
