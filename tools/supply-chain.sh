#!/usr/bin/env bash
# What the library is made of, and whether it may be: target/supply-chain.
#     tools/supply-chain.sh                 licences, sources, bans and advisories of all dependencies (cargo-deny), and an SBOM for
#                                           the library and the program (CycloneDX)
#     tools/supply-chain.sh reproducible    builds the library in two folders and compares what comes out: minutes
#
# The programs are installed from crates.io below target/tools where they are missing: minutes, once. Advisories come from
# RustSec's database, which is fetched from GitHub, or which FLAGSTONE_ADVISORIES names, a git repository on this machine: without it
# they are not looked at, and that is said.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
cd "$root"
target=${CARGO_TARGET_DIR:-$root/target}
folder=$target/supply-chain
export PATH=$target/tools/bin:$PATH
mkdir -p "$folder"

find_or_build() {
  command -v "$1" >/dev/null || cargo install --quiet --locked --root "$target/tools" "$1@$2"
}

look() {
  find_or_build cargo-deny 0.20.2
  find_or_build cargo-cyclonedx 0.5.9
  cargo deny --all-features check licenses bans sources
  if advisories 2>"$folder/advisories.log"; then
    cat "$folder/advisories.log"
  elif grep -qE 'failed to (fetch|load|open)|unable to (fetch|load)' "$folder/advisories.log"; then
    echo "the database of advisories cannot be had, so these were NOT looked at"
  else
    cat "$folder/advisories.log" >&2
    exit 1
  fi
  # Beside each Cargo.toml it writes one.
  cargo cyclonedx --format json --spec-version 1.5 --override-filename sbom.cdx
  mv capi/sbom.cdx.json "$folder/flagstone.cdx.json"
  mv tools/flagstone-cli/sbom.cdx.json "$folder/flagstone-cli.cdx.json"
  rm -f sbom.cdx.json tools/*/sbom.cdx.json
  (cd "$folder" && sha256sum -- *.cdx.json)
}

advisories() {
  if [ -z "${FLAGSTONE_ADVISORIES:-}" ]; then
    cargo deny --all-features check advisories
    return
  fi
  # Where cargo-deny looks for it, however old it is.
  local database=$folder/advisories/advisory-db-3157b0e258782691
  rm -rf "$folder/advisories"
  git clone --quiet "$FLAGSTONE_ADVISORIES" "$database"
  sed "s|^\\[advisories\\]$|&\\ndb-path = \"$folder/advisories\"\\nmaximum-db-staleness = \"P50Y\"|" deny.toml >"$folder/deny.toml"
  echo "advisories as of $(git -C "$database" log -1 --format=%cs)"
  cargo deny --all-features --config "$folder/deny.toml" --offline check advisories
}

reproducible() {
  local place sums=()
  find_or_install git git
  for place in one another/and-deeper; do
    rm -rf "${folder:?}/$place"
    mkdir -p "$folder/$place"
    # What is committed: nothing that lies about can get in.
    git archive HEAD | tar -x -C "$folder/$place"
    (cd "$folder/$place" && env -u RUSTFLAGS CARGO_TARGET_DIR="$folder/$place/target" CARGO_PROFILE_RELEASE_STRIP=symbols \
      RUSTFLAGS="--remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=/registry --remap-path-prefix=$folder/$place=/flagstone" \
      cargo build --release --package flagstone-capi --locked --quiet)
    sums+=("$(sha256sum <"$folder/$place/target/release/libflagstone.so")")
  done
  printf '%s\n' "${sums[@]}"
  if [ "${sums[0]}" != "${sums[1]}" ]; then
    say "the two libraries differ"
    exit 1
  fi
  echo "the same library from two folders"
  rm -rf "${folder:?}/one" "${folder:?}/another"
}

case ${1:-} in
  '') look ;;
  reproducible) reproducible ;;
  *)
    say "usage: tools/supply-chain.sh [reproducible]"
    exit 1
    ;;
esac
