#!/usr/bin/env bash
# The tests with other people's programs: LaunchDarkly's Python SDK from PyPI and, if it is there, LaunchDarkly's Relay Proxy.
# `make test-peers` has set up what is needed and built the library.
#
# The Relay Proxy is the program `ld-relay` in PATH, or the one that LD_RELAY names; without it the tests that need it are
# skipped, which is said at the end.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
# shellcheck source=tools/python.sh
. "$root/tools/python.sh"

work=$target/python/peers
python=''
# The SDK needs 3.10.
for version in 3.11 3.10 3.12 3.13; do
  python=$(find_python "$version")
  [ -z "$python" ] || break
done
if [ -z "$python" ]; then
  say "no CPython from 3.10 to 3.13 was found: please install one"
  exit 1
fi
mkdir -p "$work"
make_environment "$python" "$work" test package lint peers
wheel=$(build_wheel "$work/bin/python" "$library" "$work/dist")
"$work/bin/pip" install --quiet --no-deps --force-reinstall "$wheel"

cd "$root/tests/peers"
"$work/bin/ruff" format --config "$package/pyproject.toml" --no-cache --check .
"$work/bin/ruff" check --config "$package/pyproject.toml" --no-cache .
"$work/bin/mypy" --config-file "$package/pyproject.toml" --python-version "$version" --cache-dir "$work/mypy" .
status=0
FAKELD=$target/release/fakeld FLAGDATA=$target/release/flagdata PYTHONPATH=$package/tests \
  run_pytest "$work/bin/python" -rs . || status=1
if [ -z "${LD_RELAY:-}" ] && ! command -v ld-relay >/dev/null; then
  say "ld-relay is not in PATH, and LD_RELAY is not set: nothing was tested with LaunchDarkly's Relay Proxy"
fi
exit "$status"
