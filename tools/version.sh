#!/usr/bin/env bash
# The version of everything, which is that of the crate.
#     tools/version.sh              prints it, and fails when a file says another one
#     tools/version.sh 0.2.0        writes it to every file that says it, and gives the changes since the last one its name
set -euo pipefail
cd "$(dirname "$0")/.."
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)

# File, and an expression for what stands before and after the version there.
places=(
  'Cargo.toml|^version = "|"'
  'Cargo.toml|libflagstone1 \(= |-1\)'
  'capi/Cargo.toml|version = "|"'
  'tools/fakeld/Cargo.toml|^version = "|"'
  'tools/flagdata/Cargo.toml|^version = "|"'
  'tools/flagstone-cli/Cargo.toml|^version = "|"'
  'bindings/python/pyproject.toml|^version = "|"'
  'bindings/dotnet/Directory.Build.props|<Version>|</Version>'
  'bindings/dotnet/test/consumer/Consumer.csproj|"Flagstone" Version="|"'
  'examples/dotnet/WebApp.csproj|"Flagstone[A-Za-z.]*" Version="|"'
  'conanfile.py|^    version = "|"'
  'docs/start/dotnet.md|add package Flagstone --version |$'
  'docs/start/dotnet.md|Flagstone\.|\.nupkg'
)
if [ $# -gt 0 ] && ! [[ $1 =~ ^[0-9]+\.[0-9]+\.[0-9]+[a-z0-9.-]*$ ]]; then
  echo "$1 is no version" >&2
  exit 1
fi
wrong=0
for place in "${places[@]}"; do
  IFS='|' read -r file before after <<<"$place"
  found=$(sed -nE "s|.*($before)([0-9]+\.[0-9]+\.[0-9]+[a-z0-9.-]*)($after).*|\2|p" "$file" | sort -u)
  if [ "$found" != "$version" ]; then
    echo "$file says ${found:-no version}, and Cargo.toml $version" >&2
    wrong=1
  fi
  if [ $# -gt 0 ]; then
    sed -i -E "s|($before)[0-9]+\.[0-9]+\.[0-9]+[a-z0-9.-]*($after)|\1$1\2|" "$file"
  fi
done
if [ $# -eq 0 ]; then
  [ "$wrong" -eq 0 ] && echo "$version"
  exit "$wrong"
fi
sed -i "s/^## Unreleased$/## Unreleased\n\n## $1 - $(date -u +%F)/" CHANGELOG.md
# It names the crates of this repository, too.
cargo update --quiet --workspace --offline
sed -i -E "/^name = \"(flagdata|flagstone)\"$/{n;s/\".*\"/\"$1\"/}" bench/Cargo.lock fuzz/Cargo.lock
echo "$version -> $1"
