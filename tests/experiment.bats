# examples/experiment: what is made, and what is made again.
load helper

each() {
	export BIN PATH=$BIN:$PATH NX_CACHE
	unset MAKEFLAGS MAKELEVEL MFLAGS
	mkdir parts
	for n in 1 2 3 4; do sed -n "$((n * 10)),$((n * 10 + 9))p" "$ROOT/examples/nxtools.jsonl" >"parts/$n.jsonl"; done
}

# exp ARG ...: make, on the four files, with a model that takes no time.
exp() {
	make --no-print-directory -f "$ROOT/examples/experiment/Makefile" 'DATA=parts/1.jsonl parts/2.jsonl parts/3.jsonl parts/4.jsonl' \
		VOCAB=300 SHAPE='--hidden 16 --layers 1 --heads 2' EPOCHS=1 TOKENS=5 ASK=2 "$@"
}

# The programs that make would run.
due() {
	fails 0 exp -n "$@"
	grep -o 'encode-files\|bpe-train\|nx-[a-z]*\|jsonl-table\|split' out | sort -u | tr '\n' ' '
}

@test "data, training, evaluation, table and plot, and a second time nothing" {
	fails 0 exp
	for f in tokenizer.json base/model.safetensors tuned/model.safetensors figures.jsonl answers.html answers.md loss.svg; do
		[ -s "$f" ]
	done
	[ "$(wc -l <figures.jsonl)" = 2 ]
	[ "$(wc -l <tuned.jsonl)" = 2 ]
	# the records of the test set are those of the tokens
	"$BIN/jsonl-template" -p qa test.jsonl | "$BIN/bpe-encode" -q -T tokenizer.json --mask-prompt --append-eos --shard >want.nxs
	same want.nxs test.nxs
	fails 0 exp -n
	[ "$(cat out)" = "make: Nothing to be done for 'all'." ]
	fails 0 exp
	[ "$(cat out)" = "make: Nothing to be done for 'all'." ]
	fails 0 exp show
	says '┃ eval_loss' out
}

@test "a parameter that changes has made again what depends on it, no more" {
	fails 0 exp
	[ "$(due RATE=1e-4)" = "jsonl-table nx-eval nx-generate nx-plot nx-train " ]
	[ "$(due)" = "" ] # -n has changed nothing
	[ "$(due SEED=1)" = "jsonl-table nx-eval nx-generate nx-plot nx-train split " ]
	[ "$(due ASK=3)" = "jsonl-table nx-generate " ]
	[ "$(due ENCODE=)" = "encode-files jsonl-table nx-eval nx-generate nx-plot nx-train split " ]
	[ "$(due VOCAB=310)" = "bpe-train encode-files jsonl-table nx-eval nx-generate nx-init nx-plot nx-train split " ]
	fails 0 exp ASK=3
	[ "$(wc -l <tuned.jsonl)" = 3 ]
	[ "$(due ASK=3)" = "" ]
	[ "$(due)" = "jsonl-table nx-generate " ]
	fails 0 exp clean
	[ "$(ls)" = "$(printf '%s\n' err out parts)" ]
}

@test "of many files those that changed are encoded again, by parallel or xargs alike" {
	cp "$ROOT/examples/nxtools.jsonl" all.jsonl
	"$BIN/bpe-train" -q -j -V 300 -o tok.json all.jsonl
	for with in parallel xargs; do
		WITH=$with fails 0 "$ROOT/examples/experiment/encode-files" tok.json "$with" parts/*.jsonl -- --append-eos
		[ "$(grep -c '^encode-files: parts' err)" = 4 ]
		for n in 1 2 3 4; do
			"$BIN/jsonl-template" -p qa "parts/$n.jsonl" | "$BIN/bpe-encode" -q -T tok.json --append-eos --shard >want
			same want "$with/$n.jsonl.nxs"
		done
		touch -d '1 minute' parts/3.jsonl
		WITH=$with fails 0 "$ROOT/examples/experiment/encode-files" tok.json "$with" parts/*.jsonl -- --append-eos
		[ "$(cat err)" = "encode-files: parts/3.jsonl" ]
		touch -d '1 minute ago' parts/3.jsonl
	done
	echo '{"question": 1}' >parts/5.jsonl
	for with in parallel xargs; do
		got=0
		WITH=$with "$ROOT/examples/experiment/encode-files" tok.json "$with" parts/*.jsonl >out 2>err || got=$?
		[ "$got" -ne 0 ]
		says 'parts/5.jsonl:1:' err
		[ ! -e "$with/5.jsonl.nxs" ]
	done
}
