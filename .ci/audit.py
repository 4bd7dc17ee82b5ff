"""Look for known vulnerabilities in the pinned versions: `python .ci/audit.py CONSTRAINTS...`.

`pip-audit` takes a package that its source does not answer for as one without vulnerabilities, and
exits with 1 both when it finds one and when there is no network. So its report is read: it exits
with 0 and "skipped" where nothing could be asked, with 1 where something was found and where it
failed in any other way. Packages that its source does not know, a mirror perhaps, are listed.
"""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

NO_NETWORK = ("ConnectionError", "Timeout", "ServiceError", "SSLError", "ProxyError")
ACCEPTED = Path(__file__).with_name("accepted_vulnerabilities.json")


def main(paths: Sequence[str]) -> int:
    """Audit files of pinned requirements and print the outcome.

    paths (Sequence[str]): The files.
    RETURNS (int): The exit status.
    """
    accepted = json.loads(ACCEPTED.read_text("utf8"))
    result = subprocess.run(command(paths, accepted), capture_output=True, text=True, check=False)
    status, lines = outcome(result.stdout, result.stderr)
    lines += [f"Accepted: {name}: {why}" for name, why in accepted.items()]
    print(*lines, sep="\n")
    return status


def command(paths: Sequence[str], accepted: Mapping[str, str]) -> list[str]:
    """The call of pip-audit: of what the files pin, and nothing that has to be resolved first."""
    call = [sys.executable, "-m", "pip_audit", "--format", "json", "--progress-spinner", "off"]
    call += ["--disable-pip", "--no-deps"]
    for path in paths:
        call += ["--requirement", path]
    for name in accepted:
        call += ["--ignore-vuln", name]
    return call


def outcome(report: str, messages: str) -> tuple[int, list[str]]:
    """What a run of pip-audit says.

    report (str): Its standard output, JSON unless it failed.
    messages (str): Its standard error.
    RETURNS (tuple[int, list[str]]): The exit status, and the lines to print.
    """
    try:
        packages: list[dict[str, Any]] = json.loads(report)["dependencies"]
    except ValueError:
        last = (messages.strip().splitlines() or ["no message"])[-1]
        if any(name in last for name in NO_NETWORK):
            return 0, [f"Audit skipped: the source of vulnerabilities cannot be reached ({last})"]
        return 1, ["The audit failed:", messages.strip()]
    found = [
        f"{package['name']} {package['version']}: {', '.join([vuln['id'], *vuln['aliases']])}, "
        f"fixed in {', '.join(vuln['fix_versions']) or 'no version'}"
        for package in packages
        for vuln in package.get("vulns", ())
    ]
    unknown = [package["skip_reason"] for package in packages if "skip_reason" in package]
    if found:
        return 1, ["Known vulnerabilities:", *found, *unknown]
    if packages and len(unknown) == len(packages):
        return 0, [f"Audit skipped: the source answers for no package. {unknown[0]}"]
    n_audited = len(packages) - len(unknown)
    return 0, [f"No known vulnerability in {n_audited} packages", *unknown]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
