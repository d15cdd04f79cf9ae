#!/usr/bin/env bash
# Bring up a throw-away Slurm of two nodes on loopback, without systemd, as root: slurmctld, two slurmd, munge.
# The configuration is linked from /etc/slurm, because jobs do not keep SLURM_CONF (the executor drops SLURM_* from their
# environment); a machine that has a Slurm of its own is refused, what a killed run left behind is taken down.
set -euo pipefail
state=${1:?folder for logs, pids and state}
port=${PORT_BASE:-16817}
unset SLURM_CONF
conf=/etc/slurm/slurm.conf
if [ -L "$conf" ]; then
  left=$(dirname "$(readlink "$conf")")
  if [ ! -e "$conf" ]; then
    rm "$conf"
  elif grep -qx "StateSaveLocation=$left/state" "$conf" && ! kill -0 "$(cat "$left/owner" 2>/dev/null)" 2>/dev/null; then
    "$(dirname "$0")/down.sh" "$left"
  fi
fi
if [ -e "$conf" ]; then
  echo "up.sh: $conf is there already; not touched" >&2
  exit 1
fi
mkdir -p "$state"/{log,run,state,spool}
echo "$PPID" >"$state/owner"
wait_for() {
  local seconds=$1
  shift
  for _ in $(seq $((seconds * 5))); do "$@" >/dev/null 2>&1 && return 0; sleep 0.2; done
  echo "up.sh: gave up after ${seconds} s on: $*" >&2
  tail -n 20 "$state"/log/* >&2
  return 1
}

install -d -o munge -g munge -m 0755 /run/munge
install -d -o munge -g munge -m 0700 /var/log/munge /var/lib/munge
[ -s /etc/munge/munge.key ] || runuser -u munge -- mungekey --create
munge -n >/dev/null 2>&1 || runuser -u munge -- munged
wait_for 10 sh -c 'munge -n | unmunge'

cat >"$state/slurm.conf" <<CONF
ClusterName=test
SlurmctldHost=$(hostname -s)(127.0.0.1)
SlurmctldPort=$port
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
StateSaveLocation=$state/state
SlurmdSpoolDir=$state/spool/%n
SlurmctldPidFile=$state/run/slurmctld.pid
SlurmdPidFile=$state/run/%n.pid
SlurmctldLogFile=$state/log/slurmctld.log
SlurmdLogFile=$state/log/%n.log
# no cgroups, no systemd: processes are followed by their parent links
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SlurmdParameters=config_overrides
SchedulerParameters=sched_interval=2,batch_sched_delay=0
MpiDefault=none
ReturnToService=2
MinJobAge=300
KillWait=3
AccountingStorageType=accounting_storage/none
NodeName=n1 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((port + 11)) CPUs=4 RealMemory=12000 State=UNKNOWN
NodeName=n2 NodeHostname=$(hostname -s) NodeAddr=127.0.0.1 Port=$((port + 12)) CPUs=4 RealMemory=12000 State=UNKNOWN
PartitionName=main Nodes=ALL Default=YES MaxTime=08:00:00 DefMemPerCPU=500 State=UP
CONF
mkdir -p /etc/slurm
ln -sfn "$state/slurm.conf" "$conf"

slurmctld
wait_for 15 scontrol ping
slurmd -N n1
slurmd -N n2
wait_for 20 sh -c '[ "$(sinfo -h -N -t idle -o %N | sort -u | wc -l)" -ge 2 ]'
