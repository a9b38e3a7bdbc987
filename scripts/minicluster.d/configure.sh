# Part of scripts/minicluster: the files in DIR/etc.
# shellcheck shell=bash
# shellcheck disable=SC2154 # dir, and what cluster_plan sets

# conf_common: the lines of slurm.conf that do not depend on the nodes, quicker
# in every respect than those of a real site. permit_job_expansion and
# JobCompType are there for tests that grow a job, or ask how one ended.
conf_common() {
    local me=$1
    cat <<END
ClusterName=mini
SlurmctldHost=$(hostname)($controller)
SlurmctldPort=$controller_port
AuthType=auth/munge
CredType=cred/munge
AuthInfo=socket=$dir/run/munge.sock
SlurmUser=$me
SlurmdUser=$me
StateSaveLocation=$dir/ctld
SlurmdSpoolDir=$dir/node/%n/spool
TmpFS=$dir/node/%n/tmp
SlurmctldPidFile=$dir/run/slurmctld.pid
SlurmdPidFile=$dir/node/%n/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.%n.log
SlurmctldDebug=info
SlurmdDebug=info
ProctrackType=proctrack/pgid
JobCompType=jobcomp/filetxt
JobCompLoc=$dir/log/jobcomp.txt
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SchedulerType=sched/backfill
SchedulerParameters=permit_job_expansion,batch_sched_delay=0,sched_interval=2,bf_interval=2${MINI_SCHED:+,$MINI_SCHED}
PriorityType=priority/basic
MpiDefault=none
ReturnToService=2
SlurmdParameters=config_overrides
SlurmdTimeout=10
SlurmctldTimeout=10
MessageTimeout=10
KillWait=5
InactiveLimit=0
MinJobAge=600
ResumeTimeout=60
END
}

# conf_override FILE: MINI_CONF's lines, each instead of the one with its key.
conf_override() {
    local line key
    local IFS=';'
    for line in ${MINI_CONF-}; do
        key=${line%%=*}
        [ -n "$key" ] || continue
        sed -i "/^$key=/Id" "$1"
        echo "$line" >>"$1"
    done
}

# node_extra I: more words for node I. Where the user says none for any node, a
# cluster of 3 and more has one node with a feature and one with two GPUs.
node_extra() {
    local i name any=
    for ((i = 1; i <= nodes; i++)); do
        name=MINI_NODE_$i
        [ -z "${!name-}" ] || any=1
    done
    name=MINI_NODE_$1
    if [ -n "$any" ] || [ "$nodes" -lt 3 ]; then
        echo "${!name-}"
    elif [ "$1" = "$nodes" ]; then
        echo "Feature=gpu Gres=gpu:fake:2"
    elif [ "$1" = $((nodes - 1)) ]; then
        echo "Feature=arm"
    fi
}

# conf_node I: the node's line.
conf_node() {
    local address
    if [ "$mode" = netns ]; then
        address="NodeAddr=$net.$1 Port=6818"
    else
        address="NodeHostName=localhost NodeAddr=127.0.0.1 Port=${ports[$1]}"
    fi
    echo "NodeName=node$1 $address CPUs=${MINI_CPUS:-2}" \
        "RealMemory=${MINI_MEM:-1000} $(node_extra "$1")"
}

# conf_gpus I: lines of gres.conf for a node with Gres=gpu[:TYPE][:COUNT]. No
# GPU is needed, but SLURM refuses GPUs without device files, sets
# CUDA_VISIBLE_DEVICES for character devices only, and wants each to be another.
conf_gpus() {
    local spec type='' count=1 devices i
    spec=$(node_extra "$1" | grep -io 'gres=gpu[^ ,]*') || return 0
    spec=${spec#*gpu}
    case ${spec##*:} in
    '' | *[!0-9]*) ;;
    *)
        count=${spec##*:}
        spec=${spec%:*}
        ;;
    esac
    [ -z "$spec" ] || type="Type=${spec#:}"
    devices=(/dev/null /dev/zero /dev/full /dev/random /dev/urandom /dev/tty)
    [ "$count" -le ${#devices[@]} ] || die "node$1: at most ${#devices[@]} GPUs"
    for ((i = 0; i < count; i++)); do
        echo "NodeName=node$1 Name=gpu $type File=${devices[i]}"
    done
}

# configure_slurm: write slurm.conf, gres.conf and cgroup.conf.
configure_slurm() {
    local i conf=$dir/etc/slurm.conf
    conf_common "$(id -un)" >"$conf"
    conf_override "$conf"
    : >"$dir/etc/gres.conf"
    for ((i = 1; i <= nodes; i++)); do
        conf_gpus $i >>"$dir/etc/gres.conf"
    done
    [ ! -s "$dir/etc/gres.conf" ] || echo GresTypes=gpu >>"$conf"
    for ((i = 1; i <= nodes; i++)); do
        conf_node $i >>"$conf"
    done
    tr ';' '\n' <<<"${MINI_PARTS:-PartitionName=main Nodes=node[1-$nodes] Default=YES MaxTime=INFINITE State=UP}" \
        >>"$conf"
    tr ';' '\n' <<<"${MINI_CGROUP-}" >"$dir/etc/cgroup.conf"
}

# configure_names: what a node sees as /etc/hosts and /etc/resolv.conf. It has no
# way out, and without the latter a look-up waits 10 s for a name server.
configure_names() {
    local i
    {
        echo "127.0.0.1 localhost"
        echo "::1 localhost"
        if [ "$mode" = netns ]; then
            echo "$controller $(hostname)"
            for ((i = 1; i <= nodes; i++)); do
                echo "$net.$i node$i"
            done
        fi
    } >"$dir/etc/hosts"
    echo "nameserver 127.0.0.1" >"$dir/etc/resolv.conf"
}
