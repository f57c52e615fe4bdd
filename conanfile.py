"""Recipe for Conan 2: builds the library with cargo, and hands it on with its headers."""

import os
from pathlib import Path

from conan import ConanFile
from conan.errors import ConanInvalidConfiguration
from conan.tools.files import copy, rm, rmdir


class Flagstone(ConanFile):
    name = "flagstone"
    version = "0.2.0"
    license = "Apache-2.0"
    description = "Feature flags kept in Redis, held in memory, evaluated in nanoseconds"
    topics = ("feature-flags", "launchdarkly", "redis")
    package_type = "library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"shared": [True, False]}
    default_options = {"shared": True}
    # Cargo wants the members of the workspace to be there.
    exports_sources = (
        "Cargo.toml", "Cargo.lock", "flagstone.pc.in", "README.md", "LICENSE", "src/*", "capi/*", "include/*", "cmake/*",
        "tools/install.sh", "tools/fakeld/*", "tools/flagdata/*", "tools/flagstone-cli/*",
    )  # fmt: skip
    no_copy_source = True

    def validate(self):
        if self.settings.os not in ("Linux", "FreeBSD"):
            raise ConanInvalidConfiguration("this recipe packs what tools/install.sh installs, which is for Unix with ELF")

    def package_id(self):
        # The interface is C's.
        del self.info.settings.compiler
        del self.info.settings.build_type

    def _libraries(self):
        """Where cargo puts them; FLAGSTONE_LIB_DIR names a folder in which they are already."""
        return os.environ.get("FLAGSTONE_LIB_DIR") or str(Path(self.build_folder) / "target" / "release")

    def build(self):
        if "FLAGSTONE_LIB_DIR" not in os.environ:
            manifest = Path(self.source_folder) / "Cargo.toml"
            target = Path(self.build_folder) / "target"
            build = "cargo build --release --package flagstone-capi --locked"
            self.run(f'{build} --manifest-path "{manifest}" --target-dir "{target}"')

    def package(self):
        install = Path(self.source_folder) / "tools" / "install.sh"
        variables = f'FLAGSTONE_LIB_DIR="{self._libraries()}" FLAGSTONE_PROGRAM='
        self.run(f'{variables} "{install}" "{self.package_folder}"')
        copy(self, "LICENSE", self.source_folder, str(Path(self.package_folder) / "licenses"))
        libraries = str(Path(self.package_folder) / "lib")
        rm(self, "*.a" if self.options.shared else "*.so*", libraries)
        # Conan writes its own.
        for folder in ("lib/pkgconfig", "lib/cmake", "share"):
            rmdir(self, str(Path(self.package_folder) / folder))

    def package_info(self):
        self.cpp_info.libs = ["flagstone"]
        self.cpp_info.set_property("cmake_file_name", "flagstone")
        self.cpp_info.set_property("cmake_target_name", "flagstone::flagstone")
        self.cpp_info.set_property("pkg_config_name", "flagstone")
        if not self.options.shared:
            self.cpp_info.defines = ["FLAGSTONE_STATIC"]
            self.cpp_info.system_libs = ["util", "rt", "pthread", "m", "dl"]
