#!/usr/bin/env bats
load helper
SMALL=$ROOT/tests/golden/bpe-small.json

enc() {
	"$BIN/bpe-encode" -q -T "$SMALL" "$@"
}

each() {
	unset NX_MODEL NX_TOKENIZER
	cat >rows.jsonl <<-'EOF'
		{"question": "What is it?", "answer": " A tool.", "n": 1.50}
		{"answer": " Yes.", "question": ""}
		{"input": "Say e", "output": "\u0301 twice", "text": "a text of its own"}
	EOF
}

# field NAME FILE: the arrays of that name, a line each.
field() {
	sed 's/.*"'"$1"'": \(\[[^]]*\]\).*/\1/' "$2" | tr -d ' '
}

# ids FILE: the ids of each record on a line, separated by spaces.
ids() {
	sed 's/.*"input_ids": \[\([^]]*\)\].*/\1/' "$1" | tr -d ,
}

@test "prompt and completion are a text, and the prompt is masked" {
	printf '%s\n' '{"completion": " A tool.", "prompt": "What is it?\n"}' '{"prompt": "", "completion": "a"}' >pairs
	printf '%s\n' '{"text": "What is it?\n A tool."}' '{"text": "a"}' >joined
	enc pairs >got
	enc joined >want
	[ "$(ids got)" = "$(ids want)" ]
	enc --mask-prompt pairs >got
	enc --mask-prompt --prompt-field prompt pairs >again
	same again got
	printf '%s\n' '{"text": "What is it?\n"}' '{"text": ""}' >prompts
	enc prompts >alone
	# all the prompt's tokens are masked, and none of the completion's
	[ "$(field labels got | head -n 1 | grep -o -- -100 | wc -l)" = "$(ids alone | head -n 1 | wc -w)" ]
	[ "$(field labels got | sed -n 2p)" = "$(field input_ids got | sed -n 2p)" ]
	"$BIN/jsonl-template" --prompt 'Q: {question}' --completion '{answer}' -n 2 rows.jsonl | enc --mask-prompt >got
	printf '{"text": "%s"}\n' 'Q: What is it? A tool.' 'Q:  Yes.' | enc >want
	[ "$(ids got)" = "$(ids want)" ]
	fails 1 "$BIN/bpe-encode" -T "$SMALL" --mask-prompt <<<'{"text": "a b", "prompt": "b", "completion": "a"}'
	says 'stdin:1: the text does not begin with field "prompt"' err
}

@test "the guide's ids with the Pythia tokenizer" {
	need_shared
	printf '%s\n' 'Hi, how are you?' "I'm good" Yes >texts
	"$BIN/bpe-encode" -T "$SHARED/pythia.tokenizer.json" --text texts >got 2>err
	cat >want <<-'EOF'
		{"text": "Hi, how are you?", "input_ids": [12764, 13, 849, 403, 368, 32], "attention_mask": [1, 1, 1, 1, 1, 1], "labels": [12764, 13, 849, 403, 368, 32]}
		{"text": "I'm good", "input_ids": [42, 1353, 1175], "attention_mask": [1, 1, 1], "labels": [42, 1353, 1175]}
		{"text": "Yes", "input_ids": [4374], "attention_mask": [1], "labels": [4374]}
	EOF
	same want got
	says 'bpe-encode: 3 records, 10 tokens, 10 in the loss, 0 empty records' err
}

@test "the guide's 1400 rows have the ids of HF tokenizers" {
	need_shared
	"$BIN/bpe-encode" -T "$SHARED/pythia.tokenizer.json" "$SHARED/lamini_docs.jsonl" >got 2>err
	says 'bpe-encode: 1400 records, 112426 tokens, 112426 in the loss, 1 empty record' err
	ids got | sha256sum >digest
	same "$ROOT/tests/golden/lamini-ids.sha256" digest
	[ "$(ids got | awk 'NF > max { max = NF } END { print max }')" = 479 ]
	[ "$(ids got | sed -n 951p)" = "" ]
}

@test "the guide's templated row with its answer again: 258 ids" {
	need_shared
	sed -n 732p "$SHARED/lamini_docs.jsonl" | "$BIN/jsonl-template" -p qa | "$BIN/jsonl-template" -t '{text}{answer}' |
		"$BIN/bpe-encode" -q -T "$SHARED/pythia.tokenizer.json" >got
	[ "$(ids got | wc -w)" = 258 ]
	[ "$(ids got | cut -d' ' -f1-5)" = "4118 19782 27 187 2347" ]
}

@test "what is encoded: text, else the column rule, or a named field" {
	enc rows.jsonl >got
	[ "$(wc -l <got)" = 3 ]
	printf '%s\n' 'What is it? A tool.' ' Yes.' 'a text of its own' >texts
	enc --text texts >want
	ids want >want.ids
	ids got | same want.ids -
	grep -q '^{"question": "What is it?", "answer": " A tool.", "n": 1.50, "input_ids": \[' got
	sed 's/"text": [^,}]*/"x": 1/; s/", "x/", "x/' rows.jsonl | enc >got
	printf 'Say é twice\n' | enc --text >want
	[ "$(ids got | tail -n 1)" = "$(ids want)" ]
	printf '{"text": "no", "y": {"0": "Yes."}, "input_ids": "old", "labels": 3}\n' | enc -f y >got
	printf 'Yes.\n' | enc --text >want
	[ "$(ids got)" = "$(ids want)" ]
	[ "$(grep -o '"labels"' got | wc -l)" = 1 ]
}

@test "lines of text: byte-order mark, CRLF, empty lines, no newline at the end" {
	printf '\357\273\277one\r\n\ntwo\303\251' >text
	enc -t text | "$BIN/bpe-decode" -T "$SMALL" >got
	printf 'one\n\ntwo\303\251\n' >want
	same want got
	"$BIN/bpe-encode" -T "$SMALL" -t text 2>err >/dev/null
	says '3 records' err
	says '1 empty record' err
}

@test "a byte-order mark alone is no line, whatever file comes behind it" {
	printf '\357\273\277' >mark
	printf '\357\273\277\n' >line
	fails 0 "$BIN/bpe-encode" -T "$SMALL" -t mark
	[ ! -s out ]
	fails 0 "$BIN/bpe-encode" -T "$SMALL" -t mark line mark line
	says '2 records, 0 tokens, 0 in the loss, 2 empty records' err
}

@test "text that is not UTF-8 is an error with its place, or skipped, or replaced" {
	printf 'good\nb\377d\nfine\n' >text
	fails 1 "$BIN/bpe-encode" -T "$SMALL" -t text
	echo 'bpe-encode: text:2: byte 2 of the text is not valid UTF-8' >want
	same want err
	[ "$(wc -l <out)" = 1 ]
	fails 0 "$BIN/bpe-encode" -T "$SMALL" -t --skip-bad text
	says 'skipped 1 bad record, the first: text:2: ' err
	[ "$(wc -l <out)" = 2 ]
	enc -t --replace-invalid text | "$BIN/bpe-decode" -T "$SMALL" --json >got
	says '"text": "b�d"' got
	[ "$(wc -l <got)" = 3 ]
	printf '{"text": "b\377d"}\n' >bad.jsonl
	fails 1 "$BIN/bpe-encode" -T "$SMALL" bad.jsonl
	says 'bpe-encode: bad.jsonl:1: column 12: not valid UTF-8' err
	# in a name, a prompt, at a string's end, cut off before its quote
	printf '{"\303": 1, "question": "\342\202 a", "answer": "b\377\355\240\200d\360\237"}\n' >bad.jsonl
	enc --replace-invalid --mask-prompt bad.jsonl >got
	"$BIN/bpe-encode" -q -T "$SMALL" --mask-prompt >want <<-'E'
		{"�": 1, "question": "� a", "answer": "b����d�"}
	E
	same want got
	printf '{"text": "\377}\n{"text": "\377"}\n' >bad.jsonl
	fails 0 "$BIN/bpe-encode" -T "$SMALL" --replace-invalid --skip-bad -j 2 bad.jsonl
	says 'skipped 1 bad record, the first: bad.jsonl:1: ' err
	[ "$(wc -l <out)" = 1 ]
}

@test "the end-of-text token ends every record" {
	enc rows.jsonl >plain
	enc --append-eos rows.jsonl >got
	ids plain | sed 's/$/ 0/' >want
	ids got | same want -
	[ "$(field labels got)" = "$(field input_ids got)" ]
	echo '{"text": ""}' | enc --append-eos >got
	[ "$(ids got)" = 0 ]
	"$BIN/bpe-train" -q -V 258 -s x -o none.json rows.jsonl
	fails 1 "$BIN/bpe-encode" -T none.json --append-eos rows.jsonl
	says 'the tokenizer has no end-of-text token to append' err
}

# masked FILE: the number of labels -100 in front of each record; the others must be the ids.
masked() {
	paste -d' ' <(field labels "$1") <(field input_ids "$1") | awk '{
		n = split(substr($1, 2, length($1) - 2), l, ","); split(substr($2, 2, length($2) - 2), id, ",")
		for (k = 0; k < n && l[k + 1] == -100; k++);
		for (i = k + 1; i <= n; i++) if (l[i] != id[i]) k = "wrong"
		print k }'
}

@test "the prompt is masked: the question, and what a template puts around it" {
	head -n 2 rows.jsonl >qa.jsonl
	"$BIN/bpe-encode" -T "$SMALL" --mask-prompt qa.jsonl >got 2>err
	printf 'What is it?\n' | enc -t >question
	masked got >counts
	printf '%s\n' "$(ids question | wc -w)" 0 >want
	same want counts
	loss=$(($(ids got | wc -w) - $(ids question | wc -w)))
	says "$loss in the loss" err
	# a template's white space before the answer is the answer's: prompts are asked without it
	for how in '-p concat' ''; do
		# shellcheck disable=SC2086  # how is a list of options
		"$BIN/jsonl-template" $how qa.jsonl | enc --mask-prompt >got
		masked got >counts
		same want counts
	done
	"$BIN/jsonl-template" -p qa qa.jsonl | enc --mask-prompt >got
	masked got >counts
	"$BIN/jsonl-template" -p qa-prompt qa.jsonl | enc >prompt
	ids prompt | awk '{ print NF }' >want
	same want counts
	ids got | cut -d' ' -f1-"$(head -n 1 want)" | head -n 1 >start
	ids prompt | head -n 1 | same start -
}

@test "special tokens stand around each record where they are wanted" {
	variants=$ROOT/tests/golden/variants
	head -n 2 rows.jsonl >qa.jsonl
	echo '{"question": "", "answer": ""}' >>qa.jsonl
	# chain: 1 and 0 before, 1 behind; llama3: 700 before; olmo1: 0, which is its end of text, behind; qwen2: nothing
	for how in 'chain|1 0 |1' 'llama3|700 |' 'olmo1||0' 'qwen2||'; do
		IFS='|' read -r kind front back <<<"$how"
		json=$variants/$kind.json
		"$BIN/bpe-encode" -q -T "$json" qa.jsonl >plain
		"$BIN/bpe-encode" -T "$json" --add-special-tokens qa.jsonl >got 2>err
		says '1 empty record' err
		ids plain | sed "s/.*/$front& $back/; s/  */ /g; s/^ //; s/ \$//" >want
		ids got | same want -
		[ "$(field labels got)" = "$(field input_ids got)" ]
		"$BIN/bpe-encode" -q -T "$json" --mask-prompt qa.jsonl >plain
		"$BIN/bpe-encode" -q -T "$json" --mask-prompt --add-special-tokens qa.jsonl >got
		masked plain | awk -v n="$(wc -w <<<"$front")" '{ print $1 + n }' >want
		masked got | same want -
	done
	# an end of text that the template ends with is not put there twice
	while IFS=, read -r kind end; do
		"$BIN/bpe-encode" -q -T "$variants/$kind.json" --add-special-tokens qa.jsonl >plain
		"$BIN/bpe-encode" -q -T "$variants/$kind.json" --add-special-tokens --append-eos qa.jsonl >got
		ids plain | sed "s/\$/$end/" >want
		ids got | same want -
	done <<-'EOF'
		olmo1,
		llama3, 701
		chain, 0
	EOF
}

@test "the tokenizer_config.json beside the tokenizer names the end of text" {
	mkdir qwen
	cp "$ROOT/tests/golden/variants/qwen2.json" qwen/tokenizer.json
	end() {
		echo "{$1}" >qwen/tokenizer_config.json
		echo '{"text": ""}' | "$BIN/bpe-encode" -q -T qwen/tokenizer.json --append-eos --shard -o t.nxs
		"$BIN/bpe-decode" -T qwen/tokenizer.json t.nxs
		# the head of a shard: end and padding
		od -An -tu4 -j20 -N8 t.nxs | tr -s ' '
	}
	[ "$(end '')" = "<|endoftext|>
 700 700" ]
	[ "$(end '"eos_token": "<|im_end|>", "pad_token": null')" = "<|im_end|>
 702 702" ]
	[ "$(end '"eos_token": {"content": "<|im_end|>", "lstrip": false}, "pad_token": "<|endoftext|>"')" = "<|im_end|>
 702 700" ]
	[ "$(end '"pad_token": "<|im_start|>", "bos_token": "none such"')" = "<|endoftext|>
 700 701" ]
	for bad in '"eos_token": "</s>"|the tokenizer has no token "</s>", its "eos_token"' '"pad_token": 3|"pad_token" is no token' \
		'"eos_token": {}|"eos_token" is no token'; do
		echo "{${bad%|*}}" >qwen/tokenizer_config.json
		fails 1 "$BIN/bpe-encode" -T qwen/tokenizer.json rows.jsonl
		echo "bpe-encode: qwen/tokenizer_config.json: ${bad#*|}" >want
		same want err
	done
	echo '[]' >qwen/tokenizer_config.json
	fails 1 "$BIN/bpe-encode" -T qwen/tokenizer.json rows.jsonl
	says 'qwen/tokenizer_config.json: no object' err
}

@test "a token that begins in the prompt is the prompt's" {
	# " the" is one token: it is masked whole where the prompt ends within it
	printf '{"question": "so t", "answer": "he end"}\n{"question": "so", "answer": " the end"}\n' >cut.jsonl
	enc --mask-prompt cut.jsonl >got
	[ "$(ids got | sort -u | wc -l)" = 1 ]
	masked got >counts
	printf 'so\n' | enc -t >so
	n=$(ids so | wc -w)
	printf '%s\n' $((n + 1)) "$n" >want
	same want counts
	# a mark composes with the prompt's last letter: the first of its two bytes is the prompt's
	printf '{"input": "e", "output": "\\u0301 x"}\n' | enc --mask-prompt >got
	[ "$(masked got)" = 1 ]
	# nothing is left to learn
	printf '{"question": "so", "answer": ""}\n' | enc --mask-prompt --append-eos >got
	[ "$(masked got)" = "$n" ]
	[ "$(field labels got | tail -c 4)" = ",0]" ]
}

@test "a prompt that is named" {
	printf '{"p": "so", "text": "so be it"}\n{"p": "x", "text": "so be it"}\n' >named.jsonl
	fails 1 "$BIN/bpe-encode" -T "$SMALL" --mask-prompt --prompt-field p named.jsonl
	says 'named.jsonl:2: the text does not begin with field "p"' err
	printf 'so\n' | enc -t >so
	[ "$(masked out)" = "$(ids so | wc -w)" ]
	fails 1 "$BIN/bpe-encode" -T "$SMALL" --mask-prompt named.jsonl
	says 'named.jsonl:1: no prompt to mask' err
	fails 1 "$BIN/bpe-encode" -T "$SMALL" --mask-prompt --prompt-field q named.jsonl
	says 'named.jsonl:1: field "q" is missing' err
	echo '{"question": "q", "answer": "a", "text": "q a."}' >odd.jsonl
	fails 1 "$BIN/bpe-encode" -T "$SMALL" --mask-prompt odd.jsonl
	says 'odd.jsonl:1: the text does not end with field "answer": name the prompt with --prompt-field' err
}

@test "shards hold the same, plain and compressed" {
	enc "$ROOT/tests/golden/bpe-texts.jsonl" | "$BIN/bpe-decode" -T "$SMALL" -0 >want
	enc --shard -o t.nxs "$ROOT/tests/golden/bpe-texts.jsonl"
	"$BIN/bpe-decode" -T "$SMALL" -0 t.nxs >got
	same want got
	enc --shard --zstd "$ROOT/tests/golden/bpe-texts.jsonl" >t.nxs.zst
	[ "$(head -c 4 t.nxs.zst | od -An -tx1)" = " 28 b5 2f fd" ]
	"$BIN/bpe-decode" -T "$SMALL" -0 t.nxs.zst >got
	same want got
	enc --zstd "$ROOT/tests/golden/bpe-texts.jsonl" | "$BIN/bpe-decode" -T "$SMALL" -0 >got
	same want got
	[ "$(head -c 4 t.nxs | od -An -tx1)" = " 89 4e 58 53" ]
	enc --shard rows.jsonl >whole.nxs
	enc --shard --mask-prompt <(head -n 2 rows.jsonl) >masked.nxs
	head -n 2 rows.jsonl | enc --shard >plain.nxs
	[ "$(wc -c <masked.nxs)" -gt "$(wc -c <plain.nxs)" ]
}

@test "the environment names the tokenizer" {
	enc rows.jsonl >want
	NX_TOKENIZER=$SMALL NX_MODEL=nowhere "$BIN/bpe-encode" -q rows.jsonl >got
	same want got
	mkdir model
	cp "$SMALL" model/tokenizer.json
	NX_MODEL=model "$BIN/bpe-encode" -q <rows.jsonl >got
	same want got
	fails 2 "$BIN/bpe-encode" rows.jsonl
	says 'no tokenizer: give -T FILE, or set NX_TOKENIZER or NX_MODEL' err
	fails 1 "$BIN/bpe-encode" -T nowhere.json rows.jsonl
	says 'bpe-encode: nowhere.json: No such file or directory' err
}

@test "what a tokenizer asks for and we do not do is refused by its name" {
	sed 's/"type": "NFC"/"type": "NFKC"/' "$SMALL" >other.json
	fails 1 "$BIN/bpe-encode" -T other.json rows.jsonl
	echo 'bpe-encode: other.json: normalizer "NFKC" is not supported' >want
	same want err
	[ ! -s out ]
	sed '0,/"lstrip": false/s//"lstrip": 1/' "$SMALL" >other.json
	fails 1 "$BIN/bpe-encode" -T other.json rows.jsonl
	says 'other.json: added token "<|endoftext|>": "lstrip" is no boolean' err
	head -c 5000 "$SMALL" >other.json
	fails 1 "$BIN/bpe-encode" -T other.json rows.jsonl
	says 'other.json: ' err
}

@test "bad records name file and line, or are skipped" {
	printf '%s\n' '{"x": 1}' '{"text": 3}' 'no json' '{"text": "good"}' >>rows.jsonl
	fails 1 "$BIN/bpe-encode" -T "$SMALL" rows.jsonl
	echo 'bpe-encode: rows.jsonl:4: no field "question" and "answer", "input" and "output", "text", or "prompt" and "completion"' >want
	same want err
	[ "$(wc -l <out)" = 3 ]
	fails 1 "$BIN/bpe-encode" -T "$SMALL" -o file rows.jsonl
	[ ! -e file ]
	fails 0 "$BIN/bpe-encode" -T "$SMALL" --skip-bad rows.jsonl
	[ "$(wc -l <out)" = 4 ]
	says 'skipped 3 bad records, the first: rows.jsonl:4: ' err
	fails 1 "$BIN/bpe-encode" -T "$SMALL" -f answer rows.jsonl
	says 'rows.jsonl:3: field "answer" is missing' err
}

@test "wrong usage is told" {
	fails 2 "$BIN/bpe-encode" -T "$SMALL" --text --field x rows.jsonl
	fails 2 "$BIN/bpe-encode" -T "$SMALL" --text --mask-prompt rows.jsonl
	fails 2 "$BIN/bpe-encode" -T "$SMALL" --prompt-field x rows.jsonl
	says 'bpe-encode: --prompt-field is for --mask-prompt' err
}

@test "no input, no records: an empty file, and a shard that is whole" {
	fails 0 "$BIN/bpe-encode" -T "$SMALL" </dev/null
	[ ! -s out ]
	says '0 records, 0 tokens, 0 in the loss, 0 empty records' err
	enc --shard </dev/null | "$BIN/bpe-decode" -T "$SMALL" >got
	[ ! -s got ]
}

@test "a word of a megabyte does not take its square" {
	head -c 1000000 /dev/zero | tr '\0' a >word
	timeout 60 "$BIN/bpe-encode" -q -T "$SMALL" --text --shard word | "$BIN/bpe-decode" -T "$SMALL" >got
	echo >>word
	same word got
}

@test "threads change nothing: order, counts, the line of an error, what was written before it" {
	awk 'BEGIN { for (i = 0; i < 60000; i++) print "line " i, i % 7 ? "of some length" : "" }' >lines
	for j in 1 2 3; do
		enc --text --shard -j "$j" lines >"got$j"
		"$BIN/bpe-encode" -T "$SMALL" --text -j "$j" -o "json$j" lines lines 2>"err$j"
	done
	same got1 got2
	same got1 got3
	same json1 json3
	same err1 err3
	awk '{ print "{\"text\": \"" $0 "\"}" } NR == 55000 { print "{" }' lines >rows
	for j in 1 3; do
		fails 1 "$BIN/bpe-encode" -T "$SMALL" -j "$j" -s rows
		says 'bpe-encode: rows:55001: ' err
		enc -j "$j" rows 2>/dev/null >"part$j" || true
		[ "$(wc -l <"part$j")" = 55000 ]
		"$BIN/bpe-encode" -T "$SMALL" -j "$j" --skip-bad lines rows 2>"skip$j" >/dev/null
	done
	same part1 part3
	same skip1 skip3
	says 'skipped 60001 bad records, the first: lines:1: ' skip3
}

@test "tables are kept between runs, and a damaged, strange or missing file of them changes nothing" {
	export NX_CACHE=$PWD/some/cache
	enc rows.jsonl >want
	kept=$(echo some/cache/*.tokenizer)
	[ "$(find some/cache -type f | wc -l)" = 1 ]
	[ "$(stat -c %a some/cache)" = 700 ]
	cp "$kept" good
	size=$(stat -c %s good)
	for at in 0 9 20 40 300 $((size / 2)) $((size - 1)); do
		cp good "$kept"
		printf '\377' | dd of="$kept" bs=1 seek="$at" conv=notrunc status=none
		cmp -s good "$kept" && printf '\0' | dd of="$kept" bs=1 seek="$at" conv=notrunc status=none
		enc rows.jsonl >got
		same want got
		same good "$kept" # made anew
	done
	for n in 0 7 64 $((size - 1)); do
		head -c "$n" good >"$kept"
		enc rows.jsonl >got
		same want got
	done
	# another tokenizer under this one's name
	sed 's/"content": *"<|tool|>"/"content": "<|tall|>"/' "$SMALL" >other.json
	NX_CACHE=$PWD/other "$BIN/bpe-encode" -q -T other.json rows.jsonl >other-want
	cp other/*.tokenizer "$kept"
	enc rows.jsonl >got
	same want got
	# a file that others may write is not read, but replaced by one of the user alone
	(umask 000 && enc rows.jsonl >got)
	same want got
	[ "$(stat -c %a "$kept")" = 600 ]
	chmod g+w "$kept"
	enc rows.jsonl >got
	same want got
	[ "$(stat -c %a "$kept")" = 600 ]
	touch -d 2001-01-01 "$kept"
	enc rows.jsonl >got
	[ "$(stat -c %Y "$kept")" = "$(date -d 2001-01-01 +%s)" ]
	rm -r some
	NX_CACHE='' enc rows.jsonl >got
	same want got
	[ ! -e some ]
	NX_CACHE=/proc/none enc rows.jsonl >got 2>err
	same want got
	[ ! -s err ]
	unset NX_CACHE
	HOME=$PWD/home XDG_CACHE_HOME='' enc rows.jsonl >got
	same want got
	[ -e home/.cache/nxtools ]
	HOME=$PWD/home XDG_CACHE_HOME=$PWD/xdg enc rows.jsonl >got
	[ -e xdg/nxtools ]
}
