"""`fairuse check`: everything that is wrong, at once, with file, key and nearest match."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.entry.support import GATEWAY, POLICY, TENANT, check
from tests.support import DENTIST, REPOSITORY, SALON, tenant, write_config

if TYPE_CHECKING:
    from pathlib import Path


def test_the_shipped_configuration_is_fine() -> None:
    """What is shipped passes its own check."""
    tenants = len(list((REPOSITORY / "config/tenants").glob("*.toml")))
    assert check(REPOSITORY / "config") == (
        0,
        f"{REPOSITORY / 'config'} is fine: {tenants} tenants\n",
    )


def test_an_api_key_belongs_to_one_tenant(tmp_path: Path) -> None:
    """A key or an account in two tenant files is named, with both files."""
    config = write_config(
        tmp_path, tenants={"one": tenant("anna", SALON), "two": tenant("bert", SALON)}
    )
    code, output = check(config)
    assert code == 1
    assert "tenants/two.toml: keys.sha256:" in output
    assert "this API key belongs to tenants/one.toml already" in output
    (config / "tenants/two.toml").write_text(tenant("anna", DENTIST))
    assert "this account belongs to tenants/one.toml already" in check(config)[1]


def test_everything_is_said_at_once(tmp_path: Path) -> None:
    """Mistakes in several files are all in one answer, in the order of the files."""
    config = write_config(tmp_path)
    for name in (TENANT, POLICY, GATEWAY):
        (config / name).write_text("nonsense = 1\n")
    code, output = check(config)
    files = [line.split(":")[0] for line in output.splitlines()[:-1]]
    assert code == 1
    assert set(files) == {GATEWAY, POLICY, TENANT}
    assert files == sorted(files)


def test_findings_can_be_read_by_a_program(tmp_path: Path) -> None:
    """With -o json the findings are one JSON object with file, key and message."""
    config = write_config(tmp_path)
    (config / TENANT).write_text("x = 1\n")
    code, output = check(config, "-o", "json")
    findings = json.loads(output)["findings"]
    assert code == 1
    assert {"file": TENANT, "key": "policy", "message": "is missing"} in findings


def test_a_tenant_may_only_override_what_exists(tmp_path: Path) -> None:
    """An override of an unknown limit names the limit that was probably meant."""
    extra = '[override.appointments-per-mont]\namount = "1"\nreason = "x"\n'
    config = write_config(tmp_path, tenants={"salon": tenant("salon", SALON, extra)})
    assert (
        "tenants/salon.toml: override.appointments-per-mont: there is no limit"
        ' "appointments-per-mont"; did you mean "appointments-per-month"?'
    ) in check(config)[1]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\xff\xfe", "is not UTF-8 (byte 0)"),
        (b"#" * 1_000_001, "is larger than 1000000 bytes"),
    ],
    ids=["no text", "too large"],
)
def test_a_file_that_is_no_text_is_a_finding(tmp_path: Path, data: bytes, message: str) -> None:
    """F-50: a file that can't be a configuration is refused by name, unread."""
    config = write_config(tmp_path)
    (config / TENANT).write_bytes(data)
    assert check(config) == (1, f"{TENANT}: {message}\n1 finding\n")


def test_a_key_that_was_not_hashed_is_not_shown(tmp_path: Path) -> None:
    """F-52: an API key pasted where its hash belongs is named by its place, and never printed."""
    config = write_config(tmp_path)
    text = (config / TENANT).read_text()
    (config / TENANT).write_text(f'{text}"my-plain-secret-key" = "salon"\n')
    code, output = check(config)
    assert code == 1
    assert f"{TENANT}: keys: holds something else than" in output
    assert "my-plain" not in output


def test_a_location_that_no_route_names_is_a_finding(tmp_path: Path) -> None:
    """A limit per location needs a route that names one, or it would count the whole account."""
    config = write_config(tmp_path)
    text = (config / GATEWAY).read_text()
    (config / GATEWAY).write_text(text.replace("/locations/{location}", "/location/{location}"))
    assert (
        f'{POLICY}: limits.appointments-per-month.scope: no route of "appointments" names a'
        ' location as identity.location in gateway.toml does ("/location/{location}")'
    ) in check(config)[1]


def test_a_file_from_windows_is_read(tmp_path: Path) -> None:
    """A byte order mark in front changes nothing."""
    config = write_config(tmp_path)
    data = (config / TENANT).read_bytes()
    (config / TENANT).write_bytes(b"\xef\xbb\xbf" + data)
    assert check(config)[0] == 0


@pytest.mark.parametrize("text", ["x = " + "9" * 5_000, "x = " + "[" * 5_000])
def test_toml_that_breaks_the_reader_is_a_finding(tmp_path: Path, text: str) -> None:
    """F-50: numbers too long and tables too deep are findings, not a crash."""
    config = write_config(tmp_path)
    (config / TENANT).write_text(text)
    assert f"{TENANT}: is no TOML: " in check(config)[1]


def test_an_empty_folder_is_a_finding(tmp_path: Path) -> None:
    """A folder without files is said to be one, file by file."""
    code, output = check(tmp_path)
    assert code == 1
    assert "gateway.toml: can't be read: No such file or directory" in output
    assert "tenants/: holds no .toml file" in output
