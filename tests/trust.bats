# trust: what SECURITY.md promises and no other file tests.
load helper

each() {
	export LC_ALL=C
	TOK=$ROOT/tests/golden/variants/gpt2.json
}

init() {
	"$BIN/nx-init" -q -V 700 --hidden 8 --layers 1 --heads 2 --ffn 8 --rotary-pct 1 --max-position 64 -T "$TOK" "$@"
}

# refused TEXT CMD ...: exit status 1, one line that says so, nothing on stdout.
refused() {
	local text=$1
	shift
	fails 1 "$@" </dev/null
	[ "$(wc -l <err)" = 1 ]
	says "$text" err
	[ ! -s out ]
}

# safetensors HEADER BYTES: a file of this header and so many bytes.
safetensors() {
	local n=${#1} i
	for i in 0 8 16 24 32 40 48 56; do
		printf '%b' "$(printf '\\x%02x' $((n >> i & 255)))"
	done
	printf '%s' "$1"
	head -c "$2" /dev/zero
}

# --- what a stopped run leaves -------------------------------------------------------

@test "what a killed run left behind goes with the next, what a living one works on stays" {
	mkdir .m.0123456789abcdef .m.fedcba9876543210 .other.0123456789abcdef .m.0123
	touch .m.0123456789abcdef/model.safetensors
	exec 9<.m.fedcba9876543210
	flock 9
	init -o m
	[ -d m ]
	[ ! -e .m.0123456789abcdef ]
	[ -d .m.fedcba9876543210 ]
	[ -d .other.0123456789abcdef ]
	[ -d .m.0123 ]
	exec 9<&-
	rm -r m
	init -o m
	[ ! -e .m.fedcba9876543210 ]
}

@test "a file that a killed run left behind goes with the next, one in use and what is none stays" {
	echo '{"text": "a"}' >in
	printf old >out
	touch .out.0123456789abcdef .out.fedcba9876543210 .other.0123456789abcdef .out.0123 out.0123456789abcdef
	mkfifo .out.00000000000000aa
	ln -s in .out.00000000000000bb
	mkdir .out.00000000000000cc
	exec 9<.out.fedcba9876543210
	flock 9
	"$BIN/bpe-encode" -q -T "$TOK" -o out in
	grep -q input_ids out
	[ ! -e .out.0123456789abcdef ]
	[ "$(find . -name '*.*' -not -name . | sort | tr '\n' ' ')" = "./.other.0123456789abcdef ./.out.00000000000000aa ./.out.00000000000000bb ./.out.00000000000000cc ./.out.0123 ./.out.fedcba9876543210 ./out.0123456789abcdef " ]
	exec 9<&-
	mkdir d
	touch d/.out.0123456789abcdef
	"$BIN/bpe-encode" -q -T "$TOK" -o "$PWD/d/out" in
	[ "$(ls -A d)" = out ]
	"$BIN/bpe-encode" -q -T "$TOK" -o out in
	[ ! -e .out.fedcba9876543210 ]
}

@test "an output's name may be as long as names can be" {
	local long
	printf -v long '%254s' ''
	long=${long// /n}
	echo '{"text": "a"}' >in
	mkdir d
	for name in "$long" "d/n$long" "d/${long:2}é"; do
		"$BIN/bpe-encode" -q -T "$TOK" -o "$name" in
		grep -q input_ids "$name"
	done
	init -o "m${long}"
	[ -e "m$long/config.json" ]
	[ "$(find d -type f | wc -l)" = 2 ]
	fails 1 "$BIN/bpe-encode" -q -T "$TOK" -o "too$long" in
	says ": File name too long" err
}

# --- the files of a stranger -----------------------------------------------------------

@test "model files that lie about their sizes are refused before memory is asked for" {
	[[ $BIN == *san* ]] || ulimit -v 2000000
	init -o good
	mkdir m
	cp good/config.json m
	printf '\0\0\0\0\0\0\0\020{}' >m/model.safetensors
	refused "m/model.safetensors: " "$BIN/nx-eval" -q -m m --any-tokenizer /dev/null
	safetensors '{"gpt_neox.embed_in.weight":{"dtype":"F32","shape":[1152921504606846976,8],"data_offsets":[0,32]}}' 32 >m/model.safetensors
	refused "m/model.safetensors: " "$BIN/nx-info" m
	safetensors '{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"b":{"dtype":"F32","shape":[4],"data_offsets":[8,24]}}' 24 >m/model.safetensors
	refused "m/model.safetensors: " "$BIN/nx-info" m
	safetensors '{"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}' 16 >m/model.safetensors
	refused "m/model.safetensors: " "$BIN/nx-info" m
	safetensors '{"a":{"dtype":"Q9","shape":[4],"data_offsets":[0,16]}}' 16 >m/model.safetensors
	refused "m/model.safetensors: " "$BIN/nx-info" m
}

@test "a config's claim costs no memory, and a tensor too few is named" {
	init -o m
	sed 's/"vocab_size": 700/"vocab_size": 134217728/' m/config.json >big
	cp big m/config.json
	refused "gpt_neox.embed_in.weight" "$BIN/nx-eval" -q -m m --any-tokenizer /dev/null
}

@test "an index that leads out of its directory is refused" {
	init -o m
	mv m/model.safetensors outside.safetensors
	printf '{"weight_map": {"gpt_neox.embed_in.weight": "../outside.safetensors"}}' >m/model.safetensors.index.json
	refused "m/model.safetensors.index.json: " "$BIN/nx-info" m
	printf '{"weight_map": {"gpt_neox.embed_in.weight": "%s/outside.safetensors"}}' "$T" >m/model.safetensors.index.json
	refused "m/model.safetensors.index.json: " "$BIN/nx-info" m
}

@test "small compressed files do not become large ones in memory" {
	init -o m
	head -c 270000000 /dev/zero | zstd -q -c >m/config.json
	refused "m/config.json: more than 256 MiB" "$BIN/nx-info" m
}

@test "an array's header alone makes no records" {
	printf "\x93NUMPY\x01\x00\x76\x00%-117s\n" "{'descr': '<i4', 'fortran_order': False, 'shape': (1000000000000, 0), }" >a.npy
	refused "empty rows" timeout 10 "$BIN/shard-cat" -f npy --vocab-size 10 -t jsonl a.npy
	# 2^20 of them are taken, and not one more
	printf "\x93NUMPY\x01\x00\x76\x00%-117s\n" "{'descr': '<i4', 'fortran_order': False, 'shape': (1048577, 0), }" >a.npy
	refused "more than 1048576 empty rows" "$BIN/shard-cat" -f npy --vocab-size 10 -t jsonl a.npy
	printf "\x93NUMPY\x01\x00\x76\x00%-117s\n" "{'descr': '<i4', 'fortran_order': False, 'shape': (1048576, 0), }" >a.npy
	"$BIN/shard-cat" -q -f npy --vocab-size 10 -s a.npy >out
	says 1048576 out
}

# npy MEMBERS: an array file with these in its header, of the three numbers 1, 2, 3.
npy() {
	printf "\x93NUMPY\x01\x00\x76\x00%-117s\n" "{$1, }"
	printf '\1\0\0\0\2\0\0\0\3\0\0\0'
}

@test "an array's header that counts what no file has, or says a thing twice, is refused" {
	local i4="'descr': '<i4', 'fortran_order': False" shape
	npy "$i4, 'shape': (3,)" >a.npy
	"$BIN/shard-cat" -q -f npy --eos 0 -t jsonl a.npy >out
	says '"input_ids": [1, 2, 3]' out
	for shape in '18446744073709551615,' '18446744073709551614,' '9223372036854775807,' '18446744073709551615, 1'; do
		npy "$i4, 'shape': ($shape)" >a.npy
		refused "a.npy: the array's shape is no file's" "$BIN/shard-cat" -f npy --eos 0 -t jsonl a.npy
	done
	# NumPy would take the last, or refuse it
	for shape in "(3,), 'shape': (1,)" "(1,), 'shape': (3,)" "(3,), 'descr': '<u2'" "(3,), 'fortran_order': False" '(3)'; do
		npy "$i4, 'shape': $shape" >a.npy
		refused "a.npy: the header of the .npy file is damaged" "$BIN/shard-cat" -f npy --eos 0 -t jsonl a.npy
	done
}

@test "a file that cannot be looked at is none that is missing" {
	local f
	init -o m
	echo '{"input_ids": [1, 2, 3]}' >in
	for f in generation_config.json tokenizer_config.json tokenizer.json adapter_config.json model.safetensors; do
		cp -r m n
		ln -sf $f n/$f
		refused "n/$f: Too many levels of symbolic links" "$BIN/nx-generate" -q -m n -p a
		rm -r n
	done
	ln -s prompt_template.txt m/prompt_template.txt
	refused "m/prompt_template.txt: Too many levels" "$BIN/nx-generate" -q -m m --template model -p a
	refused "m/prompt_template.txt: Too many levels" "$BIN/nx-train" -q -m m --max-steps 1 -o out2 in
	[ ! -e out2 ]
	ln -s loop loop
	refused "loop: Too many levels" env HF_TOKEN_PATH=loop HF_ENDPOINT=http://127.0.0.1:1 "$BIN/nx-fetch" --retries 0 org/none
	refused "loop: Too many levels" "$BIN/nx-info" loop
	refused "loop: Too many levels" "$BIN/bpe-encode" -q -T "$TOK" -o loop in
}

@test "a pipe or a device in the place of a directory's file is refused, not waited for" {
	local f made
	init -o m
	echo '{"input_ids": [1, 2, 3]}' >in
	fails 0 "$BIN/nx-train" -q -m m --max-steps 2 --save-steps 1 -o run in
	fails 0 "$BIN/nx-train" -q -m m --lora 2 --max-steps 1 -o adapter in
	# stuck DIR FILE CMD ...: with a pipe, and with a device, under this name
	stuck() {
		local dir=$1 f=$2
		shift 2
		for made in "mkfifo" "ln -s /dev/zero"; do
			rm -rf n
			cp -r "$dir" n
			rm -f "n/$f"
			$made "n/$f"
			refused "n/$f: no regular file" timeout 10 "$@"
		done
	}
	for f in config.json generation_config.json tokenizer.json tokenizer_config.json adapter_config.json model.safetensors; do
		stuck m $f "$BIN/nx-generate" -q -m n -p a
	done
	stuck m config.json "$BIN/nx-info" n
	stuck m prompt_template.txt "$BIN/nx-generate" -q -m n --template model -p a
	stuck m special_tokens_map.json "$BIN/nx-train" -q -m n --max-steps 1 -o out2 in
	stuck m tokenizer.json "$BIN/bpe-encode" -q -T n in
	for f in adapter_config.json adapter_model.safetensors; do
		stuck adapter $f "$BIN/nx-generate" -q -m n -p a
	done
	for f in nx-train.json trainer_state.json optimizer.bin; do
		stuck run/checkpoint-1 $f "$BIN/nx-train" -q -m m --max-steps 2 --resume n -o out2 in
	done
	[ ! -e out2 ]
	cp -r m bare
	rm bare/model.safetensors
	for f in model.safetensors.index.json pytorch_model.bin; do
		stuck bare $f "$BIN/nx-generate" -q -m n -p a
	done
	# what the user names may be a pipe
	[ "$("$BIN/bpe-encode" -q -T <(cat "$TOK") <<<'{"text": "a"}' | wc -l)" = 1 ]
	[ "$("$BIN/nx-info" <(cat m/config.json) | grep -c '^vocabulary: 700$')" = 1 ]
}

@test "a link as the output stays a link, and a secret's mode stays" {
	echo '{"text": "a"}' >in
	mkdir d
	echo old >d/real
	chmod 600 d/real
	ln -s d/real link
	"$BIN/bpe-encode" -q -T "$TOK" -o link in
	[ -L link ]
	grep -q input_ids d/real
	[ "$(stat -c %a d/real)" = 600 ]
	ln -s nowhere dangling
	fails 1 "$BIN/bpe-encode" -q -T "$TOK" -o dangling in
	[ ! -e nowhere ]
}

@test "files and directories get the modes the umask leaves" {
	echo '{"text": "a"}' >in
	(umask 077 && "$BIN/bpe-encode" -q -T "$TOK" -o private in && init -o mprivate)
	(umask 022 && "$BIN/bpe-encode" -q -T "$TOK" -o public in && init -o mpublic)
	[ "$(stat -c %a private public mprivate mpublic mprivate/model.safetensors mpublic/config.json | tr '\n' ' ')" = "600 644 700 755 600 644 " ]
}

# --- the records of a stranger ---------------------------------------------------------------

@test "of a bad packed record no piece is written" {
	printf '%s\n' '{"input_ids": [1, 2, 3, 70000], "position_ids": [0, 1, 0, 1]}' '{"input_ids": [4, 5]}' >in
	"$BIN/shard-cat" -q --skip-bad --eos 0 --to nanogpt in >got 2>err
	"$BIN/shard-cat" -q --eos 0 --to nanogpt <(tail -n 1 in) >want
	same want got
}

@test "yajl's published faults: escapes at the end of a buffer are errors" {
	local tail
	# shellcheck disable=SC1003  # these are ends of escapes
	for tail in '\' '\u' '\u1' '\u12' '\u123' '\ud800' '\ud800\' '\ud800\u' '\ud800\udc0'; do
		printf '{"text": "%s' "$tail" >in
		fails 1 "$BIN/bpe-encode" -q -T "$TOK" in
		printf '{"text": "%s"}' "$tail" >in
		fails 1 "$BIN/bpe-encode" -q -T "$TOK" in
	done
	grep -q '^bpe-encode: in:1: ' err
}

@test "yajl's published faults: numbers beyond its integers pass as they are, and its trees are not used" {
	local n
	for n in 9223372036854775807 9223372036854775808 -9223372036854775809 18446744073709551616 1e400 1E+2; do
		printf '{"text": "a", "n": %s, "input_ids": [1], "labels": [1]}\n' $n >in
		"$BIN/shard-cat" -q -t jsonl in >out
		says "\"n\": $n" out
		printf '{"input_ids": [%s]}\n' "$n" >in
		fails 1 "$BIN/shard-cat" -q -t jsonl in
		[ "$(wc -l <err)" = 1 ]
	done
	for n in "$BIN"/*; do
		if [ -x "$n" ]; then run ! grep -q yajl_tree <(nm -D --undefined-only "$n"); fi
	done
}

@test "characters of every kind in the tables of utf8proc, and none beyond them" {
	printf '{"text": "\xf4\x8f\xbf\xbf \xcd\xbb\xe2\xb7\xbf \xf0\x9f\x8f\xb4\xf3\xa0\x81\xa7\xf3\xa0\x81\xbf\xef\xbf\xbf"}\n' >in
	"$BIN/bpe-encode" -q -T "$ROOT/tests/golden/variants/qwen2.json" in | "$BIN/bpe-decode" -q -T "$ROOT/tests/golden/variants/qwen2.json" >/dev/null
	printf '{"text": "\xf4\x90\x80\x80"}\n' >in
	fails 1 "$BIN/bpe-encode" -q -T "$TOK" in
	says "not valid UTF-8" err
	printf '{"question": "\xe0\xbd\xb1\xe0\xbe\x81\xcc\x81 \\u0000\\u001b[2J", "answer": "x"}\n' >in
	"$BIN/jsonl-table" -q in >out
	run ! grep -q $'\x1b' out
}

@test "names of strangers in messages neither steer a terminal nor make a second line" {
	# an escape, a newline, a bell, one of C1, one that turns the direction: as JSON has them, and as a shell
	local json='\u001b[31m\n\u0007\u009b\u202e' name=$'\e[31m\n\a\xc2\x9b\xe2\x80\xae' shown='?[31m????'
	init -o m
	echo "{\"model_type\": \"$json\"}" >bad.json
	refused "\"model_type\" is $shown, supported is gpt_neox" "$BIN/nx-info" bad.json
	safetensors "{\"$json\": {\"dtype\": \"F31\", \"shape\": [1], \"data_offsets\": [0, 4]}}" 4 >m/model.safetensors
	refused "tensor $shown: unknown dtype F31" "$BIN/nx-generate" -q -m m -p a
	echo '{"a": 1}' >in
	refused "field \"$shown\" is missing" "$BIN/bpe-encode" -q -T "$TOK" -f "$name" in
	refused "$shown: No such file or directory" "$BIN/jsonl-table" "$name"
	fails 2 "$BIN/jsonl-table" "--$name"
	says "unknown option --$shown" err
}

@test "a name of any length leaves room for the reason" {
	local long
	printf -v long '%4000s' ''
	long=${long// /n}
	init -o m
	safetensors "{\"$long\": {\"dtype\": \"F31\", \"shape\": [1], \"data_offsets\": [0, 4]}}" 4 >m/model.safetensors
	refused ": unknown dtype F31" "$BIN/nx-info" m
	says "nx-info: m/model.safetensors: tensor nnn" err
	refused "nnn: File name too long" "$BIN/jsonl-table" "$long"
	printf '{"weight_map": {"x": "%s"}}' "$long" >m/model.safetensors.index.json
	rm m/model.safetensors
	refused "nnn: File name too long" "$BIN/nx-info" m
	echo '{"a": 1}' >in
	refused "nnn\" is missing" "$BIN/bpe-encode" -q -T "$TOK" -f "$long" in
	says "bpe-encode: in:1: field \"nnn" err
}

# --- pipelines ------------------------------------------------------------------------------------

@test "a reader that has enough is no error, and one that is cut off notices" {
	yes '{"text": "some words of a text, again and again"}' | head -n 3000 >in
	set -o pipefail
	"$BIN/bpe-encode" -T "$TOK" in 2>err | head -n 1 >one || [ $? = 141 ]
	[ ! -s err ]
	[ "$(wc -l <one)" = 1 ]
	"$BIN/bpe-encode" -q -s -T "$TOK" in >whole
	head -c 5000 whole >part
	refused "cut off" "$BIN/shard-cat" -q -s part
	refused "cut off" "$BIN/split" -q --test test --train train part
	[ ! -e test ]
	[ ! -e train ]
}

@test "a file that the output is appended to is not read: it would never end" {
	yes '{"question": "a", "answer": "some words of a text, again and again"}' | head -n 3000 >in
	cp in same
	grows() {
		local status=0
		(ulimit -f 20000 && timeout 20 "$@" >>in 2>err) || status=$?
		[ "$status" = 2 ]
		cmp in same
	}
	grows "$BIN/jsonl-template" -q -p qa in
	says "jsonl-template: in: it is the output, too" err
	ln -s in link
	grows "$BIN/jsonl-template" -q -p qa link
	# shellcheck disable=SC2016  # it is the other shell's
	(ulimit -f 20000 && fails 2 timeout 20 bash -c '"$0/jsonl-template" -q -p qa <in 1<>in' "$BIN")
	says "jsonl-template: stdin: it is the output, too" err
	same in same
	# a file of its own is no hindrance, and an empty one has an end
	"$BIN/jsonl-template" -q -p qa -o in in
	[ "$(wc -l <in)" = 3000 ]
	: >none
	# shellcheck disable=SC2094  # that is what is tried
	"$BIN/jsonl-template" -q -p qa none >>none
}

@test "a slow reader does not make memory grow" {
	yes '{"text": "some words of a text, again and again, some words of a text, again and again"}' | head -n 30000 >in
	mkfifo p
	"$BIN/bpe-encode" -q -j 2 -T "$TOK" in >p 2>err &
	local pid=$!
	exec 8<p
	sleep 0.5
	local kb
	kb=$(awk '/VmHWM/ { print $2 }' "/proc/$pid/status")
	exec 8<&-
	wait "$pid" || true
	echo "$kb kB"
	case $BIN in *san*) kb=$((kb / 8)) ;; esac
	[ "$kb" -lt 100000 ]
}
