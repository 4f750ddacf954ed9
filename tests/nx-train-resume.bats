#!/usr/bin/env bats
# nx-train: checkpoints. A run that was interrupted, however, ends as the one that was not.
load helper

setup_file() {
	S=$BATS_FILE_TMPDIR/s
	mkdir "$S"
	BIN=$BIN "$ROOT/tests/small-files" "$S"
	# of few tokens, and of unlike numbers of them: how runs begin and end is the matter here, not how long sums take
	{
		"$BIN/pad-trunc" -q -n 24 <(head -n 6 "$S/tokens.jsonl")
		"$BIN/pad-trunc" -q -n 15 <(sed -n 7,12p "$S/tokens.jsonl")
	} >"$S/few.jsonl"
	export S
}

each() {
	unset NX_MODEL NX_TOKENIZER
	cp -r "$S"/model "$S"/few.jsonl "$S"/tokens.jsonl .
}

# 12 records in batches of 2 x 2: 3 updates an epoch, the last partial in none; here 10 updates.
run_it() {
	"$BIN/nx-train" -m model --max-steps 10 --batch-size 2 --grad-accum 2 --learning-rate 1e-2 --warmup-steps 2 "$@" few.jsonl
}

# What a log says but for times, which differ.
said() {
	sed 's/"iter_time.*//; s/"eval_runtime.*"epoch"/"epoch"/; s/"train_runtime.*"total_flos"/"total_flos"/' "$1"
}

@test "a checkpoint holds the model, the state and the Trainer's record of it" {
	run_it -q -o out --save-steps 4 --eval few.jsonl --eval-steps 4
	[ "$(cd out && echo checkpoint-*)" = "checkpoint-10 checkpoint-4 checkpoint-8" ]
	for f in config.json model.safetensors tokenizer.json trainer_state.json optimizer.bin nx-train.json; do
		[ -s out/checkpoint-4/$f ]
	done
	for k in best_global_step best_metric best_model_checkpoint epoch eval_steps global_step is_hyper_param_search \
		is_local_process_zero is_world_process_zero log_history logging_steps max_steps num_input_tokens_seen \
		num_train_epochs save_steps stateful_callbacks total_flos train_batch_size trial_name trial_params; do
		says "  \"$k\": " out/checkpoint-8/trainer_state.json
	done
	[ "$(grep -c '^  "' out/checkpoint-8/trainer_state.json)" -eq 20 ]
	[ "$(grep -c '"loss"' out/checkpoint-8/trainer_state.json)" -eq 8 ]
	[ "$(grep -c '"eval_loss"' out/checkpoint-8/trainer_state.json)" -eq 2 ]
	same out/model.safetensors out/checkpoint-10/model.safetensors
	run ! cmp -s out/checkpoint-8/model.safetensors out/checkpoint-10/model.safetensors
	"$BIN/nx-generate" -m out/checkpoint-4 -p How --max-new-tokens 2 >answer
}

@test "a run that goes on from a checkpoint says and writes what the whole run does" {
	i=0
	for o in '--optim adamw' '--optim adafactor --sampler hf-4.25 --loss-reduction sequence' '--optim sgd --logging-steps 3' \
		'--sampler sequential --logging-steps 4 --eval few.jsonl --eval-strategy epoch' \
		'--lr-scheduler-type cosine --threads 3 -v --grad-accum 5 --max-grad-norm 0.1'; do
		i=$((i + 1))
		# shellcheck disable=SC2086
		run_it -q -o whole$i --save-steps 1 --log whole$i.log $o
		for n in 1 5 9; do
			mkdir part$i.$n
			cp -r whole$i/checkpoint-$n part$i.$n
			# shellcheck disable=SC2086
			run_it -q -o part$i.$n --resume auto --save-steps 1 --log part.log $o
			same whole$i/model.safetensors part$i.$n/model.safetensors
			same whole$i/checkpoint-10/optimizer.bin part$i.$n/checkpoint-10/optimizer.bin
			diff <(said whole$i.log) <(said part.log)
		done
	done
}

@test "--resume takes a checkpoint or a directory of them, and beside it goes the rest" {
	run_it -q -o whole --save-steps 3
	mkdir a b
	cp -r whole/checkpoint-3 whole/checkpoint-6 a
	cp -r whole/checkpoint-3 whole/checkpoint-6 b
	"$BIN/nx-train" --resume a/checkpoint-3 --max-steps 10 --batch-size 2 --grad-accum 2 --learning-rate 1e-2 --warmup-steps 2 \
		few.jsonl >name 2>err
	[ "$(cat name)" = a ]
	says "going on behind step 3, from a/checkpoint-3" err
	same whole/model.safetensors a/model.safetensors
	rm a/model.safetensors # the directory is the checkpoint's, however it is spelled
	run_it -q --resume a/checkpoint-6/ -o ./a/
	same whole/model.safetensors a/model.safetensors
	run_it --resume_from_checkpoint b -o c >name 2>err
	says "going on behind step 6, from b/checkpoint-6" err
	[ "$(cat name)" = c ]
	same whole/model.safetensors c/model.safetensors
	# nothing is left to do: the model is written all the same
	rm whole/model.safetensors
	run_it -q --resume auto -o whole
	same a/model.safetensors whole/model.safetensors
}

# killed TIMES: kills a run at random moments as often as that, each time going on with it. A kill
# counts if it met the run at work; where the run is done first, the next begins anew.
killed() {
	local args=(-q -m model -o out --num-train-epochs 30 --batch-size 3 --learning-rate 1e-2 --save-steps 3 --save-total-limit 2)
	local hits=0 ends=0 status c
	"$BIN/nx-train" "${args[@]}" -o whole few.jsonl
	while [ "$hits" -lt "$1" ] || [ "$ends" -eq 0 ]; do
		"$BIN/nx-train" "${args[@]}" --resume auto few.jsonl >name 3>&- &
		pid=$!
		if [ "$hits" -lt "$1" ]; then
			sleep "0.$(printf %03d $((RANDOM % 160 + 10)))"
			kill -9 $pid 2>kill.err || true
		fi
		status=0
		wait $pid || status=$?
		# a checkpoint that has its name is whole
		for c in out/checkpoint-*; do
			if [ -e "$c" ]; then [ -s "$c/nx-train.json" ] && [ -s "$c/model.safetensors" ] && [ -s "$c/optimizer.bin" ]; fi
		done
		if [ $status -eq 137 ]; then
			hits=$((hits + 1))
			continue
		fi
		[ $status -eq 0 ]
		ends=$((ends + 1))
		[ "$(cat name)" = out ]
		same whole/model.safetensors out/model.safetensors
		same whole/checkpoint-120/optimizer.bin out/checkpoint-120/optimizer.bin
		# and nothing of the killed ones is left
		[ -z "$(find out -name '.*' -mindepth 1)" ]
		rm -r out
	done
	echo "# $hits kills, $ends runs to their end"
}

@test "killed at any moment: the run goes on to the same bytes" {
	local times=12
	if [ -n "${NX_DEEP:-}" ]; then times=200; fi
	killed "${NX_KILLS:-$times}"
}

@test "killed while a checkpoint is written: the one before it is taken" {
	run_it -q -o whole --save-steps 5
	mkdir -p out/.checkpoint-7.0123456789abcdef
	cp -r whole/checkpoint-5 out
	cp whole/model.safetensors out/.checkpoint-7.0123456789abcdef
	run_it -q -o out --resume auto
	same whole/model.safetensors out/model.safetensors
	[ ! -e out/.checkpoint-7.0123456789abcdef ]
}

@test "SIGINT and SIGTERM: the update is finished and saved, and the run goes on from there" {
	"$BIN/nx-train" -q -m model -o whole --max-steps 300 --batch-size 1 --save-strategy no few.jsonl
	for sig in INT TERM; do
		# jobs in the background ignore SIGINT unless the shell tells otherwise
		(
			trap - INT TERM
			exec env --default-signal=INT,TERM "$BIN/nx-train" -m model -o out$sig --max-steps 300 --batch-size 1 \
				--save-strategy no --log $sig.log few.jsonl
		) >out 2>err 3>&- &
		pid=$!
		await test -s $sig.log
		kill -$sig $pid
		got=0
		wait $pid || got=$?
		if [ $sig = INT ]; then [ $got -eq 130 ]; else [ $got -eq 143 ]; fi
		[ ! -s out ]
		says "stopped by a signal behind step" err
		[ ! -e out$sig/model.safetensors ]
		"$BIN/nx-train" -q -m model -o out$sig --max-steps 300 --batch-size 1 --save-strategy no --resume auto few.jsonl
		same whole/model.safetensors out$sig/model.safetensors
	done
}

@test "a full disk leaves the last good checkpoint, and says so" {
	run_it -q -o whole --save-steps 2
	mkdir o
	cp -r whole/checkpoint-2 o
	got=0
	(
		ulimit -f 16
		run_it -q -o o --resume auto --save-steps 2
	) >out 2>err || got=$?
	[ "$got" -eq 1 ]
	[ "$(wc -l <err)" -eq 1 ]
	says "File too large; the last good checkpoint is o/checkpoint-2" err
	[ "$(ls -A o)" = checkpoint-2 ]
	run_it -q -o o --resume auto --save-steps 2
	same whole/model.safetensors o/model.safetensors
}

@test "--save-total-limit keeps the last ones; strategies say when" {
	run_it -q -o a --save-steps 3 --save-total-limit 2
	[ "$(cd a && echo checkpoint-*)" = "checkpoint-10 checkpoint-9" ]
	run_it -q -o b --save-strategy epoch
	[ "$(cd b && echo checkpoint-*)" = "checkpoint-10 checkpoint-3 checkpoint-6 checkpoint-9" ]
	run_it -q -o c --save-strategy no
	run_it -q -o d # fewer updates than the first checkpoint is due after
	[ -z "$(find c d -name 'checkpoint*')" ]
	same a/model.safetensors d/model.safetensors
}

@test "the best model at the end, and its checkpoint is kept" {
	tail -n 60 tokens.jsonl >ev.jsonl # what is learned by heart helps others at first only
	run_it -q -o a --eval ev.jsonl --eval-steps 1 --save-steps 1 --save-total-limit 1 --load-best-model-at-end --log a.log \
		--warmup-steps 0 --learning-rate 0.03
	best=$(sed -n 's/.*"eval_loss": \([^,]*\).*"step": \([0-9]*\).*/\1 \2/p' a.log | sort -g | head -n 1 | cut -d' ' -f2)
	[ "$best" -gt 1 ]
	[ "$best" -lt 9 ]
	[ "$(cd a && echo checkpoint-* | tr ' ' '\n' | sort -V | tr '\n' ' ')" = "checkpoint-$best checkpoint-10 " ]
	same a/checkpoint-"$best"/model.safetensors a/model.safetensors
	says "\"best_model_checkpoint\": \"a/checkpoint-$best\"" a/checkpoint-10/trainer_state.json
	# patience: that many evaluations behind the best one
	run_it -q -o b --eval ev.jsonl --eval-steps 1 --save-steps 1 --load-best-model-at-end --early-stopping-patience 2 \
		--log b.log --warmup-steps 0 --learning-rate 0.03
	last=$(sed -n 's/.*"eval_loss".*"step": \([0-9]*\).*/\1/p' b.log | tail -n 1)
	[ "$last" -lt 10 ]
	sed -n 's/.*"eval_loss": \([^,]*\).*/\1/p' b.log |
		awk 'NR == 1 || $1 < best { best = $1; waited = 0; next } { waited++ } END { exit waited != 2 }'
	# the greatest, where that is asked for
	run_it -q -o c --eval ev.jsonl --eval-steps 1 --save-steps 1 --load-best-model-at-end --greater-is-better \
		--metric-for-best-model eval_loss --warmup-steps 0
	says '"best_global_step": 1,' c/checkpoint-10/trainer_state.json
	same c/checkpoint-1/model.safetensors c/model.safetensors
	# a run that goes on knows the best so far
	mkdir d
	cp -r b/checkpoint-* d
	rm -r d/checkpoint-"$last"
	run_it -q -o d --eval ev.jsonl --eval-steps 1 --save-steps 1 --load-best-model-at-end --early-stopping-patience 2 \
		--log d.log --warmup-steps 0 --learning-rate 0.03 --resume auto
	same b/model.safetensors d/model.safetensors
	diff <(said b.log) <(said d.log)
}

@test "a checkpoint of another run is refused, and why is said" {
	run_it -q -o a --save-steps 5
	refuse() {
		local text=$1
		shift
		fails 1 run_it -q -o a --resume a/checkpoint-5 "$@"
		says "$text" err
	}
	refuse "other --batch-size" --batch-size 3
	refuse "other --grad-accum" --grad-accum 3
	refuse "other --sampler" --sampler sequential
	refuse "other --seed" --seed 1
	refuse "other --optim" --optim adafactor
	refuse "of step 5, and the run has 4" --max-steps 4
	sed '2s/\[[0-9]*,/[7,/' few.jsonl >other.jsonl
	fails 1 "$BIN/nx-train" -q -m model --resume a/checkpoint-5 --max-steps 10 --batch-size 2 --grad-accum 2 other.jsonl
	says "other records" err
	head -n 11 few.jsonl >other.jsonl
	fails 1 "$BIN/nx-train" -q -m model --resume a/checkpoint-5 --max-steps 10 --batch-size 2 --grad-accum 2 other.jsonl
	says "other records" err
	# a longer run may go on
	run_it -q --resume a/checkpoint-10 -o b --max-steps 12
	[ -s b/model.safetensors ]
}

@test "a damaged checkpoint is an error, never another model" {
	run_it -q -o a --save-steps 5 --save-strategy steps
	rm -r a/checkpoint-10
	damaged() {
		fails 1 run_it -q -o a --resume auto
		[ "$(wc -l <err)" -eq 1 ]
		says "$1" err
		rm -r a/checkpoint-5
		cp -r good a/checkpoint-5
	}
	cp -r a/checkpoint-5 good
	for f in optimizer.bin nx-train.json trainer_state.json model.safetensors; do
		truncate -s -9 a/checkpoint-5/$f
		damaged "$f"
	done
	echo more >>a/checkpoint-5/optimizer.bin
	damaged "more in the file"
	sed -i 's/"step": 5/"step": -5/' a/checkpoint-5/nx-train.json
	damaged "is no place in this run"
	sed -i 's/"version": 1/"version": 9/' a/checkpoint-5/nx-train.json
	damaged "version 9"
	sed -i '/"tokens"/d' a/checkpoint-5/nx-train.json
	damaged '"tokens" is missing'
	run_it -q -o a --resume auto
}

@test "a checkpoint at a place that no run comes to, or of counts that none has, is refused" {
	local key n
	run_it -q -o a --save-steps 5 --sampler hf-4.25
	# set KEY N: the checkpoint has N there
	set_to() {
		rm -rf ck
		cp -r a/checkpoint-5 ck
		sed -i "s/\"$1\": [-0-9.]*/\"$1\": $2/" ck/nx-train.json
	}
	for key in learned learned_part skipped_part tokens tokens_part records_seen best_step best_saved waited; do
		for n in -1 9007199254740993 9223372036854775807; do
			set_to $key $n
			fails 1 run_it -q -o b --sampler hf-4.25 --resume ck
			says "nx-train: ck/nx-train.json: \"$key\" is no number from 0 to 2^53" err
		done
	done
	# step 5 is behind batch 4 of epoch 1; a far epoch's order would be drawn for ever
	for n in "epoch 0" "epoch 2" "epoch 4611686018427387904" "at 0" "at 2" "at 3" "at 6" "at 7" "step 4" "step 6" "skipped 6" \
		"skipped 9223372036854775807"; do
		set_to "${n% *}" "${n#* }"
		fails 1 timeout 20 "$BIN/nx-train" -q -m model --max-steps 10 --batch-size 2 --grad-accum 2 --sampler hf-4.25 \
			-o b --resume ck few.jsonl
		says "is no place in this run" err
	done
	set_to step 3074457345618258602
	sed -i 's/"epoch": 1/"epoch": 1024819115206086200/' ck/nx-train.json
	fails 1 timeout 20 "$BIN/nx-train" -q -m model --max-steps 10 --batch-size 2 --grad-accum 2 --sampler hf-4.25 -o b --resume ck few.jsonl
	says "it is of step 3074457345618258602, and the run has 10" err
	run_it -q -o b --sampler hf-4.25 --resume a/checkpoint-5
}

@test "a used directory is refused; overwritten, it loses the other run's checkpoints" {
	run_it -q -o a --save-steps 3
	fails 1 run_it -q -o a
	says "(--overwrite-output-dir writes into it)" err
	run_it -q -o a --overwrite-output-dir --save-steps 4 --max-steps 5
	[ "$(cd a && echo checkpoint-*)" = "checkpoint-4 checkpoint-5" ]
	fails 2 run_it -q --resume auto
	says "--resume auto needs -o" err
	fails 2 run_it -q --resume auto -o 'x{timestamp}'
	mkdir none
	fails 1 run_it -q --resume none -o b
	says "none: no checkpoint" err
	run_it -o b --resume auto 2>err
	says "no checkpoint yet, beginning" err
}

@test "contradicting options about checkpoints are wrong usage" {
	wrong() {
		local text=$1
		shift
		fails 2 run_it -q -o new "$@"
		says "$text" err
	}
	wrong "--load-best-model-at-end needs --eval-strategy" --load-best-model-at-end --eval few.jsonl
	wrong "to be a multiple of --eval-steps" --load-best-model-at-end --eval few.jsonl --eval-steps 3 --save-steps 4
	wrong "to be the same" --load-best-model-at-end --eval few.jsonl --eval-strategy epoch --save-steps 4
	wrong "--early-stopping-patience needs" --early-stopping-patience 2
	wrong "--eval-strategy needs --eval FILE" --eval-strategy epoch
	[ ! -e new ]
}

@test "a loss that is no number: the step, the record, and the last good checkpoint" {
	fails 1 run_it -q -o a --save-steps 1 --learning-rate 1e9 --max-grad-norm 0 --warmup-steps 0
	says "; the last good checkpoint is a/checkpoint-" err
	grep -Eq 'step [0-9]+: the (loss|gradient.s norm) is (nan|inf); ' err
	# three may be left out, a fourth may not
	run_it -o b --learning-rate 1e9 --max-grad-norm 0 --warmup-steps 0 --skip-nan-steps 100 --log b.log 2>err
	says "is skipped: the " err
	says '"skipped": 1' b.log
	run ! grep -qi '[:,] *-\?\(nan\|inf\)' b.log
	[ "$(grep -c '"step"' b.log)" -eq 11 ]
	# of an evaluation neither the log nor what is kept says it in other words than JSON has, and it is never the best
	run_it -o d --learning-rate 1e9 --max-grad-norm 0 --warmup-steps 0 --skip-nan-steps 100 --log d.log --eval few.jsonl \
		--eval-steps 5 --save-steps 5 --load-best-model-at-end 2>err
	says 'step 5/10: eval_loss nan' err
	says '{"eval_loss": null, ' d.log
	run ! grep -Eqi '[:,] *-?(nan|inf)' d.log d/checkpoint-5/*.json
	says '"best_global_step": null' d/checkpoint-5/trainer_state.json
	run_it -q -o d --resume d/checkpoint-5 --learning-rate 1e9 --max-grad-norm 0 --warmup-steps 0 --skip-nan-steps 100 --eval few.jsonl --eval-steps 5
	fails 1 run_it -q -o c --learning-rate 1e9 --max-grad-norm 0 --warmup-steps 0 --skip-nan-steps 1
}
