#!/usr/bin/env bash
# The lints and every test of the project, with the closing lines of each runner. Called by `make test`, which has set up what is needed.
# A part that fails does not keep the others from running: what failed is said at the end. What is near to what changed runs first.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
# shellcheck source=tools/python.sh
. "$root/tools/python.sh"
# shellcheck source=tools/servers.sh
. "$root/tools/servers.sh"
# shellcheck source=tools/changed.sh
. "$root/tools/changed.sh"
cd "$root"

failed=()
run() {
  "$@" || failed+=("$*")
}
# The bindings: lints and what must be built (lint), tests (tests), or all of it. The tests wait more than they work, so those of
# .NET run at the same time; what is printed there comes afterwards.
bindings() {
  tools/test-dotnet.sh "$@" >"$log" 2>&1 &
  run tools/test-python.sh "$@"
  wait $! || failed+=("tools/test-dotnet.sh $*")
  cat "$log"
}
begin_test_run
log=$(mktemp)
trap 'rm -f "$log" "$log.python" "$FLAGSTONE_FLAKY" "$FLAGSTONE_FAILED"' EXIT
near=$(near_changes | tr '\n' ' ')
[ -z "$near" ] || say "first, for what changed: $near"
export FLAGSTONE_FIRST=$near
run "${MAKE:-make}" --no-print-directory lint
if [ -n "$near" ] && [ -z "$(tr ' ' '\n' <<<"$near" | grep -vxE 'python|dotnet|')" ]; then
  bindings
  run tools/test-rust.sh
else
  # In the time that the tests leave, which look at clocks.
  nice -n 19 tools/test-dotnet.sh lint >"$log" 2>&1 &
  dotnet=$!
  nice -n 19 tools/test-python.sh lint >"$log.python" 2>&1 &
  python=$!
  run tools/test-rust.sh
  wait "$python" || failed+=("tools/test-python.sh lint")
  wait "$dotnet" || failed+=("tools/test-dotnet.sh lint")
  cat "$log.python" "$log"
  bindings tests
fi
run tools/test-peers.sh
say_missing_servers
say_test_run ${failed[@]+"${failed[@]}"}
