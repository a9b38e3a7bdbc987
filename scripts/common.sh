# What the scripts share; read with `.` from the top of the tree.
# shellcheck shell=sh

# find_tool NAME VERSION: print the command, NAME-VERSION or a NAME of that
# version, or say in one sentence how to get it.
find_tool() {
    if command -v "$1-$2"; then
        return 0
    fi
    if command -v "$1" >/dev/null && "$1" --version | grep -q "version $2\."; then
        command -v "$1"
        return 0
    fi
    echo "$1 of version $2 is needed: scripts/install-packages test" >&2
    return 1
}

# list_sources PATTERN...: print the C sources of the tree, golden inputs and
# expected outputs apart, one a line.
list_sources() {
    for pattern; do
        find include runtime annotations apps tests -name "$pattern" \
            ! -path '*/golden/*' 2>/dev/null
    done | sort
}

# The flags with which a source of the tree compiles for a checker, where
# nothing was configured.
lint_cflags() {
    printf '%s ' -std=c11 -D_GNU_SOURCE -Iinclude -Iruntime -Iannotations -Itests -Iapps -I.
    if command -v llvm-config-14 >/dev/null; then
        printf '%s ' -isystem "$(llvm-config-14 --includedir)"
    fi
    pkg-config --cflags openblas hwloc 2>/dev/null || :
    pkg-config --cflags ompi-c 2>/dev/null | sed 's/-I */-isystem /g' || :
    echo '-DCST_MODULES="modules"'
}

# cores: print how many processes to run at one time.
cores() {
    nproc 2>/dev/null || echo 2
}

# copy_tree FROM TO: copy what belongs to the tree, not what was built in it:
# the files that git knows or would add or, without git, all but build products.
copy_tree() {
    mkdir -p "$2"
    if git -C "$1" ls-files -z --cached --others --exclude-standard >"$2.list" 2>/dev/null; then
        # A file that was removed but not yet committed is still listed.
        (cd "$1" && xargs -0 sh -c 'for f; do [ ! -e "$f" ] || printf "%s\0" "$f"; done' - \
            <"$2.list") >"$2.there"
        tar -C "$1" --null -T "$2.there" -cf - | tar -C "$2" -xf -
        rm -f "$2.list" "$2.there"
    else
        rm -f "$2.list"
        tar -C "$1" --exclude='./build*' --exclude=./.git --exclude='*.o' \
            --exclude='*.lo' --exclude='*.la' -cf - . | tar -C "$2" -xf -
    fi
    chmod -R u+w "$2"
}

# forget_environment: unset what would change a build or a run.
forget_environment() {
    unset MAKEFLAGS MFLAGS MAKELEVEL DESTDIR CC CXX CPP CFLAGS CXXFLAGS CPPFLAGS
    unset LDFLAGS LIBS OMP_NUM_THREADS OPENBLAS_NUM_THREADS LD_PRELOAD
    for variable in $(env | sed -n 's/^\(CASTELL_[A-Z_0-9]*\)=.*/\1/p'); do
        unset "$variable"
    done
}
