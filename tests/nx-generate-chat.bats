#!/usr/bin/env bats
# nx-generate --template and --chat: prompts in the form of the training data, and talks, from files, pipes and a terminal.
load helper

# Made once: the small files of the examples in $S, with a model that has learnt four answers by heart, and its template.
setup_file() {
	S=$BATS_FILE_TMPDIR/s
	mkdir "$S"
	BIN=$BIN "$ROOT/tests/small-files" "$S"
	cd "$S" || return 1
	head -n 4 data.jsonl >four.jsonl
	"$BIN/jsonl-template" -p qa four.jsonl | "$BIN/jsonl-template" --only text |
		"$BIN/bpe-encode" -q -T tokenizer.json --append-eos --shard -o four.nxs
	"$BIN/nx-train" -q -m model -o learnt --template qa --learning-rate 1e-2 --max-steps 150 four.nxs >name
	# one that talks without an end
	cp -r model endless
	sed 's/"max_position_embeddings": [0-9]*/"max_position_embeddings": 100000000/' model/config.json >endless/config.json
	export S
}

each() {
	unset NX_MODEL NX_TOKENIZER
}

# Nobody goes on listening when a test has failed.
teardown() {
	jobs -p | xargs -r kill 2>/dev/null || true
}

# ids NAME FILE: the array called NAME of each record, as written.
ids() {
	sed 's/.*"'"$1"'": \[\([^]]*\)\].*/\1/' "$2"
}

# asked TEXT: the ids of a text.
asked() {
	"$BIN/jsonl-template" -t '{a}' <<<"{\"a\": \"$1\"}" | "$BIN/bpe-encode" -q -T "$S/tokenizer.json" >asked
	ids input_ids asked
}

# waits TEXT FILE: until the file holds it, ten seconds at most.
waits() {
	for _ in $(seq 200); do
		if grep -qF -- "$1" "$2"; then return 0; fi
		sleep 0.05
	done
	echo "not there: $1"
	cat "$2"
	return 1
}

@test "--template asks with what jsonl-template makes: -p, lines of text and records" {
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 9 --template qa-prompt --plain "$S/four.jsonl" >got
	"$BIN/jsonl-template" -p qa-prompt -k asked "$S/four.jsonl" | "$BIN/nx-generate" -m "$S/model" --max-new-tokens 9 -f asked --plain >want
	same want got
	"$BIN/jsonl-template" --raw -t '{question}' "$S/four.jsonl" >lines
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 9 --template qa-prompt --plain --text lines >got
	same want got
	while IFS= read -r line; do
		"$BIN/nx-generate" -m "$S/model" --max-new-tokens 9 --template qa-prompt -p "$line"
	done <lines >got
	same want got
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 9 --template 'Q{{: {question}>' --echo -p 'Why?' >got
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 9 --echo -p 'Q{: Why?>' >want
	same want got
}

@test "--template of whole texts is cut before the answer, and gives what was learnt" {
	"$BIN/jsonl-template" --raw -t ' {answer}' "$S/four.jsonl" | sed 's/^ //' >want
	for t in qa model; do
		"$BIN/nx-generate" -m "$S/learnt" --max-new-tokens 99 --template $t --plain "$S/four.jsonl" >got
		same want got
	done
	# a record that has ids is asked by its fields, and gets no ids
	"$BIN/bpe-encode" -q -T "$S/tokenizer.json" "$S/four.jsonl" | "$BIN/nx-generate" -m "$S/learnt" --max-new-tokens 99 --template qa >got
	[ "$(grep -c '"finish_reason": "stop"' got)" -eq 4 ]
	run ! grep -q output_ids got
}

@test "a blank before the answer is the answer's" {
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 5 --template 'Q: {question} A: {answer}' -p 'Why?' --echo >got
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 5 -p 'Q: Why? A:' --echo >want
	same want got
}

@test "the text behind the answer ends it" {
	local stop
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 30 -p "Q Why?
" >whole
	stop=$(head -n 1 whole | cut -c 12-13)
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 30 -p "Q Why?
" --stop "$stop" >want
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 30 --template "Q {question}
{answer}
$stop " -p 'Why?' >got
	same want got
	run ! cmp -s whole got
}

@test "templates that are none, and records that do not fill one" {
	for t in nonsense '' '{' '{}' '{answer}'; do
		fails 2 "$BIN/nx-generate" -m "$S/model" --template "$t" -p x
		says '--template: ' err
		fails 2 "$BIN/nx-train" -m "$S/model" --template "$t" "$S/four.nxs"
		says '--template: ' err
	done
	fails 2 "$BIN/nx-generate" -m "$S/model" --template qa -f question "$S/four.jsonl"
	fails 1 "$BIN/nx-generate" -m "$S/model" --template model -p x
	says 'has no prompt_template.txt' err
	fails 1 "$BIN/nx-generate" -m "$S/model" --template alpaca "$S/four.jsonl"
	says 'four.jsonl:1: field "input" is missing' err
	fails 1 "$BIN/nx-generate" -m "$S/model" --template qa "$S/tokens.nxs"
	says 'record 1: the record has no fields for a template' err
	cp -r "$S/model" model
	echo nonsense >model/prompt_template.txt
	fails 1 "$BIN/nx-generate" -m model --template model -p x
	says 'model/prompt_template.txt: there is no preset' err
}

@test "the template goes with the model: training on, checkpoints, adapters, merging" {
	[ "$(cat "$S/learnt/prompt_template.txt")" = qa ]
	"$BIN/nx-train" -q -m "$S/learnt" -o on --max-steps 1 --save-steps 1 "$S/four.nxs"
	[ "$(cat on/prompt_template.txt on/checkpoint-1/prompt_template.txt)" = "$(printf 'qa\nqa')" ]
	"$BIN/nx-train" -q -m "$S/learnt" -o adapter --lora 2 --template '{question}:{answer}' --max-steps 1 --save-steps 1 "$S/four.nxs"
	[ "$(cat adapter/prompt_template.txt adapter/checkpoint-1/prompt_template.txt)" = "$(printf '{question}:{answer}\n{question}:{answer}')" ]
	"$BIN/nx-merge" -q -m "$S/learnt" -o merged adapter
	[ "$(cat merged/prompt_template.txt)" = '{question}:{answer}' ]
	"$BIN/nx-merge" -q -m "$S/learnt" -o copy
	[ "$(cat copy/prompt_template.txt)" = qa ]
}

@test "--chat: each line is asked behind what was said before" {
	local one two out
	printf 'One?\n\n  \nTwo?\n' >in
	fails 0 "$BIN/nx-generate" -m "$S/model" --chat --template qa --max-new-tokens 7 <in
	mv out got
	one=$(asked '### Question:\nOne?\n\n### Answer:\n')
	two=$(asked '### Question:\nTwo?\n\n### Answer:\n')
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 7 <<<"{\"input_ids\": [$one]}" >first
	says '"finish_reason": "length"' first # so that the end of text has to be put there
	out=$(ids output_ids first)
	"$BIN/nx-generate" -m "$S/model" --max-new-tokens 7 <<<"{\"input_ids\": [$one, $out, 0, $two]}" >second
	"$BIN/bpe-decode" -T "$S/tokenizer.json" --skip-special-tokens <(sed 's/.*output_ids/{"input_ids/' first second) >want
	sed -i 's/^[[:space:]]*//' want
	same want got
	# without what was said
	"$BIN/nx-generate" -m "$S/model" --chat --template qa --max-new-tokens 7 --history 0 <in >got
	"$BIN/nx-generate" -m "$S/model" --text --template qa --max-new-tokens 7 --plain in | sed 's/^[[:space:]]*//' >want
	same want got
	sed '2s/.*/\/reset/' in >again
	"$BIN/nx-generate" -m "$S/model" --chat --template qa --max-new-tokens 7 <again >got
	same want got
}

@test "--chat takes the template that the model was trained with, and says where there is none" {
	"$BIN/jsonl-template" --raw -t '{question}' "$S/four.jsonl" >lines
	"$BIN/jsonl-template" --raw -t '{answer}' "$S/four.jsonl" >want
	fails 0 "$BIN/nx-generate" -m "$S/learnt" --chat --history 0 <lines
	[ ! -s err ]
	same want out
	{ head -n 2 lines; echo /quit; cat lines; } >quit
	"$BIN/nx-generate" -m "$S/learnt" --chat --history 0 <quit >out
	same <(head -n 2 want) out
	fails 0 "$BIN/nx-generate" -m "$S/model" --chat --max-new-tokens 3 </dev/null
	[ ! -s out ]
	says 'has no prompt_template.txt' err
}

@test "--chat: what is told of lengths, and of turns that are forgotten" {
	head -n 12 "$S/text.txt" >in
	fails 0 "$BIN/nx-generate" -m "$S/model" --chat --template qa --max-new-tokens 60 --ignore-eos <in
	says 'the answer was cut off at 60 tokens' err
	says 'the window of 256 tokens is full: forgot the oldest 2 turns' err
	fails 0 "$BIN/nx-generate" -m "$S/model" --chat --template qa --max-new-tokens 60 --ignore-eos -q <in
	[ ! -s err ]
	printf '%0500d\n' 7 >long
	fails 0 "$BIN/nx-generate" -m "$S/model" --chat --template qa --max-new-tokens 9 --max-length 40 <long
	says ', of which the last 31 are asked' err
	[ "$(wc -l <out)" -ge 1 ]
}

@test "--chat: a line that is no text ends the talk, or is passed over" {
	printf 'Hello\n\377\nHello\n' >in
	fails 1 "$BIN/nx-generate" -m "$S/model" --chat --max-new-tokens 3 --template qa <in
	says 'nx-generate: stdin:2: ' err
	fails 0 "$BIN/nx-generate" -m "$S/model" --chat --max-new-tokens 3 --template qa --skip-bad <in
	says 'skipped 1 bad record' err
}

@test "--chat answers a line before it reads the next, even one of a letter" {
	mkfifo told
	"$BIN/nx-generate" -m "$S/model" --chat -q --max-new-tokens 3 <told >out 3>&- &
	exec 4>told
	echo a >&4
	for _ in $(seq 200); do
		if [ -s out ]; then break; fi
		sleep 0.05
	done
	[ -s out ]
	exec 4>&-
	wait $!
}

@test "--chat on a terminal: Ctrl-C ends the answer or says what ends the talk, Ctrl-D ends it" {
	mkfifo keys
	TERM=dumb script -qec "'$BIN/nx-generate' -m '$S/endless' --chat --template qa --max-new-tokens 50000000 --ignore-eos" /dev/null <keys >screen 3>&- &
	exec 4>keys
	waits 'Ctrl-C stops an answer' screen
	echo 'Who?' >&4
	for _ in $(seq 200); do
		if [ "$(wc -c <screen)" -gt 300 ]; then break; fi
		sleep 0.05
	done
	printf '\003' >&4
	for _ in $(seq 200); do
		if [ "$(grep -c '^> ' screen)" -eq 2 ]; then break; fi
		sleep 0.05
	done
	printf 'abc\003' >&4
	waits '(Ctrl-D or /quit ends)' screen
	echo '/help' >&4
	printf '\004' >&4
	exec 4>&-
	wait $!
	[ "$(grep -c 'Ctrl-C stops an answer' screen)" -eq 2 ]
}

@test "--chat goes with no other way of asking" {
	for o in '-p x' --text '-f x' --plain --echo '-o x' '--beams 2' '-n 2 --seed 1' '--logprobs 1' x; do
		# shellcheck disable=SC2086
		fails 2 "$BIN/nx-generate" -m "$S/model" --chat $o </dev/null
		says '--chat ' err
	done
	fails 2 "$BIN/nx-generate" -m "$S/model" --history 3 -p x
	fails 1 "$BIN/nx-generate" -m "$S/learnt" --chat -T nowhere.json </dev/null
}

@test "a talk with a model that wishes beams does without them" {
	cp -r "$S/learnt" searching
	echo '{"num_beams": 3, "eos_token_id": 0}' >searching/generation_config.json
	head -n 2 "$S/four.jsonl" | sed 's/.*"question": "\([^"]*\)".*/\1/' >asked
	"$BIN/nx-generate" -m searching --chat --history 0 <asked >got
	"$BIN/nx-generate" -m "$S/learnt" --chat --history 0 <asked >want
	same want got
	[ -s want ]
	fails 2 "$BIN/nx-generate" -m searching --chat --beams 3 <asked
}

@test "an answer on a terminal cannot steer it, and is as it is elsewhere" {
	echo '{"question": "Who?", "answer": "\u001b[2J\u0007me"}' | "$BIN/jsonl-template" -p qa | "$BIN/jsonl-template" --only text |
		"$BIN/bpe-encode" -q -T "$S/tokenizer.json" --append-eos --shard -o odd.nxs
	"$BIN/nx-train" -q -m "$S/model" -o odd --template qa --learning-rate 1e-2 --max-steps 80 odd.nxs >name
	"$BIN/nx-generate" -q -m odd --template model -p 'Who?' >raw
	[ "$(cat raw)" = $'\e[2J\ame' ]
	script -qec "'$BIN/nx-generate' -q -m odd --template model -p 'Who?'" /dev/null </dev/null | tr -d '\r' >live
	[ "$(cat live)" = '␛[2J␇me' ]
	script -qec "echo 'Who?' | '$BIN/nx-generate' -q -m odd --chat" /dev/null </dev/null | tr -d '\r' >live
	[ "$(cat live)" = '␛[2J␇me' ]
}
