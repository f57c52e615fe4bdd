#!/usr/bin/env bash
# Measures evaluation from .NET, on flags in a private Redis; beside LaunchDarkly's .NET SDK where its packages can be restored.
# Prints a table in Markdown. Called by `make bench`, which has built the library.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"

target=${CARGO_TARGET_DIR:-$root/target}
if ! command -v dotnet >/dev/null; then
  say "there is no dotnet: evaluation from .NET is not measured"
  exit 0
fi

work=$(mktemp -d)
fakeld=
trap 'stop_private_redis; [ -z "$fakeld" ] || kill "$fakeld"; rm -rf "$work"' EXIT
program=Flagstone.Bench.Beside
if ! timeout 300 dotnet restore "$root/bench/dotnet/$program" >"$work/restore.log" 2>&1; then
  program=Flagstone.Bench
  say "the packages of LaunchDarkly's .NET SDK cannot be restored: the rows beside it are left out"
  grep -m 1 -o 'error NU.*' "$work/restore.log" >&2 || true
fi
if ! dotnet build "$root/bench/dotnet/$program" --configuration Release --nologo >"$work/build.log" 2>&1; then
  cat "$work/build.log" >&2
  exit 1
fi

start_private_redis "$work"
# Where the events go.
mkfifo "$work/fakeld.in"
"$target/release/fakeld" --port 0 <"$work/fakeld.in" >"$work/fakeld.out" &
fakeld=$!
exec 3>"$work/fakeld.in"
until [ -s "$work/fakeld.out" ]; do sleep 0.05; done
# A thousand flags that are asked as they are, and one each that gets texts, numbers, JSON, and an event for each evaluation.
flagdata() {
  local command=$1
  shift
  "$target/release/flagdata" "$command" --redis "$REDIS_URL" --prefix bench "$@" >/dev/null
}
flagdata fill --shape rule --flags 1004
flagdata set bench.rule-01000 --json-patch '{"variations":["the first of two texts","the second of two texts"]}'
flagdata set bench.rule-01001 --json-patch '{"variations":[2.5,7.5]}'
flagdata set bench.rule-01002 --json-patch '{"variations":[{"color":"red","limits":[10,20,30]},{"color":"blue","limits":[]}]}'
flagdata set bench.rule-01003 --json-patch '{"trackEvents":true}'
"$target/dotnet/bench/bin/$program/release/$program" "$REDIS_URL" bench "$(head -n 1 "$work/fakeld.out")"
