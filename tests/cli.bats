#!/usr/bin/env bats
# cli: what nxtools(7) says of all programs, tried on each of them.
load helper

# The small files of the examples, made once, in $S; the programs' names in $PROGS.
setup_file() {
	S=$BATS_FILE_TMPDIR/s
	mkdir "$S"
	BIN=$BIN "$ROOT/tests/small-files" "$S"
	PROGS=$(cd "$ROOT/bin" && printf '%s ' *.c)
	PROGS=${PROGS//.c/}
	export S PROGS
}

each() {
	unset NX_MODEL NX_TOKENIZER
	cp -r "$S"/. .
	# a model in the cache of the hub, which is not asked
	export HF_HUB_OFFLINE=1 HF_HUB_CACHE=cache
	mkdir -p cache/models--org--tiny/refs cache/models--org--tiny/snapshots/0123456789abcdef0123456789abcdef01234567
	printf 0123456789abcdef0123456789abcdef01234567 >cache/models--org--tiny/refs/main
}

# work_of PROG: sets ARGS and FILE, so that `PROG ARGS FILE` writes data to stdout.
# A new program needs a line here; nx-init and nx-merge write no data.
work_of() {
	case $1 in
	jsonl-template) ARGS=(-p qa) FILE=data.jsonl ;;
	bpe-train) ARGS=(--vocab-size 300) FILE=text.txt ;;
	bpe-encode) ARGS=(-T tokenizer.json) FILE=data.jsonl ;;
	bpe-decode) ARGS=(-T tokenizer.json) FILE=tokens.jsonl ;;
	pad-trunc) ARGS=(--max-length 8) FILE=tokens.jsonl ;;
	shard-cat) ARGS=() FILE=tokens.jsonl ;;
	split) ARGS=(--test-size 0.5 --test /dev/null) FILE=tokens.jsonl ;;
	nx-init) ARGS=(--config model/config.json -o) FILE=made ;;
	nx-merge) ARGS=(-o made -m) FILE=model ;;
	nx-info) ARGS=() FILE=model ;;
	nx-fetch) ARGS=() FILE=org/tiny ;;
	jsonl-table) ARGS=() FILE=data.jsonl ;;
	nx-plot) ARGS=() FILE=log.jsonl ;;
	nx-train) ARGS=(-q -m model --max-steps 1) FILE=tokens.jsonl ;;
	nx-eval) ARGS=(-m model) FILE=tokens.jsonl ;;
	api-generate) ARGS=(-m name --dry-run) FILE=data.jsonl ;;
	nx-generate) ARGS=(-m model --max-new-tokens 1) FILE=tokens.jsonl ;;
	*)
		echo "tests/cli.bats has no line for $1"
		return 1
		;;
	esac
}

writes_data() {
	case $1 in nx-init | nx-merge) return 1 ;; esac
}

# Programs whose operands are record or text files, and of these those with one data output.
filters() {
	for p in $PROGS; do
		case $p in nx-init | nx-merge | nx-info | nx-fetch) ;; *) echo "$p" ;; esac
	done
}

@test "every program has a line in this file" {
	[ -n "$PROGS" ]
	for p in $PROGS; do work_of "$p"; done
}

@test "--help and -h print usage on stdout and end with 0" {
	for p in $PROGS; do
		fails 0 "$BIN/$p" --help
		[ ! -s err ]
		says "usage: $p " out
		says "--version" out
		mv out long
		fails 0 "$BIN/$p" -h
		same long out
	done
}

@test "--help keeps to 80 columns" {
	for p in $PROGS; do
		"$BIN/$p" --help | awk -v p="$p" 'length > 80 && !/^usage: / { print p ": " $0; bad = 1 } END { exit bad }'
	done
}

@test "--version prints name and version" {
	for p in $PROGS; do
		fails 0 "$BIN/$p" --version
		grep -Eqx "$p \(nxtools\) [0-9]+\.[0-9]+\.[0-9]+" out
	done
}

@test "an unknown option ends with 2, a message and a hint" {
	for p in $PROGS; do
		for o in --no-such-option -Z; do
			fails 2 "$BIN/$p" "$o" </dev/null
			[ ! -s out ]
			says "$p: unknown option $o" err
			says "try: $p --help" err
		done
	done
}

@test "an input that is missing ends with 1 and its name" {
	for p in $PROGS; do
		work_of "$p"
		args=("${ARGS[@]}")
		if [ "$p" = nx-init ]; then args=(-o made --config); fi
		fails 1 "$BIN/$p" "${args[@]}" not/there
		grep -q "^$p: not/there.*: No such file or directory" err
		[ ! -s out ]
		[ ! -e made ]
	done
}

@test "-q and --quiet are accepted and leave stderr empty" {
	for p in $PROGS; do
		work_of "$p"
		for q in -q --quiet; do
			rm -rf made
			fails 0 "$BIN/$p" "$q" "${ARGS[@]}" "$FILE"
			[ ! -s err ]
		done
	done
}

@test "every long option may be written with underscores" {
	for p in $PROGS; do
		for o in $("$BIN/$p" --help | sed -n 's/^  .\{0,4\}--\([a-z0-9]*-[a-z0-9-]*\).*/\1/p'); do
			# a value, if the option wants one, is the first of the two; the other is unknown in any case
			fails 2 "$BIN/$p" "--${o//-/_}" --no-such-option --no-such-option </dev/null
			if grep -q "unknown option --${o//-/_}" err; then
				echo "$p does not take --${o//-/_}"
				return 1
			fi
		done
	done
}

@test "a full disk under stdout ends with 1 and says so" {
	for p in $PROGS; do
		work_of "$p"
		if ! writes_data "$p"; then continue; fi
		got=0
		"$BIN/$p" "${ARGS[@]}" "$FILE" >/dev/full 2>err || got=$?
		if [ "$got" -ne 1 ]; then echo "$p: exit status $got"; return 1; fi
		says "$p: stdout: No space left on device" err
		for o in --help --version; do
			got=0
			"$BIN/$p" "$o" >/dev/full 2>err || got=$?
			[ "$got" -eq 1 ]
			says "$p: stdout: No space left on device" err
		done
	done
}

# gone HOW: env HOW=PIPE runs each program, whose reader has gone
gone() {
	local p got
	for p in $PROGS; do
		work_of "$p"
		if ! writes_data "$p"; then continue; fi
		# the one reader has opened the pipe and gone before the program begins: in a
		# pipeline of the shell's the shell itself may hold the reader's end a while longer
		: <gate &
		exec 4>gate
		wait $!
		got=0
		env "$1=PIPE" "$BIN/$p" -q "${ARGS[@]}" "$FILE" >&4 4>&- 2>err || got=$?
		exec 4>&-
		if [ "$got" -ne 141 ]; then echo "$1: $p: exit status $got"; return 1; fi
		grep -v '^$' err || continue
		echo "$p: said that"
		return 1
	done
}

@test "a reader that has gone ends a program silently by SIGPIPE, also where its caller wants none" {
	local caller
	mkfifo gate
	for caller in --default-signal --ignore-signal --block-signal; do gone "$caller"; done
}

@test "no operand and the operand - are standard input" {
	for p in $(filters); do
		work_of "$p"
		fails 0 "$BIN/$p" -q "${ARGS[@]}" "$FILE"
		mv out want
		for dash in - ''; do
			fails 0 "$BIN/$p" -q "${ARGS[@]}" ${dash:+-} <"$FILE"
			# nx-train prints the name of a directory, with the time in it
			if [ "$p" != nx-train ]; then same want out; fi
		done
	done
}

@test "several operands are read one after the other" {
	for p in $(filters); do
		work_of "$p"
		# no records, one curve a file, and a shuffle
		case $p in nx-train | nx-plot | split) continue ;; esac
		cat "$FILE" "$FILE" >both
		fails 0 "$BIN/$p" -q "${ARGS[@]}" both
		mv out want
		fails 0 "$BIN/$p" -q "${ARGS[@]}" "$FILE" "$FILE"
		same want out
	done
}

@test "-o writes what stdout would get, and leaves nothing when it fails" {
	for p in $(filters); do
		work_of "$p"
		if [ "$p" = nx-train ] || ! "$BIN/$p" --help | grep -q -- '-o, --output FILE'; then continue; fi
		fails 0 "$BIN/$p" -q "${ARGS[@]}" "$FILE"
		mv out want
		fails 0 "$BIN/$p" -q "${ARGS[@]}" -o made "$FILE"
		[ ! -s out ]
		same want made
		rm made
		fails 1 "$BIN/$p" -q "${ARGS[@]}" -o made "$FILE" not/there
		[ ! -e made ]
		fails 1 "$BIN/$p" -q "${ARGS[@]}" -o no/such/dir/made "$FILE"
		says "no/such/dir/made: No such file or directory" err
	done
}

@test "compressed input is read as what it holds" {
	for p in $(filters); do
		work_of "$p"
		fails 0 "$BIN/$p" -q "${ARGS[@]}" "$FILE"
		mv out want
		zstd -q -f "$FILE" -o small.zst
		fails 0 "$BIN/$p" -q "${ARGS[@]}" small.zst
		if [ "$p" != nx-train ]; then same want out; fi
		head -c 200 small.zst >cut.zst
		fails 1 "$BIN/$p" -q "${ARGS[@]}" cut.zst
		says "$p: cut.zst: " err
	done
}

@test "a closed stdin or stdout is an error, and no other file takes its place" {
	for p in $(filters); do
		work_of "$p"
		fails 1 "$BIN/$p" "${ARGS[@]}" <&-
		says "$p: stdin: Bad file descriptor" err
	done
	for p in $PROGS; do
		work_of "$p"
		if ! writes_data "$p"; then continue; fi
		got=0
		"$BIN/$p" "${ARGS[@]}" "$FILE" >&- 2>err || got=$?
		if [ "$got" -ne 1 ]; then echo "$p: exit status $got"; return 1; fi
		says "$p: stdout: Bad file descriptor" err
		"$BIN/$p" "${ARGS[@]}" "$FILE" >/dev/null 2>&-
	done
}

@test "a directory is no input, and no output file" {
	mkdir dir
	for p in $(filters); do
		work_of "$p"
		fails 1 "$BIN/$p" "${ARGS[@]}" dir
		says "$p: dir: Is a directory" err
		if [ "$p" = nx-train ] || ! "$BIN/$p" --help | grep -q -- '-o, --output FILE'; then continue; fi
		fails 1 "$BIN/$p" "${ARGS[@]}" -o dir "$FILE"
		says "$p: dir: Is a directory" err
		fails 1 "$BIN/$p" "${ARGS[@]}" -o none/out "$FILE"
		says "$p: none/out: No such file or directory" err
	done
}

@test "a byte-order mark, CRLF and a missing last newline change nothing" {
	for p in $(filters); do
		work_of "$p"
		case $FILE in *.jsonl) ;; *) continue ;; esac
		if [ "$p" = nx-train ]; then continue; fi # it prints a name with the time in it
		fails 0 "$BIN/$p" "${ARGS[@]}" "$FILE"
		mv out want
		{ printf '\357\273\277' && sed 's/$/\r/' "$FILE" | head -c -2; } >odd
		fails 0 "$BIN/$p" "${ARGS[@]}" odd
		same want out
	done
}

@test "a NUL byte, half a line and a value that is no record are errors with their line" {
	for p in $(filters); do
		work_of "$p"
		case $FILE in *.jsonl) ;; *) continue ;; esac
		for bad in '{"text": \0}' '{"text": "a", "input_ids": [1]' '[1]' '7'; do
			# shellcheck disable=SC2059  # \0 is for printf
			{ head -n 1 "$FILE" && printf "$bad"; } >odd
			fails 1 "$BIN/$p" "${ARGS[@]}" odd
			says "$p: odd:2: " err
			[ "$(wc -l <err)" = 1 ]
		done
	done
}
