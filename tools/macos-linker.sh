#!/usr/bin/env bash
# What links the library for macOS: rustc calls it as it would call a C compiler there, and it calls lld.
#
# zig links for macOS without an SDK, too, but exports names of its own beside those that it is told. What lld has to know of the
# system is in the description of it that zig brings (libSystem.tbd).
#
# FLAGSTONE_LD64 is lld by the name that makes it link for macOS, SDKROOT a folder with usr/lib/libSystem.tbd.
set -euo pipefail

# Without symbols: what would remove them afterwards is not everywhere.
arguments=(-syslibroot "$SDKROOT" -S -x)
for argument; do
  case $argument in
    -Wl,*)
      IFS=, read -ra words <<<"${argument#-Wl,}"
      arguments+=("${words[@]}")
      ;;
    -mmacosx-version-min=*) arguments+=(-platform_version macos "${argument#*=}" "${argument#*=}") ;;
    -dynamiclib) arguments+=(-dylib) ;;
    # The library C and its mathematics are parts of libSystem; of iconv, which is always asked for, nothing is used.
    -nodefaultlibs | -lc | -lm | -liconv) ;;
    *) arguments+=("$argument") ;;
  esac
done
exec "$FLAGSTONE_LD64" "${arguments[@]}"
