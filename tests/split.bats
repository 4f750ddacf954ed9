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
	# one file, spelled in two ways: not there yet, and there under a link's name
	mkdir dir
	fails 2 "$BIN/split" --test x --train ./dir/../x ten.jsonl
	says '--test and --train name the same file' err
	touch dir/y
	ln -s dir/y link
	fails 2 "$BIN/split" --test dir/y --train link ten.jsonl
	[ ! -s dir/y ]
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

@test "packed records stay packed, and shards of several files are one data set" {
	"$BIN/bpe-train" -q -V 300 -o t.json ten.jsonl
	"$BIN/bpe-encode" -q -t -T t.json --shard -o a.nxs ten.jsonl
	"$BIN/pad-trunc" -q -n 60 --pack a.nxs -o b.nxs
	"$BIN/split" -q --no-shuffle --test-size 2 --train head.nxs --test tail.nxs a.nxs b.nxs
	"$BIN/bpe-decode" -T t.json b.nxs >packed
	[ "$(wc -l <packed)" -lt 10 ]
	cat a.nxs b.nxs | "$BIN/pad-trunc" -q -o all.nxs
	"$BIN/pad-trunc" -q head.nxs tail.nxs | cmp all.nxs -
	cat a.nxs b.nxs | "$BIN/split" -q --no-shuffle --test-size 2 --train head2.nxs --test tail2.nxs
	same head.nxs head2.nxs
	same tail.nxs tail2.nxs
}

@test "a pipe, a compressed file and a plain one give the same parts" {
	for i in $(seq 3000); do printf '{"i": %d, "text": "%0500d"}\n' "$i" "$i"; done >plain
	zstd -q plain -o packed.zst
	"$BIN/split" -q --test-size 0.3 --test test plain >train
	TMPDIR=$T "$BIN/split" -q --test-size 0.3 --test test2 packed.zst >train2
	dd if=plain status=none | TMPDIR=$T "$BIN/split" -q --test-size 0.3 --test test3 >train3
	{ read -r _ && "$BIN/split" -q --test-size 0.3 --test test4 >train4; } <plain
	for n in 2 3; do
		same test "test$n"
		same train "train$n"
	done
	[ "$(cat test4 train4 | wc -l)" = 2999 ]
	# nothing is left where the temporary file was, and without a place for it this is told
	[ -z "$(find . -name 'nxtools*')" ]
	fails 1 env TMPDIR="$T/none" "$BIN/split" --test test5 packed.zst
	says 'split: a temporary file in ' err
	[ ! -e test5 ]
}

@test "more files than are kept open, and one of them compressed" {
	for i in $(seq 100); do echo "{\"i\": $i}" >"f$i"; done
	zstd -q --rm f50
	mv f50.zst f50
	files=()
	for i in $(seq 100); do files+=("f$i"); done
	for i in $(seq 100); do echo "{\"i\": $i}"; done >whole
	"$BIN/split" -q --test-size 0.3 --test test "${files[@]}" >train
	"$BIN/split" -q --test-size 0.3 --test want whole >want2
	same want test
	same want2 train
}

@test "a byte-order mark is no part of the first record, an input that shrinks is told" {
	printf '\357\273\277{"i": 1}\n{"i": 2}' >bom
	"$BIN/split" -q --no-shuffle --test-size 1 --test test bom >train
	echo '{"i": 1}' >want
	same want train
	for i in $(seq 3000); do printf '{"i": %d, "text": "%0500d"}\n' "$i" "$i"; done >plain
	mkfifo more
	"$BIN/split" -q --test test2 plain more >train 2>err &
	pid=$!
	{ sleep 0.5 && : >plain && cat ten.jsonl; } >./more
	got=0
	wait $pid || got=$?
	[ "$got" = 1 ]
	says 'split: an input has become shorter while it was read' err
	[ ! -e test2 ]
}

@test "--zstd compresses both parts" {
	"$BIN/split" --test-size 3 -z --test test.zst ten.jsonl >train.zst
	zstd -qdc test.zst >./test
	[ "$(ids test)" = "5 6 0" ]
	zstd -qdc train.zst >train
	[ "$(ids train)" = "7 3 2 4 9 1 8" ]
}

@test "--by: what is chosen is the value's, whatever comes before and after it" {
	for i in $(seq 2000); do echo "{\"q\": \"v$((i % 500))\", \"i\": $i}"; done >many
	"$BIN/split" --by q --test-size 0.2 --test test many >train 2>err
	[ "$(cat test train | sort)" = "$(sort many)" ]
	# all of a value in one part, and about a fifth of the 500 values
	grep -o '"v[0-9]*"' test | sort -u >tested
	grep -o '"v[0-9]*"' train | sort -u >trained
	[ -z "$(comm -12 tested trained)" ]
	[ "$(wc -l <tested)" -gt 75 ]
	[ "$(wc -l <tested)" -lt 125 ]
	# the same in any order, of any part of the data, spelled in any way
	sed 's/^{"q": "v\(.*\)", \("i".*\)}$/{\2,"q":"\\u0076\1"}/' many | tail -n 1000 | tac | "$BIN/split" -q --by q --test-size 0.2 --test test2 >train2
	[ -s test2 ]
	sed 's/.*u0076\([0-9]*\)".*/"v\1"/' test2 | sort -u >tested2
	[ -z "$(comm -13 tested tested2)" ]
	sed 's/.*u0076\([0-9]*\)".*/"v\1"/' train2 | sort -u | comm -12 tested - >both
	[ ! -s both ]
	# a larger fraction holds the smaller one's values; another seed does not
	"$BIN/split" -q --by q --test-size 0.4 --test larger many >/dev/null
	[ -z "$(comm -23 <(sort test) <(sort larger))" ]
	"$BIN/split" -q --by q --test-size 0.2 --seed 7 --test other many >/dev/null
	fails 1 cmp test other
}

@test "--by: the hash is the one that the page describes" {
	for v in '"a"' '"b"' 1 2.50 null true '[1, 2]' '{"k": "x"}' '"\u00e9"' '""'; do echo "{\"f\": $v}"; done >values
	# computed by tests/reference/splitby.py: chances of seed 42
	for line in 1:0.3216476463646898:0.32164764636468984 2:0.21426564277218785:0.21426564277218788 3:0.35221428847773373:0.3522142884777338 4:0.49385436769196367:0.4938543676919637 5:0.38294052774258047:0.3829405277425805 6:0.5078354995511819:0.507835499551182 7:0.2559786009097804:0.2559786009097805 8:0.843116832457652:0.8431168324576521 9:0.2329529262060981:0.23295292620609812 10:0.10176244780015031:0.10176244780015033; do
		IFS=: read -r n chance above <<<"$line"
		sed -n "${n}p" values >one
		"$BIN/split" -q --by f --test-size "$above" --test test one >train
		[ -s test ]
		"$BIN/split" -q --by f --test-size "$chance" --test test one >train
		[ -s train ]
	done
}

@test "--by streams: the first records are there before the last" {
	mkfifo in
	"$BIN/split" -q --by i --test-size 0.5 --test /dev/null in >train &
	pid=$!
	{
		seq -f '{"i": %.0f, "x": "some text to fill a buffer"}' 20000
		for _ in $(seq 50); do [ -s train ] && break || sleep 0.1; done
		[ -s train ] && echo yes >streamed
		echo '{"i": 0}'
	} >in
	wait $pid
	[ -e streamed ]
}

@test "--by: what it cannot do is told" {
	fails 2 "$BIN/split" --by i --test-size 3 --test test ten.jsonl
	says '--by needs a fraction for --test-size' err
	fails 2 "$BIN/split" --by i --train-size 0.5 --test test ten.jsonl
	says 'the training part is the rest' err
	echo '{"j": 1}' >>ten.jsonl
	fails 1 "$BIN/split" --by i --train train --test test ten.jsonl
	says 'split: ten.jsonl:11: field "i" is missing' err
	[ ! -e train ]
	[ ! -e test ]
	"$BIN/split" --skip-bad --by i --train train --test test ten.jsonl 2>err
	says 'skipped 1 bad record, the first: ten.jsonl:11: field "i" is missing' err
	"$BIN/bpe-train" -q -V 300 -o t.json ten.jsonl
	"$BIN/bpe-encode" -q -t -T t.json --shard ten.jsonl -o a.nxs
	fails 1 "$BIN/split" --by i --test test a.nxs
	says 'a token shard has no fields' err
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
