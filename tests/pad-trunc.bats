load helper

# The ids are those of "Hi, how are you?", "I'm good" and "Yes".
each() {
	cat >three.jsonl <<-'EOF'
		{"input_ids": [12764, 13, 849, 403, 368, 32], "n": 1.50}
		{"n": "b", "input_ids": [42, 1353, 1175]}
		{"input_ids": [4374]}
	EOF
}

# field NAME FILE: the arrays of that name, a line each.
field() {
	sed 's/.*"'"$1"'": \(\[[^]]*\]\).*/\1/' "$2" | tr -d ' '
}

@test "the guide's lists: padding, truncation right and left, both" {
	"$BIN/pad-trunc" -p longest --pad-id 0 three.jsonl >got
	printf '%s\n' '[12764,13,849,403,368,32]' '[42,1353,1175,0,0,0]' '[4374,0,0,0,0,0]' >want
	field input_ids got | same want -
	"$BIN/pad-trunc" -n 3 three.jsonl >got
	printf '%s\n' '[12764,13,849]' '[42,1353,1175]' '[4374]' >want
	field input_ids got | same want -
	"$BIN/pad-trunc" -n 3 --truncation-side left three.jsonl >got
	printf '%s\n' '[403,368,32]' '[42,1353,1175]' '[4374]' >want
	field input_ids got | same want -
	"$BIN/pad-trunc" -n 3 -p longest --pad-id 0 three.jsonl >got
	printf '%s\n' '[12764,13,849]' '[42,1353,1175]' '[4374,0,0]' >want
	field input_ids got | same want -
}

@test "padding has attention 0 and label -100, other fields stay where they are" {
	"$BIN/pad-trunc" -p longest --pad-id 0 three.jsonl >got
	cat >want <<-'EOF'
		{"input_ids": [12764, 13, 849, 403, 368, 32], "n": 1.50, "attention_mask": [1, 1, 1, 1, 1, 1], "labels": [12764, 13, 849, 403, 368, 32]}
		{"n": "b", "input_ids": [42, 1353, 1175, 0, 0, 0], "attention_mask": [1, 1, 1, 0, 0, 0], "labels": [42, 1353, 1175, -100, -100, -100]}
		{"input_ids": [4374, 0, 0, 0, 0, 0], "attention_mask": [1, 0, 0, 0, 0, 0], "labels": [4374, -100, -100, -100, -100, -100]}
	EOF
	same want got
	# what is padding goes by position: a token that has the padding's id is none
	echo '{"labels": [-100, 0, 5], "attention_mask": [1, 1, 0], "input_ids": [7, 0, 5]}' |
		"$BIN/pad-trunc" -p max-length -n 4 --pad-id 0 --padding-side left >got
	echo '{"labels": [-100, -100, 0, 5], "attention_mask": [0, 1, 1, 0], "input_ids": [0, 7, 0, 5]}' >want
	same want got
}

@test "padding to the longest holds what it must and keeps the order of fields" {
	"$BIN/pad-trunc" -p longest --pad-id 0 three.jsonl >all
	"$BIN/pad-trunc" -p max-length -n 6 --pad-id 0 three.jsonl >streamed
	same all streamed
	"$BIN/pad-trunc" -p longest -b 2 --pad-id 0 three.jsonl >batched
	printf '%s\n' '[12764,13,849,403,368,32]' '[42,1353,1175,0,0,0]' '[4374]' >want
	field input_ids batched | same want -
	"$BIN/pad-trunc" -p longest -b 1 --pad-to-multiple-of 4 --pad-id 1 three.jsonl >got
	printf '%s\n' '[12764,13,849,403,368,32,1,1]' '[42,1353,1175,1]' '[4374,1,1,1]' >want
	field input_ids got | same want -
}

@test "--no-truncation pads and never cuts" {
	"$BIN/pad-trunc" -n 3 --no-truncation -p max_length --pad-id 0 three.jsonl >got 2>err
	printf '%s\n' '[12764,13,849,403,368,32]' '[42,1353,1175]' '[4374,0,0]' >want
	field input_ids got | same want -
	says 'pad-trunc: 0 of 3 records cut, by 0 tokens in all; 2 tokens of padding added' err
}

@test "what was cut is reported" {
	"$BIN/pad-trunc" -n 2 three.jsonl 2>err >/dev/null
	says 'pad-trunc: 2 of 3 records cut, by 5 tokens in all; 0 tokens of padding added' err
	"$BIN/pad-trunc" -q -n 2 three.jsonl 2>err >/dev/null
	[ ! -s err ]
}

@test "a length of 0 leaves empty rows, and empty rows are padded" {
	"$BIN/pad-trunc" -n 0 three.jsonl >got
	[ "$(grep -c '"input_ids": \[\]' got)" = 3 ]
	"$BIN/pad-trunc" -p max-length -n 2 --pad-id 9 got >padded
	[ "$(field input_ids padded | grep -cFx '[9,9]')" = 3 ]
	"$BIN/pad-trunc" -p longest --pad-id 9 </dev/null >got
	[ ! -s got ]
}

# Records of 10, 2, 0 and 1 tokens.
four() {
	printf '%s\n' '{"input_ids": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], "k": 1}' '{"input_ids": [11, 12]}' '{"input_ids": []}' \
		'{"input_ids": [13], "k": 2}' >four.jsonl
}

@test "--excess: long records are cut, dropped or refused" {
	four
	"$BIN/pad-trunc" -n 4 --excess drop four.jsonl >got 2>err
	printf '%s\n' '[11,12]' '[]' '[13]' >want
	field input_ids got | same want -
	says 'pad-trunc: 1 record dropped, longer than 4 tokens' err
	"$BIN/pad-trunc" -q -n 10 --excess drop four.jsonl >got
	[ "$(wc -l <got)" = 4 ]
	fails 1 "$BIN/pad-trunc" -n 4 --excess error four.jsonl
	says 'pad-trunc: four.jsonl:1: the record has 10 tokens, more than 4' err
	"$BIN/pad-trunc" -n 4 --excess error --skip-bad four.jsonl >got 2>err
	field input_ids got | same want -
	"$BIN/pad-trunc" -q -n 4 --excess truncate four.jsonl >got
	"$BIN/pad-trunc" -q -n 4 four.jsonl | same got -
}

@test "--stride: windows, their labels and mask cut alike, the overlap in the loss once if wished" {
	four
	"$BIN/pad-trunc" -n 4 --stride 1 -p longest --pad-id 0 four.jsonl >got 2>err
	printf '%s\n' '[1,2,3,4]' '[4,5,6,7]' '[7,8,9,10]' '[11,12,0,0]' '[0,0,0,0]' '[13,0,0,0]' >want
	field input_ids got | same want -
	says 'pad-trunc: 6 windows of 4 records' err
	[ "$(grep -c '"k": 1' got)" = 3 ]
	"$BIN/pad-trunc" -q -n 4 --stride 2 --mask-overlap four.jsonl >got
	printf '%s\n' '[1,2,3,4]' '[-100,-100,5,6]' '[-100,-100,7,8]' '[-100,-100,9,10]' '[11,12]' '[]' '[13]' >want
	field labels got | same want -
	# on the left the first token of the window before has not been predicted there
	"$BIN/pad-trunc" -q -n 4 --stride 2 --truncation-side left --mask-overlap four.jsonl >got
	printf '%s\n' '[7,8,9,10]' '[5,6,7,-100]' '[3,4,5,-100]' '[1,2,3,-100]' '[11,12]' '[]' '[13]' >want
	field labels got | same want -
	"$BIN/pad-trunc" -q -n 4 --stride 0 four.jsonl >got
	printf '%s\n' '[1,2,3,4]' '[5,6,7,8]' '[9,10]' '[11,12]' '[]' '[13]' >want
	field input_ids got | same want -
	fails 2 "$BIN/pad-trunc" -n 4 --stride 4 four.jsonl
	says 'windows of 4 tokens cannot share 4' err
	fails 2 "$BIN/pad-trunc" --stride 2 four.jsonl
	says '--stride needs --max-length' err
	fails 2 "$BIN/pad-trunc" -n 4 --stride 2 --excess drop four.jsonl
	fails 2 "$BIN/pad-trunc" -n 4 --mask-overlap four.jsonl
}

@test "--pack: pieces behind one another, apart by position, label and in a shard" {
	four
	"$BIN/pad-trunc" -n 8 --stride 1 --pack four.jsonl >got 2>err
	cat >want <<-'EOF'
		{"input_ids": [1, 2, 3, 4, 5, 6, 7, 8], "attention_mask": [1, 1, 1, 1, 1, 1, 1, 1], "labels": [1, 2, 3, 4, 5, 6, 7, 8]}
		{"input_ids": [8, 9, 10, 11, 12, 13], "attention_mask": [1, 1, 1, 1, 1, 1], "labels": [8, 9, 10, -100, 12, -100], "position_ids": [0, 1, 2, 0, 1, 0]}
	EOF
	same want got
	says 'pad-trunc: packed into 2 records' err
	# packed again, cut and padded: the pieces stay
	"$BIN/pad-trunc" -q -n 5 --truncation-side left -p max-length --pad-id 0 got | tail -n 1 >short
	echo '{"input_ids": [9, 10, 11, 12, 13], "attention_mask": [1, 1, 1, 1, 1], "labels": [9, 10, -100, 12, -100], "position_ids": [0, 1, 0, 1, 0]}' >want
	same want short
	"$BIN/pad-trunc" -q -n 20 --pack --pad-id 0 -p longest -b 1 --pad-to-multiple-of 4 --padding-side left short short >got
	echo '{"input_ids": [0, 0, 9, 10, 11, 12, 13, 9, 10, 11, 12, 13], "attention_mask": [0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1], "labels": [-100, -100, 9, 10, -100, 12, -100, -100, 10, -100, 12, -100], "position_ids": [0, 0, 0, 1, 0, 1, 0, 0, 1, 0, 1, 0]}' >want
	same want got
	# nothing but records without tokens: no record, padded or not
	printf '{"input_ids": []}\n{"input_ids": [1, 2], "attention_mask": [0, 0]}\n' >none
	fails 0 "$BIN/pad-trunc" -n 8 --pack --pad-id 0 -p max-length none
	[ ! -s out ]
	says 'pad-trunc: packed into 0 records' err
	fails 2 "$BIN/pad-trunc" --pack four.jsonl
	says '--pack needs --max-length' err
}

@test "--zstd compresses what is written" {
	"$BIN/pad-trunc" -q -n 3 three.jsonl >want
	"$BIN/pad-trunc" -q -n 3 -z three.jsonl | zstd -qdc | same want -
}

@test "wrong usage is told" {
	fails 2 "$BIN/pad-trunc" -p longest three.jsonl
	says 'padding needs --pad-id ID or -T tokenizer.json' err
	fails 2 "$BIN/pad-trunc" -p max-length --pad-id 0 three.jsonl
	says 'needs --max-length' err
	fails 2 "$BIN/pad-trunc" -p longest -n 5 --pad-to-multiple-of 4 --pad-id 0 three.jsonl
	says 'cut to 5 tokens, which is no multiple of 4' err
	fails 2 "$BIN/pad-trunc" -b 3 three.jsonl
	fails 2 "$BIN/pad-trunc" -n -1 three.jsonl
	fails 2 "$BIN/pad-trunc" -p shortest three.jsonl
	says '--padding is one of longest|max-length|none, not "shortest"' err
}

@test "bad records name file and line, or are skipped" {
	printf '%s\n' '{"text": "no ids"}' '{"input_ids": [1, 2.5]}' >>three.jsonl
	fails 1 "$BIN/pad-trunc" three.jsonl
	echo 'pad-trunc: three.jsonl:4: field "input_ids" is missing' >want
	same want err
	[ "$(wc -l <out)" = 3 ]
	fails 1 "$BIN/pad-trunc" -o file three.jsonl
	[ ! -e file ]
	"$BIN/pad-trunc" --skip-bad -p longest --pad-id 0 three.jsonl >got 2>err
	[ "$(wc -l <got)" = 3 ]
	says 'skipped 2 bad records, the first: three.jsonl:4: ' err
}

@test "a full disk is an error of the output, not of a record" {
	yes three.jsonl | head -n 2000 | xargs cat >many.jsonl
	got=0
	"$BIN/pad-trunc" many.jsonl >/dev/full 2>err || got=$?
	[ "$got" = 1 ]
	echo 'pad-trunc: stdout: No space left on device' >want
	same want err
}

@test "shards: the same result, and the padding token of the header" {
	for text in 'Hello there, how is it going?' 'Well' 'And you?' ''; do
		echo "{\"text\": \"$text\"}"
	done >text.jsonl
	"$BIN/bpe-train" -q -V 300 --field text -o t.json text.jsonl
	"$BIN/bpe-encode" -q -T t.json -o tokens.jsonl text.jsonl
	"$BIN/bpe-encode" -q -T t.json --shard -o tokens.nxs text.jsonl
	for how in '-p longest' '-p longest -b 3 --padding-side left' '-n 3' '-n 4 -p max-length --truncation-side left'; do
		# shellcheck disable=SC2086  # how is a list of options
		"$BIN/pad-trunc" -q $how -T t.json tokens.jsonl | "$BIN/bpe-decode" -T t.json >want
		# shellcheck disable=SC2086
		"$BIN/pad-trunc" -q $how tokens.nxs | "$BIN/bpe-decode" -T t.json >got
		same want got
	done
	"$BIN/bpe-train" -q -V 280 -o other.json text.jsonl
	fails 1 "$BIN/pad-trunc" -p longest -T other.json tokens.nxs
	says 'pad-trunc: another tokenizer than other.json made the shard' err
	fails 1 "$BIN/pad-trunc" -p longest --pad-id 60000 tokens.nxs
	says 'not in the shard'"'"'s vocabulary' err
	head -c 60 tokens.nxs >cut.nxs
	fails 1 "$BIN/pad-trunc" -n 3 -o file cut.nxs
	[ ! -e file ]
}

@test "the tokenizer of the environment pads JSON lines" {
	"$BIN/bpe-train" -q -V 300 -s x -s '<|endoftext|>' -o tokenizer.json three.jsonl
	NX_TOKENIZER=tokenizer.json "$BIN/pad-trunc" -q -p longest three.jsonl >got
	field input_ids got | grep -Fx '[4374,1,1,1,1,1]'
	NX_MODEL=. "$BIN/pad-trunc" -q -p longest three.jsonl >got2
	same got got2
	"$BIN/bpe-train" -q -V 300 -s x -o none.json three.jsonl
	fails 1 "$BIN/pad-trunc" -p longest -T none.json three.jsonl
	says 'the tokenizer has no end-of-text or padding token' err
}

@test "with the Pythia tokenizer: the guide's lists from its texts, padding token 0" {
	need_shared
	printf '%s\n' 'Hi, how are you?' "I'm good" Yes >texts
	"$BIN/bpe-encode" -q -t -T "$SHARED/pythia.tokenizer.json" texts >encoded
	"$BIN/pad-trunc" -q -p longest -T "$SHARED/pythia.tokenizer.json" encoded >got
	printf '%s\n' '[12764,13,849,403,368,32]' '[42,1353,1175,0,0,0]' '[4374,0,0,0,0,0]' >want
	field input_ids got | same want -
	"$BIN/bpe-encode" -q -t -s -T "$SHARED/pythia.tokenizer.json" texts | "$BIN/pad-trunc" -q -n 3 -p longest --truncation-side left >got
	"$BIN/bpe-decode" -T "$SHARED/pythia.tokenizer.json" got >decoded
	says ' are you?' decoded
	"$BIN/pad-trunc" -q -p longest -T "$SHARED/pythia.tokenizer.json" three.jsonl >got
	field input_ids got | grep -Fx '[4374,0,0,0,0,0]'
}
