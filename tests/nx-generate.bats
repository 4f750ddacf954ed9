#!/usr/bin/env bats
# nx-generate: HF's ids on a tiny model, the limits, prompts of every kind, and what goes wrong.
load helper

# Made once: the small files of the examples in $S, and tiny models A and E of tests/unit/tiny.h (no tokenizers) in $S/tiny and $S/wide.
setup_file() {
	S=$BATS_FILE_TMPDIR/s
	local units=$ROOT/build/rel/unit
	mkdir "$S"
	BIN=$BIN "$ROOT/tests/small-files" "$S"
	case $BIN in
	*/build/*/bin) units=${BIN%/bin}/unit ;;
	esac
	"$units/tinydir" A "$S/tiny"
	"$units/tinydir" E "$S/wide"
	export S
}

each() {
	unset NX_MODEL NX_TOKENIZER
}

# ids NAME FILE: the array called NAME of each record, as written.
ids() {
	sed 's/.*"'"$1"'": \[\([^]]*\)\].*/\1/' "$2"
}

# golden LINE: prompt and answer of a line of the golden file, comma-separated, into $ask and $want.
golden() {
	local line
	line=$(sed -n "$1p" "$ROOT/tests/golden/generate.txt")
	ask=$(cut -d'|' -f2 <<<"$line" | sed 's/^ *//; s/ *$//; s/ /, /g')
	want=$(cut -d'|' -f3 <<<"$line" | sed 's/^ *//; s/ *$//; s/ /, /g')
}

@test "records with input_ids get HF's tokens, and keep what they held" {
	golden 5
	echo "{\"id\": 1.50, \"input_ids\": [$ask], \"more\": {\"a\": null}}" >in
	"$BIN/nx-generate" -m "$S/tiny" --max-new-tokens 40 --ignore-eos in >out
	echo "{\"id\": 1.50, \"input_ids\": [$ask], \"more\": {\"a\": null}, \"output_ids\": [$want], \"finish_reason\": \"length\", \"prompt_tokens\": 9, \"completion_tokens\": 40}" >want
	same want out
}

@test "the end of text ends the answer and is its last id; --ignore-eos goes on" {
	golden 2
	cp -r "$S/tiny" tiny
	echo '{"eos_token_id": [96, 42]}' >tiny/generation_config.json
	echo "{\"input_ids\": [$ask]}" >in
	"$BIN/nx-generate" -m tiny --max-new-tokens 40 in >out
	[ "$(ids output_ids out)" = "$want" ]
	# the same of config.json, where that alone says it
	rm -f tiny/generation_config.json
	sed -i 's/"eos_token_id": [0-9]*/"eos_token_id": [96, 42]/' tiny/config.json
	"$BIN/nx-generate" -m tiny --max-new-tokens 40 in | cmp - out
	"$BIN/nx-merge" -q -m tiny -o kept
	"$BIN/nx-generate" -m kept --max-new-tokens 40 in | cmp - out
	golden 1
	"$BIN/nx-generate" -m tiny --max-new-tokens 40 --ignore-eos in >out
	[ "$(ids output_ids out)" = "$want" ]
}

@test "an end of text is not in the answer's text, special or not" {
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 1 -k first --ignore-eos <<<'{"input_ids": [40, 50]}' >out
	id=$(ids output_ids out)
	cp -r "$S/model" model
	echo "{\"eos_token_id\": $id}" >model/generation_config.json
	"$BIN/nx-generate" -m model <<<'{"input_ids": [40, 50]}' >out
	echo "{\"input_ids\": [40, 50], \"output_ids\": [$id], \"generated\": \"\", \"finish_reason\": \"stop\", \"prompt_tokens\": 2, \"completion_tokens\": 1}" >want
	same want out
}

@test "-p prints what bpe-decode makes of the same prompt's output_ids" {
	echo '{"text": "What is a shard?"}' | "$BIN/bpe-encode" -q -T "$S/tokenizer.json" |
		"$BIN/nx-generate" -m "$S/model" --max-new-tokens 20 | sed 's/.*"output_ids"/{"input_ids"/' >ids
	"$BIN/bpe-decode" -T "$S/tokenizer.json" --skip-special-tokens ids >want
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 20 -p 'What is a shard?' >out
	same want out
	[ -s out ]
}

@test "the text of a prompt is answered as its ids are" {
	head -n 4 "$S/data.jsonl" >in
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 8 in >a
	"$BIN/jsonl-template" -t '{question}' in | "$BIN/bpe-encode" -q -T "$S/tokenizer.json" --field text |
		"$BIN/nx-generate" -m "$S/model" --max-new-tokens 8 >b
	same <(sed 's/.*"generated"/"generated"/' a) <(sed 's/.*"generated"/"generated"/' b)
	[ "$(wc -l <a)" -eq 4 ]
}

@test "at a terminal the text comes token by token, but never half a character" {
	local euros
	euros=$(printf '€%.0s' {1..40})
	echo "{\"text\": \"$euros\"}" | "$BIN/bpe-encode" -q -T "$S/tokenizer.json" |
		"$BIN/nx-train" -q -m "$S/model" -o model --learning-rate 1e-2 --max-steps 60
	"$BIN/nx-generate" -m model --max-new-tokens 39 -p '€' >out
	printf '€%.0s' {1..13} >want # three tokens each
	echo >>want
	same want out
	script -qec "'$BIN/nx-generate' -m model --max-new-tokens 39 -p '€'" /dev/null </dev/null | tr -d '\r' >out
	same want out
	# a character that stays half is shown as what it is
	"$BIN/nx-generate" -m model --max-new-tokens 2 -p '€' >out
	printf '\xEF\xBF\xBD\n' >want
	same want out
}

@test "--max-length counts the prompt, --max-new-tokens does not and comes first" {
	echo '{"input_ids": [1, 2, 3, 4]}' >in
	"$BIN/nx-generate" -m "$S/tiny" --ignore-eos --max-length 7 in >out
	[ "$(ids output_ids out | wc -w)" -eq 3 ]
	"$BIN/nx-generate" -m "$S/tiny" --ignore-eos in >out
	[ "$(ids output_ids out | wc -w)" -eq 96 ]
	"$BIN/nx-generate" -m "$S/tiny" --ignore-eos --max-length 7 --max-new-tokens 9 in >out
	[ "$(ids output_ids out | wc -w)" -eq 9 ]
}

@test "a prompt that fills --max-length gets an empty answer and a note" {
	echo '{"input_ids": [1, 2, 3, 4]}' >in
	fails 0 "$BIN/nx-generate" -m "$S/tiny" --max-length 4 in
	says '"output_ids": []' out
	says '1 prompt left no room for an answer in 4 tokens' err
	fails 0 "$BIN/nx-generate" -m "$S/tiny" --max-length 4 -q in
	[ ! -s err ]
}

@test "a long prompt keeps its end" {
	golden 9
	echo "{\"input_ids\": [$ask]}" >long
	echo "{\"input_ids\": [${ask#*, }]}" >short
	fails 0 "$BIN/nx-generate" -m "$S/tiny" --max-new-tokens 12 --ignore-eos --max-input-tokens 299 long
	says '1 prompt cut to the last 299 tokens, by 1 together' err
	ids output_ids out >got
	"$BIN/nx-generate" -m "$S/tiny" --max-new-tokens 12 --ignore-eos short >whole
	ids output_ids whole >want
	same want got
}

@test "padding is no part of the prompt, on either side" {
	local ones
	golden 5
	ones=$(tr -s 0-9 1 <<<"$ask")
	echo "{\"input_ids\": [$ask, 0, 0], \"attention_mask\": [$ones, 0, 0]}" >in
	echo "{\"input_ids\": [0, 0, $ask], \"attention_mask\": [0, 0, $ones]}" >>in
	"$BIN/nx-generate" -m "$S/tiny" --max-new-tokens 40 --ignore-eos in >out
	ids output_ids out >got
	printf '%s\n%s\n' "$want" "$want" >want
	same want got
}

@test "the prompt is the question, else the input, else the text, or --field; -k names the answer" {
	cat >in <<-'END'
		{"text": "x", "input": "y", "question": "What is a shard?"}
		{"text": "x", "input": "What is a shard?"}
		{"text": {"0": "What is a shard?"}}
	END
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 5 -k said in | sed 's/.*"said"/"said"/' | sort -u >out
	[ "$(wc -l <out)" -eq 1 ]
	echo '{"input_ids": [1, 2], "q": "What is a shard?"}' | "$BIN/nx-generate" -m "$S/model" --max-new-tokens 5 -f q -k said >one
	run ! grep -q output_ids one
	sed 's/.*"said"/"said"/' one >got
	same out got
}

@test "a shard is answered as its JSON lines, with its ids in the record" {
	head -n 3 "$S/tokens.jsonl" >in
	head -n 3 "$S/data.jsonl" | "$BIN/bpe-encode" -q -T "$S/tokenizer.json" --shard >in.nxs
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 6 in >a
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 6 in.nxs >b
	for f in input_ids output_ids generated; do
		same <(sed "s/.*\"$f\": \([^]]*\)/\1/" a | cut -d']' -f1) <(sed "s/.*\"$f\": \([^]]*\)/\1/" b | cut -d']' -f1)
	done
}

@test "a shard of another tokenizer is refused, unless --any-tokenizer" {
	"$BIN/bpe-train" -q --vocab-size 300 -o other.json "$S/text.txt"
	"$BIN/bpe-encode" -q -T other.json --shard "$S/data.jsonl" >other.nxs
	fails 1 "$BIN/nx-generate" -m "$S/model" --max-new-tokens 1 other.nxs
	says "nx-generate: other.nxs: the shard's tokenizer (" err
	[ ! -s out ]
	fails 0 "$BIN/nx-generate" -m "$S/model" --max-new-tokens 1 --any-tokenizer other.nxs
	[ ! -s err ]
	fails 1 "$BIN/nx-generate" -m "$S/tiny" --max-new-tokens 1 other.nxs
	says "other.nxs: the shard's tokenizer cannot be compared with the model's: it has none" err
	fails 1 "$BIN/nx-generate" -m "$S/model" -T other.json --max-new-tokens 1 "$S/tokens.nxs"
}

@test "a shard that was cut off is an error behind the answers it held" {
	head -c 3000 "$S/tokens.nxs" >cut.nxs
	fails 1 "$BIN/nx-generate" -m "$S/model" --max-new-tokens 1 cut.nxs
	says 'cut off' err
	[ -s out ]
	fails 1 "$BIN/nx-generate" -m "$S/model" --max-new-tokens 1 -o answers cut.nxs
	[ ! -e answers ]
}

@test "a bad record ends the run with file and line, or is skipped and counted" {
	cat >in <<-'END'
		{"input_ids": [1, 2]}
		{"input_ids": [1, 97]}
		not JSON
		{"other": "x"}
		{"input_ids": [3]}
	END
	fails 1 "$BIN/nx-generate" -m "$S/tiny" --max-new-tokens 1 in
	says "nx-generate: in:2: token id 97 is outside the model's vocabulary of 97" err
	[ "$(wc -l <out)" -eq 1 ]
	fails 0 "$BIN/nx-generate" -m "$S/tiny" -T "$S/tokenizer.json" --max-new-tokens 1 --skip-bad in
	[ "$(wc -l <out)" -eq 2 ]
	says 'skipped 3 bad records, the first: in:2:' err
	echo '{"prompt": "What is a shard?", "completion": "x"}' | "$BIN/nx-generate" -m "$S/model" --max-new-tokens 4 --plain >out
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 4 -p 'What is a shard?' >want
	same want out
	echo '{"other": "x"}' >in
	fails 1 "$BIN/nx-generate" -m "$S/model" in
	says 'nx-generate: in:1: no "question", "input", "text" or "prompt" to answer' err
}

@test "an empty prompt begins with the model's first token, and is told" {
	echo '{"question": ""}' >in
	fails 0 "$BIN/nx-generate" -m "$S/model" --max-new-tokens 3 in
	says '1 empty prompt: begun' err
	mv out a
	echo '{"input_ids": [0]}' | "$BIN/nx-generate" -m "$S/model" --max-new-tokens 3 >b
	same <(sed 's/.*"generated"/"generated"/' a) <(sed 's/.*"generated"/"generated"/' b)
	fails 0 "$BIN/nx-generate" -m "$S/model" --max-new-tokens 3 -p ''
	[ -s out ]
}

@test "NX_MODEL and NX_TOKENIZER name what -m and -T do" {
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 3 -p 'Hello' >want
	NX_MODEL=$S/model "$BIN/nx-generate" --max-new-tokens 3 -p 'Hello' >out
	same want out
	NX_MODEL=$S/tiny NX_TOKENIZER=$S/tokenizer.json "$BIN/nx-generate" -m "$S/model" --max-new-tokens 3 -p 'Hello' >out
	same want out
	NX_TOKENIZER=nowhere.json fails 1 "$BIN/nx-generate" -m "$S/model" -p 'Hello'
	says 'nowhere.json' err
	fails 2 "$BIN/nx-generate" -p 'Hello'
	says 'no model' err
}

@test "text needs a tokenizer" {
	fails 1 "$BIN/nx-generate" -m "$S/tiny" -p 'Hello'
	says 'tokenizer' err
	echo '{"text": "a"}' >in
	fails 2 "$BIN/nx-generate" -m "$S/tiny" in
	says 'in:1: a prompt of text needs a tokenizer' err
}

@test "-p takes no files and no field" {
	fails 2 "$BIN/nx-generate" -m "$S/model" -p 'Hello' in
	fails 2 "$BIN/nx-generate" -m "$S/model" -p 'Hello' -f x
}

@test "--echo puts the prompt in front" {
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 3 -p 'Hello' >answer
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 3 -p 'Hello' --echo >out
	same <(printf Hello; cat answer) out
	echo '{"text": "Hello"}' | "$BIN/nx-generate" -m "$S/model" --max-new-tokens 3 --echo >out
	says '"generated": "Hello' out
}

@test "--timing speaks on stderr, and the number of threads changes nothing" {
	fails 0 "$BIN/nx-generate" -m "$S/model" --threads 1 --max-new-tokens 30 -p 'Hello' --timing
	says 'new tokens' err
	mv out one
	fails 0 "$BIN/nx-generate" -m "$S/model" --threads 3 --max-new-tokens 30 -p 'Hello'
	[ ! -s err ]
	same one out
}

@test "invalid UTF-8 in a prompt is an error" {
	fails 1 "$BIN/nx-generate" -m "$S/model" -p $'a\xff'
	says 'nx-generate: the prompt:' err
}

@test "a model that is not there, or is no model" {
	fails 1 "$BIN/nx-generate" -m nowhere -p 'Hello'
	says "nx-generate: nowhere: No such file or directory" err
	mkdir empty
	fails 1 "$BIN/nx-generate" -m empty -T "$S/tokenizer.json" -p 'Hello'
	says 'config.json' err
}

@test "--batch changes nothing in the answers, their order or what is said of bad records" {
	for n in 1 5 30 2 17 9 1 40 3 3 12 25 60 8 4 7 19 2; do
		printf '{"n": %d, "x": 1.50, "input_ids": [%s]}\n' "$n" "$(seq -s, $((n % 7)) $((n % 7 + n - 1)))"
	done >in
	"$BIN/nx-generate" -m "$S/tiny" --batch 1 --max-length 45 --ignore-eos in >one
	[ "$(wc -l <one)" -eq 18 ]
	for b in 2 3 5 16 100; do
		"$BIN/nx-generate" -m "$S/tiny" --batch $b --max-length 45 --ignore-eos in >out
		same one out
	done
	"$BIN/nx-generate" -m "$S/tiny" --max-length 45 --ignore-eos in >out
	same one out
	{ head -n 7 in; echo '{"input_ids": [5, 97]}'; tail -n +8 in; } >bad
	fails 1 "$BIN/nx-generate" -m "$S/tiny" --max-length 45 --ignore-eos bad
	says 'bad:8: token id 97 is outside' err
	same <(head -n 7 one) out
	fails 0 "$BIN/nx-generate" -m "$S/tiny" --max-length 45 --ignore-eos --skip-bad bad
	says 'skipped 1 bad record' err
	same one out
}

@test "--dtype: every form answers, f32 is the default, and each is the same for every batch" {
	printf '{"input_ids": [%s]}\n' 1 "$(seq -s, 1 20)" "$(seq -s, 3 50)" >in
	"$BIN/nx-generate" -m "$S/tiny" --max-new-tokens 20 --ignore-eos in >default
	for t in f32 bf16 q8; do
		"$BIN/nx-generate" -m "$S/tiny" --dtype $t --max-new-tokens 20 --ignore-eos in >"out.$t"
		"$BIN/nx-generate" -m "$S/tiny" --dtype $t --batch 1 --max-new-tokens 20 --ignore-eos in >one
		same "out.$t" one
		[ "$(wc -l <"out.$t")" -eq 3 ]
	done
	same default out.f32
	fails 2 "$BIN/nx-generate" -m "$S/tiny" --dtype q4 in
}

@test "a draw depends on seed and record alone; -n begins with the same one" {
	head -n 5 "$S/tokens.jsonl" >in
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 8 --seed 3 in >a
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 8 --seed 3 --batch 2 in >b
	same a b
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 8 --seed 4 in >c
	[ "$(ids output_ids a)" != "$(ids output_ids c)" ]
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 8 --seed 3 -n 3 --batch 4 in >n
	[ "$(wc -l <n)" -eq 15 ]
	[ "$(ids output_ids n | sort -u | wc -l)" -eq 15 ]
	same <(ids output_ids a) <(grep '"sequence": 0' n | sed 's/.*"output_ids": \[\([^]]*\).*/\1/')
	# the second record among others, and behind one that is bad
	{ echo '{'; sed -n 2p in; } >two
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 8 --seed 3 --skip-bad -q two >d
	same <(sed -n 2p a) d
}

@test "each way to draw less freely is heard; temperature 0 and top-k 1 are greedy" {
	head -n 4 "$S/tokens.jsonl" >in
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 8 in >greedy
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 8 --seed 1 in >free
	run ! cmp -s greedy free
	for o in '--top-k 1' '--top-p 0' '--min-p 1' '--temperature 0'; do
		# shellcheck disable=SC2086
		"$BIN/nx-generate" -m "$S/model" --max-new-tokens 8 --seed 1 $o in >out
		same greedy out
	done
	for o in '--top-k 0' '--top-p 0.3' '--min-p 0.9' '--temperature 3' '--typical-p 0.1' '--repetition-penalty 9' '--presence-penalty 50' '--frequency-penalty 50' '--no-repeat-ngram-size 1'; do
		"$BIN/nx-generate" -m "$S/model" --max-new-tokens 30 --seed 1 in >free
		# shellcheck disable=SC2086
		"$BIN/nx-generate" -m "$S/model" --max-new-tokens 30 --seed 1 $o in >out
		run ! cmp -s free out
	done
}

@test "penalties keep greedy from going in circles" {
	echo '{"input_ids": [1, 2, 3]}' >in
	for o in '--no-repeat-ngram-size 1' '--presence-penalty 1000' '--frequency-penalty 1000'; do
		# shellcheck disable=SC2086
		"$BIN/nx-generate" -m "$S/tiny" --max-new-tokens 60 --ignore-eos $o in >out
		[ "$(ids output_ids out | tr , '\n' | sort | uniq -d | wc -l)" -eq 0 ]
	done
}

@test "generation_config.json is heard, options override it, --no-generation-config leaves it out" {
	cp -r "$S/tiny" tiny
	echo '{"input_ids": [1, 2, 3]}' >in
	echo '{"do_sample": true, "top_k": 1, "max_new_tokens": 7, "eos_token_id": null, "temperature": null}' >tiny/generation_config.json
	"$BIN/nx-generate" -m tiny in >out
	"$BIN/nx-generate" -m "$S/tiny" --max-new-tokens 7 --ignore-eos in >want
	same want out
	"$BIN/nx-generate" -m tiny --max-length 9 in >out
	[ "$(ids output_ids out | wc -w)" -eq 6 ]
	"$BIN/nx-generate" -m tiny --top-k 90 in >out
	run ! cmp -s want out
	"$BIN/nx-generate" -m tiny --top-k 90 --no-generation-config --max-new-tokens 7 --ignore-eos --temperature 0 in >out
	same want out
	echo '{"num_beams": 3, "length_penalty": 0.5, "eos_token_id": null, "max_new_tokens": 7}' >tiny/generation_config.json
	"$BIN/nx-generate" -m tiny in >a
	"$BIN/nx-generate" -m "$S/tiny" --beams 3 --length-penalty 0.5 --ignore-eos --max-new-tokens 7 in >b
	same a b
	for bad in '"temperature": 0' '"top_p": 2' '"top_k": 1.5' '"num_beams": 0' '"do_sample": 1' '"early_stopping": "x"' '"max_length": "x"'; do
		echo "{$bad}" >tiny/generation_config.json
		fails 1 "$BIN/nx-generate" -m tiny in
		says 'nx-generate: tiny/generation_config.json: "' err
		fails 0 "$BIN/nx-generate" -m tiny --no-generation-config in
	done
}

@test "options outweigh what generation_config.json wishes of beams and of the fewest tokens" {
	cp -r "$S/tiny" tiny
	echo '{"input_ids": [1, 2, 3]}' >in
	echo '{"num_beams": 3, "eos_token_id": null, "max_new_tokens": 7}' >tiny/generation_config.json
	local plain=(-m "$S/tiny" --no-generation-config --ignore-eos --max-new-tokens 7)
	"$BIN/nx-generate" -m tiny in >beams
	"$BIN/nx-generate" -m tiny --greedy in >out
	"$BIN/nx-generate" "${plain[@]}" in >want
	same want out
	run ! cmp -s beams out
	"$BIN/nx-generate" -m tiny --seed 3 in >out
	"$BIN/nx-generate" "${plain[@]}" --seed 3 in >want
	same want out
	fails 2 "$BIN/nx-generate" -m tiny --seed 3 --beams 3 in
	fails 2 "$BIN/nx-generate" -m tiny --logprobs 1 in
	says '(--beams 1 turns off what the model wishes)' err
	"$BIN/nx-generate" -m tiny --logprobs 1 --beams 1 in >out
	echo '{"eos_token_id": null, "max_new_tokens": 7, "min_new_tokens": 5}' >tiny/generation_config.json
	"$BIN/nx-generate" -m tiny --max-new-tokens 2 in >out
	[ "$(ids output_ids out | wc -w)" -eq 2 ]
	fails 2 "$BIN/nx-generate" -m tiny --max-new-tokens 2 --min-new-tokens 3 in
}

@test "wishes of generation_config.json that are not done are told" {
	cp -r "$S/tiny" tiny
	echo '{"input_ids": [1, 2, 3]}' >in
	echo '{"max_new_tokens": 2, "suppress_tokens": [5], "num_return_sequences": 1, "stop_strings": ["x"], "use_cache": true}' >tiny/generation_config.json
	fails 0 "$BIN/nx-generate" -m tiny in
	[ "$(cat err)" = 'nx-generate: generation_config.json wishes what is not done here: stop_strings, suppress_tokens' ]
	fails 0 "$BIN/nx-generate" -q -m tiny in
	[ ! -s err ]
	fails 0 "$BIN/nx-generate" -m tiny --no-generation-config --max-new-tokens 2 in
	[ ! -s err ]
	echo '[]' >tiny/generation_config.json
	fails 1 "$BIN/nx-generate" -m tiny in
	[ "$(cat err)" = 'nx-generate: tiny/generation_config.json: no JSON object' ]
}

@test "several answers to a prompt are one prompt in what is told, and none is beyond what it is made of" {
	echo '{"input_ids": []}' >empty
	echo '{"input_ids": [1, 2, 3]}' >in
	for o in '--beams 3' '--seed 1'; do
		# shellcheck disable=SC2086
		fails 0 "$BIN/nx-generate" -m "$S/tiny" $o -n 3 --max-new-tokens 2 empty
		[ "$(wc -l <out)" -eq 3 ]
		says "nx-generate: 1 empty prompt: begun" err
		# shellcheck disable=SC2086
		fails 0 "$BIN/nx-generate" -m "$S/tiny" $o -n 3 --max-new-tokens 2 --max-input-tokens 2 in
		says "nx-generate: 1 prompt cut to the last 2 tokens, by 1 together" err
		# shellcheck disable=SC2086
		fails 0 "$BIN/nx-generate" -m "$S/tiny" $o -n 3 --max-length 3 in
		says "nx-generate: 1 prompt left no room" err
	done
	"$BIN/nx-generate" -q -m "$S/tiny" --beams 3 --max-length 3 in >out
	says '"output_ids": []' out
	says '"score": 0}' out
	echo "{\"input_ids\": [$(seq -s, 90)]}" >long
	fails 0 "$BIN/nx-generate" -m "$S/tiny" --max-length 3 long
	run ! grep -q beyond err
}

@test "each wish of generation_config.json is its option's" {
	local wish name given
	cp -r "$S/tiny" tiny
	echo '{"input_ids": [1, 2, 3]}' >in
	while read -r wish; do
		name=${wish%%:*}
		given=${wish#*: }
		case $name in
		*penalty* | *ngram*) drawn='"do_sample": false' draw=--greedy ;;
		*) drawn='"do_sample": true' draw=--do-sample ;;
		esac
		echo "{$drawn, \"eos_token_id\": null, \"max_new_tokens\": 40, \"$name\": $given}" >tiny/generation_config.json
		"$BIN/nx-generate" -m tiny in >out
		"$BIN/nx-generate" -m "$S/tiny" --no-generation-config --ignore-eos --max-new-tokens 40 $draw "--${name//_/-}" "$given" in >want
		same want out
		"$BIN/nx-generate" -m "$S/tiny" --no-generation-config --ignore-eos --max-new-tokens 40 $draw in >plain
		run ! cmp -s plain out
	done <<-END
		temperature: 3
		top_p: 0.3
		top_k: 2
		min_p: 0.5
		typical_p: 0.2
		repetition_penalty: 9
		no_repeat_ngram_size: 1
	END
}

@test "--beams gives HF's beams with their scores" {
	line=$(grep '^A 4 2.5 1 ' "$ROOT/tests/golden/beam.txt" | sed 1q)
	echo "{\"input_ids\": [$(cut -d'|' -f3 <<<"$line" | sed 's/^ *//; s/ *$//; s/ /, /g')]}" >in
	cut -d'|' -f4- <<<"$line" | tr '|' '\n' | sed 's/^ *[^ ]* //; s/ *$//; s/ /, /g' >want
	# the golden's end of text is not the model's
	eos=$(cut -d'|' -f2 <<<"$line" | tr -d ' ')
	cp -r "$S/tiny" tiny
	echo "{\"eos_token_id\": $eos}" >tiny/generation_config.json
	"$BIN/nx-generate" -m tiny --beams 4 -n 4 --max-new-tokens 24 --early-stopping true --length-penalty 2.5 in >out
	ids output_ids out >got
	same want got
	says '"sequence": 3, "score": -' out
	"$BIN/nx-generate" -m tiny --beams 4 --max-new-tokens 24 --early-stopping true --length-penalty 2.5 in >one
	same <(sed 's/"sequence": 0, //; 1q' out) one
}

@test "a stop string ends the answer's text before it, and is the reason" {
	text=$("$BIN/nx-generate" -m "$S/model" --max-new-tokens 30 -p 'What is a shard?')
	stop=${text:5:3}
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 30 -p 'What is a shard?' --stop 'not there at all' --stop "$stop" >out
	printf '%s\n' "${text%%"$stop"*}" >want
	same want out
	script -qec "'$BIN/nx-generate' -m '$S/model' --max-new-tokens 30 -p 'What is a shard?' --stop '$stop'" /dev/null </dev/null | tr -d '\r' >live
	same want live
	echo '{"text": "What is a shard?"}' | "$BIN/nx-generate" -m "$S/model" --max-new-tokens 30 --stop "$stop" >out
	says '"finish_reason": "stop_string"' out
}

@test "--min-new-tokens keeps the end of text away" {
	golden 2
	cp -r "$S/tiny" tiny
	echo '{"eos_token_id": [96, 42]}' >tiny/generation_config.json
	echo "{\"input_ids\": [$ask]}" >in
	"$BIN/nx-generate" -m tiny --max-new-tokens 40 --min-new-tokens 40 in >out
	[ "$(ids output_ids out | wc -w)" -eq 40 ]
	run ! grep -qE '(42|96)[],]' <(sed 's/.*output_ids//' out)
}

@test "the likeliest tokens are those of the whole head, which --logprobs looks at" {
	for i in 1 2 3; do echo "{\"input_ids\": [$((700 * i)), 5, $((2900 - i)), 1]}"; done >in
	for how in '--batch 1' '--batch 3' '--dtype bf16' '--threads 2'; do
		# shellcheck disable=SC2086  # an option and its value
		"$BIN/nx-generate" -m "$S/wide" $how --max-new-tokens 60 --ignore-eos in >out
		# shellcheck disable=SC2086
		"$BIN/nx-generate" -m "$S/wide" $how --max-new-tokens 60 --ignore-eos --logprobs 0 in >whole
		[ "$(ids output_ids out)" = "$(ids output_ids whole)" ]
	done
}

@test "--logprobs tells the model's own, --plain writes text, --truncation-side right keeps the beginning" {
	echo '{"text": "Hello"}' >in
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 2 --logprobs 2 in >out
	[ "$(grep -o '"logprob": -[0-9.]*' out | wc -l)" -eq 6 ]
	# each token, greedy, is the first of its list, and the second is less likely
	grep -o '"logprob": -[0-9.e-]*' out | cut -d' ' -f2 | paste - - - >rows
	awk '$1 != $2 || !($3 < $2) { exit 1 } END { exit NR != 2 }' rows
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 2 --logprobs 0 --repetition-penalty 1.5 --temperature 0 in >out
	says '"top_logprobs": []' out
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 6 -p Hello >want
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 6 --plain in >out
	same want out
	echo '{"input_ids": [5, 6, 7]}' >long
	echo '{"input_ids": [5, 6]}' >short
	fails 0 "$BIN/nx-generate" -m "$S/tiny" --max-new-tokens 6 --max-input-tokens 2 --truncation-side right long
	says 'cut to the first 2 tokens' err
	ids output_ids out >got
	"$BIN/nx-generate" -m "$S/tiny" --max-new-tokens 6 short | sed 's/.*"output_ids": \[\([^]]*\).*/\1/' >want
	same want got
}

@test "options that contradict each other, and values that cannot be" {
	for o in '--greedy --top-k 3' '--beams 2 --seed 1' '--beams 2 --stop x' '--beams 2 --logprobs 1' '--length-penalty 2' \
		'--early-stopping never' '-n 2' '-n 3 --beams 2' '--max-new-tokens 2 --min-new-tokens 3' '--plain --logprobs 1' \
		'--stop=' '--top-p 1.1' '--temperature -1' '--typical-p 0' '--repetition-penalty 0' '--beams 65' '--beams 0' \
		'--early-stopping maybe' '--logprobs 101' '--truncation-side middle' '--seed -1'; do
		# shellcheck disable=SC2086
		fails 2 "$BIN/nx-generate" -m "$S/model" $o /dev/null
	done
	fails 2 "$BIN/nx-generate" -m "$S/tiny" --stop x /dev/null
}

@test "--text: each line is a prompt, whatever it looks like" {
	printf 'Hello\n\n{"text": 1}\n  \nWhat is a shard?' >lines
	printf '%s\n' '{"text": "Hello"}' '{"text": "{\"text\": 1}"}' '{"text": "What is a shard?"}' >records
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 5 records >want
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 5 --text <lines >out
	same want out
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 5 --plain records >want
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 5 --plain --text lines >out
	same want out
	printf 'good\n\377\n' >bad
	fails 1 "$BIN/nx-generate" -m "$S/model" --text bad
	says 'bad:2: ' err
	fails 2 "$BIN/nx-generate" -m "$S/model" --text -p x
	fails 2 "$BIN/nx-generate" -m "$S/model" --text --field x
}

@test "the answer's field is no other of its fields; going beyond the model's positions is told" {
	for k in output_ids finish_reason prompt_tokens completion_tokens sequence score logprobs; do
		fails 2 "$BIN/nx-generate" -m "$S/model" -k $k /dev/null
		says "--key $k: " err
	done
	echo '{"input_ids": [1, 2, 3, 4]}' >in
	fails 0 "$BIN/nx-generate" -m "$S/tiny" --ignore-eos --max-length 64 in
	[ ! -s err ]
	fails 0 "$BIN/nx-generate" -m "$S/tiny" --ignore-eos --max-length 65 in
	[ "$(cat err)" = 'nx-generate: 1 answer went beyond the 64 tokens that the model is made for' ]
}
