#!/usr/bin/env bash
# Stop what up.sh started: by the pids it recorded, nothing else.
set -uo pipefail
state=${1:?folder that was given to up.sh}
stop() {
  local pid
  pid=$(cat "$2" 2>/dev/null) || return 0
  if [ -n "$pid" ] && [ "$(ps -o comm= -p "$pid")" = "$1" ]; then
    kill "$pid"
    for _ in $(seq 50); do kill -0 "$pid" 2>/dev/null || break; sleep 0.2; done
    kill -0 "$pid" 2>/dev/null && kill -9 "$pid"
  fi
  rm -f "$2"
}
timeout 5 scancel --user=root 2>/dev/null
for node in n1 n2; do stop slurmd "$state/run/$node.pid"; done
stop slurmctld "$state/run/slurmctld.pid"
stop munged /run/munge/munged.pid
[ "$(readlink /etc/slurm/slurm.conf)" = "$state/slurm.conf" ] && rm /etc/slurm/slurm.conf
exit 0
