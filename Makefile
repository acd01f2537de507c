# The commands people type; CMakeLists.txt is the build. `make help` lists them.
#
#   PG_CONFIG=/path/to/pg_config   the PostgreSQL to build for (default: the newest with server headers)
#   BUILD=release|debug|asan|ubsan
#   JOBS=n                         compilers at a time
#   TEST_WORKERS=n                 integration tests at a time, each with servers of their own; they mostly wait

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.NOTPARALLEL:
.DEFAULT_GOAL := all

BUILD ?= release
JOBS ?= $(shell nproc)
TEST_WORKERS ?= 3
# Evaluated when used, which is after scripts/deps may have installed it.
PG_CONFIG ?= $(shell scripts/pg-config)
pg_major = $(shell $(PG_CONFIG) --version | sed 's/[^0-9]*\([0-9]*\).*/\1/')
build_dir = build/$(BUILD)-pg$(pg_major)

.PHONY: help
help: ## list these commands
	@sed -n 's/^\([a-z][a-z-]*\):[^#]*## /\1\t/p' Makefile | expand -t 14

.PHONY: deps deps-build deps-test deps-lint deps-memory deps-platforms
deps: ## install what is missing to build, test and lint
	@scripts/deps build test lint
deps-build:
	@scripts/deps build
deps-test:
	@scripts/deps build test
deps-lint:
	@scripts/deps build lint
deps-memory:
	@scripts/deps build test memory
deps-platforms:
	@scripts/deps build test platforms

.PHONY: configure
configure: deps-build
	@mkdir -p $(build_dir); log=$(build_dir)/configure.log; \
	cmake -S . -B $(build_dir) -G Ninja -DPG_CONFIG="$(PG_CONFIG)" -DCMAKE_BUILD_TYPE="$(BUILD)" >$$log 2>&1 \
	  || { cat $$log; exit 1; }

.PHONY: all
all: configure ## build the extension and the unit tests
	@cmake --build $(build_dir) -j $(JOBS)

# Root writes the package's directories itself; anybody else asks sudo where they are not theirs.
.PHONY: install
install: all ## install into the PostgreSQL of PG_CONFIG
	@libraries=$$($(PG_CONFIG) --pkglibdir); scripts=$$($(PG_CONFIG) --sharedir)/extension; as_root=; \
	if ! [ -w "$$libraries" ] || ! [ -w "$$scripts" ]; then as_root=sudo; fi; \
	$$as_root cmake --install $(build_dir)

.PHONY: unit
unit: configure ## run the unit tests, which need neither PostgreSQL nor a broker
	@cmake --build $(build_dir) -j $(JOBS) --target unit
	@ctest --test-dir $(build_dir) --output-on-failure -j $(JOBS)

.PHONY: installcheck
installcheck: deps-test install ## run the SQL tests in a temporary PostgreSQL with a real broker
	@PG_CONFIG="$(PG_CONFIG)" test/regress/run

.venv/.installed: test/integration/requirements.txt
	@python3 -m venv .venv
	@.venv/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: integration
integration: deps-test install .venv/.installed ## run pytest: servers and brokers started, killed, restarted
	@PG_CONFIG="$(PG_CONFIG)" .venv/bin/python -m pytest -n $(TEST_WORKERS) --dist worksteal \
	  test/integration $(PYTEST_ARGS)

.PHONY: memcheck
memcheck: deps-memory install ## run scans under valgrind: memory misused or lost is a failure
	@PG_CONFIG="$(PG_CONFIG)" test/memory/run

SECONDS ?= 1200
.PHONY: soak
soak: deps-test install .venv/.installed ## consumers under load, killed and changed at random for SECONDS=1200 (SEED=n)
	@PG_CONFIG="$(PG_CONFIG)" .venv/bin/python test/soak/soak.py --seconds $(SECONDS) $(if $(SEED),--seed $(SEED))

.PHONY: check
check: SECONDS := 120
check: deps-test all install unit installcheck integration soak ## build, install and run every test

.PHONY: demo demo-stop
demo: deps-test install ## the story in one minute (KEEP=1 leaves the servers up)
	@PG_CONFIG="$(PG_CONFIG)" KEEP="$(KEEP)" demo/run
demo-stop: ## end the servers that make demo KEEP=1 left
	@demo/stop

.venv/.installed-bench: bench/requirements.txt .venv/.installed
	@.venv/bin/pip install --quiet --disable-pip-version-check -r $<
	@touch $@

.PHONY: bench
bench: deps-test install .venv/.installed-bench ## measure beside the alternatives (BENCH_ARGS="--parts drain")
	@cmake --build $(build_dir) --target raw_reader --target steady_producer
	@PG_CONFIG="$(PG_CONFIG)" bench/run $(BENCH_ARGS)

.PHONY: lint format
lint: deps-lint configure ## formatting, clang-tidy, shellcheck and the layering rules
	@scripts/lint $(build_dir)
format: deps-lint ## format the sources
	@scripts/format

.PHONY: platforms
platforms: deps-platforms ## build and test on Debian's later releases, in chroots
	@test/platforms/run

.PHONY: clean
clean: ## remove what was built
	@rm -rf build
