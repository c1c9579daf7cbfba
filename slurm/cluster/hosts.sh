#!/bin/sh
# SPDX-License-Identifier: BSD-3-Clause
# hosts.sh: several hosts on this machine for mpirun, without Slurm, to try things and to test them. docs/cluster.md tells more. Needs root: the hosts are made of namespaces.
#
#     sh hosts.sh up 2                          2 hosts: h1 h2
#     sh hosts.sh run mpirun -n 4 ./program     2 ranks on each; without a command: a shell
#     sh hosts.sh kill 2                        host 2 loses its power
#     sh hosts.sh down
#
# mpirun runs on a third host, the head. Everything is in one folder, CLUSTER_STATE (/tmp/seamark-hosts-USER), which `down` removes; other hosts have other folders.
# HOSTS_SLOTS is how many ranks a host is to have (2); CLUSTER_WITH the number of a process, with which the hosts end.
set -u
tool=hosts
here=$(cd "$(dirname "$0")" && pwd)
PATH=$PATH:/usr/sbin:/sbin
# shellcheck source-path=SCRIPTDIR source=spaces.sh
. "$here/spaces.sh"

usage() {
	cat <<'END'
usage: hosts.sh up [N]             N hosts (2): h1, h2, ...
       hosts.sh down               ends them, with everything that runs on them, and removes their folder
       hosts.sh status             which are there
       hosts.sh run [COMMAND...]   a command (a shell) on the head; mpirun and mpiexec find the hosts there
       hosts.sh in K [COMMAND...]  ... on host K
       hosts.sh pids K             its processes, as this machine numbers them
       hosts.sh kill K             power failure: the link is cut, then every process of host K is killed
       hosts.sh crash K            every process of host K is killed; its kernel closes their connections
       hosts.sh start K
       hosts.sh freeze K, thaw K   stops all its processes; lets them go on
       hosts.sh link-down K, link-up K
       hosts.sh rsh NAME COMMAND   what mpirun starts its daemons by
END
	exit 2
}

up() {
	count=${1:-2}
	is_number "$count" 40 || give_up "1 to 40 hosts"
	spaces_work || give_up "hosts cannot be made: $refused"
	umask 022
	make_state
	trap 'exit 1' INT TERM HUP
	trap 'end_all; rm -rf "$state"' EXIT
	echo "count=$count" >"$state/settings"
	for host in $(seq "$count"); do
		echo "h$host slots=${HOSTS_SLOTS:-2}" >>"$state/openmpi"
		echo "h$host:${HOSTS_SLOTS:-2}" >>"$state/mpich"
	done
	printf '#!/bin/sh\nexport CLUSTER_STATE=%s\nexec sh "%s/hosts.sh" rsh "$@"\n' "$state" "$here" >"$state/rsh"
	chmod 755 "$state/rsh"
	begin_all h "$count"
	for host in $(seq "$count"); do begin_host h "$host"; done
	end_with_owner
	trap - EXIT
	echo "hosts: $count host(s); commands on their head: sh $0 run mpirun -n $((count * ${HOSTS_SLOTS:-2})) hostname"
}

# mpirun's daemons find it by what it tells them; it finds the hosts by the names in /etc/hosts of the head. A host that is silent is missed after 6 s (Open MPI's own: 5 min).
on_head() {
	enter head env "TMPDIR=$state/host/head/tmp" OMPI_MCA_plm=rsh "OMPI_MCA_plm_rsh_agent=$state/rsh" \
		"OMPI_MCA_orte_default_hostfile=$state/openmpi" OMPI_MCA_oob_tcp_keepalive_time=3 OMPI_MCA_oob_tcp_keepalive_intvl=1 \
		OMPI_MCA_oob_tcp_keepalive_probes=3 HYDRA_LAUNCHER=ssh "HYDRA_LAUNCHER_EXEC=$state/rsh" "HYDRA_HOST_FILE=$state/mpich" "$@"
}

# As ssh does it: a shell is to read what the words are put together, of the environment here it has nothing, and of a host that lost its power nothing is heard for a long time.
rsh() {
	while :; do
		case ${1-} in -x | -n | -q) shift ;; -l) shift 2 ;; *) break ;; esac
	done
	name=$1
	shift
	cut=$state/host/$name/cut
	[ ! -e "$cut" ] || exec sleep 120
	(enter "$name" env -i "HOME=${HOME-/}" "PATH=$PATH" "TMPDIR=$state/host/$name/tmp" sh -c "$*")
	status=$?
	[ ! -e "$cut" ] || exec sleep 120
	exit "$status"
}

host() { # WORD
	is_number "${1-}" "$count" || give_up "which host? 1 to $count"
	name=h$1
}

[ $# -ge 1 ] || usage
word=$1
shift
take_state seamark-hosts
case $word in up) up "$@"; exit ;; -h | --help) usage ;; esac
is_up
case $word in
down)
	end_all
	rm -rf "$state"
	;;
watch) watch_owner ;;
status)
	echo "hosts: in $state"
	for host in $(seq "$count"); do
		if space_of "h$host"; then echo "h$host $net.$host"; else echo "h$host is down"; fi
	done
	;;
run)
	[ $# -gt 0 ] || set -- "${SHELL:-sh}"
	on_head "$@"
	;;
rsh) rsh "$@" ;;
in | pids | kill | crash | start | freeze | thaw | link-down | link-up)
	host "${1-}"
	[ $# -eq 0 ] || shift
	case $word in
	in)
		[ $# -gt 0 ] || set -- "${SHELL:-sh}"
		enter "$name" env "TMPDIR=$state/host/$name/tmp" "$@"
		;;
	pids) pids_of "$name" ;;
	kill)
		! space_of "$name" || { set_link "$name" down; : >"$state/host/$name/cut"; }
		end_space "$name"
		;;
	crash) end_space "$name" ;;
	start)
		rm -f "$state/host/$name/cut"
		space_of "$name" || begin_host h "${name#h}"
		;;
	freeze) freeze "$name" ;;
	thaw) thaw "$name" ;;
	link-down) set_link "$name" down ;;
	link-up) set_link "$name" up ;;
	esac
	;;
*) usage ;;
esac
