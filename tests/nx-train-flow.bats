#!/usr/bin/env bats
# nx-train beside HF's Trainer: what is logged, evaluated, saved, kept and chosen, and when.
# The golden and the records are made by tests/reference/flow.py.
load helper

setup_file() {
	case $BIN in
	*/build/*/bin) TINY=${BIN%/bin}/unit/tinydir ;;
	*) TINY=$ROOT/build/rel/unit/tinydir ;;
	esac
	"$TINY" A "$BATS_FILE_TMPDIR/tiny"
	export GOLDEN=$ROOT/tests/golden
}

each() {
	unset NX_MODEL NX_TOKENIZER
	cp -r "$BATS_FILE_TMPDIR/tiny" .
	cp "$GOLDEN"/flow-*.jsonl .
}

# The log in the golden's form.
told() {
	sed -n -e 's/.*"eval_loss": \([^,]*\).*"epoch": \([^,]*\), "step": \([0-9]*\).*/eval \3 \2 \1/p' \
		-e 's/.*"train_loss": \([^,]*\), "epoch": \([^,]*\), "step": \([0-9]*\).*/end \3 \2 \1/p' \
		-e 's/{"loss": \([^,]*\), "grad_norm": \([^,]*\), "learning_rate": \([^,]*\), "epoch": \([^,]*\), "step": \([0-9]*\).*/log \5 \4 \3 \1 \2/p' \
		log.jsonl
}

# near WANT GOT: the same words, numbers within 1e-4 of their size (norms, the sixth word, 1e-3).
near() {
	awk 'NR == FNR { want[FNR] = $0; n = FNR; next }
		{
			k = split(want[FNR], w, " ")
			bad = FNR > n || k != NF
			for (i = 1; i <= k && !bad; i++) {
				d = w[i] - $i
				bad = w[i] + 0 == w[i] ? (d < 0 ? -d : d) > (i == 6 ? 1e-3 : 1e-4) * (w[i] < 0 ? -w[i] : w[i]) : w[i] != $i
			}
			if (bad) { print "want: " want[FNR]; print "got:  " $0; failed = 1 }
		}
		END { exit failed || FNR != n }' "$1" "$2"
}

# What is left of a run and which is the best, in the golden's form.
outcome() {
	local last best=none
	echo "left $(find out -name 'checkpoint-*' | sed 's/.*-//' | sort -n | tr '\n' ' ' | sed 's/ $//')"
	last=$(find out -name 'checkpoint-*' | sed 's/.*-//' | sort -n | tail -n 1)
	if [ -n "$last" ]; then
		best=$(sed -n 's/.*"best_model_checkpoint": "out.checkpoint-\([0-9]*\)".*/\1/p' "out/checkpoint-$last/trainer_state.json")
	fi
	echo "best ${best:-none}"
}

# compare N: the Nth run of the golden.
compare() {
	local options
	awk -v n="$1" '/^run/ { i++ } i == n' "$GOLDEN/flow.txt" >run
	options=$(sed -n '1s/^run //p' run)
	[ -n "$options" ]
	# shellcheck disable=SC2086
	"$BIN/nx-train" -q -m tiny -o out --log log.jsonl --eval flow-eval.jsonl --per-device-eval-batch-size 2 $options \
		flow-train.jsonl
	# --eval alone evaluates at the end, as the Trainer does not
	case $options in *--eval-strategy*) told ;; *) told | grep -v '^eval' ;; esac >got
	outcome >>got
	"$BIN/nx-train" -q -m out -o again --max-steps 1 --learning-rate 0 --log log.jsonl --eval flow-eval.jsonl \
		--per-device-eval-batch-size 2 flow-train.jsonl
	told | sed -n 's/^eval [0-9]* [^ ]*/final/p' >>got
	sed 1d run | sed 's/ $//' >want
	near want got
}

@test "the best is none where its step was not saved; the limit keeps the last" { compare 1; }
@test "epochs with a partial last update, a limit that keeps the best, the greatest is the best" { compare 2; }
@test "early stopping, and the best model of many" { compare 3; }
@test "half an epoch at the end, lines for three updates, a ratio of warm-up" { compare 4; }
@test "evaluated by epochs and never saved; Adafactor with decay" { compare 5; }
@test "steps of evaluations and checkpoints that do not meet, and both at the end; SGD" { compare 6; }

@test "the golden has no other runs, and a wrong one would be seen" {
	[ "$(grep -c '^run' "$GOLDEN/flow.txt")" -eq 6 ]
	echo 'log 1 0.5 0 5.001 1' >a
	echo 'log 1 0.5 0 5.0002 1.0005' >b
	echo 'log 1 0.5 0 5.002 1' >c
	near a a
	near b a && return 1
	near c a && return 1
	echo 'log 1 0.5 0 5.0011 1.0005' >b
	near b a
}

@test "steps below 1 are parts of all updates, rounded up" {
	"$BIN/nx-train" -q -m tiny -o made --max-steps 10 --logging-steps 0.35 --eval flow-eval.jsonl --eval-steps 0.15 \
		--save-steps 0.45 --log log.jsonl flow-train.jsonl
	told | awk '{ print $1, $2 }' >got
	printf '%s\n' 'eval 2' 'log 4' 'eval 4' 'eval 6' 'log 8' 'eval 8' 'eval 10' 'end 10' >want
	same want got
	printf '%s\n' made/checkpoint-* >got
	printf 'made/checkpoint-%s\n' 10 5 >want
	same want got
	grep -E '"(logging|eval|save)_steps"' made/checkpoint-10/trainer_state.json | tr -d ' ,\n' >got
	printf '"eval_steps":2"logging_steps":4"save_steps":5' >want
	same want got
	fails 2 "$BIN/nx-train" -m tiny --logging-steps 2.5 flow-train.jsonl
	says '--logging-steps is a whole number' err
	fails 2 "$BIN/nx-train" -m tiny --save-steps 0 flow-train.jsonl
	fails 2 "$BIN/nx-train" -q -m tiny -o other --max-steps 10 --load-best-model-at-end --eval flow-eval.jsonl --eval-steps 0.15 --save-steps 0.45 flow-train.jsonl
	says '--save-steps, 5, to be a multiple of --eval-steps, 2' err
	fails 2 "$BIN/nx-train" -m tiny --load-best-model-at-end --eval flow-eval.jsonl --eval-steps 0.5 flow-train.jsonl
	says 'as parts of all updates, or neither' err
}
