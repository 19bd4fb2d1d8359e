.DEFAULT_GOAL := help
.PHONY: help build test test-fast explore lint demo cookbook bench soak dist dist-check packages clean

help: ## Show this list
	@sed -n 's/^\([a-z-]*\):.*## /  \1\t/p' $(MAKEFILE_LIST) | expand -t 14

build: ## Build the release program, target/release/tableshift
	cargo build --release --locked

test: ## All tests, on throw-away MySQL servers (fetched on the first run)
	scripts/test

test-fast: ## Only the tests that need no database
	cargo test --locked --features faults --lib --bins

explore: ## Many more interleavings and random stories than the tests look at (minutes)
	TABLESHIFT_SIM_DEEP=1 cargo test --release --locked --lib sim:: -- --skip mutants --skip show --nocapture

lint: ## Formatting, clippy, docs, licences and advisories, shell scripts
	scripts/lint

demo: ## Change a table live, under load, on a throw-away server
	scripts/demo

cookbook: ## Run the recipes of docs/cookbook.md and paste what they print
	scripts/cookbook

bench: ## Measure the speed of a change and its cost for others, small (all: scripts/bench --full)
	scripts/bench

soak: ## Hours of migrations of hot rows: no difference invented, none overlooked (SECONDS_LONG=3600)
	scripts/soak

dist: ## The release archive in target/dist, the same bytes for the same commit
	scripts/dist

dist-check: ## Build it twice, in two folders, and compare
	scripts/dist --check

packages: ## A Debian and an RPM package in target/packages
	scripts/packages

clean: ## Remove what was built (`rm -r ~/.cache/tableshift` removes the MySQL copy)
	cargo clean
