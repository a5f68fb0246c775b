"""`[upstream.tls]`: its files are read, and what is wrong with them is said."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import pytest
import trustme
from tests.entry.support import check
from tests.support import write_config

from fairuse.base.errors import ConfigurationError
from fairuse.stores.configuration import Configuration

if TYPE_CHECKING:
    from pathlib import Path

SECURE = "https://api.example"
FILES = 'ca = "tls/ca.pem"\ncertificate = "tls/ours.pem"\nkey = "tls/ours.key"\n'


@pytest.fixture
def secure(tmp_path: Path) -> Path:
    """Give a configuration with an authority, a certificate and a key of its own."""
    config = write_config(tmp_path, upstream=SECURE)
    folder = config / "tls"
    folder.mkdir()
    ca = trustme.CA()
    ours = ca.issue_cert("gateway.example")
    ca.cert_pem.write_to_path(folder / "ca.pem")
    ours.cert_chain_pems[0].write_to_path(folder / "ours.pem")
    ours.private_key_pem.write_to_path(folder / "ours.key")
    say(config, FILES)
    return config


def say(config: Path, tls: str) -> None:
    """Write the section."""
    gateway = config / "gateway.toml"
    kept = gateway.read_text().split("[upstream.tls]")[0]
    gateway.write_text(f"{kept}[upstream.tls]\n{tls}")


def trusted(config: Path) -> ssl.SSLContext:
    """Give what the gateway trusts."""
    target = Configuration(config).load().upstream
    assert target is not None
    assert target.tls is not None
    return target.tls


def test_the_files_are_read(secure: Path) -> None:
    """HTTP-48: the named authority is trusted alone, and names are verified."""
    tls = trusted(secure)
    assert len(tls.get_ca_certs()) == 1
    assert tls.verify_mode == ssl.CERT_REQUIRED
    assert tls.check_hostname
    assert check(secure)[0] == 0


def test_without_the_section_the_machines_authorities_are_trusted(tmp_path: Path) -> None:
    """HTTP-48: verification is on where nothing is said."""
    tls = trusted(write_config(tmp_path, upstream=SECURE))
    assert tls.verify_mode == ssl.CERT_REQUIRED
    assert tls.check_hostname


def test_without_tls_the_files_are_not_read(tmp_path: Path) -> None:
    """HTTP-48: an upstream over http has no one to trust."""
    config = write_config(tmp_path)
    say(config, FILES)
    target = Configuration(config).load().upstream
    assert target is not None
    assert target.tls is None


@pytest.mark.parametrize("name", ["ca.pem", "ours.pem", "ours.key"])
def test_a_missing_file_is_named(secure: Path, name: str) -> None:
    """HTTP-48: the finding says which file, and the gateway does not start without it."""
    (secure / "tls" / name).unlink()
    code, output = check(secure)
    assert code != 0
    said = "".join(output.split())
    assert "gateway.toml:upstream.tls:" in said
    assert f"/tls/{name}:Nosuchfileordirectory" in said
    with pytest.raises(ConfigurationError):
        Configuration(secure).load()


@pytest.mark.parametrize("name", ["ca.pem", "ours.pem", "ours.key"])
def test_a_useless_file_is_named(secure: Path, name: str) -> None:
    """HTTP-48: so is one that holds something else."""
    (secure / "tls" / name).write_text("nothing")
    code, output = check(secure)
    assert code != 0
    assert f"/tls/{name}:holdsnothingthatcanbeused" in "".join(output.split())


def test_a_key_alone_is_a_mistake(secure: Path) -> None:
    """HTTP-48: a key says nothing without its certificate."""
    say(secure, 'key = "tls/ours.key"\n')
    code, output = check(secure)
    assert code != 0
    assert "a key needs the certificate that it is for" in " ".join(output.split())


def test_a_broken_section_changes_nothing_at_a_reload(secure: Path) -> None:
    """F-47: what was trusted stays trusted, and the finding says why."""
    configuration = Configuration(secure)
    before = configuration.load().upstream
    say(secure, 'ca = "tls/missing.pem"\n')
    [finding] = configuration.reload()
    assert finding.file == "gateway.toml"
    assert finding.key == "upstream.tls"
    assert "missing.pem" in finding.message
    assert configuration.current.upstream == before
    say(secure, 'ca = "tls/ca.pem"\n')
    assert configuration.reload() == []
    assert configuration.current.upstream != before


def test_what_did_not_change_keeps_its_connections(secure: Path) -> None:
    """HTTP-34: a reload of other settings leaves the connections to the upstream as they are."""
    configuration = Configuration(secure)
    before = configuration.load().upstream
    assert before is not None
    say(secure, FILES + "[log]\nrequests = false\n")
    assert configuration.reload() == []
    after = configuration.current.upstream
    assert after is not None
    assert after.tls is before.tls


def test_a_renewed_certificate_is_taken_up(secure: Path) -> None:
    """A file of the same name with something new in it is a change, and is read."""
    configuration = Configuration(secure)
    before = configuration.load().upstream
    certificate = secure / "tls/ours.pem"
    assert not configuration.changed()
    certificate.write_text(certificate.read_text() + "\n")
    assert configuration.changed()
    assert configuration.reload() == []
    after = configuration.current.upstream
    assert before is not None
    assert after is not None
    assert after.tls is not before.tls
