#!/usr/bin/env bash
# Debian packages: libflagstone1, libflagstone-dev and flagstone, in target/deb.
#     tools/deb.sh         stages what `make build` has built (and `make natives`, whose library runs with older systems), packs it
#                          with cargo-deb, and has lintian look at it
#     tools/deb.sh test    installs the packages in a fresh Debian below target/deb, compiles and runs a program there, removes them
#
# DEBFULLNAME and DEBEMAIL are who packs. cargo-deb is installed from crates.io below target/tools where it is missing: that takes a
# few minutes, once.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
cd "$root"
target=${CARGO_TARGET_DIR:-$root/target}
debs=$target/deb
stage=$debs/stage
# What the settings of cargo-deb call it.
maintainer="${DEBFULLNAME:-The Flagstone authors} <${DEBEMAIL:-flagstone@localhost}>"
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)

find_cargo_deb() {
  export PATH=$target/tools/bin:$PATH
  command -v cargo-deb >/dev/null || cargo install --quiet --locked --root "$target/tools" cargo-deb@3.8.0
}

archive=$target/release/libflagstone.a
program=${FLAGSTONE_PROGRAM:-$target/cli/flagstone}

# Of the shared libraries that there are, the one that needs the oldest glibc.
check_built() {
  local machine=x64 file
  [ "$(uname -m)" != aarch64 ] || machine=arm64
  shared=$target/natives/linux-$machine/libflagstone.so
  [ -e "$shared" ] || shared=$target/release/libflagstone.so
  for file in "$shared" "$archive" "$program"; do
    if [ ! -e "$file" ]; then
      say "$file is missing: run make build"
      exit 1
    fi
  done
}

copy_libraries() {
  libraries=$debs/libraries
  rm -rf "$libraries"
  mkdir -p "$libraries"
  cp "$shared" "$libraries/libflagstone.so"
  cp "$archive" "$libraries/"
  cp "$program" "$libraries/flagstone"
  strip --strip-unneeded "$libraries/libflagstone.so"
  strip --strip-debug --enable-deterministic-archives "$libraries/libflagstone.a"
  strip "$libraries/flagstone"
}

pack() {
  local triplet
  check_built
  find_or_install dpkg-shlibdeps dpkg-dev
  find_or_install lintian lintian
  find_cargo_deb
  # Not the fresh Debian of the test, which takes minutes to make.
  rm -rf "$debs"/{packages,stage,needs,changelog}
  mkdir -p "$debs"
  copy_libraries
  triplet=$(dpkg-architecture -qDEB_HOST_MULTIARCH)
  FLAGSTONE_LIB_DIR=$libraries FLAGSTONE_PROGRAM=$libraries/flagstone FLAGSTONE_LIBDIR=lib/$triplet tools/install.sh /usr "$stage"
  rm -rf "$stage/usr/share/flagstone"
  # cargo-deb knows where libraries go.
  mv "$stage/usr/lib/$triplet" "$stage/lib"
  # Where Debian's zsh looks.
  mkdir -p "$stage/usr/share/zsh/vendor-completions"
  mv "$stage/usr/share/zsh/site-functions/_flagstone" "$stage/usr/share/zsh/vendor-completions/"
  printf 'flagstone (%s-1) unstable; urgency=medium\n\n  * What changed is in /usr/share/doc/flagstone.\n\n -- %s  %s\n' "$version" \
    "$maintainer" "$(LC_ALL=C date -uRd "@$(git log -1 --format=%ct 2>/dev/null || echo 0)")" >"$debs/changelog"
  mkdir -p "$debs/packages"
  for variant in shared dev; do
    cargo-deb --no-build --no-strip --quiet --multiarch=same --variant=$variant --output "$debs/packages"
  done
  cargo-deb --no-build --no-strip --quiet --package flagstone-cli --output "$debs/packages"
  for deb in "$debs"/packages/*.deb; do complete "$deb"; done
  # Nobody who packs for Debian: there is no bug to close, and without DEBEMAIL no address.
  lintian --fail-on error,warning --suppress-tags \
    "initial-upload-closes-no-bugs${DEBEMAIL-,bogus-mail-host,bogus-mail-host-in-debian-changelog}" "$debs"/packages/*.deb
  (cd "$debs/packages" && sha256sum -- *.deb | tee SHA256SUMS)
}

# Who packs; what the library depends on, and what packages do whose programs use it: cargo-deb has no way to say it.
complete() {
  local work=$debs/work
  rm -rf "$work"
  dpkg-deb --raw-extract "$1" "$work"
  sed -i "s/^Maintainer: .*/Maintainer: $maintainer/" "$work/DEBIAN/control"
  case $1 in */libflagstone1_*) complete_library "$work" ;; esac
  dpkg-deb --root-owner-group --build "$work" "$1" >/dev/null
  rm -rf "$work"
}

complete_library() {
  local work=$1 needs
  mkdir -p "$debs/needs/debian"
  touch "$debs/needs/debian/control"
  needs=$(cd "$debs/needs" && dpkg-shlibdeps -O "$libraries/libflagstone.so" 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
  sed -i "s/^Depends: .*/Depends: $needs/" "$work/DEBIAN/control"
  echo "libflagstone 1 libflagstone1 (>= ${version%.*})" >"$work/DEBIAN/shlibs"
}

case ${1:-} in
  '') pack ;;
  test) tools/deb/test.sh "$debs" ;;
  *)
    say "usage: tools/deb.sh [test]"
    exit 1
    ;;
esac
