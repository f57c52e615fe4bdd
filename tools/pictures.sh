#!/usr/bin/env bash
# Takes the pictures of the documentation anew: docs/pictures. `make pictures` has set up what is needed.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
# shellcheck source=tools/python.sh
. "$root/tools/python.sh"

python=$(find_python 3.11)
mkdir -p "$target/python"
make_environment "${python:-python3}" "$target/python/pictures" test browser
"$target/python/pictures/bin/python" "$root/tests/viewer/pictures.py"
