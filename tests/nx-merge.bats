#!/usr/bin/env bats
# nx-merge, and what nx-train and nx-generate do with adapters. That gradients and
# files are peft's is shown by tests/unit/lora.c.
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
}

# adapter DIR OPTION ...: a trained adapter of rank 4.
adapter() {
	local out=$1
	shift
	"$BIN/nx-train" -m model --lora 4 --learning-rate 1e-2 --max-steps 4 -o "$out" "$@" tokens.nxs >/dev/null 2>err
}

answers() {
	"$BIN/nx-generate" -q -m "$1" -p 'What is a filter?' -p 'What is a shard?' --max-new-tokens 8
}

@test "an adapter is trained while the weights rest, and folded in" {
	adapter ad --lora-target query_key_value,dense_4h_to_h --lora-alpha 16
	# 2 layers; (32 + 96) * 4 and (128 + 32) * 4 numbers
	says 'model: 2304 trainable parameters' err
	[ "$(cd ad && echo *)" = "adapter_config.json adapter_model.safetensors tokenizer.json tokenizer_config.json" ]
	says '"base_model_name_or_path": "model"' ad/adapter_config.json
	says '"lora_alpha": 16,' ad/adapter_config.json
	says '"r": 4,' ad/adapter_config.json
	[ "$(stat -c %s ad/adapter_model.safetensors)" -lt 11000 ]
	"$BIN/nx-merge" -o merged ad 2>err
	says 'nx-merge: merged: 58240 parameters of model as F32, 1 adapter folded in' err
	[ "$(cd merged && echo *)" = "config.json generation_config.json model.safetensors tokenizer.json tokenizer_config.json" ]
	same model/config.json merged/config.json
	same model/tokenizer.json merged/tokenizer.json
	fails 1 cmp -s model/model.safetensors merged/model.safetensors
	# an adapter's directory is a model, too
	answers ad >beside
	answers merged >within
	answers model >before
	same beside within
	fails 1 cmp -s before within
}

@test "checkpoints of an adapter, and going on from one" {
	adapter one
	adapter two --save-steps 2
	same one/adapter_model.safetensors two/adapter_model.safetensors
	same two/adapter_model.safetensors two/checkpoint-4/adapter_model.safetensors
	[ ! -e two/checkpoint-2/model.safetensors ]
	# from update 2 on once more
	"$BIN/nx-train" -q -m model --lora 4 --learning-rate 1e-2 --max-steps 4 -o three --resume two/checkpoint-2 tokens.nxs >out
	same one/adapter_model.safetensors three/adapter_model.safetensors
	same one/adapter_config.json three/adapter_config.json
	fails 1 "$BIN/nx-train" -q -m model --lora 8 -o four --resume two/checkpoint-2 tokens.nxs
	says 'two/checkpoint-2: ' err
	fails 1 "$BIN/nx-train" -q -m model --lora 4 --lora-alpha 4 -o four --resume two/checkpoint-2 tokens.nxs
	says 'two/checkpoint-2: the adapter has another rank, alpha or targets' err
	fails 2 "$BIN/nx-train" -q --lora 4 -o four --resume two/checkpoint-2 tokens.nxs
	[ ! -e four ]
}

@test "the best adapter is what is written" {
	adapter best --eval tokens.jsonl --eval-steps 2 --save-steps 2 --load-best-model-at-end --greater-is-better --metric-for-best-model loss
	same best/checkpoint-2/adapter_model.safetensors best/adapter_model.safetensors
}

@test "several adapters, in any order" {
	adapter a
	adapter b --seed 7 --lora-target dense
	"$BIN/nx-merge" -q -o ab a b
	"$BIN/nx-merge" -q -o ba b a
	same ab/model.safetensors ba/model.safetensors
	"$BIN/nx-merge" -q -m model -o a1 a
	"$BIN/nx-merge" -q -m a1 -o a1b b
	same ab/model.safetensors a1b/model.safetensors
	# an adapter may be the model
	"$BIN/nx-merge" -q -m a -o a2b b
	same ab/model.safetensors a2b/model.safetensors
}

@test "without an adapter weights change their files and type" {
	"$BIN/nx-merge" -q -m model -o f32
	same model/model.safetensors f32/model.safetensors
	"$BIN/nx-merge" -m model -o bf16 --save-dtype bf16 2>err
	says 'bf16: 58240 parameters of model as BF16, 0 adapters folded in' err
	"$BIN/nx-merge" -q -m bf16 -o again --save-dtype bf16
	same bf16/model.safetensors again/model.safetensors
	NX_MODEL=bf16 "$BIN/nx-merge" -q -o wide
	"$BIN/nx-merge" -q -m wide -o again2 --save-dtype bf16
	same bf16/model.safetensors again2/model.safetensors
	# training that changes nothing rounds in the same way
	"$BIN/nx-train" -q -m model --learning-rate 0 --max-steps 1 --save-dtype bf16 -o trained tokens.nxs >out
	same bf16/model.safetensors trained/model.safetensors
	same bf16/config.json trained/config.json
}

# The last weight becomes 131072, more than a half can hold.
enlarge() {
	local n
	n=$(stat -c %s "$1/model.safetensors")
	printf '\000\000\000\110' | dd of="$1/model.safetensors" bs=1 seek=$((n - 4)) conv=notrunc status=none
}

@test "a weight that float16 cannot hold" {
	enlarge model
	fails 1 "$BIN/nx-merge" -m model -o half --save-dtype f16
	says 'tensor embed_out.weight holds numbers too large for F16' err
	[ ! -e half ]
	"$BIN/nx-merge" -q -m model -o half --save-dtype bf16
	# training is not lost for that
	"$BIN/nx-train" -q -m model --learning-rate 0 --max-steps 1 --save-dtype f16 -o trained tokens.nxs >out 2>err
	says 'holds numbers too large for F16: saved as f32 instead' err
	same model/model.safetensors trained/model.safetensors
	says '"torch_dtype": "float32"' trained/config.json
}

@test "weights that are no numbers" {
	local n
	n=$(stat -c %s model/model.safetensors)
	printf '\000\000\300\177' | dd of=model/model.safetensors bs=1 seek=$((n - 4)) conv=notrunc status=none
	fails 1 "$BIN/nx-merge" -m model -o made
	says 'nx-merge: model/model.safetensors: tensor embed_out.weight: element 16383 is ' err
}

@test "what an adapter says it is for is a directory: no other file is read for it, nor stdin" {
	adapter ad
	local for
	cp model/config.json one.json # a model's config is read where a program is given it
	mkfifo pipe
	for for in - one.json model/config.json pipe /dev/zero /dev/stdin; do
		sed -i 's|"base_model_name_or_path": .*|"base_model_name_or_path": "'"$for"'",|' ad/adapter_config.json
		fails 1 timeout 10 "$BIN/nx-generate" -m ad -p x <model/config.json
		says "nx-generate: ad: the model \"$for\" that this adapter is for is not here" err
		fails 1 timeout 10 "$BIN/nx-merge" -o made ad <model/config.json
		says "nx-merge: ad: the model \"$for\" that it is for is not here" err
	done
	sed -i 's|"base_model_name_or_path": .*|"base_model_name_or_path": "model\\u0000x",|' ad/adapter_config.json
	fails 1 "$BIN/nx-generate" -m ad -p x
	says 'ad/adapter_config.json: "base_model_name_or_path" holds a NUL' err
}

@test "what goes wrong is told, and nothing is left" {
	adapter ad
	mv model moved
	fails 1 "$BIN/nx-merge" -o made ad
	says 'nx-merge: ad: the model "model" that it is for is not here: give -m DIR' err
	fails 1 "$BIN/nx-generate" -m ad -p x
	says 'nx-generate: ad: the model "model" that this adapter is for is not here: nx-merge -m brings them together' err
	NX_MODEL=moved "$BIN/nx-merge" -q -o made ad
	fails 1 "$BIN/nx-merge" -m moved -o made ad
	says 'made: the directory is not empty' err
	"$BIN/nx-merge" -q --force -m moved -o made ad
	"$BIN/nx-init" -q -o wide --hidden 64 --layers 2 --heads 4 --vocab-size 512
	fails 1 "$BIN/nx-merge" -m wide -o other ad
	says 'where the config says' err
	sed -i 's/"use_rslora": false/"use_dora": true/' ad/adapter_config.json
	fails 1 "$BIN/nx-merge" -m moved -o other ad
	says 'ad/adapter_config.json: "use_dora" is not supported' err
	fails 1 "$BIN/nx-merge" -m moved -o other nowhere
	says 'nowhere/adapter_config.json: No such file or directory' err
	fails 2 "$BIN/nx-merge" ad
	says 'no directory: give -o DIR' err
	fails 2 "$BIN/nx-merge" -o other
	says 'no model: give -m DIR or set NX_MODEL' err
	fails 2 "$BIN/nx-train" -m moved --lora 0 tokens.nxs
	fails 2 "$BIN/nx-train" -m moved --lora 33 tokens.nxs
	fails 2 "$BIN/nx-train" -m moved --lora 4 --lora-target q_proj tokens.nxs
	says '"q_proj" has no adapter: there is query_key_value, dense, dense_h_to_4h and dense_4h_to_h' err
	[ ! -e other ]
}
