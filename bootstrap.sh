#!/bin/sh
# Make .venv/ from envs/run.lock and install this clone into it; `./bootstrap.sh cluster development` adds what those locks
# hold. Safe to repeat: nothing happens while the locks, pyproject.toml and this script are what they were.
set -eu
cd "$(dirname "$0")"
venv=${VENV:-.venv}

sum() { cat "envs/$1.lock" pyproject.toml bootstrap.sh | cksum; }
missing=
for use in run "$@"; do
  [ "$(cat "$venv/.complete-$use" 2>/dev/null)" = "$(sum "$use")" ] || missing="$missing $use"
done
[ -z "$missing" ] && [ -x "$venv/bin/python" ] && exit 0

python=
for candidate in ${PYTHON:-} python3.11 python3.12 python3.13 python3.14 python3; do
  if command -v "$candidate" >/dev/null 2>&1 &&
    "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 14))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "No Python 3.11 to 3.14 was found; install one, on Debian or Ubuntu: apt install python3 python3-venv" >&2
  exit 1
fi

uv=$(command -v uv || true)
if ! "$venv/bin/python" -c 'import sys' 2>/dev/null; then
  rm -rf "$venv"
  missing="run $*"
  if "$python" -c 'import ensurepip' 2>/dev/null; then
    "$python" -m venv "$venv"
  elif [ -n "$uv" ]; then
    "$uv" venv --quiet --python "$python" "$venv"
  elif "$python" -c 'import virtualenv' 2>/dev/null; then
    "$python" -m virtualenv --quiet "$venv"
  else
    echo "This Python cannot make environments; install its venv module, on Debian or Ubuntu: apt install python3-venv" >&2
    exit 1
  fi
fi

echo "Installing the locked environment ($(echo $missing)) into $venv (once; a minute or two) ..." >&2
locks=$(printf -- '-r envs/%s.lock ' $missing)
# --no-deps: the locks are complete, and t1prep is wanted for its surfaces only.
if [ -n "$uv" ]; then
  "$uv" pip install --quiet --compile-bytecode --no-deps --require-hashes --python "$venv" $locks
  "$uv" pip install --quiet --no-deps --no-build-isolation --python "$venv" --editable .
else
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes $locks
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
fi
# Of t1prep's 63 MB stay the 9 that are read: the 32k mesh, the atlases on it, one volume atlas, and an overlay for the tests.
find "$venv"/lib/python*/site-packages/t1prep -type f ! -name __init__.py ! -name '?h.central.freesurfer.gii' \
  ! -name '?h.inflated.freesurfer.gii' ! -name '?h.mc.freesurfer.gii' ! -name '?h.mask' ! -name '*.freesurfer.annot' \
  ! -name 'Neuromorphometrics.*' ! -name '?h.thickness.Template_T1' -delete
# Every job starts an interpreter: compiled once, whatever the environment says about bytecode.
"$venv/bin/python" -m compileall -q workflow/pniflow
for use in $missing; do sum "$use" >"$venv/.complete-$use"; done
