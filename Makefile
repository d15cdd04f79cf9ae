# make demo: the simulated demo study, from raw files to the report    make test: all checks and tests
# make bench: speed against peers and the long simulations (docs/benchmarks.md says what they gave)
.POSIX:
.PHONY: demo test bench env

BIN = .venv/bin

demo: env
	@$(BIN)/snakemake --cores all

test: env
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/snakefmt --check Snakefile workflow
	@$(BIN)/snakemake --lint
	@$(BIN)/pytest --numprocesses auto --dist loadgroup

bench: env .venv-peers
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# Packages that are only raced against; without them the race says so.
.venv-peers: benchmarks/peers.txt
	@$(BIN)/python -m venv $@ && $@/bin/pip install --quiet --require-hashes -r benchmarks/peers.txt || rm -rf $@
	@test ! -d $@ || touch $@

env:
	@./bootstrap.sh
