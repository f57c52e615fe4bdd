#!/usr/bin/env bash
# Random troubles while every answer is checked: of one Redis and of the source (200 rounds), then failovers under sentinels and
# slot moves and failovers in a cluster (100 rounds each), beside LaunchDarkly's Python SDK. `make chaos` has set up what is needed.
#
# CHAOS_ROUNDS is the number of rounds of each, CHAOS_SEED repeats a run.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
# shellcheck source=tools/python.sh
. "$root/tools/python.sh"
cd "$root"

status=0
CHAOS_ROUNDS=${CHAOS_ROUNDS:-200} cargo test --test chaos || status=1

# The SDK needs 3.10.
if [ -z "${CHAOS_PEER:-}" ]; then
  for version in 3.11 3.10 3.12 3.13; do
    python=$(find_python "$version")
    [ -z "$python" ] || break
  done
  if [ -n "$python" ] && make_environment "$python" "$target/python/chaos" peers; then
    export CHAOS_PEER=$target/python/chaos/bin/python
  else
    say "LaunchDarkly's SDK is not measured beside: there is no CPython from 3.10 to 3.13, or PyPI cannot be reached"
  fi
fi
# One after the other: what is measured is time.
CHAOS_ROUNDS=${CHAOS_ROUNDS:-100} cargo test --test chaos_topologies -- --nocapture --test-threads=1 || status=1
exit "$status"
