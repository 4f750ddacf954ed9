load helper

tiny() {
	"$BIN/nx-init" -q -o "${1:-m}" --hidden 32 --layers 2 --heads 4 --vocab-size 300
}

@test "the figures of the guide" {
	"$BIN/nx-info" --size pythia-70m --max-length 2048 --grad-accum 4 >out 2>err
	[ ! -s err ]
	says 'parameters: 70426624' out
	says 'parameters without input embedding: 44670976' out
	says 'parameter memory: 0.281706496 GB' out
	says 'parameter memory with the buffers of old transformers: 0.306872568 GB' out
	says 'training step: 2195.667812352 GFLOPs' out
	says 'rotary dimensions: 16' out
	# batches and accumulation multiply
	"$BIN/nx-info" -S pythia-70m -b 2 -a 2 >out
	says 'training step: 2195.667812352 GFLOPs' out
	# total_flos of the guide's run: 1015 tokens
	"$BIN/nx-info" -S pythia-70m -n 1015 >out
	says 'training step: 272.046243840 GFLOPs' out
}

@test "no claim of a config makes figures too large to be counted come out small" {
	tiny
	sed -i -e 's/\("vocab_size": \)[0-9]*/\1134217728/' -e 's/\("hidden_size": \)[0-9]*/\11048576/' \
		-e 's/\("num_hidden_layers": \)[0-9]*/\116384/' -e 's/\("intermediate_size": \)[0-9]*/\14194304/' \
		-e 's/\("max_position_embeddings": \)[0-9]*/\1268435456/' m/config.json
	"$BIN/nx-info" m/config.json >out
	says 'parameters: 216454480430891008' out
	# 2^70 bytes of masks
	says 'parameter memory with the buffers of old transformers: 1181457' out
	awk '/^activation memory/ { one = $3 } END { exit !(one > 1.6e11 && one < 1.8e11) }' out
	"$BIN/nx-info" -b 7 m/config.json | awk '/^activation memory/ { one = $3 } END { exit !(one > 1.1e12 && one < 1.3e12) }'
}

@test "parameters of every named size" {
	while read -r name count; do
		"$BIN/nx-info" --size "pythia-$name" >out
		says "parameters: $count" out
	done <<-END
		14m 14067712
		31m 30494720
		70m 70426624
		160m 162322944
		410m 405334016
		1b 1011781632
		1.4b 1414647808
		2.8b 2775208960
		6.9b 6857302016
		12b 11846072320
	END
	fails 2 "$BIN/nx-info" --size pythia-2b
	says 'no model is called pythia-2b: there is pythia-14m|' err
}

@test "a directory, its config.json and stdin are the same model" {
	tiny
	"$BIN/nx-info" m >dir
	"$BIN/nx-info" m/config.json >file
	"$BIN/nx-info" - <m/config.json >dash
	"$BIN/nx-info" <m/config.json >none
	says 'weights: F32' dir
	grep -v ^weights dir | cmp - file
	same file dash
	same file none
	rm m/model.safetensors
	"$BIN/nx-info" m >dir
	says 'weights: none' dir
}

@test "a tied head counts once, and biases may be absent" {
	"$BIN/nx-init" -q -o m --hidden 32 --layers 1 --heads 4 --vocab-size 300 --tied
	"$BIN/nx-info" m >out
	# 300*32 + (12*32*32 + 13*32) + 2*32
	says 'parameters: 22368' out
	says 'parameters without input embedding: 12768' out
	says 'tied head: true' out
	sed 's/"attention_bias": true/"attention_bias": false/' m/config.json | "$BIN/nx-info" >out
	says 'parameters: 22240' out
	says 'attention biases: false' out
}

@test "--json is one object" {
	tiny
	"$BIN/nx-info" --json m >out
	[ "$(wc -l <out)" -eq 1 ]
	says '{"architecture": "GPTNeoXForCausalLM", "vocabulary": 300, ' out
	says '"weights": "F32", "parameters": 44672, ' out
	says '"tied_head": false' out
	says '"parameter_memory_gb": 0.000178688, ' out
	"$BIN/nx-info" -j --size pythia-70m -a 4 -o file
	says '"training_step_gflops": 2195.667812352' file
	says '"parameter_memory_with_the_buffers_of_old_transformers_gb": 0.306872568' file
	"$BIN/jsonl-template" -t '{parameters}' out | grep -q '"text": "44672"'
	rm m/model.safetensors
	"$BIN/nx-info" -j m >out
	says '"weights": null' out
}

@test "weights that are not the config's are named" {
	tiny
	sed -i 's/"intermediate_size": 128/"intermediate_size": 96/' m/config.json
	fails 1 "$BIN/nx-info" m
	says 'nx-info: m/model.safetensors: tensor gpt_neox.layers.0.mlp.dense_h_to_4h.weight is (128, 32) where the config says (96, 32)' err
	[ ! -s out ]
	tiny n
	sed -i 's/"num_hidden_layers": 2/"num_hidden_layers": 3/' n/config.json
	fails 1 "$BIN/nx-info" n
	says 'nx-info: n: tensor gpt_neox.layers.2.input_layernorm.weight is missing' err
	sed -i 's/"num_hidden_layers": 3/"num_hidden_layers": 1/' n/config.json
	fails 1 "$BIN/nx-info" n
	says "nx-info: n/model.safetensors: tensor gpt_neox.layers.1.attention.dense.bias is none of this model's" err
}

@test "what is no model is refused" {
	mkdir empty
	fails 1 "$BIN/nx-info" empty
	says 'nx-info: empty/config.json: No such file or directory' err
	echo '{"model_type": "gpt2"}' >gpt2.json
	fails 1 "$BIN/nx-info" gpt2.json
	says 'nx-info: gpt2.json: "model_type" is gpt2, supported is gpt_neox' err
	fails 1 "$BIN/nx-info" </dev/null
	says 'nx-info: stdin: ' err
	fails 2 "$BIN/nx-info" a b
	fails 2 "$BIN/nx-info" --size pythia-70m a
	fails 2 "$BIN/nx-info" --size pythia-70m --max-length 0
}
