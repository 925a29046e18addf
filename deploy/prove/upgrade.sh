#!/bin/sh
# Proves upgrade and rollback: an older commit fills a database, this version takes it over, and both ways back work.
# Usage, from the root of the repository: sh deploy/prove/upgrade.sh OLD_COMMIT [PYTHON]
# PYTHON has the packages of requirements/runtime.txt. HEFESTO_DATABASE_URL may name an empty PostgreSQL database.
set -eu
old_commit=$1
python=${2:-$PWD/.venv/bin/python}
new=$PWD
work=$(mktemp -d)
PORT=$("$python" -c 'import socket; s = socket.create_server(("127.0.0.1", 0)); print(s.getsockname()[1])')
export PORT HEFESTO_WORKERS=1 HEFESTO_SECRET_KEY="a key of proofs that is long enough to be one"
mkdir "$work/old" "$work/data"
git archive "$old_commit" | tar -x -C "$work/old"
cp -R examples/shop "$work/data/shop"
cd "$work/data"
served=
trap '[ -z "$served" ] || kill "$served" 2>/dev/null || :; rm -rf "$work"' EXIT

old() { PYTHONPATH=$work/old "$python" -P -m hefesto_api "$@"; }
new() { PYTHONPATH=$new "$python" -P -m hefesto_api "$@"; }
call() { curl -sS --fail-with-body -H 'Content-Type: application/json' "http://127.0.0.1:$PORT$1" ${2:+-X "$2"} ${3:+-d "$3"}; }
start() { # old or new
    [ "$1" = old ] && path=$work/old || path=$new
    PYTHONPATH=$path "$python" -P -m hefesto_api serve >>"$work/log" 2>&1 &
    served=$!
    for _ in $(seq 300); do
        [ "$(curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:$PORT/readyz")" = 200 ] && return
        kill -0 "$served" || { cat "$work/log"; exit 1; }
        sleep 0.1
    done
    exit 1
}
stop() { kill "$served"; wait "$served" || :; served=; }
findings() { # every finding with what a person decided
    call '/api/v1/findings?project=shop&status=all&limit=1000&sort=severity&fields=id,status,severity,file_path,line' |
        "$python" -c 'import json, sys; print(*sorted(str(f) for f in json.load(sys.stdin)["data"]["findings"]), sep="\n")'
}
same() { findings >"$work/now"; cmp "$work/before" "$work/now" && echo "$1: the same $(wc -l <"$work/now") findings"; }

start old
call /api/v1/analyze POST '{"path": "shop", "project": "shop", "severity_threshold": "LOW"}' >"$work/analysis"
one=$("$python" -c 'import json, sys; print(json.load(open(sys.argv[1]))["data"]["findings"][0]["id"])' "$work/analysis")
call "/api/v1/findings/$one" PATCH '{"status": "wontfix", "reason": "accepted_risk", "comment": "internal"}' >/dev/null
findings >"$work/before"
stop
grep -q wontfix "$work/before"
revision=$(old db current)
echo "old: schema $revision, $(wc -l <"$work/before") findings, one decided about"

new db backup "$work/before.backup"
new db upgrade
new db check | tail -n 1
start new && same "upgraded" && stop

new db downgrade "$revision" --yes
[ "$(old db current)" = "$revision" ]
start old && same "downgraded" && stop

new db upgrade
new db restore "$work/before.backup"
[ "$(old db current)" = "$revision" ]
start old && same "restored" && stop
echo "upgrade and both ways back: well"
