#!/usr/bin/env bash
# Installs header, libraries, pkg-config file and CMake package: tools/install.sh PREFIX [DESTDIR]
#
# DESTDIR is put before every path, for building packages; the installed files speak of PREFIX alone. Called by
# `make install`, which builds first. FLAGSTONE_LIB_DIR names the folder with libflagstone.so and libflagstone.a.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
prefix=${1:?usage: tools/install.sh PREFIX [DESTDIR]}
case $prefix in
  /*) ;;
  *) prefix=$PWD/$prefix ;;
esac
to=${2:-}$prefix
from=${FLAGSTONE_LIB_DIR:-$root/target/release}
version=$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)

for library in libflagstone.so libflagstone.a; do
  if [ ! -e "$from/$library" ]; then
    echo "$from/$library is missing: run make build, or make install" >&2
    exit 1
  fi
done

# Not by sed: in a path any character may come.
fill() {
  local text
  text=$(<"$1")
  text=${text//@PREFIX@/"$prefix"}
  printf '%s\n' "${text//@VERSION@/"$version"}" >"$2"
  chmod 644 "$2"
}

install -d "$to/include" "$to/lib/pkgconfig" "$to/lib/cmake/flagstone"
install -m 644 "$root/include/flagstone.h" "$to/include/flagstone.h"
install -m 755 "$from/libflagstone.so" "$to/lib/libflagstone.so.1"
ln -sf libflagstone.so.1 "$to/lib/libflagstone.so"
install -m 644 "$from/libflagstone.a" "$to/lib/libflagstone.a"
fill "$root/flagstone.pc.in" "$to/lib/pkgconfig/flagstone.pc"
fill "$root/cmake/flagstoneConfig.cmake.in" "$to/lib/cmake/flagstone/flagstoneConfig.cmake"
fill "$root/cmake/flagstoneConfigVersion.cmake.in" "$to/lib/cmake/flagstone/flagstoneConfigVersion.cmake"
