"""Has PyInstaller take the native library along, which is found by its place and not by an import."""

from PyInstaller.utils.hooks import collect_dynamic_libs

binaries = collect_dynamic_libs("flagstone")
