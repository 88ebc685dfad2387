# The front door. `make help` lists what there is. The build itself is CMakeLists.txt.
SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
RELEASE := build/release
CMAKE := cmake -G Ninja -S .
ARGS ?=
SECONDS ?= 60

.PHONY: all build run test quick soak check bench fuzz format clean help

all: need-build build

help:
	@echo 'make          build/bolide, optimised'
	@echo 'make run      install what is missing, build, run `bolide server` (ARGS="--store DIR ...")'
	@echo 'make test     every test; last line: N passed, N failed'
	@echo 'make quick    unit tests, golden bytes and fuzz corpora (3 minutes at most)'
	@echo 'make soak     every test at full length'
	@echo 'make check    format, layers, banned calls, sizes, clang-tidy, gcc -fanalyzer'
	@echo 'make bench    bolide beside the Java server'
	@echo 'make fuzz     every fuzz target for SECONDS=60'
	@echo 'make format   clang-format on the whole tree'
	@echo 'make clean    remove build/'

.PHONY: need-build
need-build:
	@tools/packages --check build

build:
	@test -f $(RELEASE)/build.ninja || $(CMAKE) -B $(RELEASE) -DBOLIDE_TESTS=OFF -DBOLIDE_FUZZ=OFF
	@ninja -C $(RELEASE) --quiet bolide

run:
	@tools/packages build
	@$(MAKE) build
	@exec build/bolide server $(ARGS)

test:
	@tools/packages test
	@tools/test

quick:
	@tools/packages test
	@tools/test --quick

soak:
	@tools/packages test
	@tools/test --soak

check:
	@tools/packages check
	@tools/check

bench:
	@tools/packages bench
	@$(MAKE) build
	@exec bench/run $(ARGS)

fuzz:
	@tools/packages test
	@tools/fuzz --seconds $(SECONDS) $(ARGS)

format:
	@tools/check --format

clean:
	rm -rf build
