#!/usr/bin/env bash
# The tests of the Rust workspace. `make test` has set up what is needed.
#     tools/test-rust.sh                 all of them; first those that FLAGSTONE_FIRST names, see tools/changed.sh
#     tools/test-rust.sh ARGUMENT...     what `cargo test` is told
#
# Many of them start servers, break connections and look at clocks, several at a time. What fails in that company is tried
# once more, alone; what passes then is named at the end of the whole run, see second_tries in tools/lib.sh.
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

# Most tests wait for a server more than they work.
export RUST_TEST_THREADS=${RUST_TEST_THREADS:-4}
export FLAGSTONE_TEST_SERVERS=${FLAGSTONE_TEST_SERVERS-$(server_programs)}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
if [ $# -gt 0 ]; then
  cargo test --no-fail-fast "$@" 2>&1 | tee "$log" || status=1
else
  # shellcheck disable=SC2086 # several words
  runs=$(rust_runs ${FLAGSTONE_FIRST:-}) || exit 1
  while IFS= read -r run; do
    # shellcheck disable=SC2086 # several words
    cargo test --no-fail-fast --workspace $run </dev/null 2>&1 | tee -a "$log" || status=1
  done <<<"$runs"
fi
[ "$status" -ne 0 ] || exit 0

# The failed tests as lines of target, tab and name. A target that failed without naming a test, that does not build or came to
# no end of its own, has an empty name.
failures=$(awk -F'`' '
  /^test .* \.\.\. FAILED$/ { name = $0; sub(/^test /, "", name); sub(/( - should panic)? \.\.\. FAILED$/, "", name); names[++count] = name }
  /^error: test failed, to rerun pass `/ { if (!count) print $2 "\t"; for (i = 1; i <= count; i++) print $2 "\t" names[i]; count = 0 }
  /process didn.t exit successfully|^error: could not compile/ { print "\t" }' "$log")

try_alone() {
  local target=${1%%$'\t'*} name=${1#*$'\t'}
  # shellcheck disable=SC2086 # the target is several words
  [ -n "$name" ] && cargo test $target -- --include-ignored --exact "$name" --test-threads=1 2>&1 | tee "$log" && grep -q '^test result: ok. 1 passed' "$log"
}

second_tries try_alone "$failures"
