#!/usr/bin/env bash
# Measures evaluation from Python beside LaunchDarkly's Python SDK from PyPI, on flags in a private Redis. Prints tables in
# Markdown. Called by `make bench`, which has built the library.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"

target=${CARGO_TARGET_DIR:-$root/target}
python=${PYTHON:-python3}
if ! command -v "$python" >/dev/null; then
  say "there is no $python: evaluation from Python is not measured"
  exit 0
fi
environment=$target/python/bench
[ -x "$environment/bin/python" ] || "$python" -m venv "$environment"
"$environment/bin/pip" install --quiet --disable-pip-version-check \
  "launchdarkly-server-sdk[redis]==9.18.2" "redis==6.4.0" "hatchling==1.27.0"
FLAGSTONE_SPEEDUPS=1 FLAGSTONE_LIBRARY_PATH=$target/release/libflagstone.so \
  "$environment/bin/pip" install --quiet --no-deps --no-build-isolation --force-reinstall "$root/bindings/python"

work=$(mktemp -d)
trap 'stop_private_redis; rm -rf "$work"' EXIT
start_private_redis "$work"
"$target/release/flagdata" fill --redis "$REDIS_URL" --prefix bench --shape rule --flags 1000 >/dev/null
for flags in 1000 10000; do
  "$target/release/flagdata" fill --redis "$REDIS_URL" --prefix "bench-$flags" --shape rule --flags "$flags" >/dev/null
done
"$environment/bin/python" "$root/bench/python/bench.py" "$REDIS_URL" bench
# Where events are sent: a process of its own, which ends with its standard input.
coproc SINK { exec "$environment/bin/python" "$root/bench/python/sink.py"; }
read -r sink <&"${SINK[0]}"
"$environment/bin/python" "$root/bench/python/request.py" "$REDIS_URL" bench-request "$sink"
"$environment/bin/python" "$root/bench/python/events.py" "$REDIS_URL" bench-events "$sink"
