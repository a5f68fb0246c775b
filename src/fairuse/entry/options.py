"""The options that commands share, and what they may be."""

from __future__ import annotations

import getpass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic.json_schema import GenerateJsonSchema

from fairuse.rules.policy import Policy
from fairuse.rules.record import OURSELVES
from fairuse.rules.settings import Settings
from fairuse.rules.tenant import Tenant

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core.core_schema import WithDefaultSchema

ConfigFolder = Annotated[
    Path,
    typer.Option("--config", exists=True, file_okay=False, help="The configuration folder."),
]


CONFIG_FOLDER = Path("config")


class Output(StrEnum):
    """How a command writes what it found."""

    human = "human"
    json = "json"


class Language(StrEnum):
    """The languages of customers."""

    nl = "nl"
    de = "de"
    en = "en"


class Outcome(StrEnum):
    """How a case may be closed by an operator."""

    withdrawn = "withdrawn"
    agreed = "agreed"
    failed = "failed"


class SchemaOf(StrEnum):
    """The kinds of configuration files."""

    policy = "policy"
    tenant = "tenant"
    gateway = "gateway"


class DemoPolicy(StrEnum):
    """The services that the demo can show."""

    booking = "booking"
    documents = "documents"


SCHEMAS: dict[SchemaOf, type[BaseModel]] = {
    SchemaOf.policy: Policy,
    SchemaOf.tenant: Tenant,
    SchemaOf.gateway: Settings,
}


class _FileSchema(GenerateJsonSchema):
    """Describes a file; defaults that no file could say, such as a number of seconds, go."""

    ignored_warning_kinds = {"skipped-choice", "non-serializable-default"}  # noqa: RUF012

    def default_schema(self, schema: WithDefaultSchema) -> dict[str, Any]:
        """Describe a value that has a default."""
        described = super().default_schema(schema)
        default, is_text = described.get("default"), "string" in described.get("type", "")
        if default is None or isinstance(default, dict) or is_text != isinstance(default, str):
            described.pop("default", None)
        return described


def describe(kind: SchemaOf) -> dict[str, Any]:
    """Give the JSON Schema of a kind of file."""
    schema = SCHEMAS[kind].model_json_schema(schema_generator=_FileSchema)
    return {"$schema": _FileSchema.schema_dialect, **schema}


def _person(name: str) -> str:
    """Take the name of a person, who is not to pass for the process itself."""
    if not name.strip() or name.strip().lower() == OURSELVES:
        raise typer.BadParameter("name the person who decides this")
    return name.strip()


By = Annotated[
    str,
    typer.Option(
        "--by", help="Who decides this.", default_factory=getpass.getuser, callback=_person
    ),
]
Reason = Annotated[str, typer.Option("--reason", help="Why; it is kept in the record.")]
CaseNumber = Annotated[int, typer.Argument(help="The case's number, as `fairuse cases` shows it.")]
Account = Annotated[str, typer.Argument(help="The account.")]
LimitName = Annotated[str, typer.Argument(help="The limit's name in the policy.")]
Location = Annotated[str, typer.Option(help="For one location of the account alone.")]
DAY = ["%Y-%m-%d"]
OutputOption = Annotated[Output, typer.Option("-o", "--output", help="human or json")]
