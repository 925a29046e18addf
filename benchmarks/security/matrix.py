"""Every route, asked by every role about its own project and another: the access matrix, with its figures.

    python -m benchmarks.security.matrix [--quick] [--plant]

Runs `tests/contract/test_access_matrix.py`. `--plant` has the service take every project for one that its
caller may see, which must be found. Exit status 1 when anything leaks, differs, or was changed.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
MATRIX = "tests/contract/test_access_matrix.py"
PLANTED = ("-p", "benchmarks.security.matrix_planted", "-k", "viewer and zqalpha")


def main() -> int:
    """Run it and return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="does the same: it takes a minute")
    parser.add_argument("--plant", action="store_true", help="a fault, which must be found")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="hefesto-matrix-") as folder:
        report = Path(folder, "report.xml")
        argv = [sys.executable, "-m", "pytest", MATRIX, "-n", "0", "-q", "--timeout=900", "--tb=line"]
        argv += [f"--junitxml={report}", "-o", "junit_family=xunit1", *(PLANTED if asked.plant else ())]
        done = subprocess.run(argv, cwd=ROOT, check=False, capture_output=True, text=True)
        if not report.exists():
            print(done.stdout[-3000:], done.stderr[-3000:])
            return 2
        cases = list(ElementTree.parse(report).getroot().iter("testcase"))  # noqa: S314
    told = [(one.get("name"), int(one.get("value", "0"))) for case in cases for one in case.iter("property")]
    failed = [case.get("name") for case in cases if case.find("failure") is not None]
    broken = [case.get("name") for case in cases if case.find("error") is not None]
    print(
        f"{max((value for name, value in told if name == 'operations'), default=0)} operations, "
        f"{sum(value for name, value in told if name == 'asked')} pairs of requests about another project's "
        f"things and about what does not exist: {len(failed)} of {len(cases)} tests failed"
    )
    for name in (*failed, *broken):
        print(f"  {name}")
    return 2 if broken or not cases else int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
