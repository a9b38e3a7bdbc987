# tap.sh - what tests/harness/tap.h is, for tests that are shell scripts:
#     . "${srcdir:-.}/tests/harness/tap.sh"
#     ok "a file is there" test -e file
#     tap_done
# shellcheck shell=sh
tap_count=0
tap_failed=0

# ok NAME COMMAND...: the check passes when the command does; what it said is
# shown when it does not.
ok() {
    tap_name=$1
    shift
    tap_count=$((tap_count + 1))
    if tap_said=$("$@" 2>&1); then
        echo "ok $tap_count - $tap_name"
        return 0
    fi
    tap_failed=$((tap_failed + 1))
    echo "not ok $tap_count - $tap_name"
    echo "command: $*" | sed 's/^/# /'
    echo "$tap_said" | sed 's/^/# /'
    return 1
}

# fails COMMAND...: succeed when it does not.
fails() {
    ! "$@"
}

# says TEXT COMMAND...: succeed when what it prints, in whichever stream, has the
# text in it; its own status does not matter.
says() {
    tap_text=$1
    shift
    tap_output=$("$@" 2>&1) || :
    case $tap_output in
    *"$tap_text"*) return 0 ;;
    esac
    echo "$tap_output"
    return 1
}

# skip NAME WHY: a check that cannot be made here.
skip() {
    tap_count=$((tap_count + 1))
    echo "ok $tap_count - $1 # SKIP $2"
}

# checks_threads: is this a build with ThreadSanitizer? It makes a program some 20
# times slower, and has nothing to find where there is one thread.
checks_threads() {
    case ${SANITIZER_CFLAGS-} in
    *=thread*) return 0 ;;
    esac
    return 1
}

tap_done() {
    echo "1..$tap_count"
    [ "$tap_failed" = 0 ]
    exit
}
