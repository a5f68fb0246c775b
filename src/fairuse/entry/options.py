"""The options that commands share, and what they may be."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic.json_schema import GenerateJsonSchema

from fairuse.rules.policy import Policy
from fairuse.rules.settings import Settings
from fairuse.rules.tenant import Tenant

if TYPE_CHECKING:
    from pydantic import BaseModel
    from pydantic_core.core_schema import WithDefaultSchema

ConfigFolder = Annotated[
    Path,
    typer.Option("--config", exists=True, file_okay=False, help="The configuration folder."),
]


class Output(StrEnum):
    """How a command writes what it found."""

    human = "human"
    json = "json"


class Language(StrEnum):
    """The languages of customers."""

    nl = "nl"
    de = "de"
    en = "en"


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


OutputOption = Annotated[Output, typer.Option("-o", "--output", help="human or json")]
