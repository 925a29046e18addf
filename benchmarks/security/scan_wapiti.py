"""A second baseline scan, by wapiti: injections, traversal, scripts in answers, redirects, headers.

    python -m benchmarks.security.scan_wapiti [--quick] [--plant] [--cache DIR]

wapiti is installed into an environment of its own. It is shown the OpenAPI document and an admin's key, and
attacks every parameter that it can fill. Exit status 1 for anything it reports, and where it asked too
little to have seen the service. `--plant` serves one page that writes what it is sent, which must be found.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

from benchmarks import corpora, environments
from benchmarks.security.scan import ROOT, SECRET_KEY, first_key, operations
from benchmarks.service import SERVE, Service

# The last release for Python 3.11, and the one of today.
REQUIREMENT: Final = "wapiti3==3.3.2" if sys.version_info >= (3, 12) else "wapiti3==3.2.3"
MODULES: Final = "cookieflags,crlf,csp,exec,file,http_headers,permanentxss,redirect,sql,timesql,xss,xxe"
FEW: Final = "cookieflags,csp,http_headers,redirect,sql,xss"
SECONDS, FEW_SECONDS = 300, 30
"""What each module has."""
PLANTED: Final = (
    *(sys.executable, "-m", "gunicorn", "-c", "python:hefesto_api.web.server", "--threads", "8"),
    *("--bind", "127.0.0.1:{port}", "benchmarks.security.scan_wapiti_planted:app()"),
)
# What ends the scan's own credentials, and what answers as long as somebody listens.
SPARED: Final = ("/api/v1/auth/*", "/oauth/*", "/api/v1/events/stream*", "/api/v1/ws/*")


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer attacks")
    parser.add_argument("--plant", action="store_true", help="a fault, which must be found")
    parser.add_argument("--cache", type=Path, default=corpora.default_cache())
    asked = parser.parse_args()
    wapiti = environments.environment(REQUIREMENT, asked.cache) / "bin" / "wapiti"
    with tempfile.TemporaryDirectory(prefix="hefesto-wapiti-") as folder:
        faults = scan(wapiti, Path(folder), quick=asked.quick, planted=asked.plant)
    print("nothing found" if not faults else "FAILED")
    for fault in faults[:20]:
        print(f"  {fault}")
    return 1 if faults else 0


def scan(wapiti: Path, folder: Path, *, quick: bool, planted: bool) -> list[str]:
    """Scan a service of its own and return what is wrong."""
    environ = {
        "HEFESTO_AUTH": "required",
        "HEFESTO_SECRET_KEY": SECRET_KEY,
        "HEFESTO_RATE_LIMITS": "off",
        "PYTHONPATH": str(ROOT),
    }
    service = Service(folder, folder, PLANTED if planted else (*SERVE, "--no-worker"), environ)
    key = first_key(service)
    service.start()
    try:
        known = operations(service)
        report = run(wapiti, service, key, quick=quick)
    finally:
        service.stop()
    asked = int(report["infos"]["crawled_pages_nbr"])
    print(f"{len(known)} operations known, {asked} pages attacked")
    found = [
        f"{kind}: {one['method']} {one['path']}: {one['info']}"
        for part in ("vulnerabilities", "anomalies")
        for kind, many in report[part].items()
        for one in many
        if kind not in _EXPECTED
    ]
    return found if asked * 4 >= len(known) else [*found, f"only {asked} pages were attacked"]


# Overload is answered by 503, and a search for what takes too long is no attack.
_EXPECTED: Final = ("Resource consumption",)


def run(wapiti: Path, service: Service, key: str, *, quick: bool) -> dict[str, Any]:
    """Have wapiti attack the service, and return its report."""
    folder = service.folder
    (folder / "session").mkdir()
    argv = [str(wapiti), "-u", f"{service.url}/", "--swagger", f"{service.url}/openapi.json"]
    argv += ["-m", FEW if quick else MODULES, "--max-attack-time", str(FEW_SECONDS if quick else SECONDS)]
    argv += ["-H", f"Authorization: Bearer {key}", "-d", "3", "--max-scan-time", "60", "--tasks", "8"]
    argv += ["--store-session", str(folder / "session"), "--store-config", str(folder / "session")]
    argv += ["--flush-session", "--no-bugreport", "-v", "0", "-f", "json", "-o", str(folder / "report.json")]
    for path in SPARED:
        argv += ["-x", f"{service.url}{path}"]
    environ = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run(argv, cwd=folder, env=environ, check=False, capture_output=True, text=True)
    if not (folder / "report.json").exists():
        raise SystemExit(f"wapiti did not end well:\n{done.stdout[-3000:]}{done.stderr[-3000:]}")
    report: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return report


if __name__ == "__main__":
    sys.exit(main())
