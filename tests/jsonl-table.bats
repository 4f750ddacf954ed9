load helper

each() {
	export LC_ALL=C.UTF-8
	unset COLUMNS NO_COLOR
}

GOLDEN=$BATS_TEST_DIRNAME/golden/table

@test "tables are Rich's, cropped and wrapped, at every width" {
	for want in "$GOLDEN"/table-*.txt; do
		w=${want##*table-} args=()
		w=${w%.txt}
		case $w in *-wrap) args=(--wrap) w=${w%-wrap} ;; esac
		"$BIN/jsonl-table" -t 'Evaluation Results' --width "$w" "${args[@]}" "$GOLDEN/table.jsonl" >out
		same "$want" out
	done
}

@test "a table is never wider than the terminal" {
	for w in 20 30 40 50 60 70 80; do
		"$BIN/jsonl-table" --width "$w" "$GOLDEN/table.jsonl" | head -n 1 >out
		[ "$(wc -m <out)" -le $((w + 1)) ]
	done
	COLUMNS=30 "$BIN/jsonl-table" "$GOLDEN/table.jsonl" >got
	"$BIN/jsonl-table" --width 30 "$GOLDEN/table.jsonl" >want
	same want got
}

@test "control characters reach no terminal" {
	printf '%s\n' '{"a": "\u001b[31m\u0007\t|\u009b\u202e\r\u0000"}' | "$BIN/jsonl-table" >out
	says '│ ␛[31m␇  |��␍␀ │' out
	got=0
	grep -q "$(printf '\033')" out || got=$?
	[ "$got" = 1 ]
}

@test "values, missing fields, titles, numbers and colour" {
	printf '%s\n' '{"a": 1.50, "b": [1, null]}' '{"b": "x"}' >in
	"$BIN/jsonl-table" -f tsv -N -c 'b=B,a' in >out
	printf '#\tB\ta\n1\t[1, null]\t1.50\n2\tx\t\n' >want
	same want out
	"$BIN/jsonl-table" --color always -t T -c b in >out
	says "$(printf '\033[3m      T      \033[0m')" out
	says "$(printf '┃\033[1m b         \033[0m┃')" out
	says "$(printf '│\033[36m x         \033[0m│')" out
	fails 0 "$BIN/jsonl-table" -f tsv --max-rows 1 in
	[ "$(wc -l <out)" = 2 ]
	[ "$(cat err)" = 'jsonl-table: 1 more row' ]
}

@test "CSV, TSV, Markdown and HTML are escaped" {
	printf '%s\n' '{"a": "x, \"y\"\nz", "b": "t\t\\|<b>&"}' >in
	"$BIN/jsonl-table" -f csv in >out
	printf 'a,b\r\n"x, ""y""\nz",t\t\\|<b>&\r\n' >want
	same want out
	"$BIN/jsonl-table" -f tsv in >out
	printf '%s\n' 'a	b' 'x, "y"\nz	t\t\\|<b>&' >want
	same want out
	"$BIN/jsonl-table" -f markdown -t T in >out
	printf '%s\n' '**T**' '' '| a | b |' '| --- | --- |' '| x, "y"<br>z | t \\\|&lt;b&gt;&amp; |' >want
	same want out
	"$BIN/jsonl-table" -f html -t '<T>' in >out
	says '<caption>&lt;T&gt;</caption>' out
	says '<tr><td>x, &quot;y&quot;<br>z</td><td>t	\|&lt;b&gt;&amp;</td></tr>' out
}

@test "files are joined line by line" {
	printf '{"q": %d, "a": "x%d"}\n' 1 1 2 2 >one
	printf '{"a": "y1"}\n' >two
	"$BIN/jsonl-table" -j -f csv -c 'q,a,2:a=base' one two | tr -d '\r' >out
	printf '%s\n' q,a,base 1,x1,y1 2,x2, >want
	same want out
	"$BIN/jsonl-table" -j -f csv one two | head -n 1 | tr -d '\r' >out
	[ "$(cat out)" = 1:q,1:a,2:a ]
	fails 2 "$BIN/jsonl-table" -j -c 3:a one two
	fails 2 "$BIN/jsonl-table" -j -c 0:a one two
}

@test "a bad record stops, or is passed over" {
	printf '%s\n' '{"a": 1}' '[1]' '{"a": 2}' >in
	fails 1 "$BIN/jsonl-table" -f csv in
	says 'jsonl-table: in:2: the record is no JSON object' err
	fails 0 "$BIN/jsonl-table" -f csv --skip-bad in
	[ "$(wc -l <out)" = 3 ]
	says 'skipped 1 bad record' err
}

@test "a field that no row has is told of" {
	printf '{"a": 1}\n{"b": null}\n' >in
	fails 0 "$BIN/jsonl-table" -c a,b,c=C -N in
	[ "$(cat err)" = 'jsonl-table: none of the rows printed has the field "c"' ]
	fails 0 "$BIN/jsonl-table" -q -c c in
	[ ! -s err ]
	fails 0 "$BIN/jsonl-table" -c c /dev/null
	[ ! -s err ]
}

@test "a cell of a megabyte takes the time of its bytes" {
	local n=1000000
	case $BIN in *san*) n=200000 ;; esac
	many() { head -c "$2" /dev/zero | sed "s/\\x0/$1/g"; }
	printf '{"a": "x%s", "b": 1}\n' "$(many ' ' $n)" >blanks
	printf '{"a": "%sx%s", "b": 1}\n' "$(many ' ' $n)" "$(many ' ' $n)" >lead
	printf '{"a": "%s", "b": 1}\n' "$(many x $n)" >word
	printf '{"a": "%s", "b": 1}\n' "$(many 'x\\t' $n)" >tabbed
	for f in blanks lead word tabbed; do
		timeout 20 "$BIN/jsonl-table" --wrap --width 60 $f >$f.out
		[ "$(awk 'length > 60 * 4' $f.out)" = "" ]
	done
	# 52 columns are left for the text
	[ "$(grep -o x word.out | wc -l)" = $n ]
	[ "$(wc -l <word.out)" = $((4 + (n + 51) / 52)) ]
	[ "$(wc -l <blanks.out)" = 5 ]
}

@test "a record of a hundred thousand fields takes the time of its bytes" {
	local k=100000
	case $BIN in *san*) k=20000 ;; esac
	seq $k | sed 's/.*/"c&": &/' | paste -sd, | sed 's/.*/{&}/' >wide
	timeout 20 "$BIN/jsonl-table" -f tsv wide >wide.out
	[ "$(tail -n 1 wide.out | tr '\t' '\n' | cksum)" = "$(seq $k | cksum)" ]
}

@test "of two members of one name the last counts, in columns given and not" {
	printf '%s\n' '{"a": 1, "b": 2, "a": 3}' '{"b": 5, "a": 1, "c": 6}' >in
	"$BIN/jsonl-table" -f tsv in >out
	printf 'b\ta\n2\t3\n5\t1\n' >want
	same want out
	"$BIN/jsonl-table" -f tsv -c a,c,a in >out
	printf 'a\tc\ta\n3\t\t3\n1\t6\t1\n' >want
	same want out
}
