load helper

each() {
	for i in 0 1 2 3 4 5 6 7 8 9; do echo "{\"i\": $i, \"x\": 1.50}"; done >ten.jsonl
}

# ids FILE: the numbers of the records in it, in one line.
ids() {
	sed 's/.*"i": *\([0-9]*\).*/\1/' "$1" | paste -sd' '
}

@test "the order is NumPy's, the test part comes from its start" {
	# numpy.random.default_rng(42).permutation(10) is 5 6 0 7 3 2 4 9 1 8
	"$BIN/split" --test-size 3 --train train --test test ten.jsonl 2>err
	[ "$(ids test)" = "5 6 0" ]
	[ "$(ids train)" = "7 3 2 4 9 1 8" ]
	says 'split: 10 records: 7 train, 3 test' err
	"$BIN/split" -q --test-size 3 --train-size 0.25 --train train --test test ten.jsonl 2>err
	[ "$(ids test) / $(ids train)" = "5 6 0 / 7 3" ]
	[ ! -s err ]
	"$BIN/split" --seed 18446744073709551615 --test-size 0.1 --test test ten.jsonl >train
	[ "$(ids test)" = 8 ]
}

@test "without shuffling the training part comes first" {
	"$BIN/split" --no-shuffle --test-size 0.25 --train train ten.jsonl >./test
	[ "$(ids train) / $(ids test)" = "0 1 2 3 4 5 6 / 7 8 9" ]
	"$BIN/split" --no-shuffle --test-size 2 --train-size 3 --train train --test test ten.jsonl 2>err
	[ "$(ids train) / $(ids test)" = "0 1 2 / 3 4" ]
	says 'the others in neither' err
}

@test "JSON lines pass through byte for byte" {
	printf '  {"a" :1e5,"b":"\\u00e9\\/"}\r\n\n{"c":{} }' >odd
	"$BIN/split" --no-shuffle --test-size 1 --train train --test test odd
	printf '  {"a" :1e5,"b":"\\u00e9\\/"}\n' >want
	same want train
	printf '{"c":{} }\n' >want
	same want test
}

@test "several inputs and stdin are one data set" {
	head -n 4 ten.jsonl >a
	tail -n +5 ten.jsonl | "$BIN/split" --test-size 3 --train train --test test a -
	[ "$(ids test)" = "5 6 0" ]
	tail -n +5 ten.jsonl | zstd -q >b.zst
	"$BIN/split" --test-size 3 --train train --test test a b.zst
	[ "$(ids test)" = "5 6 0" ]
}

@test "stdout takes one part, a file must take the other" {
	fails 2 "$BIN/split" ten.jsonl
	says 'name a file with --test or --train' err
	fails 2 "$BIN/split" --test - ten.jsonl
	fails 2 "$BIN/split" --test x --train x ten.jsonl
	"$BIN/split" --test-size 3 --test test --train - ten.jsonl >train
	[ "$(ids train)" = "7 3 2 4 9 1 8" ]
}

@test "the file is complete before stdout has its first byte" {
	"$BIN/split" --test-size 3 --test test ten.jsonl | { read -r _ && cp test seen && cat >/dev/null; }
	[ "$(ids seen)" = "5 6 0" ]
}

@test "if one part fails neither appears" {
	mkdir dir
	for bad in /dev/full missing/file dir; do
		fails 1 "$BIN/split" --train "$bad" --test test ten.jsonl
		[ ! -e test ]
		fails 1 "$BIN/split" --train train --test "$bad" ten.jsonl
		[ ! -e train ]
	done
	got=0
	"$BIN/split" --test test ten.jsonl >/dev/full 2>err || got=$?
	[ "$got" = 1 ]
	says 'stdout: No space left on device' err
	[ ! -e test ]
	echo '{"i": ' >>ten.jsonl
	fails 1 "$BIN/split" --train train --test test ten.jsonl
	says 'split: ten.jsonl:11: ' err
	[ ! -e train ]
	[ ! -e test ]
	[ -z "$(find . -name '.t*')" ]
}

@test "bad lines can be skipped" {
	printf '%s\n' nonsense '[1]' >>ten.jsonl
	"$BIN/split" --skip-bad --test-size 3 --train train --test test ten.jsonl 2>err
	[ "$(ids test)" = "5 6 0" ]
	says 'split: skipped 2 bad records, the first: ten.jsonl:11: ' err
}

@test "sizes that make no sense are refused as HF refuses them" {
	for size in 0 -1 0.0 1.0 1.5 x ''; do
		fails 2 "$BIN/split" --test-size "$size" --test test ten.jsonl
	done
	fails 2 "$BIN/split" --test-size 0.7 --train-size 0.4 --test test ten.jsonl
	says 'test size 0.7 and train size 0.4 are more than 1 together' err
	fails 1 "$BIN/split" --test-size 10 --test test ten.jsonl
	says 'test size 10 is not smaller than the number of records, 10' err
	fails 1 "$BIN/split" --test-size 6 --train-size 5 --test test ten.jsonl
	says '6 test and 5 train records are more than the 10 there are' err
	head -n 1 ten.jsonl >one
	fails 1 "$BIN/split" --test test one
	says 'with 1 record no train record is left' err
	fails 2 "$BIN/split" --seed 18446744073709551616 --test test ten.jsonl
	fails 2 "$BIN/split" --seed -1 --test test ten.jsonl
}

@test "nothing in, nothing out" {
	"$BIN/split" --test test </dev/null >train
	[ -e test ]
	[ ! -s test ]
	[ ! -s train ]
}

@test "shards are split as JSON lines are, with all that they hold" {
	for i in 0 1 2 3 4 5 6 7 8 9; do
		echo "{\"text\": \"record $i of them\", \"prompt\": \"record\"}"
	done >text.jsonl
	"$BIN/bpe-train" -q -V 300 --field text -o t.json text.jsonl
	"$BIN/bpe-encode" -q -T t.json -o tokens.jsonl text.jsonl
	# with padding and labels that do not count
	"$BIN/bpe-encode" -q -T t.json --mask-prompt --prompt-field prompt --shard text.jsonl |
		"$BIN/pad-trunc" -q -p longest --pad-id 1 -o padded.nxs
	"$BIN/split" -q --test-size 3 --train train.jsonl --test test.jsonl tokens.jsonl
	"$BIN/split" -q --test-size 3 --train train.nxs --test test.nxs padded.nxs
	for part in train test; do
		"$BIN/bpe-decode" -T t.json "$part.jsonl" >"$part.want"
		"$BIN/bpe-decode" -T t.json --skip-special-tokens "$part.nxs" | same "$part.want" -
	done
	"$BIN/split" -q --no-shuffle --test-size 3 --train head.nxs --test tail.nxs padded.nxs
	"$BIN/pad-trunc" -q padded.nxs >want
	"$BIN/pad-trunc" -q head.nxs tail.nxs >got
	same want got
	head -c 100 padded.nxs >cut.nxs
	fails 1 "$BIN/split" --test test cut.nxs
	[ ! -e test ]
}

@test "the guide's data: 1260 and 140 records, its first test rows" {
	need_shared
	"$BIN/split" --test-size 0.1 --seed 123 --test test "$SHARED/lamini_docs.jsonl" >train 2>err
	says '1400 records: 1260 train, 140 test' err
	[ "$(wc -l <./test) $(wc -l <./train)" = "140 1260" ]
	sed -n '603p;1121p' "$SHARED/lamini_docs.jsonl" | sort >want
	head -n 2 test | sort >got
	same want got
	head -n 1 test >got
	says '{"question": "Can Lamini generate technical documentation or user manuals for software projects?"' got
	sort train test >got
	{ cat "$SHARED/lamini_docs.jsonl" && echo; } | sort >want
	same want got
}
