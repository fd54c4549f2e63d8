# Two commands on a fresh Debian machine with a Rust toolchain:
#   make lab     the main job: builds sixgate, brings up the laboratory, runs and verifies the demo, takes it down
#   make test    everything that tests; .ci/run calls it
# Both install what they need first (packaging/setup: as root; without the network where all is there).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
CARGO ?= cargo
# A sub-make, a caller's environment or CI may set another place.
TARGET := $(or $(CARGO_TARGET_DIR),target)
RELEASE := $(TARGET)/release/sixgate
DEBUG := $(TARGET)/debug/sixgate
CORES := sixgate-time sixgate-reason sixgate-wire sixgate-nat64 sixgate-isatap sixgate-iphttps sixgate-dns64 sixgate-cache sixgate-fabric sixgate-roaming

.PHONY: all lab up down test setup setup-tests setup-benches build release lint layers unit cores deny fuzz e2e peers bench
all: build

setup:
	packaging/setup

# Also the real peers that the tests run against.
setup-tests:
	packaging/setup --tests

build: setup
	$(CARGO) build --workspace --locked

release: setup
	$(CARGO) build --release --locked -p sixgate

# The lab stays up where a person asked for `sixgate lab`; here it goes again, whatever the demo said. Its name keeps it apart
# from one that somebody has up.
lab: release
	status=0; $(RELEASE) lab --name make || status=$$?; $(RELEASE) lab --name make down || status=1; exit $$status

up: release
	$(RELEASE) lab up

down: release
	$(RELEASE) lab down

test: lint layers deny unit cores fuzz e2e

lint: setup
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings

# Who may use whom (STYLE: a rule is a test).
layers: setup
	$(CARGO) run --locked -q -p xtask -- layers
	$(CARGO) run --locked -q -p xtask -- files
	$(CARGO) run --locked -q -p xtask -- tables

# Advisories need the network and are left out.
deny: setup
	command -v cargo-deny >/dev/null || $(CARGO) install --locked cargo-deny
	$(CARGO) deny --offline check bans licenses sources

unit: setup-tests
	$(CARGO) test --workspace --exclude sixgate-e2e --locked --no-fail-fast

# Each core crate alone and with no feature, so that it can be taken alone.
cores: setup
	for crate in $(CORES); do $(CARGO) build -q --locked --no-default-features -p $$crate; echo "core: $$crate builds alone"; done

fuzz: setup
	fuzz/run

# One lab at a time: the tests share the machine's two cores with eleven kernels' worth of network.
e2e: setup-tests
	$(CARGO) build --locked -p sixgate
	SIXGATE_BIN=$(abspath $(DEBUG)) $(CARGO) test --locked -p sixgate-e2e --no-fail-fast -- --test-threads=1

# The packets of the translator's tests through somebody else's translator: a test that nobody can fail proves nothing.
peers: setup-benches
	$(CARGO) build --locked -p sixgate
	NAT64_SUBJECT=tayga SIXGATE_BIN=$(abspath $(DEBUG)) $(CARGO) test --locked -p sixgate-e2e --test nat64 -- --test-threads=1

# Also the peers that the benchmarks measure beside.
setup-benches:
	packaging/setup --tests --benches

# Time and allocations of a packet; NAT64 beside plain forwarding and beside tayga with nftables; the whole gateway as a ratio to
# plain forwarding. All three are done, and the worst outcome counts.
bench: setup-benches release
	$(CARGO) build --release --locked -q -p sixgate-bench-micro -p sixgate-bench-ratio -p sixgate-bench-dns
	status=0; export SIXGATE_BIN=$(abspath $(RELEASE)); \
	$(TARGET)/release/sixgate-bench-micro || status=1; \
	$(TARGET)/release/sixgate-bench-ratio nat64 || status=1; \
	$(TARGET)/release/sixgate-bench-dns || status=1; \
	$(TARGET)/release/sixgate-bench-ratio gateway || status=1; exit $$status
