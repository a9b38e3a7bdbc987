#!/bin/bash
# The command line of `castell`: help that fits a screen, one sentence for what
# is wrong, exit status 2.
set -u
srcdir=${srcdir:-.}
# shellcheck source=tests/harness/tap.sh
. "$srcdir/tests/harness/tap.sh"
# shellcheck source=tests/launch/common.sh
. "$srcdir/tests/launch/common.sh"
trap 'rm -rf "$work"' EXIT

fits_a_screen() {
    "$castell" "$@" >"$work/help" && [ -s "$work/help" ] &&
        [ "$(wc -l <"$work/help")" -le 24 ] && [ "$(wc -L <"$work/help")" -le 80 ]
}

# refused SENTENCE ARGUMENT...
refused() {
    local sentence=$1
    shift
    gives 2 "$castell" "$@" >"$work/said" 2>&1 || { cat "$work/said" && return 1; }
    same "$(cat "$work/said")" "$sentence"
}

for what in "" run submit; do
    ok "castell $what --help fits a screen" fits_a_screen ${what:+"$what"} --help
done
ok "a version" says "castell 0" "$castell" --version
ok "no subcommand" gives 2 "$castell"
ok "an unknown one" \
    refused "castell: there is no subcommand rnu; did you mean run?" rnu
ok "one that is like none" \
    refused "castell: there is no subcommand bake; castell --help lists what there is" bake
ok "an unknown option" \
    refused "castell run: there is no option --carier; did you mean --carrier?" run --carier mpi x
ok "no program" \
    refused "castell run: which program? castell run ./program" run -n 2
ok "no number" says '-n is "two"' "$castell" run -n two x
ok "nor is that one" gives 2 "$castell" run -n two x
ok "an unknown carrier" \
    refused 'castell run: --carrier is auto, mpi or tcp, not "pigeon"' run --carrier pigeon x
ok "no host" refused "castell run: --hosts needs names with commas between: --hosts a,b,c" \
    run --hosts , x
ok "an option for a host" refused "castell run: --hosts: -oProxyCommand=x is no name of a host" \
    run --hosts -oProxyCommand=x x
ok "nobody to run tasks" refused \
    "castell run: with --no-master-tasks and no worker nobody would run tasks; give -n" \
    run --no-master-tasks x
ok "no such program" gives 127 run ./nowhere
ok "and a sentence" says "castell: there is no program ./nowhere" run ./nowhere
cd "$work" || exit 99
printf '#!/bin/sh\n' >here
ok "not executable" gives 126 run ./here
chmod +x here
ok "not in PATH, but here" says "did you mean ./here?" run here
ok "no directory for the run" says "cannot use the directory $work/none" \
    "$castell" run --dir "$work/none" ./here
ok "the program's own options are its own" gives 0 run -n 0 ./here --help -n x
if "$castell" run --carrier mpi 2>&1 | grep -q "built without MPI"; then
    ok "no MPI" refused "castell run: --carrier is mpi, but castell was built without MPI: use tcp or auto" \
        run --carrier mpi -n 1 ./here
else
    ok "no mpirun" says "castell: there is no mpirun in PATH, which --carrier=mpi needs" \
        env PATH="$work" "$castell" run --carrier mpi -n 1 ./here
fi
ok "no mpirun, but nobody insists" gives 0 env PATH="$work" "$castell" run \
    --dir "$work/runs" -n 1 /bin/true
ok "started by hand" refused "castell process: it is for castell run, which uses it on each node" \
    process ./here
ok "nothing is left" nothing_left
tap_done
