#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# cluster.sh: a Slurm cluster on this machine, of real daemons, to try things and to test them. docs/cluster.md tells more.
#
#     sh cluster.sh up 3                          3 nodes: n1 n2 n3
#     sh cluster.sh run srun -N 2 -n 4 ./program  a command on its head; without one: a shell
#     sh cluster.sh kill-node 2                   node 2 loses its power
#     sh cluster.sh down
#
# As root the nodes are hosts of their own, made of namespaces; otherwise, or where those are refused, they are slurmd with ports of their own (plain mode). Everything is in one
# folder, CLUSTER_STATE (/tmp/seamark-cluster-USER), which `down` removes; several clusters have several folders. Other variables, for `up`:
#     CLUSTER_MODE     spaces or plain, instead of what is possible
#     CLUSTER_CPUS     of each node (4); they need not be there
#     CLUSTER_CONFIG   a file of lines that are added to slurm.conf
#     CLUSTER_FIRST    the number of the first job (1): processes of several clusters on this host are told apart by it
#     CLUSTER_WITH     the number of a process; when that has ended, the cluster is taken down
set -u
tool=cluster
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
# shellcheck source-path=SCRIPTDIR source=spaces.sh
. "$here/spaces.sh"

usage() {
	cat <<'END'
usage: cluster.sh up [N]             a Slurm cluster of N nodes (2): n1, n2, ...; ready when all are idle
       cluster.sh down               ends it, with everything that runs on it, and removes its folder
       cluster.sh status             its nodes and jobs
       cluster.sh run [COMMAND...]   a command (a shell) on its head
       cluster.sh in K [COMMAND...]  ... on node K
       cluster.sh pids K             the processes of node K, as this machine numbers them
       cluster.sh kill-node K        power failure: the link is cut, then every process of node K is killed
       cluster.sh crash-node K       every process of node K is killed; its kernel closes their connections
       cluster.sh kill-slurmd K      kills its slurmd; what it started goes on
       cluster.sh start-node K       starts what is missing of node K
       cluster.sh freeze K, thaw K   stops all its processes; lets them go on
       cluster.sh link-down K, link-up K      (not in plain mode)
       cluster.sh kill-controller, start-controller
END
	exit 2
}

# --- configuration -------------------------------------------------------------------------------------------------------

node_lines() {
	machine="CPUs=$cpus Boards=1 SocketsPerBoard=1 CoresPerSocket=$cpus ThreadsPerCore=1 RealMemory=4000 State=UNKNOWN"
	for node in $(seq "$nodes"); do
		if [ "$mode" = spaces ]; then
			echo "NodeName=n$node NodeHostname=n$node NodeAddr=$net.$node $machine"
		else
			echo "NodeName=n$node NodeHostname=$(this_host) NodeAddr=127.0.0.1 Port=$((port + 1 + node)) $machine"
		fi
	done
}

this_host() {
	uname -n | cut -d . -f 1
}

# cred_expire is also how long a requeued job waits; 5 is the least that is taken. Credentials and limits of the machine, users' data bases and cgroups are left out:
# CgroupPlugin=cgroup/v1 lets slurmd start where no cgroups are.
write_configuration() {
	user=$(id -un)
	if [ "$mode" = spaces ]; then
		where="SlurmctldHost=head($net.$head)"
	else
		where="SlurmctldHost=$(this_host)(127.0.0.1)
SlurmctldPort=$port
SlurmdPort=$((port + 1))"
	fi
	cat >"$state/slurm.conf" <<END
ClusterName=$(basename "$state" | tr A-Z. a-z- | tail -c 32)
$where
SlurmUser=$user
SlurmdUser=$user
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$state/munge/socket,cred_expire=5
StateSaveLocation=$state/saved
SlurmctldPidFile=$state/slurmctld.pid
SlurmctldLogFile=$state/log/slurmctld.log
SlurmdSpoolDir=$state/spool/%n
SlurmdPidFile=$state/slurmd-%n.pid
SlurmdLogFile=$state/log/slurmd-%n.log
SlurmdParameters=config_overrides
TmpFS=$state/host/%n/tmp
TaskProlog=$state/task-prolog
PlugStackConfig=$state/plugstack.conf
MailProg=/bin/true
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerParameters=batch_sched_delay=0,sched_min_interval=100000,sched_interval=2,bf_interval=2
SlurmctldParameters=preempt_send_user_signal
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
MpiDefault=pmix
ReturnToService=2
FirstJobId=${CLUSTER_FIRST:-1}
SlurmctldTimeout=10
SlurmdTimeout=10
MessageTimeout=5
KillWait=5
PropagateResourceLimits=NONE
$(node_lines)
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE PriorityTier=10
PartitionName=low Nodes=ALL MaxTime=INFINITE PriorityTier=1 GraceTime=8
END
	[ -z "${CLUSTER_CONFIG-}" ] || cat "$CLUSTER_CONFIG" >>"$state/slurm.conf" || give_up "cannot read CLUSTER_CONFIG"
	printf 'CgroupPlugin=cgroup/v1\nCgroupAutomount=no\n' >"$state/cgroup.conf"
	: >"$state/plugstack.conf"
	write_prolog
	mkdir -p "$state/saved" "$state/spool"
}

# What each task finds in its environment: by which node it is known here, and where its local files go. In plain mode "nodes" have one name and one /dev/shm,
# so equal names for different segments would meet; not in the batch script, of which mpirun takes such settings to all nodes.
write_prolog() {
	cat >"$state/task-prolog" <<END
#!/bin/sh
place=$state/host/\$SLURMD_NODENAME
echo "export CLUSTER_MEMBER=$state:\$SLURMD_NODENAME"
echo "export CLUSTER_LOCAL=\$place/local"
echo "export TMPDIR=\$place/tmp"
END
	[ "$mode" = spaces ] || cat >>"$state/task-prolog" <<'END'
echo "export OMPI_MCA_btl_tcp_if_include=lo"
[ -n "${SLURM_STEP_ID-}" ] || exit 0
echo "export OMPI_MCA_btl_vader_backing_directory=$place/shm"
echo "export OMPI_MCA_orte_tmpdir_base=$place/tmp"
END
	chmod 755 "$state/task-prolog"
}

# --- daemons -----------------------------------------------------------------------------------------------------------------

# on NAME COMMAND...: this process becomes it, there.
on() {
	name=$1
	shift
	if [ "$mode" = spaces ]; then
		enter "$name" env "CLUSTER_MEMBER=$state:$name" "$@"
	fi
	exec env "CLUSTER_MEMBER=$state:$name" "$@"
}

start_daemon() { # NAME COMMAND...
	name=$1
	shift
	on "$name" setsid "$@" </dev/null >>"$state/log/$name.out" 2>&1 &
}

start_munge() {
	mkdir -p "$state/munge"
	chmod 755 "$state/munge"
	(umask 077 && head -c 1024 /dev/urandom >"$state/munge/key")
	# By force: the folders above may belong to somebody else.
	start_daemon head munged --foreground --force --key-file="$state/munge/key" --socket="$state/munge/socket" \
		--pid-file="$state/munge/pid" --seed-file="$state/munge/seed" --log-file="$state/log/munged.log"
	wait_until 20 munge_answers || give_up "munged does not answer: $(tail -n 3 "$state/log/munged.log" "$state/log/head.out")"
}

munge_answers() {
	munge -n -S "$state/munge/socket" >/dev/null 2>&1
}

start_controller() {
	start_daemon head slurmctld -D -f "$state/slurm.conf"
}

start_node() { # K
	mkdir -p "$state/host/n$1/shm" "$state/host/n$1/tmp" "$state/host/n$1/local" "$state/spool/n$1"
	chmod 1777 "$state/host/n$1/shm" "$state/host/n$1/tmp" "$state/host/n$1/local"
	[ "$mode" = plain ] || space_of "n$1" || begin_host n "$1"
	[ -n "$(of_program slurmd "n$1")" ] || start_daemon "n$1" slurmd -D -f "$state/slurm.conf" -N "n$1"
}

# The processes of a member, in whatever mode; those of one program.
members_pids() {
	if [ "$mode" = spaces ]; then
		pids_of "$1"
	else
		grep -lzxF -e "CLUSTER_MEMBER=$state:$1" /proc/[0-9]*/environ 2>/dev/null | cut -d / -f 3 | grep -vE "$(ancestors)"
	fi
}

of_program() { # PROGRAM NAME
	for one in $(members_pids "$2"); do
		[ "$(cat "/proc/$one/comm" 2>/dev/null)" != "$1" ] || echo "$one"
	done
}

are_idle() {
	[ "$(on head sinfo -h -p main -N -o %T 2>/dev/null | grep -cx idle)" = "$nodes" ]
}

# --- commands ------------------------------------------------------------------------------------------------------------------

require() {
	missing=
	for program in munged munge slurmctld slurmd srun; do
		command -v "$program" >/dev/null 2>&1 || missing="$missing $program"
	done
	[ -z "$missing" ] || give_up "not installed:$missing (Debian: apt install slurmctld slurmd slurm-client munge iproute2 util-linux)"
}

choose_mode() {
	mode=${CLUSTER_MODE:-spaces}
	case $mode in plain) return ;; spaces) ;; *) give_up "CLUSTER_MODE is spaces or plain, not '$mode'" ;; esac
	spaces_work && return
	[ -z "${CLUSTER_MODE-}" ] || give_up "CLUSTER_MODE=spaces: $refused"
	complain "the nodes are in plain mode: $refused"
	mode=plain
}

# Below what the kernel gives away by itself, and not the same for two that start at once.
choose_port() {
	port=$((10000 + $$ % 400 * 50))
	while awk -v "from=$port" -v "to=$((port + 49))" 'function number(hex,    i, n) { for (i = 1; i <= 4; i++) n = n * 16 + index("0123456789ABCDEF", substr(hex, i, 1)) - 1; return n }
		{ split($2, a, ":"); p = number(a[2]); if (p >= from && p <= to) taken = 1 } END { exit !taken }' /proc/net/tcp; do
		port=$((10000 + (port - 10000 + 50) % 20000))
	done
}

up() {
	nodes=${1:-2} cpus=${CLUSTER_CPUS:-4}
	is_number "$nodes" 40 || give_up "1 to 40 nodes"
	require
	choose_mode
	umask 022
	make_state
	trap 'exit 1' INT TERM HUP
	trap 'complain "it did not come up; logs:"; tail -n 5 "$state"/log/* >&2; take_down' EXIT
	port=0
	[ "$mode" = spaces ] || choose_port
	printf 'mode=%s nodes=%s port=%s\n' "$mode" "$nodes" "$port" >"$state/settings"
	write_configuration
	export SLURM_CONF="$state/slurm.conf"
	[ "$mode" = plain ] || begin_all n "$nodes"
	start_munge
	start_controller
	for node in $(seq "$nodes"); do start_node "$node"; done
	wait_until 60 are_idle || give_up "not all nodes are idle"
	end_with_owner
	trap - EXIT
	echo "cluster: $nodes node(s) idle, mode $mode, $cpus CPU(s) each; commands on it: sh $0 run srun -N $nodes hostname"
}

take_down() {
	if [ "$mode" = spaces ]; then
		end_all
	else
		for name in head $(seq -f 'n%g' "$nodes"); do
			all=$(members_pids "$name")
			# shellcheck disable=SC2086 # numbers
			signal_all KILL $all
			# shellcheck disable=SC2086
			wait_until 10 gone $all || complain "processes of $name do not end: $all"
		done
	fi
	rm -rf "$state"
}

node() { # WORD
	is_number "${1-}" "$nodes" || give_up "which node? 1 to $nodes"
}

only_in_spaces() {
	[ "$mode" = spaces ] || give_up "this is not possible in plain mode"
}

kill_programs() { # PROGRAM NAME
	# shellcheck disable=SC2046 # numbers
	signal_all KILL $(of_program "$1" "$2")
}

# shellcheck disable=SC2086 # numbers
kill_node() {
	if [ "$mode" = spaces ]; then
		end_space "n$1"
		return
	fi
	# What is just being started is found the next time.
	all=$(members_pids "n$1")
	while [ -n "$all" ]; do
		signal_all KILL $all
		wait_until 10 gone $all || give_up "processes do not end: $all"
		all=$(members_pids "n$1")
	done
}

[ $# -ge 1 ] || usage
word=$1
shift
take_state seamark-cluster
case $word in up) up "$@"; exit ;; -h | --help) usage ;; esac
is_up
export SLURM_CONF="$state/slurm.conf"
case $word in
down) take_down ;;
watch) watch_owner ;;
status)
	echo "cluster: $nodes node(s), mode $mode, in $state"
	(on head sinfo)
	(on head squeue)
	;;
run)
	[ $# -gt 0 ] || set -- "${SHELL:-sh}"
	on head "$@"
	;;
in)
	node "${1-}"
	name=n$1
	shift
	[ $# -gt 0 ] || set -- "${SHELL:-sh}"
	on "$name" "$@"
	;;
kill-controller) kill_programs slurmctld head ;;
start-controller) [ -n "$(of_program slurmctld head)" ] || start_controller ;;
pids | kill-node | crash-node | kill-slurmd | start-node | freeze | thaw | link-down | link-up)
	node "${1-}"
	case $word in
	pids) members_pids "n$1" ;;
	kill-node)
		[ "$mode" = plain ] || set_link "n$1" down
		kill_node "$1"
		;;
	crash-node) kill_node "$1" ;;
	kill-slurmd) kill_programs slurmd "n$1" ;;
	start-node) start_node "$1" ;;
	freeze) freeze "n$1" ;;
	thaw) thaw "n$1" ;;
	link-down) only_in_spaces; set_link "n$1" down ;;
	link-up) only_in_spaces; set_link "n$1" up ;;
	esac
	;;
*) usage ;;
esac
