#!/bin/sh
# Builds dist/hefesto. Usage: build.sh PYTHON. It runs where glibc is as new as here, or newer.
set -eu
cd "$(dirname "$0")/../.."
work=build/binary
"$1" -m venv --clear $work/venv
pip="$work/venv/bin/python -m pip --quiet --disable-pip-version-check"
for locked in runtime build binary; do
    $pip install --require-hashes -r requirements/$locked.txt
done
$pip install --no-deps --no-build-isolation .
# The same for the same sources: the order of sets must not depend on chance.
PYTHONHASHSEED=1 $work/venv/bin/pyinstaller --clean --noconfirm --log-level WARN \
    --distpath dist --workpath $work/work deploy/binary/hefesto.spec
ls -l dist/hefesto
