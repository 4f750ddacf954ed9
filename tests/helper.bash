# helper.bash - loaded by every bats file: `load helper`.
# BIN is where the programs are (the check runs everything twice: plain and
# sanitized), T an empty directory of the test's own, ROOT the repository.
# SHARED is set when the guide's data set and tokenizer are there.
ROOT=$(cd "$BATS_TEST_DIRNAME/.." && pwd)
BIN=${BIN:-$ROOT/bin}
case $BIN in /*) ;; *) BIN=$ROOT/$BIN ;; esac
SHARED=
for d in "${NXTOOLS_DATA:-}" "$ROOT/../shared/data"; do
	if [ -n "$d" ] && [ -e "$d/lamini_docs.jsonl" ] && [ -e "$d/pythia.tokenizer.json" ]; then
		SHARED=$(cd "$d" && pwd)
		break
	fi
done
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:allocator_may_return_null=1}
# the user's own cache is not touched
export NX_CACHE=${NX_CACHE:-$BATS_RUN_TMPDIR/cache}
bats_require_minimum_version 1.5.0

setup() {
	T=$BATS_TEST_TMPDIR
	cd "$T" || exit 1
	if declare -F each >/dev/null; then each; fi # a file's own set-up
}

# need_shared: first line of a test on the real files; they are not on every machine.
need_shared() {
	if [ -z "$SHARED" ]; then skip "the guide's data set is not on this machine"; fi
}

# need_corpora: for tests on whole corpora, which are large and not in the repository.
need_corpora() {
	if [ -z "${NXTOOLS_CORPORA:-}" ]; then skip "NXTOOLS_CORPORA names no directory of corpora"; fi
}

# says TEXT FILE: FILE holds the line TEXT somewhere, literally.
says() {
	grep -qF -- "$1" "$2" || {
		echo "not found: $1"
		echo "in:"
		cat "$2"
		return 1
	}
}

# serve [ROOT]: for setup_file: starts the server of tests/net/server.c. Its services and hubs are
# $URL/MODE and, another host, $OTHER/MODE; it writes what it is asked to $LOG. teardown_file calls served.
serve() {
	local server=$ROOT/build/rel/server port other
	case $BIN in */build/*/bin) server=${BIN%/bin}/server ;; esac
	export LOG=$BATS_FILE_TMPDIR/log URL OTHER SERVER_PID
	"$server" "$LOG" "$@" >"$BATS_FILE_TMPDIR/ports" 3>&- &
	SERVER_PID=$!
	for _ in $(seq 100); do
		if read -r port other <"$BATS_FILE_TMPDIR/ports"; then break; fi
		sleep 0.05
	done
	URL=http://127.0.0.1:$port OTHER=http://127.0.0.1:$other
	: "$OTHER"
}

served() {
	kill "$SERVER_PID"
}

# same WANT GOT: two files are equal to the byte.
same() {
	cmp "$1" "$2" || {
		diff <(od -c "$1") <(od -c "$2") | head -20
		return 1
	}
}

# fails STATUS CMD ...: runs CMD with stdout in ./out and stderr in ./err and wants this exit status.
fails() {
	local want=$1 got=0
	shift
	"$@" >out 2>err || got=$?
	if [ "$got" -ne "$want" ]; then
		echo "exit status $got instead of $want: $*"
		cat err
		return 1
	fi
}

# await CMD ...: until it succeeds, two minutes at most: a machine may be busy, and a program run by valgrind.
await() {
	for _ in $(seq 2400); do
		if "$@"; then return; fi
		sleep 0.05
	done 2>/dev/null
	echo "in vain: $*"
	return 1
}

# sanitized: whether the programs are built with a sanitizer; training takes ten times as long then.
sanitized() {
	nm -D "$BIN/nx-info" 2>/dev/null | grep -q __asan_init
}

# need_preload: for tests under LD_PRELOAD; a sanitizer has an allocator of its own.
need_preload() {
	if sanitized; then skip "the programs are built with a sanitizer"; fi
}

# need_deep: for tests that take minutes or gigabytes: NX_DEEP is set by make check-deep.
need_deep() {
	if [ -z "${NX_DEEP:-}" ]; then skip "a long one, for make check-deep"; fi
}
