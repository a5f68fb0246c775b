"""Runs every code block of the README and the docs."""

from sybil import Sybil
from sybil.parsers.markdown import CodeBlockParser
from tests.blocks import run_console, run_http, run_python, run_toml

pytest_collect_file = Sybil(
    parsers=[
        CodeBlockParser("console", run_console),
        CodeBlockParser("http", run_http),
        CodeBlockParser("python", run_python),
        CodeBlockParser("toml", run_toml),
    ],
    patterns=["README.md", "docs/*.md"],
    fixtures=["tmp_path"],
).pytest()
