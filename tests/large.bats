#!/usr/bin/env bats
# large: records as large as no one writes them, through every program that reads JSON: the right
# result or an error in one line, in memory that the record bounds. NX_DEEP=1 (make check-deep): of a gigabyte.
load helper

setup_file() {
	serve
	cc -O1 -D_GNU_SOURCE -o "$BATS_FILE_TMPDIR/peak" "$BATS_TEST_DIRNAME/fault/peak.c"
}
teardown_file() { served; }

each() {
	export LC_ALL=C TMPDIR=$T OPENBLAS_NUM_THREADS=1
	local tok=$ROOT/tests/golden/variants/gpt2.json
	"$BIN/nx-init" -q -V 700 --hidden 8 --layers 1 --heads 2 --ffn 8 --rotary-pct 1 --max-position 64 -T "$tok" -o m
	# keeps: the output has the record's other fields, as they were
	PROGRAMS=(
		"keeps bpe-encode -q -T $tok" "uses bpe-encode -q -s -T $tok" "uses bpe-decode -q -T $tok"
		"uses bpe-train -q -V 300 -f text -o made" "keeps jsonl-template -q -p qa" "uses jsonl-table -q -c question"
		"keeps pad-trunc -q -T $tok -n 8" "uses split -q --test-size 1 --train made --test made2"
		"uses split -q --by question --test-size 0.5 --train made --test made2"
		"uses shard-cat -q -t shard --vocab-size 700" "keeps shard-cat -q -t jsonl" "uses nx-eval -q -m m"
		"keeps nx-generate -q -m m --max-new-tokens 2" "uses nx-train -q -m m --max-steps 1 -o made"
		"uses nx-plot -q" "keeps api-generate -q -m x -u $URL/ok/v1 -j 1")
}

# record: one for all programs, whose field "x" has what comes in.
record() {
	printf '{"question": "a", "answer": "b", "text": "a token", "input_ids": [1, 2, 3], "labels": [1, 2, 3], '
	printf '"attention_mask": [1, 1, 1], "loss": 1, "step": 1, "x": '
	cat
	printf '}\n'
}

# through FILE STATUS CHECK ...: each program takes FILE and ends so; behind those that keep what they
# do not know, CHECK ... says whether ./out has it. Their peaks are told, in kB.
through() {
	local file=$1 want=$2 program status keeps rc=0
	shift 2
	for program in "${PROGRAMS[@]}"; do
		read -r keeps program <<<"$program"
		rm -rf made made2
		status=0
		# shellcheck disable=SC2086  # words of a command
		"$BATS_FILE_TMPDIR/peak" peak "$BIN/"$program <"$file" >out 2>err || status=$?
		echo "# ${program%% *}: status $status, $(cat peak) kB"
		if [ "$status" != "$want" ] || [ "$(wc -l <err)" != "$status" ] || [ "$(cat peak)" -gt "$MOST" ]; then
			echo "$program: $(head -c 300 err)"
			rc=1
		elif [ "$keeps$want" = keeps0 ] && ! "$@"; then
			echo "$program: does not keep what it was given"
			rc=1
		fi
	done
	return $rc
}

# room KB: what a program may hold; a sanitizer holds more.
room() {
	MOST=$1
	case $BIN in *san*) MOST=$((MOST * 10)) ;; esac
}

has_fields() { [ "$(grep -o '"k[0-9]*": [0-9]*' out | awk -F'[k":]+' '{ n += $2 == $3 + 0 } END { print n }')" = "$1" ]; }
has_digits() { grep -qE '"x": 7{10000}[,}]' out; }
has_bytes() { [ "$(stat -c %s out)" -ge "$1" ]; }

# fields N: a record with so many more of them
fields() { awk -v n="$1" 'BEGIN { printf "0"; for (i = 0; i < n; i++) printf ", \"k%d\": %d", i, i }' | record; }

@test "a million fields" {
	local n=1000000
	case $BIN in *san*) n=100000 ;; esac
	{ printf 0 | record && fields $n; } >in
	room 250000
	through in 0 has_fields $n
}

@test "numbers of ten thousand digits" {
	{ printf 0 | record && printf '7%.0s' $(seq 10000) | record; } >in
	room 60000
	through in 0 has_digits
	# where the number itself is wanted it is refused
	for f in input_ids attention_mask labels; do
		printf '{"input_ids": [1], "attention_mask": [1], "%s": [%s]}\n' $f "$(printf '7%.0s' $(seq 10000))" >in
		fails 1 "$BIN/shard-cat" -q -t shard --vocab-size 700 in
		[ "$(wc -l <err)" = 1 ]
	done
}

@test "nesting a hundred thousand deep" {
	{ printf '[%.0s' $(seq 100000) && printf ']%.0s' $(seq 100000); } | record >in
	room 60000
	through in 1
	says 'nested too deep' err
}

@test "a model's files: deep, wide, and with numbers of ten thousand digits" {
	local f digits deep
	digits=$(printf '7%.0s' $(seq 10000))
	deep=$(printf '[%.0s' $(seq 100000) && printf ']%.0s' $(seq 100000))
	for f in config.json generation_config.json tokenizer.json; do
		rm -rf bad
		cp -r m bad
		{ echo "{\"x\": $deep," && tail -c +2 m/config.json; } >bad/$f
		fails 1 "$BIN/nx-generate" -q -m bad -p a
		[ "$(wc -l <err)" = 1 ]
		says "nx-generate: bad/$f: " err
		says 'nested too deep' err
	done
	sed 's/"hidden_size": 8/"hidden_size": '"$digits"'/' m/config.json >config.json
	fails 1 "$BIN/nx-info" config.json
	says 'nx-info: config.json: "hidden_size"' err
	[ "$(wc -l <err)" = 1 ]
}

@test "a line of a gigabyte" {
	need_deep
	need_preload
	{ printf 0 | record && { printf '"' && head -c 1000000000 /dev/zero | tr '\0' a && printf '"'; } | record; } >in
	room 4200000
	through in 0 has_bytes 1000000000
}

@test "a text of a gigabyte" {
	need_deep
	need_preload
	local tok=$ROOT/tests/golden/variants/gpt2.json
	{ printf '{"text": "' && yes 'some words of a text, again and again,' | tr '\n' ' ' | head -c 1000000000 && printf '"}\n'; } >in
	room 5000000
	PROGRAMS=("uses bpe-encode -q -s -T $tok")
	through in 1 # 692 million tokens
	says "tokens are more than a shard's record holds (268435455)" err
	PROGRAMS=("uses bpe-train -q -V 300 -o made")
	through in 0
	{ head -c 300000000 in && printf '"}\n'; } >less
	"$BIN/bpe-encode" -q -s -T "$tok" less | "$BIN/bpe-decode" -q -T "$tok" | cmp - <(sed 's/{"text": "//; s/"}$//' less)
}

@test "a word of a hundred megabytes" {
	need_deep
	need_preload
	{ printf '{"text": "' && head -c 100000000 /dev/zero | tr '\0' a && printf '"}\n'; } >in
	PROGRAMS=("uses bpe-encode -q -s -T $ROOT/tests/golden/variants/gpt2.json" "uses bpe-train -q -V 300 -o made")
	room 3300000
	through in 0
}
