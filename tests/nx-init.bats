load helper

TINY=(--hidden 32 --layers 1 --heads 4 --vocab-size 300)

# has KEY VALUE: the line of the new model's config.json.
has() {
	grep -Eq "^  \"$1\": $2,?\$" "${3:-m}/config.json" || {
		grep "\"$1\"" "${3:-m}/config.json"
		return 1
	}
}

tokenizer() {
	seq 300 >numbers
	"$BIN/bpe-train" -q --vocab-size 270 --special '<|endoftext|>' --special '<|padding|>' -o tokenizer.json numbers
}

@test "a named size has that model's shape" {
	"$BIN/nx-init" -o m --size pythia-14m 2>err
	says 'nx-init: m: 14067712 random parameters, seed 42' err
	[ "$(cd m && echo *)" = "config.json generation_config.json model.safetensors" ]
	has vocab_size 50304
	has hidden_size 128
	has num_hidden_layers 6
	has num_attention_heads 4
	has intermediate_size 512
	has rotary_pct 0.25
	has rotary_emb_base 10000
	has use_parallel_residual true
	has tie_word_embeddings false
	has hidden_act '"gelu"'
	has model_type '"gpt_neox"'
	has torch_dtype '"float32"'
	has layer_norm_eps 1e-05
	has eos_token_id 0
	# 8 bytes, the header, 4 bytes a parameter
	[ "$(($(stat -c %s m/model.safetensors) - 14067712 * 4))" -lt 12000 ]
}

@test "options change the shape" {
	"$BIN/nx-init" -q -o m "${TINY[@]}" --ffn 50 --max-position 99 --rotary-pct 0.5 --rotary_emb_base 500 \
		--activation gelu_new --init-range 0.5 --tied --sequential
	has vocab_size 300
	has hidden_size 32
	has intermediate_size 50
	has max_position_embeddings 99
	has rotary_pct 0.5
	has rotary_emb_base 500
	has hidden_act '"gelu_new"'
	has initializer_range 0.5
	has tie_word_embeddings true
	has use_parallel_residual false
	"$BIN/nx-init" -q -o n "${TINY[@]}"
	has intermediate_size 128 n
	"$BIN/nx-init" -q -o o --config m/config.json --heads 8
	has num_attention_heads 8 o
	has hidden_act '"gelu_new"' o
	has intermediate_size 50 o
	# a directory is a config, too
	"$BIN/nx-init" -q -o p --config m
	same m/config.json p/config.json
}

@test "weights depend on the seed, not on the processors" {
	"$BIN/nx-init" -q -o a "${TINY[@]}"
	"$BIN/nx-init" -q -o b "${TINY[@]}" --seed 42
	"$BIN/nx-init" -q -o c "${TINY[@]}" --seed 43
	taskset -c 0 "$BIN/nx-init" -q -o d "${TINY[@]}"
	same a/model.safetensors b/model.safetensors
	same a/model.safetensors d/model.safetensors
	fails 1 cmp -s a/model.safetensors c/model.safetensors
}

@test "weights of half the size" {
	"$BIN/nx-init" -q -o m "${TINY[@]}"
	for type in f16 bf16; do
		"$BIN/nx-init" -q -o $type "${TINY[@]}" --save-dtype $type
		"$BIN/nx-info" $type >out
		says "weights: ${type^^}" out
		[ "$(stat -c %s $type/model.safetensors)" -lt "$(($(stat -c %s m/model.safetensors) / 2 + 2000))" ]
	done
	has torch_dtype '"float16"' f16
	has torch_dtype '"bfloat16"' bf16
	fails 2 "$BIN/nx-init" -o n "${TINY[@]}" --save-dtype f64
	says '--save-dtype is one of f32|f16|bf16, not "f64"' err
}

@test "a tokenizer goes along and says where a text ends" {
	tokenizer
	"$BIN/nx-init" -q -o m "${TINY[@]}" -T tokenizer.json
	same tokenizer.json m/tokenizer.json
	says '"tokenizer_class": "PreTrainedTokenizerFast"' m/tokenizer_config.json
	says '"eos_token": "<|endoftext|>"' m/tokenizer_config.json
	has eos_token_id 0
	seq 300 >numbers
	"$BIN/bpe-train" -q --vocab-size 270 --special '<|padding|>' --special '<|endoftext|>' -o other.json numbers
	"$BIN/nx-init" -q -o n "${TINY[@]}" -T other.json
	has eos_token_id 1 n
	# a config says itself
	"$BIN/nx-init" -q -o o --config m -T other.json
	has eos_token_id 0 o
	fails 1 "$BIN/nx-init" -o p "${TINY[@]}" --vocab-size 269 -T tokenizer.json
	says 'tokenizer.json: the tokenizer has 270 ids, the model'"'"'s vocabulary only 269: give --vocab-size' err
	[ ! -e p ]
}

@test "a directory that holds something is left alone" {
	mkdir m empty
	echo mine >m/file
	fails 1 "$BIN/nx-init" -o m "${TINY[@]}"
	says 'nx-init: m: the directory is not empty' err
	[ "$(ls -A m)" = file ]
	"$BIN/nx-init" -q -o m "${TINY[@]}" --force
	[ "$(cat m/file)" = mine ]
	has hidden_size 32
	"$BIN/nx-init" -q -o empty "${TINY[@]}"
	has hidden_size 32 empty
	fails 1 "$BIN/nx-init" -o no/such/dir "${TINY[@]}"
	says 'nx-init: no/such/dir: No such file or directory' err
	[ -z "$(find . -maxdepth 1 -name '.?*')" ]
}

@test "what makes no shape is refused" {
	fails 2 "$BIN/nx-init" "${TINY[@]}"
	says 'no directory: give -o DIR' err
	fails 2 "$BIN/nx-init" -o m --hidden 30 --heads 4
	says 'hidden size 30 is no multiple of 4 heads' err
	fails 2 "$BIN/nx-init" -o m --hidden 12 --heads 1
	says 'rotary fraction 0.25 of a head'"'"'s 12 dimensions makes 3, which do not pair up' err
	fails 2 "$BIN/nx-init" -o m --size pythia-13b
	says 'no model is called pythia-13b: there is pythia-14m|pythia-31m|' err
	fails 2 "$BIN/nx-init" -o m --activation silu
	says 'activation silu is not supported' err
	fails 2 "$BIN/nx-init" -o m --size pythia-14m --config x
	fails 2 "$BIN/nx-init" -o m extra
	[ ! -e m ]
}

@test "a config that asks for what is not supported is refused by name" {
	"$BIN/nx-init" -q -o m "${TINY[@]}"
	# refused KEY VALUE MESSAGE
	refused() {
		sed "s/^{/{ \"$1\": $2,/" m/config.json | grep -v "^  \"$1\"" >bad.json
		fails 1 "$BIN/nx-init" -o n --config bad.json
		says "nx-init: bad.json: $3" err
	}
	refused model_type '"llama"' '"model_type" is llama, supported is gpt_neox'
	refused model_type null '"model_type" is missing, supported is gpt_neox'
	refused rope_scaling '{"type": "linear", "factor": 2}' '"rope_scaling" of type linear is not supported'
	refused rope_parameters '{"rope_type": "yarn"}' '"rope_parameters" of type yarn is not supported'
	refused hidden_act '"silu"' 'activation silu is not supported'
	refused hidden_act '"gelu\\u0000x"' '"hidden_act" is no string'
	refused hidden_act 7 '"hidden_act" is no string'
	refused hidden_dropout 0.1 '"hidden_dropout" 0.1 is not supported, only 0'
	refused quantization_config '{}' '"quantization_config" is not supported'
	refused bos_token_id '[0, 1]' 'more than one "bos_token_id" is not supported'
	refused eos_token_id '[0, -1]' '"eos_token_id" is no token id or list of them'
	refused eos_token_id '[0, "1"]' '"eos_token_id" is no token id or list of them'
	refused eos_token_id '[0, 2147483648]' '"eos_token_id" is no token id or list of them'
	refused eos_token_id '[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]' 'more than 16 ids of "eos_token_id"'
	refused hidden_size 33 'hidden size 33 is no multiple of 4 heads'
	refused hidden_size null '"hidden_size" is missing'
	refused hidden_size '"32"' '"hidden_size" is no number from 1 to 1048576'
	refused num_hidden_layers 1.5 '"num_hidden_layers" is no number from 1 to 16384'
	refused use_parallel_residual 1 '"use_parallel_residual" is neither true nor false'
	refused rotary_pct 2 '"rotary_pct" is no number from 0 to 1'
	echo '[1]' >bad.json
	fails 1 "$BIN/nx-init" -o n --config bad.json
	says 'nx-init: bad.json: no JSON object' err
	[ ! -e n ]
}

@test "the newer style of config is read, the older written" {
	"$BIN/nx-init" -q -o m "${TINY[@]}" --rotary-pct 0.5 --rotary-emb-base 700
	grep -v rotary_ m/config.json |
		sed 's/^{/{ "rope_parameters": {"partial_rotary_factor": 0.5, "rope_theta": 700, "rope_type": "default"},/' >new.json
	"$BIN/nx-init" -q -o n --config new.json
	same m/config.json n/config.json
	# several ends of text stay several
	sed 's/"eos_token_id": 0/"eos_token_id": [3, 1, 2]/' m/config.json >ends.json
	"$BIN/nx-init" -q -o ends --config ends.json
	"$BIN/nx-init" -q -o again --config ends
	for d in ends again; do
		for f in config generation_config; do
			[ "$(sed -n '/"eos_token_id"/,/]/p' $d/$f.json | tr -d ' \n' | sed 's/,$//')" = '"eos_token_id":[3,1,2]' ]
		done
	done
	sed 's/"eos_token_id": 0/"eos_token_id": [0]/' m/config.json >ends.json
	"$BIN/nx-init" -q -o one --config ends.json
	same m/config.json one/config.json
	# absent keys are Hugging Face's defaults
	echo '{"model_type": "gpt_neox", "vocab_size": 10, "hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
	 "intermediate_size": 8, "bos_token_id": null}' >few.json
	"$BIN/nx-init" -q -o o --config few.json
	has eos_token_id 2 o
	has bos_token_id null o
	has rotary_pct 0.25 o
	has rotary_emb_base 10000 o
	has max_position_embeddings 2048 o
}
