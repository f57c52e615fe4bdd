#!/usr/bin/env bash
# The native library for every platform whose standard library the Rust toolchain has: target/natives/RID, with a manifest.
#     tools/natives.sh            all of them
#     tools/natives.sh RID...     these, for example linux-x64; it is an error when one cannot be built
#
# Linux is linked with zig, for glibc 2.17 and musl, Windows with mingw, macOS with lld and what zig knows of that system; what is
# needed for that is installed by name, from PyPI and the distribution, and toolchains never are. Each library is inspected
# (tools/natives.py) and loaded where this machine can: libraries that were not are labelled so. What was left out is said, with how
# to get it.
#
# RUSTC and CARGO name another toolchain. FLAGSTONE_BUILD_STD=1 builds the standard library, too, from the sources that the
# toolchain has (rustup's component rust-src, Debian's package rust-web-src): for platforms that it does not have ready.
# FLAGSTONE_AUDITABLE=1 puts the list of crates into each library, with cargo-auditable.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
# shellcheck source=tools/lib.sh
. "$root/tools/lib.sh"
# shellcheck source=tools/python.sh
. "$root/tools/python.sh"
cd "$root"

rids='linux-x64 linux-arm64 linux-musl-x64 linux-musl-arm64 win-x64 osx-x64 osx-arm64'
natives=$target/natives
rustc=${RUSTC:-rustc}
cargo=${CARGO:-cargo}
# The lowest version of glibc that the libraries run with: that of manylinux2014.
glibc=2.17
# The lowest version of macOS.
macos=11.0

triple() {
  case $1 in
    linux-x64) echo x86_64-unknown-linux-gnu ;;
    linux-arm64) echo aarch64-unknown-linux-gnu ;;
    linux-musl-x64) echo x86_64-unknown-linux-musl ;;
    linux-musl-arm64) echo aarch64-unknown-linux-musl ;;
    win-x64) echo x86_64-pc-windows-gnu ;;
    osx-x64) echo x86_64-apple-darwin ;;
    osx-arm64) echo aarch64-apple-darwin ;;
    *)
      say "$1 is no platform that is known here; there are: $rids"
      return 1
      ;;
  esac
}

# What cargo makes, and what it is called for its users.
made() {
  case $1 in win-*) echo flagstone.dll ;; osx-*) echo libflagstone.dylib ;; *) echo libflagstone.so ;; esac
}

has_std() {
  compgen -G "$("$rustc" --print sysroot)/lib/rustlib/$1/lib/libstd-*.rlib" >/dev/null
}

has_std_sources() {
  [ "${FLAGSTONE_BUILD_STD:-}" = 1 ] && [ -e "$("$rustc" --print sysroot)/lib/rustlib/src/rust/library/std/Cargo.toml" ]
}

# How a user gets what is missing for a platform.
advice() {
  printf 'rustup target add %s' "$1"
  case $1 in aarch64-unknown-linux-gnu) printf ', or on Debian libstd-rust-web-dev:arm64 with RUSTC=/usr/bin/rustc' ;; esac
  printf '; or the sources (rustup component add rust-src) and FLAGSTONE_BUILD_STD=1\n'
}

# zig, and the program that has cargo link with it, in an environment of their own.
prepare_zig() {
  [ -z "${zig:-}" ] || return 0
  find_or_install python3 python3-venv || return 1
  zig=$target/zig
  make_environment python3 "$zig" natives || return 1
}

# The command, if it is lld of a version that keeps what a panic needs to be caught: version 14 does not, and says nothing.
new_enough() {
  [[ $("$1" -flavor darwin --version 2>/dev/null) =~ LLD\ ([0-9]+) ]] && [ "${BASH_REMATCH[1]}" -ge 16 ]
}

# lld, by the name that makes it link for macOS: that of a toolchain, or the distribution's.
prepare_ld64() {
  local lld found=''
  for lld in {"$("$rustc" --print sysroot)","$(rustc --print sysroot)"}/lib/rustlib/*/bin/rust-lld lld lld-22 lld-19 lld-16; do
    ! new_enough "$lld" || { found=$(command -v "$lld") && break; }
  done
  if [ -z "$found" ]; then
    find_or_install lld-16 lld-16 || return 1
    found=$(command -v lld-16)
  fi
  ld64=$target/macos/ld64.lld
  mkdir -p "$target/macos/usr/lib"
  ln -sf "$found" "$ld64"
  ln -sf "$("$zig/bin/python" -c 'import ziglang; print(ziglang.__path__[0])')/lib/libc/darwin/libSystem.tbd" "$target/macos/usr/lib/"
}

# Called where failures do not end the script, so each of them is looked at.
build() {
  local rid=$1 to flags=${RUSTFLAGS-} command=(build) built strip=symbols
  to=$(triple "$rid") || return 1
  flags="$flags --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}/registry/src=/registry --remap-path-prefix=$root=/flagstone"
  local arguments=(--release --package flagstone-capi --locked --target "$to") variables=()
  case $rid in
    win-*) find_or_install x86_64-w64-mingw32-gcc gcc-mingw-w64-x86-64-win32 || return 1 ;;
    *)
      prepare_zig || return 1
      command=(zigbuild)
      case $rid in
        # Otherwise rustc says nothing and makes no shared library.
        linux-musl-*) flags="$flags -C target-feature=-crt-static" ;;
        linux-*) arguments[5]=$to.$glibc ;;
        osx-*)
          prepare_ld64 || return 1
          flags="$flags -C linker=$root/tools/macos-linker.sh"
          # For the compiler of the C code; rustc means the same without being told.
          variables+=(FLAGSTONE_LD64="$ld64" SDKROOT="$target/macos" MACOSX_DEPLOYMENT_TARGET="$macos")
          strip=none
          ;;
      esac
      ;;
  esac
  if ! has_std "$to"; then
    arguments+=("-Zbuild-std=std,panic_unwind")
    variables+=(RUSTC_BOOTSTRAP=1)
    # Its sources lie elsewhere on each machine.
    flags="$flags --remap-path-prefix=$("$rustc" --print sysroot)=/toolchain"
  fi
  built=$target/$to/release/$(made "$rid")
  # What rustc leaves out must not be there from before.
  rm -f "$built"
  # Stripped by the linker: the strip of this machine knows no others.
  [ "${FLAGSTONE_AUDITABLE:-}" != 1 ] || command=(auditable "${command[@]}")
  env "${variables[@]}" RUSTC="$rustc" RUSTFLAGS="$flags" CARGO_PROFILE_RELEASE_STRIP=$strip PATH="${zig:+$zig/bin:}$PATH" \
    "$cargo" "${command[@]}" "${arguments[@]}" || return 1
  if [ ! -e "$built" ]; then
    say "cargo made no shared library for $to"
    return 1
  fi
  mkdir -p "$natives/$rid" && cp "$built" "$natives/$rid/" || return 1
  # The linker leaves the names of functions in, a sixth of the file.
  case $rid in win-*) x86_64-w64-mingw32-strip "$natives/$rid/$(made "$rid")" ;; esac
}

wanted=${*:-$rids}
built='' failed='' left=''
for rid in $wanted; do
  to=$(triple "$rid")
  if ! has_std "$to" && ! has_std_sources; then
    left="$left$rid: left out, the toolchain lacks the standard library of $to: $(advice "$to")"$'\n'
    # Nothing of an earlier run may be taken for it.
    rm -rf "${natives:?}/$rid"
    continue
  fi
  echo "$rid: building"
  if build "$rid"; then built="$built $rid"; else failed="$failed $rid"; rm -rf "${natives:?}/$rid"; fi
done

status=0
python3 "$root/tools/natives.py" "$natives" || status=1
printf '%s' "$left"
for rid in $failed; do
  echo "$rid: NOT built, see above"
  status=1
done
if [ $# -gt 0 ] && [ -n "$left" ]; then status=1; fi
exit "$status"
