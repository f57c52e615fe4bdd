# Flagstone. `make help` lists what can be done.
#
# Everything a target needs is set up by the target: tools/setup.sh installs missing programs by name where it can, or says
# what is missing. Nothing is written outside the tree, except what `make install` is told to.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

CARGO ?= cargo
PREFIX ?= /usr/local
DESTDIR ?=
TARGET_DIR := $(abspath $(or $(CARGO_TARGET_DIR),target))
RELEASE := $(TARGET_DIR)/release
LIBRARY := $(RELEASE)/libflagstone.so

# The shared library carries no path of the machine it was built on.
CARGO_SOURCES := $(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src
export RUSTFLAGS ?= --remap-path-prefix=$(CARGO_SOURCES)=/registry --remap-path-prefix=$(CURDIR)=/flagstone

.PHONY: help
help: ## This list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 21

.PHONY: setup
setup: ## Installs the programs that demo and benchmarks need, or says what is missing
	@tools/setup.sh

.PHONY: setup-test
setup-test: ## The same, and what only the tests need
	@tools/setup.sh test

.PHONY: build
build: ## The library, optimised: target/release/libflagstone.so and .a; and the program: target/cli/flagstone
	@# The program has a profile of its own: the libraries that it needs lie elsewhere, and the one below stays as it is. So both
	# are built at the same time: much of the work on an optimised library is one thread's.
	$(CARGO) build --profile cli --package flagstone-cli & program=$$!
	# Alone: what is built with it could turn on more of what it depends on.
	$(CARGO) build --release --package flagstone-capi
	$(CARGO) build --release --package fakeld --package flagdata
	ln -sf libflagstone.so $(RELEASE)/libflagstone.so.1
	wait "$$program"

.PHONY: demo
demo: setup build ## The ways of use: flags from a private Redis, LaunchDarkly and outages, events
	@export FLAGSTONE_LIB_DIR=$(RELEASE) FLAGSTONE_INCLUDE_DIR=$(CURDIR)/include FLAGDATA=$(RELEASE)/flagdata
	export FAKELD=$(RELEASE)/fakeld
	tools/demo.sh
	tools/demo-connected.sh
	tools/demo-events.sh

.PHONY: test
test: setup-test build ## Every test, and the lints
	@tools/test.sh

.PHONY: test-peers
test-peers: setup-test build ## The tests with LaunchDarkly's Python SDK, and with its Relay Proxy if there is one
	@tools/test-peers.sh

.PHONY: test-topologies
test-topologies: setup-test ## Redis and Valkey of several versions, proxies, sentinels, replicas and clusters: more than test has time for
	@tools/test-topologies.sh

.PHONY: conformance conformance-setup
conformance: conformance-setup build ## LaunchDarkly's contract tests through both packages; needs sdk-test-harness
	@tools/conformance.sh

conformance-setup:
	@tools/conformance.sh --check

.PHONY: soak
soak: setup-test build ## Memory over millions of evaluations and contexts from Python and .NET
	@tools/test-python.sh soak
	tools/test-dotnet.sh soak

.PHONY: chaos
chaos: setup-test ## 200 random troubles of Redis and source, 100 failovers and slot moves (CHAOS_ROUNDS, CHAOS_SEED), every answer checked
	@tools/chaos.sh

.PHONY: fuzz
fuzz: ## Feeds whatever reads something with arbitrary bytes, 30 seconds each (FUZZ_SECONDS, FUZZ_TARGETS); needs a nightly toolchain
	@tools/fuzz.sh

.PHONY: fleet
fleet: setup-test ## What fleets read of Redis after edits and how soon they serve them (FLEET_CLIENTS, FLEET_FLAGS, FLEET_REPEATS)
	@for measured in two_hundred a_thousand; do
	  $(CARGO) test --release --quiet --test redis_fleet -- --ignored --nocapture $$measured
	done
	$(CARGO) test --release --quiet --test scale -- --ignored --nocapture --exact a_fleet_of_processes_on_one_redis

.PHONY: natives natives-test
natives: ## The library for every platform that the toolchain knows, inspected: target/natives (NATIVES="linux-x64 win-x64" for some)
	@env -u RUSTFLAGS tools/natives.sh $(NATIVES)

natives-test: ## The C tests with each of them that can run here: directly, with musl, or with qemu-user
	@python3 tools/natives-test.py $(TARGET_DIR)/natives $(NATIVES)

.PHONY: wheels wheels-test
wheels: ## Python wheels for each of them, and the sdist: target/wheels
	@tools/wheels.sh

wheels-test: ## Those for this machine in a clean environment of every Python that is found, with a real Redis
	@tools/wheels.sh test

.PHONY: deb deb-test
deb: build ## Debian packages of library, headers and program: target/deb/packages
	@tools/deb.sh

deb-test: ## Those in a fresh Debian: installed, used and removed
	@tools/deb.sh test

.PHONY: conan
conan: ## The Conan recipe: builds the package below target/conan, and a program from it, with the shared library and the archive
	@tools/conan.sh

.PHONY: dotnet-pack
dotnet-pack: build ## The NuGet packages: bindings/dotnet/artifacts/package/release; OpenFeature's with OPENFEATURE_FEED
	@dotnet pack bindings/dotnet/src/Flagstone
	dotnet pack bindings/dotnet/src/Flagstone.Extensions.Hosting
	if [ -n "$${OPENFEATURE_FEED:-}" ]; then dotnet pack bindings/dotnet/src/Flagstone.OpenFeature; fi

.PHONY: dotnet-package dotnet-package-test
dotnet-package: ## The same with the libraries of all platforms that make natives has built, and what is in it: target/dotnet-package
	@tools/dotnet-package.sh

dotnet-package-test: dotnet-package ## That package in a program for each of its platforms; those that can run here are run, with a real Redis
	@tools/dotnet-package.sh test

.PHONY: supply-chain reproducible
supply-chain: ## Licences, sources, bans and advisories of all dependencies, and an SBOM: target/supply-chain
	@tools/supply-chain.sh

reproducible: ## The library built in two folders must be the same, byte for byte
	@tools/supply-chain.sh reproducible

.PHONY: docs
docs: build ## The book: target/book/index.html, with the API references of all languages; every link checked
	@tools/docs.sh

.PHONY: lint
lint: ## Formatting and lints
	@$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --quiet -- -D warnings
	@# As fuzz/ sees the library, and the programs there; they need more to be built.
	$(CARGO) clippy --lib --quiet -- -D warnings --cfg fuzzing
	$(CARGO) fmt --manifest-path fuzz/Cargo.toml --check
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --workspace --no-deps --quiet

.PHONY: bench
bench: setup build ## Speed, load time, push delay and memory, beside LaunchDarkly's Rust, Python and .NET SDKs
	@(cd bench && FLAGSTONE_LIB_DIR=$(RELEASE) $(CARGO) run --release --quiet -- $(BENCH_ARGS))
	tools/bench-python.sh | tee -a $(if $(BENCH_ARGS),/dev/null,bench/results.md)
	tools/bench-dotnet.sh | tee -a $(if $(BENCH_ARGS),/dev/null,bench/results.md)

.PHONY: pictures
pictures: setup-test build ## The pictures of the documentation anew: docs/pictures
	@tools/pictures.sh

.PHONY: header
header: ## Writes include/flagstone.h anew from the sources
	@FLAGSTONE_UPDATE_HEADER=1 $(CARGO) test --quiet --test header

.PHONY: install
install: build ## Installs headers, libraries, pkg-config file, CMake package and program under PREFIX (default /usr/local)
	@FLAGSTONE_LIB_DIR=$(RELEASE) FLAGSTONE_PROGRAM=$(TARGET_DIR)/cli/flagstone tools/install.sh "$(PREFIX)" "$(DESTDIR)"

.PHONY: uninstall
uninstall: ## Removes what install put under PREFIX, and nothing else
	@tools/uninstall.sh "$(PREFIX)" "$(DESTDIR)"

.PHONY: clean
clean: ## Removes everything that was built
	@$(CARGO) clean
	rm -rf bench/target bindings/dotnet/artifacts
