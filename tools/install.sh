#!/usr/bin/env bash
# Installs headers, libraries, pkg-config file, CMake package and the program: tools/install.sh PREFIX [DESTDIR]
#
# DESTDIR is put before every path, for building packages; the installed files speak of PREFIX alone. Called by
# `make install`, which builds first. FLAGSTONE_LIB_DIR names the folder with libflagstone.so and libflagstone.a,
# FLAGSTONE_PROGRAM the program; an empty one leaves it out, with its manual pages and completions. FLAGSTONE_LIBDIR is where
# libraries go below PREFIX, by default lib.
#
# What was put down is listed in PREFIX/share/flagstone/manifest, below PREFIX, folders that were made with a slash at the end:
# tools/uninstall.sh goes by that. What an earlier version put down there and this one does not have is removed.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
prefix=${1:?usage: tools/install.sh PREFIX [DESTDIR]}
case $prefix in
  /*) ;;
  *) prefix=$PWD/$prefix ;;
esac
to=${2:-}$prefix
from=${FLAGSTONE_LIB_DIR:-$root/target/release}
program=${FLAGSTONE_PROGRAM-$root/target/cli/flagstone}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)
manifest=share/flagstone/manifest
libdir=${FLAGSTONE_LIBDIR:-lib}

for library in libflagstone.so libflagstone.a; do
  if [ ! -e "$from/$library" ]; then
    echo "$from/$library is missing: run make build, or make install" >&2
    exit 1
  fi
done
if [ -n "$program" ] && [ ! -x "$program" ]; then
  echo "$program is missing: run make build, or make install" >&2
  exit 1
fi

# Whoever may not write there is told before half of it is there.
for place in include "$libdir" share ${program:+bin}; do
  place=$to/$place
  while [ ! -e "$place" ]; do place=$(dirname "$place"); done
  if [ ! -w "$place" ]; then
    echo "$(id -un) may not write to $place: run tools/install.sh $prefix${2:+ $2} as root, or choose another PREFIX" >&2
    exit 1
  fi
done

installed=()
# Folders are listed before what is below them.
folder() {
  case $1 in */*) folder "${1%/*}" ;; esac
  if [ ! -d "$to/$1" ]; then
    install -d "$to/$1"
    installed+=("$1/")
  fi
}
# MODE SOURCE PLACE
put() {
  folder "${3%/*}"
  install -m "$1" "$2" "$to/$3"
  installed+=("$3")
}
# TEMPLATE PLACE. Not by sed: in a path any character may come.
fill() {
  local text
  text=$(<"$root/$1")
  text=${text//@PREFIX@/"$prefix"}
  text=${text//@LIBDIR@/"$libdir"}
  # From there back to the prefix.
  text=${text//@UP@/"$(sed -E 's:[^/]+:..:g' <<<"$libdir")"}
  folder "${2%/*}"
  printf '%s\n' "${text//@VERSION@/"$version"}" >"$to/$2"
  chmod 644 "$to/$2"
  installed+=("$2")
}

before=()
if [ -e "$to/$manifest" ]; then mapfile -t before <"$to/$manifest"; fi

# The prefix itself is a folder like the others.
if [ ! -d "$to" ]; then
  install -d "$to"
  installed+=("./")
fi
put 644 "$root/include/flagstone.h" include/flagstone.h
put 644 "$root/include/flagstone.hpp" include/flagstone.hpp
for header in "$root"/include/flagstone/*.hpp; do
  put 644 "$header" "include/flagstone/${header##*/}"
done
put 755 "$from/libflagstone.so" "$libdir/libflagstone.so.1"
ln -sf libflagstone.so.1 "$to/$libdir/libflagstone.so"
installed+=("$libdir/libflagstone.so")
put 644 "$from/libflagstone.a" "$libdir/libflagstone.a"
fill flagstone.pc.in "$libdir/pkgconfig/flagstone.pc"
fill cmake/flagstoneConfig.cmake.in "$libdir/cmake/flagstone/flagstoneConfig.cmake"
fill cmake/flagstoneConfigVersion.cmake.in "$libdir/cmake/flagstone/flagstoneConfigVersion.cmake"
if [ -n "$program" ]; then
  put 755 "$program" bin/flagstone
  made=$(mktemp -d)
  trap 'rm -rf "$made"' EXIT
  "$program" man --out "$made/man"
  for page in "$made"/man/*.1; do
    put 644 "$page" "share/man/man1/${page##*/}"
  done
  # SHELL PLACE
  complete() {
    "$program" completions "$1" >"$made/$1"
    put 644 "$made/$1" "$2"
  }
  complete bash share/bash-completion/completions/flagstone
  complete zsh share/zsh/site-functions/_flagstone
  complete fish share/fish/vendor_completions.d/flagstone.fish
fi
folder "${manifest%/*}"
installed+=("$manifest")

# Folders that an earlier run made are still there, and still its own.
kept=()
for place in "${before[@]}"; do
  case $place in */) kept+=("$place") ;; esac
done
{
  printf '%s\n' "${kept[@]}"
  printf '%s\n' "${installed[@]}"
} | sed '/^$/d' | awk '!seen[$0]++' >"$to/$manifest.new"
for place in "${before[@]}"; do
  case $place in "" | */ | /* | *..*) continue ;; esac
  grep -qxF -e "$place" "$to/$manifest.new" || rm -f "$to/$place"
done
mv -f "$to/$manifest.new" "$to/$manifest"

# What is staged is no concern of this machine.
[ -z "${2:-}" ] || exit 0
linker=$(PATH=$PATH:/sbin:/usr/sbin command -v ldconfig || true)
if [ -z "$linker" ] || "$linker" -p 2>/dev/null | grep -F >/dev/null " $prefix/$libdir/libflagstone.so.1"; then
  :
elif "$linker" -N -X -v 2>/dev/null | grep -F >/dev/null "$prefix/$libdir:"; then
  echo "programs find libflagstone.so.1 once ldconfig was run as root"
else
  echo "$prefix/$libdir is no folder of the dynamic linker: link programs with -Wl,-rpath,$prefix/$libdir, or run them with"
  echo "LD_LIBRARY_PATH=$prefix/$libdir, or write the folder to /etc/ld.so.conf.d/flagstone.conf and run ldconfig, as root"
fi
# An installation that is found in another place is not this one.
finder=$(command -v pkg-config || true)
if [ -n "$finder" ] && [ "$("$finder" --variable=prefix flagstone 2>/dev/null)" != "$prefix" ]; then
  echo "pkg-config finds this with PKG_CONFIG_PATH=$prefix/$libdir/pkgconfig, CMake with CMAKE_PREFIX_PATH=$prefix"
fi
if [ -n "$program" ] && [ "$(command -v flagstone || true)" != "$prefix/bin/flagstone" ]; then
  echo "the program is $prefix/bin/flagstone: the shell finds it with PATH=$prefix/bin:\$PATH"
fi
