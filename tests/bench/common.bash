# common.bash - what the scripts of the bench share: rows of ours against the peer's.
# The script sets root, bin, python (empty: no peers), smoke and work, a directory.

# shellcheck disable=SC2034,SC2154  # names of the script that loads this
seconds() { # seconds CMD ...: wall time of a command that prints nothing we want
	local from to
	from=$(date +%s.%N)
	"$@" >/dev/null 2>"$work/err" || { cat "$work/err" >&2; return 1; }
	to=$(date +%s.%N)
	awk -v a="$from" -v b="$to" 'BEGIN { printf "%.4f\n", b - a }'
}

best() { # best CMD ...: the shortest of three
	local i s least=
	for i in 1 2 3; do
		s=$(seconds "$@")
		least=$(awk -v a="$s" -v b="${least:-$s}" 'BEGIN { print a < b ? a : b }')
		if [ -n "$smoke" ]; then break; fi
	done
	echo "$least"
}

rate() { # rate BYTES SECONDS: MB/s, nothing of nothing
	[ -z "${2:-}" ] || awk -v n="$1" -v s="$2" 'BEGIN { print n / 1e6 / s }'
}

peer() { # peer WHAT ARG ...: the peer's figure, or nothing
	[ -n "$python" ] || return 0
	"$python" tests/bench/peer.py "$@" 2>/dev/null || echo
}

rows_done=0
row() { # row NAME OURS PEER UNIT BETTER: a line of the table
	rows_done=$((rows_done + 1))
	if [ -n "$smoke" ]; then
		echo "ok $rows_done - bench: $1"
	else
		awk -v name="$1" -v a="$2" -v b="$3" -v unit="$4" -v less="$5" 'BEGIN {
			if (b == "") printf "%-34s %10.3f %-8s\n", name, a, unit
			else printf "%-34s %10.3f %-8s peer %10.3f   %.2f x\n", name, a, unit, b, less ? b / a : a / b
		}'
	fi
}
