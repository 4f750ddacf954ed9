# The demo as a user meets it, shortened: `make demo` itself trains 720 updates.
load helper

demo() {
	BIN=$BIN DEMO_DIR=$T/demo "$ROOT/examples/demo" "$@"
}

@test "the demo learns, and prints questions and both answers side by side" {
	# 200 updates are far from enough, which the demo must see
	MAX_STEPS=60 fails 1 demo '' '' ''
	says 'demo: only 0 of 3 trained answers are those of the data' err
	says '| Question                   | Trained answer             | Untrained answer           |' out
	says '| What is nxtools?           |' out
	says '$ jsonl-template -p qa examples/nxtools.jsonl | bpe-train' out
	[ "$(grep -c '^+---' out)" = 3 ]
	for f in tokenizer.json untrained/model.safetensors trained/model.safetensors trained/tokenizer.json answers.jsonl; do
		[ -s "demo/$f" ]
	done
	loss=$("$BIN/jsonl-template" --raw -t '{train_loss}' <(tail -n 1 demo/log.jsonl))
	[ "${loss%.*}" -lt 7 ]
}
