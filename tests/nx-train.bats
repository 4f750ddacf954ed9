#!/usr/bin/env bats
# nx-train: what it takes, writes, says and refuses. That its losses are HF's is
# shown by tests/unit/trainer.c.
load helper

setup_file() {
	S=$BATS_FILE_TMPDIR/s
	mkdir "$S"
	BIN=$BIN "$ROOT/tests/small-files" "$S"
	export S
}

each() {
	unset NX_MODEL NX_TOKENIZER
	cp -r "$S"/. .
	head -n 12 tokens.jsonl >few.jsonl
}

train() {
	"$BIN/nx-train" -m model "$@"
}

# What is in the directory, but for the tests' own files, into file $1.
listing() {
	find . -path './before' -o -path './after' -o -path './out' -o -path './err' -o -print | sort >"$1"
}

# refused STATUS TEXT ARG ...: nx-train ends with STATUS and one line that has TEXT; nothing new is there.
refused() {
	local want=$1 text=$2
	shift 2
	listing before
	fails "$want" "$BIN/nx-train" -q "$@"
	[ ! -s out ]
	says "$text" err
	if [ "$want" -eq 1 ] && [ "$(wc -l <err)" -ne 1 ]; then cat err; return 1; fi
	listing after
	same before after
}

# The value of a key in line N of the log.
value() {
	sed -n "$1p" log.jsonl | sed -n "s/.*\"$2\": \(\[[^]]*\]\|[^,}]*\).*/\1/p"
}

@test "a model directory comes out, and its name on stdout" {
	train -o trained --max-steps 2 tokens.nxs >name 2>err
	echo trained >want
	same want name
	for f in config.json generation_config.json model.safetensors tokenizer.json tokenizer_config.json; do
		[ -s "trained/$f" ]
	done
	same model/tokenizer.json trained/tokenizer.json
	same model/config.json trained/config.json
	[ "$(wc -c <trained/model.safetensors)" -eq "$(wc -c <model/model.safetensors)" ]
	run ! cmp -s trained/model.safetensors model/model.safetensors
	says "step 2/2: loss " err
	[ ! -e trained/special_tokens_map.json ]
}

@test "the whole way in one line, with nothing but NX_MODEL set" {
	# shellcheck disable=SC2030
	export NX_MODEL=model
	head -n 9 data.jsonl >d.jsonl
	"$BIN/nx-generate" -m "$("$BIN/jsonl-template" d.jsonl | "$BIN/bpe-encode" | "$BIN/nx-train" --max-steps 2)" \
		-p 'How?' --max-new-tokens 2 >answer
	[ "$(wc -l <answer)" -ge 1 ]
	ls -d nx-2-steps-*[0-9]
}

@test "every run without -o gets a directory of its own" {
	for i in 1 2 3; do train -q --max-steps 1 few.jsonl >>names; done
	[ "$(sort -u names | wc -l)" -eq 3 ]
	while read -r d; do
		[[ $d =~ ^nx-1-steps-[0-9]{10}$ ]]
		[ -s "$d/model.safetensors" ]
	done <names
}

@test "{steps} and {timestamp} are filled in where they stand" {
	train -q -o 'a{steps}b{timestamp}c{step}' --num-train-epochs 2 --batch-size 5 few.jsonl >name
	grep -Eqx 'a6b[0-9]{10}c\{step\}' name
}

@test "shards, JSON lines, compressed ones and stdin train the same model" {
	"$BIN/pad-trunc" -q --max-length 40 tokens.nxs >t.nxs
	"$BIN/pad-trunc" -q --max-length 40 tokens.jsonl >t.jsonl
	zstd -q t.jsonl
	train -q -o a --max-steps 3 t.nxs
	train -q -o b --max-steps 3 t.jsonl
	train -q -o c --max-steps 3 t.jsonl.zst
	train -q -o d --max-steps 3 <t.nxs
	for d in b c d; do same a/model.safetensors $d/model.safetensors; done
}

@test "padding in the records changes nothing" {
	train -q -o a --max-steps 3 --log a.log few.jsonl
	for side in left right; do
		"$BIN/pad-trunc" -q --padding longest --padding-side $side --pad-id 0 few.jsonl >p.jsonl
		train -o $side --max-steps 3 p.jsonl 2>err
		grep -q 'tokens of padding left out' err
		same a/model.safetensors $side/model.safetensors
	done
}

@test "the log has the Trainer's keys" {
	train -q -v -o a --max-steps 3 --warmup-steps 1 --batch-size 2 --sampler sequential --learning-rate 1e-3 \
		--eval few.jsonl --log log.jsonl few.jsonl
	[ "$(wc -l <log.jsonl)" -eq 5 ]
	"$BIN/jsonl-template" -q -t '{step} {epoch}' log.jsonl >/dev/null # each line is JSON
	for k in loss grad_norm learning_rate epoch step tokens lengths iter_time flops remaining_time; do
		for i in 1 2 3; do [ -n "$(value $i $k)" ]; done
	done
	for k in eval_loss eval_runtime eval_samples_per_second eval_steps_per_second epoch step; do [ -n "$(value 4 $k)" ]; done
	for k in train_runtime train_samples_per_second train_steps_per_second total_flos train_loss epoch step; do
		[ -n "$(value 5 $k)" ]
	done
	[ "$(value 1 learning_rate) $(value 2 learning_rate) $(value 3 learning_rate)" = "0 0.001 0.0005" ]
	[ "$(value 3 epoch) $(value 3 step) $(value 1 iter_time) $(value 3 remaining_time)" = "0.5 3 0 0" ]
	# the sum of the tokens, times 6, times all parameters but the embedding: 26 k and a head of 512 x 32
	t=$(($(value 1 tokens) + $(value 2 tokens) + $(value 3 tokens)))
	[ $(($(value 5 total_flos) % t)) -eq 0 ]
}

@test "lengths are told, in the order of the sampler" {
	sed -n 's/.*"input_ids": \(\[[^]]*\]\).*/\1/p' few.jsonl | awk -F, '{ printf "%s%d", (NR > 1 ? ", " : ""), NF }' >lengths
	train -v -o a --num-train-epochs 1 --batch-size 100 --sampler sequential few.jsonl 2>err
	says "tokens: $(cat lengths)" err
	train -v -o b --num-train-epochs 1 --batch-size 100 few.jsonl 2>err
	run ! grep -qF "$(cat lengths)" err
}

@test "-q says nothing, and prints the name all the same" {
	train -q -o a --max-steps 1 few.jsonl >out 2>err
	[ ! -s err ]
	[ "$(cat out)" = a ]
}

@test "--logging-steps: a line for several updates has their mean" {
	train -o a --max-steps 4 --batch-size 3 --log log.jsonl few.jsonl 2>err
	sum=$(for i in 1 2 3 4; do value $i loss; done | awk '{ s += $1 } END { printf "%.5f", s / 4 }')
	train -o b --max-steps 4 --batch-size 3 --logging-steps 4 --log log.jsonl few.jsonl 2>err
	[ "$(grep -c 'step ' err)" -eq 1 ]
	[ "$(wc -l <log.jsonl)" -eq 2 ]
	[ "$(value 1 loss | awk '{ printf "%.5f", $1 }')" = "$sum" ]
	[ "$(value 2 train_loss | awk '{ printf "%.5f", $1 }')" = "$sum" ]
}

@test "evaluation: at the end, and behind every Nth update" {
	train -o a --max-steps 4 --eval few.jsonl --eval-steps 2 --log log.jsonl few.jsonl 2>err
	[ "$(grep -c eval_loss log.jsonl)" -eq 2 ]
	says "step 2/4: eval_loss" err
	says "step 4/4: eval_loss" err
	# at rate 0 nothing is learned
	train -q -o b --max-steps 2 --learning-rate 0 --eval few.jsonl --eval-steps 1 --log log.jsonl few.jsonl
	[ "$(value 2 eval_loss)" = "$(value 4 eval_loss)" ]
	same model/model.safetensors b/model.safetensors
}

@test "HF's spellings are taken" {
	train -q -o a --output_dir b --per_device_train_batch_size 3 --gradient_accumulation_steps=2 --learning_rate 1e-4 \
		--num_train_epochs 1 --optim adamw_torch --lr_scheduler_type constant_with_warmup --weight_decay 0.01 few.jsonl >out
	[ "$(cat out)" = b ]
	train -q -o c --batch-size 3 --grad-accum 2 --learning-rate 1e-4 --num-train-epochs 1 --optim adamw \
		--lr-scheduler-type constant-with-warmup --weight-decay 0.01 few.jsonl
	same b/model.safetensors c/model.safetensors
}

@test "each optimizer, schedule, sampler and reduction makes a model of its own" {
	i=0
	for o in '' '--optim adafactor' '--optim sgd' '--lr-scheduler-type inverse_sqrt' \
		'--lr-scheduler-type cosine_with_min_lr --min-lr 1e-3' '--lr-scheduler-type cosine' '--lr-scheduler-type constant' '--sampler hf-4.25' \
		'--sampler sequential' '--loss-reduction sequence' '--seed 7' '--weight-decay 0.5' '--max-grad-norm 0.01' \
		'--adam-beta1 0.5' '--adam-beta2 0.5' '--adam-epsilon 0.1' '--warmup-ratio 0.5' '--warmup-steps 1'; do
		# shellcheck disable=SC2086
		train -q -o t$((i += 1)) --max-steps 4 --batch-size 2 --grad-accum 2 --learning-rate 1e-2 $o few.jsonl
	done
	[ "$(sha256sum t*/model.safetensors | cut -d' ' -f1 | sort -u | wc -l)" -eq 18 ]
}

@test "checkpointing changes no bit" {
	for o in '' '--max-grad-norm 0' '--lora 4 --learning-rate 1e-2'; do
		# shellcheck disable=SC2086
		train -q -o "a$o" --max-steps 3 $o few.jsonl
		# shellcheck disable=SC2086
		train -q -o "b$o" --max-steps 3 $o --gradient_checkpointing few.jsonl
		cmp "a$o"/*model.safetensors "b$o"/*model.safetensors
	done
}

@test "warm-up as a number of updates, or as a part of them" {
	for o in '--warmup-steps 2' '--warmup-ratio 0.4' '--warmup_steps 0.4' '--warmup_steps 2.9 --warmup-ratio 0.9'; do
		# shellcheck disable=SC2086
		train -q -o "a$o" --max-steps 5 --batch-size 1 $o --log log.jsonl few.jsonl
		[ "$(value 2 learning_rate) $(value 3 learning_rate)" = "2.5e-05 5e-05" ]
	done
}

@test "--dry-run tells and writes nothing" {
	listing before
	train --dry-run tokens.nxs >out 2>err
	[ ! -s out ]
	says "200 records of" err
	says "25 updates an epoch, 75 in all, 0 of warm-up; 3 epochs" err
	grep -Eq 'about [0-9.e+]+ GFLOPs and [0-9.e-]+ s in all, at [0-9]+ tokens/s; nx-75-steps-' err
	says "nx-75-steps-" err
	listing after
	same before after
}

@test "empty records and those without a token in the loss are counted, and make no NaN" {
	printf '%s\n' '{"input_ids": []}' '{"input_ids": [5]}' '{"input_ids": [5, 6, 7], "labels": [-100, -100, -100]}' >odd.jsonl
	head -n 3 tokens.jsonl >>odd.jsonl
	for o in adamw adafactor; do
		train -o $o --batch-size 1 --num-train-epochs 1 --sampler sequential --optim $o --log log.jsonl odd.jsonl 2>err
		says "3 training records have no token in the loss, 1 of them no token at all" err
		[ "$(value 1 loss) $(value 2 loss) $(value 3 loss)" = "0 0 0" ]
		[ "$(grep -c loss log.jsonl)" -eq 7 ]
		run ! grep -qi nan log.jsonl
	done
}

@test "no model, contradictions: wrong usage" {
	refused 2 "no model: give -m DIR or set NX_MODEL" few.jsonl
	refused 2 "--max-steps 0" -m model --max-steps 0 few.jsonl
	refused 2 "--eval-steps needs --eval" -m model --eval-steps 3 few.jsonl
	refused 2 "stdin cannot be both" -m model --eval - </dev/null
	refused 2 "--push-to-hub" -m model --push-to-hub few.jsonl
	refused 2 "--optim" -m model --optim lion few.jsonl
	refused 2 "--min-lr" -m model --lr-scheduler-type cosine_with_min_lr few.jsonl
	refused 2 "--min-lr" -m model --min-lr 1e-6 few.jsonl
	refused 2 "--lr-scheduler-type" -m model --lr-scheduler-type polynomial few.jsonl
}

@test "a log that would take the place of the records is wrong usage, and they stay" {
	cp tokens.jsonl kept
	ln -s "$PWD/tokens.jsonl" link
	for log in tokens.jsonl ./tokens.jsonl link; do
		fails 2 "$BIN/nx-train" -q -m model --max-steps 1 --log $log -o made tokens.jsonl
		says "nx-train: --log $log: records are read from that file" err
		fails 2 "$BIN/nx-train" -q -m model --max-steps 1 --log $log -o made --eval tokens.jsonl - <kept
		says "nx-train: --log $log: records are read from that file" err
	done
	same kept tokens.jsonl
	[ ! -e made ]
}

@test "bad records: one line with the place, and nothing is written" {
	cp few.jsonl bad.jsonl
	echo '{"input_ids": [1, 512]}' >>bad.jsonl
	refused 1 "bad.jsonl:13: token 2 has the id 512, the model's vocabulary has 512" -m model -o new bad.jsonl
	sed -i '$d' bad.jsonl
	echo '{"input_ids": [1, 2' >>bad.jsonl
	refused 1 "bad.jsonl:13: " -m model -o new bad.jsonl
	sed -i '$d' bad.jsonl
	echo '{"text": "no ids"}' >>bad.jsonl
	refused 1 'bad.jsonl:13: field "input_ids" is missing' -m model -o new bad.jsonl
	refused 1 "stdin: no record" -m model -o new </dev/null
	echo '{"input_ids": [1]}' >one.jsonl
	refused 1 "one.jsonl: no record has a token in the loss" -m model -o new one.jsonl
	refused 1 "one.jsonl: no record has a token in the loss" -m model -o new --eval one.jsonl few.jsonl
	echo '{"input_ids": [1, 2, 3], "attention_mask": [1, 0, 1]}' >hole.jsonl
	refused 1 'hole.jsonl:1: "attention_mask" takes out token 2' -m model -o new hole.jsonl
	refused 1 "not/there" -m model -o new not/there
	refused 1 "not/there" -m not/there -o new few.jsonl
}

@test "a cut-off shard is an error" {
	head -c "$(($(wc -c <tokens.nxs) - 5))" tokens.nxs >cut.nxs
	refused 1 "cut.nxs" -m model -o new cut.nxs
	refused 1 "cut.nxs" -m model -o new --eval cut.nxs tokens.nxs
}

@test "a shard of another tokenizer is refused, and both are named" {
	"$BIN/bpe-train" -q --jsonl --vocab-size 400 -o other.json data.jsonl
	"$BIN/bpe-encode" -q -T other.json --shard data.jsonl >other.nxs
	refused 1 "other.nxs: the shard's tokenizer (" -m model -o new other.nxs
	says "is not model/tokenizer.json (" err
	refused 1 "other.nxs: the shard's tokenizer (" -m model -o new --eval other.nxs tokens.nxs
	train -q -o new --any-tokenizer --max-steps 1 other.nxs
	[ -s new/model.safetensors ]
	# where nothing can be compared that is said
	rm model/tokenizer.json
	train -o more --max-steps 1 tokens.nxs 2>err
	says "tokenizer cannot be compared" err
}

@test "an output that cannot be written is known before training" {
	mkdir used && touch used/file
	refused 1 "used: the directory is not empty (--overwrite-output-dir writes into it)" -m model -o used few.jsonl
	refused 1 "no/such/dir" -m model -o no/such/dir few.jsonl
	refused 1 "few.jsonl" -m model -o few.jsonl few.jsonl
	refused 1 "/dev/full" -m model -o /dev/full few.jsonl
	refused 1 "no/such/log" -m model -o new --log no/such/log few.jsonl
	refused 1 "/dev/full: No space left on device" -m model -o new --log /dev/full few.jsonl
	run ! grep -q step err
	train -q -o used --overwrite-output-dir --max-steps 1 few.jsonl
	[ -e used/file ]
	[ -s used/model.safetensors ]
	mkdir empty
	train -q -o empty --max-steps 1 few.jsonl
	[ -s empty/config.json ]
}

@test "a full disk when the model is written: one line, and nothing under its name" {
	listing before
	got=0
	(
		ulimit -f 16
		exec "$BIN/nx-train" -q -m model -o new --max-steps 1 few.jsonl
	) >out 2>err || got=$?
	[ "$got" -eq 1 ]
	[ "$(wc -l <err)" -eq 1 ]
	grep -q '^nx-train: .*model.safetensors: File too large$' err
	listing after
	same before after
}

@test "killed while it trains: nothing under the name" {
	# not through a function, whose shell would be killed instead
	"$BIN/nx-train" -q -m model -o new --num-train-epochs 1000 --batch-size 1 --log log.jsonl tokens.nxs >out 3>&- &
	pid=$!
	await test -s log.jsonl
	kill -9 $pid
	wait $pid || true
	run ! kill -0 $pid
	[ ! -e new ]
	[ ! -s out ]
}

@test "a loss that becomes no number ends the run, and nothing is written" {
	refused 1 "of the input" -m model -o new --learning-rate 1e9 --max-grad-norm 0 --batch-size 1 few.jsonl
}

@test "the guide's order: lengths, tokens and operations of its three updates" {
	need_shared
	case $BIN in */san/*) skip "a model of 70 million parameters is not for sanitizers" ;; esac
	"$BIN/nx-init" -q --size pythia-70m -T "$SHARED/pythia.tokenizer.json" -o p70
	# shellcheck disable=SC2031
	export NX_MODEL=p70
	"$BIN/jsonl-template" -q "$SHARED/lamini_docs.jsonl" | "$BIN/bpe-encode" -q --shard |
		"$BIN/split" -q --test-size 0.1 --seed 123 --test test.nxs |
		"$BIN/nx-train" -v -o out70 --optim adafactor --learning-rate 1e-5 --warmup-steps 1 --batch-size 1 --grad-accum 4 \
			--max-steps 3 --sampler hf-4.25 --log log.jsonl 2>err
	[ "$(value 1 lengths) $(value 2 lengths) $(value 3 lengths)" = "[23, 72, 108, 30] [75, 85, 32, 172] [38, 164, 132, 84]" ]
	[ $(($(value 1 tokens) + $(value 2 tokens) + $(value 3 tokens))) -eq 1015 ]
	[ "$(value 4 total_flos)" = 272046243840 ]
	says "1260 records of" err
	says "70426624 trainable parameters; Adafactor" err
}

@test "mixed precision learns nearly the same, with any number of threads, and says where it saves no time" {
	"$BIN/nx-train" -q -m model --max-steps 4 --learning-rate 1e-3 --log full.jsonl -o full tokens.nxs >out
	"$BIN/nx-train" -m model --dtype bf16 --max-steps 4 --learning-rate 1e-3 --threads 1 --log log.jsonl -o made tokens.nxs >out 2>err
	"$BIN/nx-train" -q -m model --bf16 --max-steps 4 --learning-rate 1e-3 --threads 3 -o again tokens.nxs >out
	cmp made/model.safetensors again/model.safetensors
	if cmp -s made/model.safetensors full/model.safetensors; then return 1; fi
	b=$(value 4 loss)
	cp full.jsonl log.jsonl
	a=$(value 4 loss)
	awk -v a="$a" -v b="$b" 'BEGIN { d = (a - b) / a; exit !(d * d < 1e-6 && d != 0) }'
	if grep -q avx512_bf16 /proc/cpuinfo; then
		if grep -q 'bfloat16' err; then return 1; fi
	else
		says 'no bfloat16 dot product' err
	fi
}

@test "a run in mixed precision goes on in mixed precision only" {
	"$BIN/nx-train" -q -m model --bf16 --max-steps 4 --save-steps 2 -o made tokens.nxs >out
	fails 1 "$BIN/nx-train" -q -m model --max-steps 4 --resume made/checkpoint-2 -o other tokens.nxs
	says 'the run it goes on from had other --dtype' err
	"$BIN/nx-train" -q -m model --bf16 --max-steps 4 --resume made/checkpoint-2 -o other tokens.nxs >out
	cmp made/model.safetensors other/model.safetensors
}
