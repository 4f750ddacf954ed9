#!/usr/bin/env bats
# nx-eval: HF's figures on the tiny models, records of every form, SQuAD's scores, and what goes wrong.
load helper

# Made once: the small files of the examples, and the tiny models of tests/unit/tiny.h in A, B and C.
setup_file() {
	local tool=$ROOT/build/rel/unit/tinydir
	S=$BATS_FILE_TMPDIR/s
	mkdir "$S"
	BIN=$BIN "$ROOT/tests/small-files" "$S"
	case $BIN in */build/*/bin) tool=${BIN%/bin}/unit/tinydir ;; esac
	for which in A B C; do "$tool" $which "$S/$which"; done
	export S
}

each() {
	unset NX_MODEL NX_TOKENIZER
	cp -r "$S"/. .
	cp "$ROOT/tests/golden/evaluate.jsonl" golden.jsonl
	head -n 12 tokens.jsonl >few.jsonl
}

evaluate() {
	"$BIN/nx-eval" -q -m model "$@"
}

# value KEY FILE: of each line.
value() {
	sed -n "s/.*\"$1\": \([^,}]*\).*/\1/p" "$2"
}

# near FILE FILE: as many words, the numbers equal within 1e-5 of the larger, all else but commas to the letter.
near() {
	[ "$(wc -w <"$1")" -eq "$(wc -w <"$2")" ]
	paste -d' ' <(tr -s ' ,' '\n' <"$1") <(tr -s ' ,' '\n' <"$2") | awk '
		$1 == $2 { next }
		$1 ~ /^[0-9.e-]+$/ && $2 ~ /^[0-9.e-]+$/ && ($1 - $2) ^ 2 <= 1e-10 * ($1 > $2 ? $1 : $2) ^ 2 { next }
		{ print "not equal: " $0; bad = 1 }
		END { exit bad }'
}

# refused STATUS TEXT ARG ...
refused() {
	local want=$1 text=$2
	shift 2
	fails "$want" "$BIN/nx-eval" "$@"
	[ ! -s out ]
	says "$text" err
}

# --- a model -----------------------------------------------------------------------

@test "losses and accuracies are those of HF's Trainer.evaluate, in batches of every size" {
	for which in A B C; do
		for batch in 1000 8 5 3; do
			"$BIN/nx-eval" -q -m $which --per-device-eval-batch-size $batch golden.jsonl >out
			echo "total $which $batch $(value eval_loss out) $(value token_loss out) $(value eval_accuracy out)" \
				"$(value tokens out) $(value records out)" >>got
			[ "$(value unscored out)" = 3 ]
		done
	done
	grep '^total' "$ROOT/tests/golden/evaluate.txt" >want
	near want got
	# 8 is the default
	"$BIN/nx-eval" -q -m A golden.jsonl >a
	"$BIN/nx-eval" -q -m A -b 8 golden.jsonl >b
	same a b
}

@test "--each: every record's own loss, tokens and accuracy are HF's" {
	for which in A B C; do
		"$BIN/nx-eval" -q -m $which --each golden.jsonl >out
		[ "$(wc -l <out)" -eq 19 ]
		paste -d' ' <(value loss out) <(value tokens out) <(value accuracy out) | sed "s/^/each $which record /" >>got
	done
	grep '^each' "$ROOT/tests/golden/evaluate.txt" | sed 's/^\(each .\) [0-9]*/\1 record/' >want
	near want got
}

@test "--each keeps the fields as they are, replaces its own, and names no number where there is none" {
	echo '{"loss": "old", "id": 1.50, "input_ids": [5, 6], "tokens": [1], "more": {"a": null}}' >in
	echo '{"input_ids": [5], "accuracy": 7}' >>in
	evaluate --each in >out
	grep -Eqx '\{"id": 1\.50, "input_ids": \[5, 6\], "more": \{"a": null\}, "loss": [0-9.]+, "tokens": 1, "accuracy": [01]\}' out
	tail -n 1 out >last
	echo '{"input_ids": [5], "loss": null, "tokens": 0, "accuracy": null}' >want
	same want last
}

@test "--each of a shard: records as JSON lines, with the losses of the same records" {
	evaluate --each tokens.jsonl >a
	evaluate --each tokens.nxs >b
	value loss a >la
	value loss b >lb
	same la lb
	grep -Eqx '\{"input_ids": \[.*\], "attention_mask": \[1, .*\], "labels": \[.*\], "loss": .*\}' b
	# what was judged can be judged again
	evaluate --each b >c
	same b c
}

@test "shards, JSON lines, compressed ones and stdin give the same figures" {
	evaluate tokens.jsonl >want
	evaluate tokens.nxs >a
	evaluate <tokens.nxs >b
	zstd -q tokens.jsonl
	evaluate tokens.jsonl.zst >c
	NX_MODEL=model "$BIN/nx-eval" -q tokens.jsonl >d
	for f in a b c d; do same want $f; done
}

@test "the loss is that of nx-train --eval" {
	"$BIN/nx-train" -q -m model -o t --max-steps 1 --learning-rate 0 --eval tokens.nxs --log log few.jsonl >name
	evaluate tokens.nxs >out
	grep eval_loss log >line
	[ "$(value eval_loss line)" = "$(value eval_loss out)" ]
}

@test "padding, order, batches and packing change no token's loss" {
	evaluate few.jsonl >want
	for side in left right; do
		"$BIN/pad-trunc" -q --padding longest --padding-side $side --pad-id 0 few.jsonl >p.jsonl
		evaluate p.jsonl >got
		same want got
	done
	"$BIN/nx-eval" -m model p.jsonl >got 2>err
	grep -Eq 'nx-eval: [0-9]+ tokens of padding left out' err
	"$BIN/pad-trunc" -q --pack --max-length 200 few.jsonl >packed.jsonl
	[ "$(wc -l <packed.jsonl)" -lt 12 ]
	evaluate packed.jsonl >got
	tac few.jsonl >back.jsonl
	evaluate -b 5 back.jsonl >back
	for k in token_loss perplexity eval_accuracy tokens; do
		value $k want >>w
		value $k got >>g
		value $k back >>b
	done
	near w g
	near w b
}

@test "the perplexity is e to the token loss, and null where no number holds it" {
	evaluate few.jsonl >out
	awk -v l="$(value token_loss out)" -v p="$(value perplexity out)" 'BEGIN { exit !((exp(l) / p - 1) ^ 2 < 1e-12) }'
	"$BIN/nx-init" -q --config model/config.json --init-range 1000 -o wild
	"$BIN/nx-eval" -q -m wild few.jsonl >out
	[ "$(value perplexity out)" = null ]
	awk -v l="$(value token_loss out)" 'BEGIN { exit !(l > 710) }'
}

@test "of equally likely tokens the first is the model's choice, as argmax has it" {
	"$BIN/nx-init" -q --config model/config.json --init-range 0 -o level
	for id in 0 6 511; do echo "{\"input_ids\": [5, $id]}"; done >in
	"$BIN/nx-eval" -q -m level --each in >out
	[ "$(value accuracy out | tr '\n' ' ')" = '1 0 0 ' ]
}

@test "a loss that is no number is an error, with its record" {
	# the weights of the first rows, the embedding's, become 3.4e38: squares of them are no number
	head -c 65536 /dev/zero | tr '\0' '\177' >big
	head=$(od -An -t u8 -N 8 model/model.safetensors)
	dd if=big of=model/model.safetensors bs=1 seek=$((head + 8)) conv=notrunc status=none
	refused 1 'nx-eval: the loss of record 1 is ' -q -m model few.jsonl
	refused 1 'nx-eval: the loss of record 1 is ' -q -m model --each few.jsonl
}

@test "records without a token in the loss are counted; nothing but them is an error" {
	{ echo '{"input_ids": []}' && cat few.jsonl && echo '{"input_ids": [5, 6], "labels": [-100, -100]}'; } >in
	"$BIN/nx-eval" -m model in >out 2>err
	says 'nx-eval: 2 records have no token in the loss' err
	[ "$(value records out)" = 14 ]
	[ "$(value unscored out)" = 2 ]
	evaluate few.jsonl >want
	[ "$(value token_loss out)" = "$(value token_loss want)" ]
	echo '{"input_ids": [5]}' >in
	refused 1 'nx-eval: in: no record has a token in the loss' -m model in
	refused 1 'nx-eval: stdin: no record' -m model </dev/null
}

@test "a batch without a token in the loss is left out of eval_loss" {
	printf '{"input_ids": [5]}\n{"input_ids": [6]}\n' >in
	sed -n 1,4p few.jsonl >>in
	evaluate -b 2 in >a
	evaluate -b 2 <(sed -n 1,4p few.jsonl) >b
	[ "$(value eval_loss a)" = "$(value eval_loss b)" ]
}

@test "records that are longer than the model was made for are told" {
	awk 'BEGIN { printf "{\"input_ids\": ["; for (i = 0; i < 300; i++) printf "%s%d", (i ? ", " : ""), 5 + i % 200; print "]}" }' >in
	"$BIN/nx-eval" -m model in >out 2>err
	says 'nx-eval: the longest record has 300 tokens, the model is made for 256' err
	[ "$(value tokens out)" = 299 ]
	# more than one pass takes, and a short one behind it
	{ cat in in in && head -n 1 few.jsonl; } >"more"
	evaluate -b 100 --each more >out
	[ "$(value loss out | head -n 3 | sort -u | wc -l)" = 1 ]
	evaluate --each <(head -n 1 few.jsonl) >one
	value loss out | tail -n 1 >last
	value loss one >first
	near last first
}

@test "a shard of another tokenizer is refused, unless it is wanted" {
	"$BIN/bpe-train" -q --jsonl --vocab-size 400 -o other.json data.jsonl
	head -n 4 data.jsonl | "$BIN/bpe-encode" -q -T other.json --shard >other.nxs
	refused 1 "nx-eval: other.nxs: the shard's tokenizer (" -m model other.nxs
	says 'is not model/tokenizer.json (' err
	says '; --any-tokenizer takes it all the same' err
	"$BIN/nx-eval" -m model --any-tokenizer other.nxs >out 2>err
	[ "$(value records out)" = 4 ]
	rm model/tokenizer.json
	"$BIN/nx-eval" -m model other.nxs >out 2>err
	says "other.nxs: the shard's tokenizer cannot be compared with the model's: it has none" err
	[ "$(value records out)" = 4 ]
}

@test "an adapter's directory is a model" {
	"$BIN/nx-train" -q -m model -o adapted --lora 2 --learning-rate 0.01 --max-steps 6 few.jsonl >name
	"$BIN/nx-merge" -q -o merged adapted
	"$BIN/nx-eval" -q -m adapted few.jsonl >a
	"$BIN/nx-eval" -q -m merged few.jsonl >b
	evaluate few.jsonl >c
	value eval_loss a >la
	value eval_loss b >lb
	near la lb
	[ "$(value eval_loss a)" != "$(value eval_loss c)" ]
}

@test "--threads, and the figures stay" {
	evaluate --threads 1 few.jsonl >a
	evaluate --threads 3 few.jsonl >b
	near a b
}

@test "bad records end the run, or are passed over" {
	{ head -n 1 few.jsonl && echo '{"text": "a"}' && echo '{"input_ids": [512]}' && sed -n 2p few.jsonl; } >in
	fails 1 "$BIN/nx-eval" -m model in
	says 'nx-eval: in:2: field "input_ids" is missing' err
	"$BIN/nx-eval" -m model --skip-bad --each in >out 2>err
	[ "$(wc -l <out)" -eq 2 ]
	says 'nx-eval: skipped 2 bad records, the first: in:2: ' err
	evaluate --each <(head -n 2 few.jsonl) >want
	same want out
}

@test "--totals and -o: totals in a file, beside the records or alone" {
	evaluate few.jsonl >want
	"$BIN/nx-eval" -m model --each --totals t few.jsonl >lines 2>err
	same want t
	[ "$(wc -l <lines)" -eq 12 ]
	says "nx-eval: $(cat want)" err # where the records are, the totals are told
	evaluate -o o --totals t2 few.jsonl >out
	[ ! -s out ]
	same want o
	same want t2
	refused 1 'not/there: No such file' -q -m model --totals not/there few.jsonl
	# one file cannot take both
	cp o kept
	for t in o ./o; do
		refused 2 '--totals names the file that the output goes to' -m model --each -o o --totals $t few.jsonl
	done
	refused 2 '--totals names the file that the output goes to' -m model --totals - few.jsonl
	refused 2 '--totals names the file that the output goes to' -m model -o new --totals ../"$(basename "$PWD")"/new few.jsonl
	same kept o
}

# --- texts ----------------------------------------------------------------------------

@test "exact match and F1 are those of SQuAD's evaluation" {
	"$BIN/nx-eval" -q --text --each "$ROOT/tests/golden/squad.jsonl" >out
	same "$ROOT/tests/golden/squad.jsonl" out
}

@test "the totals are means over the records" {
	"$BIN/nx-eval" --text "$ROOT/tests/golden/squad.jsonl" >out 2>err
	[ ! -s err ]
	for k in exact_match f1; do
		value $k "$ROOT/tests/golden/squad.jsonl" | awk '{ s += $1 } END { printf "%.6f\n", s / NR }' >want
		value $k out | awk '{ printf "%.6f\n", $1 }' >got
		same want got
	done
	[ "$(value records out)" = 258 ]
}

@test "-k and -r name the fields; a column of one row counts as its value" {
	echo '{"said": {"0": "The  cat"}, "wanted": {"0": "cat!"}}' >in
	"$BIN/nx-eval" -q --text -k said -r wanted in >out
	echo '{"exact_match": 1, "f1": 1, "records": 1}' >want
	same want out
}

@test "--raw compares as it stands" {
	# shellcheck disable=SC2016
	printf '%s\n' '{"generated": "The cat", "answer": "the cat"}' '{"generated": "a  b", "answer": "a b"}' \
		'{"generated": "x", "answer": "x"}' '{"generated": "", "answer": ""}' '{"generated": " ", "answer": ""}' >in
	"$BIN/nx-eval" -q --text --raw --each in >out
	[ "$(value exact_match out | tr '\n' ' ')" = '0 0 1 1 0 ' ]
	[ "$(value f1 out | tr '\n' ' ')" = '0.5 1 1 1 0 ' ]
}

@test "answers of nx-generate are judged in one line" {
	head -n 3 data.jsonl | "$BIN/nx-generate" -q -m model --max-new-tokens 3 | "$BIN/nx-eval" -q --text >out
	[ "$(value records out)" = 3 ]
}

@test "texts that are missing or none are errors, or passed over" {
	echo '{"generated": "x", "answer": "x"}' >in
	for bad in '{"generated": "x"}' '{"answer": "x"}' '{"generated": 1, "answer": "x"}' '{"generated": "x", "answer": []}' \
		'{"generated": "x", "answer": ["x", 1]}' '[]' '{'; do
		{ cat in && echo "$bad" && cat in; } >three
		refused 1 'nx-eval: three:2: ' --text three
		"$BIN/nx-eval" --text --skip-bad three >out 2>err
		[ "$(value records out)" = 2 ]
		says 'nx-eval: skipped 1 bad record, the first: three:2: ' err
	done
	refused 1 'nx-eval: stdin: no record' --text </dev/null
}

# --- options ------------------------------------------------------------------------------

@test "options of the one are refused with the other" {
	refused 2 'no model: give -m DIR or set NX_MODEL, or compare texts with --text' few.jsonl
	refused 2 '--text needs no model' --text -m model few.jsonl
	refused 2 '--text needs no model' --text --any-tokenizer few.jsonl
	for o in '-k generated' '-r answer' --raw; do
		# shellcheck disable=SC2086
		refused 2 'are for --text' -m model $o few.jsonl
	done
	refused 2 '--batch-size' -m model --batch-size 0 few.jsonl
	NX_MODEL=model "$BIN/nx-eval" -q --text "$ROOT/tests/golden/squad.jsonl" >out # the variable is no wish for a model
}
