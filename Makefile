# make demo: the simulated demo study, from raw files to the report    make slurm: add what a Slurm cluster needs
# make test: all checks and tests    make test-long: the tests with many more of their random cases (docs/robustness.md)
# make bench: speed against peers and the long simulations (docs/benchmarks.md says what they gave)
.POSIX:
.PHONY: demo slurm test test-long bench all-uses

BIN = .venv/bin

demo:
	@./bootstrap.sh
	@$(BIN)/snakemake --cores all

slurm:
	@./bootstrap.sh cluster

test: all-uses
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/snakefmt --check Snakefile workflow
	@$(BIN)/snakemake --lint
	@$(BIN)/pytest --numprocesses auto --dist loadgroup

test-long: all-uses
	@PNIFLOW_LONG=1 $(BIN)/pytest --numprocesses auto --dist loadgroup -m "hypothesis or long"

bench: all-uses .venv-peers
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python $$script || exit 1; done

# Packages that are only raced against; without them the race says so.
.venv-peers: benchmarks/peers.txt
	@$(BIN)/python -m venv $@ && $@/bin/pip install --quiet --require-hashes -r benchmarks/peers.txt || rm -rf $@
	@test ! -d $@ || touch $@

all-uses:
	@./bootstrap.sh cluster development
