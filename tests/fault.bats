# fault: every call that may fail does, once: tests/fault/each.c says what is wanted then.
# NX_DEEP=1 (make check-deep): each single call; else, of functions called often, every few.
# FAULT_CRYPTO=1 has libcrypto's thousands of allocations fail, too, which takes most of an hour.
load helper

setup_file() {
	local src=$BATS_TEST_DIRNAME/fault
	cd "$BATS_FILE_TMPDIR" || return 1
	cc -O1 -shared -fPIC -fno-builtin -D_GNU_SOURCE -o fault.so "$src/fault.c" "$src/streams.c" -ldl
	cc -O1 -D_GNU_SOURCE -o each "$src/each.c"
}

each() {
	need_preload
	export NX_CACHE="" LC_ALL=C OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 TMPDIR=$T
	FAULT=$BATS_FILE_TMPDIR IN=$T/in TOK=$ROOT/tests/golden/variants/gpt2.json
	mkdir "$IN"
	printf '{"question": "a token and", "answer": "the rest", "n": 1.50}\n{"question": "more of", "answer": "the same"}\n{"question": "caf\\u00e9", "answer": "x"}\n{"question": "last", "answer": "one"}\n' >"$IN/d.jsonl"
	"$BIN/bpe-encode" -q -T "$TOK" -o "$IN/t.jsonl" "$IN/d.jsonl"
	"$BIN/bpe-encode" -q -T "$TOK" -s -o "$IN/t.nxs" "$IN/d.jsonl"
	"$BIN/nx-init" -q -V 700 --hidden 8 --layers 1 --heads 2 --ffn 8 --rotary-pct 1 --max-position 64 -T "$TOK" -o "$IN/m"
	# files that may be missing: to take one for missing makes another output
	printf '{"eos_token_id": 0, "max_new_tokens": 4, "repetition_penalty": 1.7}\n' >"$IN/m/generation_config.json"
	printf '{"eos_token": "a", "pad_token": "b"}\n' >"$IN/m/tokenizer_config.json"
	printf '{}\n' >"$IN/m/special_tokens_map.json"
	printf 'Q: {question}\nA: {answer}\n' >"$IN/m/prompt_template.txt"
	# where syncing costs nothing, if there is such a place
	W=$T/w
	if [ -w /dev/shm ]; then W=$(mktemp -d -p /dev/shm); fi
	mkdir -p "$W"
	cd "$W" || return 1
}

teardown() {
	cd /
	if [ -n "${W:-}" ]; then rm -rf "$W"; fi
	if [ -n "${SERVER_PID:-}" ]; then served; fi
}

# faults EVERY OUT PROGRAM ...: none of its calls fails any other way than it should.
faults() {
	local every=$1 out=$2 program=$3
	shift 3
	if [ -n "${NX_DEEP:-}" ]; then every=1; fi
	"$FAULT/each" "$FAULT/fault.so" "$every" "$out" "$BIN/$program" "$@" >"$T/log" || {
		echo "$program $*"
		cat "$T/log"
		return 1
	}
	if [ -n "${NX_DEEP:-}" ]; then echo "# $program $*: $(tail -n 1 "$T/log")" >&3; fi
	grep -q '^[1-9][0-9]* faults of .* 0 failed$' "$T/log"
	# fewer, and the program's own calls were not among them
	[ "$(sed -n 's/.* of \([0-9]*\) calls.*/\1/p' "$T/log")" -ge 20 ]
	rm -rf want "${out%/}"
}

@test "text filters: any failing call is an error in one line, and the old output stays" {
	faults 2 out bpe-encode -q -T "$TOK" -o out "$IN/d.jsonl"
	faults 3 - bpe-encode -q -T "$TOK" -j 2 "$IN/d.jsonl"
	faults 3 out bpe-encode -q -T "$TOK" -s -z -o out "$IN/d.jsonl"
	faults 3 out bpe-decode -q -T "$TOK" -o out "$IN/t.nxs"
	faults 3 out bpe-train -q -V 300 -o out "$IN/d.jsonl"
	faults 1 out jsonl-template -q -p qa -o out "$IN/d.jsonl"
	faults 1 - jsonl-table -q "$IN/d.jsonl"
	# tables kept between runs: without them it takes longer, and nothing else
	mkdir cache
	NX_CACHE=$W/cache faults 2 - bpe-encode -q -T "$TOK" "$IN/d.jsonl"
}

@test "token filters: any failing call is an error in one line, and the old output stays" {
	faults 3 out pad-trunc -q -T "$TOK" -n 8 -o out "$IN/t.jsonl"
	faults 1 out split -q --test-size 0.25 --train out --test "$IN/test" "$IN/t.nxs"
	faults 1 out split -q --by question --test-size 0.25 --train out --test "$IN/test" "$IN/d.jsonl"
	faults 1 out shard-cat -q -t shard --vocab-size 700 -o out "$IN/t.jsonl"
	faults 1 out shard-cat -q -t npy -o out "$IN/t.nxs"
	faults 1 - shard-cat -q -s "$IN/t.nxs"
	"$BIN/shard-cat" -q -t megatron -o "$IN/g" "$IN/t.nxs"
	faults 1 - shard-cat -q -t jsonl "$IN/g.bin"
	cp "$IN/d.jsonl" stdin
	faults 1 out split -q --test-size 0.25 --train out --test "$IN/test"
	# two files, of which none stands beside another run's: behind a failure the old pair is there, or no .bin
	mkdir seed
	"$BIN/shard-cat" -q -t megatron -T "$TOK" -o seed/p <(head -n 2 "$IN/t.jsonl")
	faults 1 out/ shard-cat -q -t megatron -o out/p "$IN/t.nxs"
}

@test "model programs: any failing call is an error in one line, and nothing is left behind" {
	faults 1 - nx-info "$IN/m"
	faults 1 out/ nx-init -q -V 700 --hidden 8 --layers 1 --heads 2 --ffn 8 --rotary-pct 1 --max-position 64 -T "$TOK" -o out
	faults 3 - nx-eval -q -m "$IN/m" "$IN/t.jsonl"
	"$BIN/nx-train" -q -m "$IN/m" --lora 2 --max-steps 1 --batch-size 1 -o "$IN/a" "$IN/t.nxs" >name
	faults 3 out/ nx-merge -q -m "$IN/m" -o out "$IN/a"
	printf '{"loss": %s, "step": %s}\n' 4 1 3 2 2 3 >"$IN/log"
	faults 1 out nx-plot -q -o out "$IN/log"
	# in the place of rsvg-convert a program whose own calls are not counted: linked statically, it loads no library
	printf '%s\n' '#include <unistd.h>' 'int main(void) { return write(1, "\211PNG\r\n\032\nof no size", 18) != 18; }' >fake.c
	mkdir "$T/fake"
	cc -static -o "$T/fake/rsvg-convert" fake.c
	rm fake.c
	PATH=$T/fake:$PATH faults 1 out nx-plot -q -f png -o out "$IN/log"
}

@test "asking: any failing call is an error in one line, and no file that is there is taken for missing" {
	faults 2 - nx-generate -q -m "$IN/m" -p "a token"
	faults 5 - nx-generate -q -m "$IN/m" --template model --threads 2 -p "a token"
	faults 3 out nx-generate -q -m "$IN/m" --max-new-tokens 3 -o out "$IN/d.jsonl"
	faults 5 out nx-generate -q -m "$IN/m" --template qa -o out "$IN/d.jsonl"
	"$BIN/nx-train" -q -m "$IN/m" --lora 2 --max-steps 1 --batch-size 1 -o "$IN/a" "$IN/t.nxs" >name
	faults 7 - nx-generate -q -m "$IN/a" -p "a token"
	printf 'a token\nmore of\n' >stdin
	faults 5 - nx-generate -q -m "$IN/m" --chat
	faults 5 - nx-generate -q -m "$IN/m" --chat --template '{q} is' --history 0
}

@test "training: any failing call is an error in one line, and every directory there is is whole" {
	faults 11 out/ nx-train -q -m "$IN/m" --max-steps 3 --save-steps 1 --batch-size 1 --threads 1 -o out "$IN/t.nxs"
	faults 11 out/ nx-train -q -m "$IN/m" --max-steps 3 --lora 2 --save-steps 1 --batch-size 1 --threads 2 -o out "$IN/t.nxs"
	faults 17 out/ nx-train -q -m "$IN/m" --template qa --max-steps 2 --save-steps 1 --eval "$IN/t.nxs" --eval-steps 1 --batch-size 1 --threads 1 -o out "$IN/t.nxs"
	faults 17 - nx-train -q -m "$IN/m" --max-steps 2 --log log --batch-size 1 --threads 1 -o "$IN/trained" --overwrite-output-dir "$IN/t.nxs"
}

@test "going on: any failing call is an error in one line, and no checkpoint is overlooked or half removed" {
	"$BIN/nx-train" -q -m "$IN/m" --max-steps 2 --save-steps 2 --batch-size 1 -o seed "$IN/t.nxs" >name
	faults 11 out/ nx-train -q -m "$IN/m" --max-steps 4 --save-steps 2 --save-total-limit 1 --resume auto --batch-size 1 --threads 1 -o out "$IN/t.nxs"
}

# with_state: for programs that are not run by each.
with_state() {
	: >state
	truncate -s 1M state
	export FAULT_FILE=$W/state
}

# open_hub DIR: a hub, and where what it has comes to.
open_hub() {
	unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_TOKEN HUGGING_FACE_HUB_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE
	serve "$BATS_FILE_TMPDIR/hub"
	export HF_HOME=$1 HF_ENDPOINT=$URL/hub
}

# hub_of DIR COMMIT: the model in DIR becomes the hub's org/tiny, as of this commit.
hub_of() {
	local commit=$2 hub=$BATS_FILE_TMPDIR/hub f size oid list=
	mkdir -p "$hub/org/tiny/resolve/$commit" "$hub/api/models/org/tiny/revision" "$hub/api/models/org/tiny/tree"
	for f in config.json tokenizer.json model.safetensors; do
		cp "$1/$f" "$hub/org/tiny/resolve/$commit"
		size=$(stat -c %s "$1/$f")
		oid=$({ printf 'blob %d\0' "$size" && cat "$1/$f"; } | sha1sum | cut -d' ' -f1)
		list+="${list:+, }{\"type\": \"file\", \"oid\": \"$oid\", \"size\": $size, \"path\": \"$f\"}"
	done
	printf '{"sha": "%s", "id": "org/tiny"}' "$commit" >"$hub/api/models/org/tiny/revision/main"
	echo "[$list]" >"$hub/api/models/org/tiny/tree/$commit"
}

@test "a service: any failing call is an error in one line, or asked again; what was answered is kept" {
	serve
	faults 23 - api-generate -q -m m -u "$URL/ok/v1" -j 1 --retry-delay 0 "$IN/d.jsonl"
	faults 37 out api-generate -q -m m -u "$URL/ok/v1" -j 2 --retry-delay 0 -o out "$IN/d.jsonl"
}

@test "a hub: any failing call is an error in one line, or asked again; a model that is there is whole" {
	open_hub "$W/hf"
	hub_of "$IN/m" 00112233445566778899aabbccddeeff00112233
	faults 23 hf/ nx-fetch -q --retry-delay 0 org/tiny
	# a new commit; the snapshot of the old one stays
	"$BIN/nx-fetch" -q org/tiny >name
	cp -a hf seed
	sed -i 's/"hidden_size"/"x": 1, "hidden_size"/' "$IN/m/config.json"
	hub_of "$IN/m" 7766554433221100ffeeddccbbaa998877665544
	faults 23 hf/ nx-fetch -q --retry-delay 0 org/tiny
}

# made CMD ...: the names that it makes, into ./names.
made() {
	rm -rf names d
	mkdir d
	FAULT_NAMES=names LD_PRELOAD=$FAULT/fault.so "$@" >out
}

@test "temporary names cannot be foreseen, stand beside the output, and are of nothing that was there" {
	local i hex='[0-9a-f]\{16\}'
	with_state
	for i in 1 2; do
		made "$BIN/bpe-encode" -q -T "$TOK" -o d/out "$IN/d.jsonl"
		grep -qx "linkat d/\.out\.$hex" names
		mv names file$i
		FAULT_NAMED=1 made "$BIN/bpe-encode" -q -T "$TOK" -o d/out "$IN/d.jsonl"
		grep -qx "open-new d/\.out\.$hex" names
		mv names named$i
		made "$BIN/nx-init" -q -V 700 --hidden 8 --layers 1 --heads 2 --ffn 8 --rotary-pct 1 --max-position 64 -o d/m
		grep -qx "mkdir d/\.m\.$hex" names
		grep -qx "linkat d/\.m\.$hex/\.config.json\.$hex" names
		mv names dir$i
		made "$BIN/nx-train" -q -m "$IN/m" --max-steps 1 --save-steps 1 --batch-size 1 -o d/m "$IN/t.nxs"
		mv names train$i
		if grep -v '/\.[^/]*\.[0-9a-f]\{16\}\|^mkdir d/m$' train$i; then return 1; fi
	done
	for i in file named dir; do
		[ "$(wc -l <${i}1)" = "$(wc -l <${i}2)" ]
		run ! grep -qFxf ${i}1 ${i}2
	done
}

@test "where no file is nameless, a run that is killed leaves one, and the next of that name removes it" {
	local pid long
	with_state
	export FAULT_NAMED=1
	mkdir d
	mkfifo p
	# run NAME: one that waits for more, in $pid
	begin() {
		LD_PRELOAD=$FAULT/fault.so "$BIN/bpe-encode" -q -T "$TOK" -o "d/$1" p &
		pid=$!
		exec 8>p
		await compgen -G "d/.${1:0:200}*.????????????????"
	}
	begin out
	# a second one takes nothing from the first
	LD_PRELOAD=$FAULT/fault.so "$BIN/bpe-encode" -q -T "$TOK" -o d/out "$IN/d.jsonl"
	cat "$IN/d.jsonl" >&8
	exec 8>&-
	wait $pid
	[ "$(ls -A d)" = out ]
	begin out
	kill -9 $pid
	exec 8>&-
	wait $pid || true
	[ "$(find d -type f | wc -l)" = 2 ]
	LD_PRELOAD=$FAULT/fault.so "$BIN/bpe-encode" -q -T "$TOK" -o d/out "$IN/d.jsonl"
	[ "$(ls -A d)" = out ]
	printf -v long '%255s' ''
	LD_PRELOAD=$FAULT/fault.so "$BIN/bpe-encode" -q -T "$TOK" -o "d/${long// /n}" "$IN/d.jsonl"
	[ "$(find d -type f | wc -l)" = 2 ]
}

@test "a hub's files: what is made is new, or no link is followed; names of links cannot be foreseen" {
	with_state
	open_hub d
	hub_of "$IN/m" 00112233445566778899aabbccddeeff00112233
	made "$BIN/nx-fetch" -q org/tiny
	[ "$(grep -c '^symlink .*/[a-z.]*\.[0-9a-f]\{16\}\.tmp$' names)" = 3 ]
	[ "$(grep -c '^open-nofollow .*\.incomplete$' names)" = 3 ]
	[ "$(grep -c '^open-nofollow .*\.lock$' names)" = 3 ]
	run ! grep -q '^open ' names
	mv names one
	made "$BIN/nx-fetch" -q org/tiny
	run ! grep -qFxf <(grep '^symlink' one) names
}

@test "reads and writes of a few bytes at a time change nothing" {
	"$BIN/bpe-encode" -q -T "$TOK" -o want "$IN/d.jsonl"
	with_state
	export FAULT_SHORT=7
	LD_PRELOAD=$FAULT/fault.so "$BIN/bpe-encode" -q -T "$TOK" -o got "$IN/d.jsonl"
	same want got
	LD_PRELOAD=$FAULT/fault.so "$BIN/shard-cat" -q -t jsonl "$IN/t.nxs" >some
	unset FAULT_FILE
	"$BIN/shard-cat" -q -t jsonl "$IN/t.nxs" >all
	same all some
}

@test "a full disk: one line, the old output stays" {
	echo old >kept
	(
		ulimit -f 1
		yes '{"text": "a token"}' | head -n 2000 | fails 1 "$BIN/bpe-encode" -q -T "$TOK" -o "$W/kept" -
		[ "$(wc -l <err)" = 1 ]
		says "bpe-encode: $W/kept: File too large" err
	)
	[ "$(cat kept)" = old ]
	compgen -G '.*.????????????????' && return 1
	fails 1 "$BIN/bpe-encode" -q -T "$TOK" -o /dev/full "$IN/d.jsonl"
	says "bpe-encode: /dev/full: No space left on device" err
}
