# The demo and the guide's run, as a user meets them.
load helper

demo() {
	BIN=$BIN DEMO_DIR=${DIR:-$T/demo} "$ROOT/examples/demo" "$@"
}

# tiny_model DIR: one of the small tokenizer, for what needs no skill.
tiny_model() {
	"$BIN/bpe-train" -q -j -V 300 -o tok.json "$ROOT/examples/nxtools.jsonl"
	"$BIN/nx-init" -q -V 300 --hidden 16 --layers 1 --heads 2 -T tok.json -o "$1"
}

@test "too few updates: the table is printed, and the demo fails" {
	MAX_STEPS=12 fails 1 demo '' '' ''
	says 'demo: only 0 of 3 trained answers are those of the data' err
	says '$ jsonl-template -p qa examples/nxtools.jsonl | bpe-train' out
	says '| Question                   | Trained answer             | Untrained answer           |' out
	says '| What is nxtools?           |' out
	[ "$(grep -c '^+---' out)" = 3 ]
	for f in tokenizer.json untrained/model.safetensors trained/model.safetensors trained/tokenizer.json answers.jsonl; do
		[ -s "demo/$f" ]
	done
	[ "$(wc -l <demo/answers.jsonl)" = 3 ]
	says 'step 12/12: loss' err
}

# What `make demo` does; under the sanitizers it would take minutes, and its programs have been through them above.
@test "the demo's model answers three of its questions right" {
	[ "$BIN" = "$ROOT/bin" ] || skip "the programs of bin/ have done it"
	fails 0 demo '' '' ''
	says 'All 3 trained answers are those of the data' out
	says '| What is nxtools?           | A set of small Unix        |' out
	fails 0 "$BIN/nx-generate" -m demo/trained --max-new-tokens 80 -p $'### Question:\nHow do I write a shard?\n\n### Answer:'
	says 'Give bpe-encode the option --shard.' out
}

@test "a model, a tokenizer and data of one's own" {
	tiny_model 'my model'
	head -n 40 "$ROOT/examples/nxtools.jsonl" >'my data.jsonl'
	MAX_STEPS=2 fails 0 demo 'my model' '' 'my data.jsonl'
	says 'training step:' out
	says '--max-steps 2 --sampler hf-4.25' out
	[ "$(wc -l <demo/train.jsonl)" = 36 ]
	[ "$(wc -l <demo/test.jsonl)" = 4 ]
	[ "$(wc -l <demo/log.jsonl)" = 3 ]
	[ "$(grep -c '^+---' out)" = 3 ]
	MAX_STEPS=2 fails 0 demo '' tok.json 'my data.jsonl'
	says '--vocab-size 300 ' out
	MAX_STEPS=2 fails 0 demo 'my model' tok.json ''
	says 'examples/nxtools.jsonl' out
	fails 1 demo none '' ''
	says "none: No such file or directory" err
}

@test "a directory that the demo did not make is left alone" {
	mkdir demo
	echo mine >demo/file
	fails 1 demo '' '' ''
	says 'demo is there and was made by somebody else' err
	[ "$(cat demo/file)" = mine ]
}

@test "the guide's run: split, order, lengths, rates and operations are the guide's" {
	need_shared
	"$BIN/nx-init" -q --size pythia-70m --hidden 32 --heads 4 -T "$SHARED/pythia.tokenizer.json" -o model
	# so small a model does other sums: that one figure is wrong, and is seen
	DEMO_DIR=demo fails 1 "$ROOT/examples/guide-run" model "$SHARED/lamini_docs.jsonl"
	[ "$(grep -c ': ok$' out)" = 5 ]
	says 'floating point operations (pythia-70m)         272046243840: not ok, but' out
	says '[23, 72, 108, 30] [75, 85, 32, 172] [38, 164, 132, 84]: ok' out
}
