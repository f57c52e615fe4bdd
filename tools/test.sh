#!/usr/bin/env bash
# Every test of the project, with the closing lines of each runner. Called by `make test`, which has set up what is needed.
# A part that fails does not keep the others from running: what failed is said at the end.
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
# shellcheck source=tools/python.sh
. "$root/tools/python.sh"
# shellcheck source=tools/servers.sh
. "$root/tools/servers.sh"
cd "$root"

failed=()
run() {
  "$@" || failed+=("$*")
}
begin_test_run
log=$(mktemp)
trap 'rm -f "$log" "$FLAGSTONE_FLAKY"' EXIT
run tools/test-rust.sh
# The tests of the bindings wait more than they work, so they run at the same time; what those of .NET print comes afterwards.
tools/test-dotnet.sh >"$log" 2>&1 &
run tools/test-python.sh
wait $! || failed+=(tools/test-dotnet.sh)
cat "$log"
run tools/test-peers.sh
say_missing_servers
say_test_run ${failed[@]+"${failed[@]}"}
