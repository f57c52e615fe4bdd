#!/usr/bin/env bash
# Builds the book into target/book, and the API references below target/book/api; checks every link. Called by `make docs`, which has
# built the library. Says what was left out, and why.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
# shellcheck source=tools/python.sh
. "$root/tools/python.sh"

version=0.5.4
book=$target/book
api=$book/api

find_or_install python3 python3-venv
mdbook=$(command -v mdbook || true)
if [ -z "$mdbook" ]; then
  mdbook=$target/tools/bin/mdbook
  if [ ! -x "$mdbook" ]; then
    say "building mdbook $version, once"
    # Without what watches and serves.
    cargo install mdbook --version "$version" --locked --quiet --no-default-features --features search --debug --root "$target/tools"
  fi
fi

rm -rf "$book"
MDBOOK_BUILD__BUILD_DIR=$book "$mdbook" build "$root/docs"
# Sources of pictures and pages are no part of it.
rm -rf "$book"/pictures/*.py "$book"/pictures/__pycache__ "$book/book.toml"

mkdir -p "$api/c" "$api/python" "$api/dotnet"
# The header for C++ includes those of the folder.
cp -r "$root"/include/* "$api/c"
(cd "$root" && cargo doc --package flagstone --no-deps --lib --quiet)
cp -r "$target/doc" "$api/rust"

python=$(find_python 3.11)
python=${python:-python3}
make_environment "$python" "$target/python/docs" docs
FLAGSTONE_LIBRARY_PATH=$library PYTHONPATH=$package/src "$target/python/docs/bin/pdoc" --output-directory "$api/python" \
  flagstone flagstone.openfeature flagstone.otel flagstone.prometheus

if command -v dotnet >/dev/null; then
  dotnet build --nologo --verbosity quiet --configuration Release "$root/bindings/dotnet/src/Flagstone"
  cp "$(find "$root/bindings/dotnet/artifacts/bin/Flagstone" -name Flagstone.xml | sort | head -n 1)" "$api/dotnet"
else
  say "no .NET SDK is there, so left out: the XML documentation of the .NET package"
fi

python3 "$root/tools/book.py" check "$book"
echo "$book/index.html"
