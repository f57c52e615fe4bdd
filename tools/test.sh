#!/usr/bin/env bash
# Every test of the project, with the closing lines of each runner. Called by `make test`, which has set up what is needed.
# A part that fails does not keep the others from running: what failed is said at the end.
set -uo pipefail
cd "$(dirname "$0")/.."

failed=()
run() {
  "$@" || failed+=("$*")
}
run cargo test --workspace --no-fail-fast
run tools/test-python.sh
run tools/test-dotnet.sh
run tools/test-peers.sh
for part in ${failed[@]+"${failed[@]}"}; do
  echo "failed: $part" >&2
done
[ ${#failed[@]} -eq 0 ]
