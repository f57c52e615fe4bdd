#!/usr/bin/env bash
# Every test of the project, with the closing lines of each runner. Called by `make test`, which has set up what is needed.
set -euo pipefail
cd "$(dirname "$0")/.."

cargo test --workspace --no-fail-fast
tools/test-python.sh
tools/test-dotnet.sh
tools/test-peers.sh
