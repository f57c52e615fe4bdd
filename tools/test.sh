#!/usr/bin/env bash
# Every test of the project, with the closing lines of each runner. Called by `make test`, which has set up what is needed.
# A part that fails does not keep the others from running: what failed is said at the end.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
run() {
  "$@" || failed+=("$*")
}
# Most tests wait for a server more than they work.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
run cargo test --workspace --no-fail-fast
# The tests of the bindings wait more than they work, so they run at the same time; what those of .NET print comes afterwards.
log=$(mktemp)
trap 'rm -f "$log"' EXIT
tools/test-dotnet.sh >"$log" 2>&1 &
run tools/test-python.sh
wait $! || failed+=(tools/test-dotnet.sh)
cat "$log"
run tools/test-peers.sh
for part in ${failed[@]+"${failed[@]}"}; do
  echo "failed: $part" >&2
done
[ ${#failed[@]} -eq 0 ]
