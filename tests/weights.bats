#!/usr/bin/env bats
# The weights of a model's directory, in whichever files they are, and directories of
# a stranger's. What single files may try is in tests/unit/torchfile.c and safetensors.c.
load helper

G=$ROOT/tests/golden/torch-model

# holding DIR FILE ...: a directory with the golden model's config and these files of it.
holding() {
	local dir=$1 file
	shift
	mkdir "$dir"
	for file in config.json "$@"; do cp "$G/$file" "$dir/"; done
}

each() {
	holding safe model.safetensors
	"$BIN/nx-merge" -q -m safe -o want
	HALVES=(pytorch_model-00001-of-00002.bin pytorch_model-00002-of-00002.bin pytorch_model.bin.index.json)
}

# refused DIR TEXT: two programs end with 1 and one line that has TEXT, and write nothing.
refused() {
	fails 1 "$BIN/nx-merge" -m "$1" -o made
	says "nx-merge: $2" err
	[ "$(wc -l <err)" -eq 1 ]
	fails 1 "$BIN/nx-info" "$1"
	says "nx-info: $2" err
	[ ! -s out ]
	[ ! -e made ]
}

@test "safetensors, one torch file and two of them are the same model" {
	"$BIN/nx-info" safe >out
	says 'weights: F32' out
	holding torch pytorch_model.bin
	"$BIN/nx-info" torch >out
	says 'weights: BF16' out
	"$BIN/nx-merge" -q -m torch -o one
	same want/model.safetensors one/model.safetensors
	holding halves "${HALVES[@]}"
	"$BIN/nx-merge" -q -m halves -o two
	same want/model.safetensors two/model.safetensors
	# safetensors come first
	holding both model.safetensors pytorch_model.bin
	echo none >both/pytorch_model.bin
	"$BIN/nx-merge" -q -m both -o three
	same want/model.safetensors three/model.safetensors
}

@test "a head called lm_head.weight, as state_dict() of transformers 5 calls it, in every kind of file" {
	local dir how
	holding st
	cp "$G/state.safetensors" st/model.safetensors
	holding bin
	cp "$G/state.bin" bin/pytorch_model.bin
	# an index of one file is an index, too
	holding index
	cp "$G/state.safetensors" index/all.safetensors
	sed 's/"embed_out.weight"/"lm_head.weight"/; /attention\.\(masked_\)\?bias"/d; s/: "pytorch_model-.*bin"/: "all.safetensors"/' \
		"$G/pytorch_model.bin.index.json" | sed -z 's/,\([ \n]*}\)/\1/' >index/model.safetensors.index.json
	says '"lm_head.weight": "all.safetensors"' index/model.safetensors.index.json
	echo '{"input_ids": [1, 2, 3]}' >ids.jsonl
	"$BIN/nx-generate" -q -m safe --max-new-tokens 4 ids.jsonl >answer
	"$BIN/nx-eval" -q -m safe ids.jsonl >loss
	"$BIN/nx-train" -q -m safe --max-steps 1 -o trained ids.jsonl >name
	for dir in st bin index; do
		"$BIN/nx-info" $dir >out
		says 'weights: ' out
		"$BIN/nx-merge" -q -m $dir -o $dir-made
		same want/model.safetensors $dir-made/model.safetensors # where it is embed_out.weight again
		for how in f32 bf16 q8; do
			"$BIN/nx-generate" -q -m safe --dtype $how --max-new-tokens 4 ids.jsonl >answer
			"$BIN/nx-generate" -q -m $dir --dtype $how --max-new-tokens 4 ids.jsonl | cmp - answer
		done
		"$BIN/nx-eval" -q -m $dir ids.jsonl | cmp - loss
		"$BIN/nx-train" -q -m $dir --max-steps 1 -o $dir-trained ids.jsonl >name
		same trained/model.safetensors $dir-trained/model.safetensors
	done
	put st model.safetensors lm_head.weight 5 f32 nan
	refused_by_all st 'st/model.safetensors: tensor lm_head.weight: element 5 is nan'
}

@test "an index that lies" {
	holding away "${HALVES[@]}"
	sed -i 's|: "pytorch_model-00001|: "../safe/pytorch_model-00001|' away/pytorch_model.bin.index.json
	refused away 'away/pytorch_model.bin.index.json: tensor gpt_neox.embed_in.weight: its file is no plain name'
	holding swapped "${HALVES[@]}"
	sed -i 's|pytorch_model-00001|pytorch_model-00002|' swapped/pytorch_model.bin.index.json
	refused swapped 'swapped/pytorch_model.bin.index.json: tensor gpt_neox.embed_in.weight is not in pytorch_model-00002-of-00002.bin'
	holding half "${HALVES[@]}"
	rm half/pytorch_model-00002-of-00002.bin
	refused half 'half/pytorch_model-00002-of-00002.bin: No such file or directory'
	holding missing "${HALVES[@]}"
	grep -v final_layer_norm.bias "$G/pytorch_model.bin.index.json" >missing/pytorch_model.bin.index.json
	"$BIN/nx-info" missing >out.txt # it is in its file all the same
}

@test "a file that was cut off, at any byte" {
	holding cut
	holding bin
	local n i
	n=$(stat -c %s "$G/pytorch_model.bin")
	for i in 0 1 4 63 64 1000 $((n / 2)) $((n - 1000)) $((n - 22)) $((n - 1)); do
		head -c "$i" "$G/pytorch_model.bin" >bin/pytorch_model.bin
		fails 1 "$BIN/nx-info" bin
		grep -q '^nx-info: bin/pytorch_model.bin: ' err
	done
	n=$(stat -c %s "$G/model.safetensors")
	for i in 0 1 7 8 9 1000 $((n / 2)) $((n - 1)); do
		head -c "$i" "$G/model.safetensors" >cut/model.safetensors
		fails 1 "$BIN/nx-info" cut
		grep -q '^nx-info: cut/model.safetensors: ' err
	done
}

@test "a pickle that calls is not run" {
	holding evil
	cp "$ROOT/tests/golden/torch_call.bin" evil/pytorch_model.bin
	refused evil 'evil/pytorch_model.bin: it wants to call posix.system, which a file of tensors has no use for: refused'
	[ ! -e ran ]
}

@test "other things than files" {
	holding dir
	mkdir dir/model.safetensors
	refused dir 'dir/model.safetensors: no regular file'
	holding pipe
	mkfifo pipe/pytorch_model.bin
	refused pipe 'pipe/pytorch_model.bin: no regular file'
	# a link is as good as a file
	holding link
	ln -s "$G/model.safetensors" link/model.safetensors
	"$BIN/nx-merge" -q -m link -o linked
	same want/model.safetensors linked/model.safetensors
}

@test "a link in the place of an output is replaced, not followed" {
	mkdir made
	echo precious >treasure
	for f in model.safetensors config.json generation_config.json; do ln -s ../treasure made/$f; done
	"$BIN/nx-merge" -q --force -m safe -o made
	[ "$(cat treasure)" = precious ]
	[ ! -L made/model.safetensors ]
	[ ! -L made/config.json ]
	same want/model.safetensors made/model.safetensors
}

@test "a header's claim costs no memory" {
	holding huge
	printf '\377\377\377\377\377\377\377\017{}' >huge/model.safetensors
	(case $BIN in *san*) ;; *) ulimit -v 400000 ;; esac && exec "$BIN/nx-info" huge) >out 2>err && return 1
	says 'its header would have 1152921504606846975 bytes' err
}

@test "a config's claim costs no memory" {
	holding claims model.safetensors
	sed -i 's/"vocab_size": 40/"vocab_size": 100000000/' claims/config.json
	(case $BIN in *san*) ;; *) ulimit -v 400000 ;; esac && exec "$BIN/nx-merge" -m claims -o made) >out 2>err && return 1
	says 'tensor gpt_neox.embed_in.weight is (40, 16) where the config says (100000000, 16)' err
	[ ! -e made ]
}

# --- weights that are no finite numbers ----------------------------------------------------------

# offset FILE TENSOR: where its numbers begin
offset() {
	local n at
	n=$(od -An -t u8 -N 8 "$1" | tr -d ' ')
	at=$(head -c $((n + 8)) "$1" | tail -c "$n" | sed 's/.*"'"$2"'":{[^}]*"data_offsets":\[\([0-9]*\),.*/\1/')
	echo $((n + 8 + at))
}

# put DIR NAME TENSOR ELEMENT TYPE VALUE: a number of a tensor of DIR/NAME becomes this one
put() {
	local at bytes width=2
	case $5-$6 in
	f32-nan) bytes='\x00\x00\xc0\x7f' width=4 ;;
	f32-inf) bytes='\x00\x00\x80\x7f' width=4 ;;
	f32--inf) bytes='\x00\x00\x80\xff' width=4 ;;
	f32-huge) bytes='\x00\x00\x00\x7f' width=4 ;; # 1.7e38
	f16-nan) bytes='\x00\x7e' ;;
	f16-inf) bytes='\x00\x7c' ;;
	f16--inf) bytes='\x00\xfc' ;;
	bf16-nan) bytes='\xc0\x7f' ;;
	bf16-inf) bytes='\x80\x7f' ;;
	bf16--inf) bytes='\x80\xff' ;;
	esac
	at=$(offset "$1/$2" "$3")
	printf '%b' "$bytes" | dd of="$1/$2" bs=1 seek=$((at + $4 * width)) conv=notrunc status=none
}

# refused_by_all DIR TEXT: each program that takes a model ends with 1 and one line that has TEXT.
refused_by_all() {
	local dir=$1 how
	for how in f32 bf16 q8; do
		fails 1 "$BIN/nx-generate" -q -m "$dir" --dtype $how --max-new-tokens 2 ids.jsonl
		one_line "nx-generate: $2"
	done
	fails 1 "$BIN/nx-eval" -q -m "$dir" ids.jsonl
	one_line "nx-eval: $2"
	fails 1 "$BIN/nx-train" -q -m "$dir" --max-steps 1 -o made ids.jsonl
	one_line "nx-train: $2"
	fails 1 "$BIN/nx-merge" -q -m "$dir" -o made
	one_line "nx-merge: $2"
}

one_line() {
	says "$1" err
	[ "$(wc -l <err)" -eq 1 ]
	[ ! -s out ]
	[ ! -e made ]
}

@test "a weight that is no finite number is refused by every program, with its tensor's name" {
	local as value tensor m last=5
	echo '{"input_ids": [1, 2, 3]}' >ids.jsonl
	for as in f32 f16 bf16; do
		"$BIN/nx-merge" -q -m safe --save-dtype $as -o $as
		for value in nan inf -inf; do
			for tensor in gpt_neox.embed_in.weight gpt_neox.layers.0.attention.query_key_value.bias \
				gpt_neox.layers.0.mlp.dense_4h_to_h.weight gpt_neox.final_layer_norm.weight embed_out.weight; do
				m=$as$value
				rm -rf "$m"
				cp -r $as "$m"
				put "$m" model.safetensors $tensor $last $as $value
				fails 1 "$BIN/nx-info" "$m"
				one_line "nx-info: $m/model.safetensors: tensor $tensor: element $last is $value"
			done
			refused_by_all "$m" "$m/model.safetensors: tensor embed_out.weight: element $last is $value"
			"$BIN/nx-info" "$m/config.json" >out # no weights are read for it
		done
	done
}

@test "an adapter's number that is not finite, or makes a weight so, is refused with the tensor's name" {
	local a=base_model.model.gpt_neox.layers.0.attention.query_key_value.lora_A.weight
	local b=base_model.model.gpt_neox.layers.0.attention.query_key_value.lora_B.weight
	echo '{"input_ids": [1, 2, 3]}' >ids.jsonl
	"$BIN/nx-train" -q -m safe --lora 2 --max-steps 1 -o adapter ids.jsonl >name
	cp -r adapter bad
	put bad adapter_model.safetensors $b 3 f32 nan
	refused_by_all bad "bad/adapter_model.safetensors: tensor $b: element 3 is nan"
	fails 1 "$BIN/nx-merge" -q -m safe -o made bad
	one_line "nx-merge: bad/adapter_model.safetensors: tensor $b: element 3 is nan"
	# each by itself is finite, their product is not
	cp -r adapter large
	put large adapter_model.safetensors $a 0 f32 huge
	put large adapter_model.safetensors $b 0 f32 huge
	refused_by_all large "large: tensor gpt_neox.layers.0.attention.query_key_value.weight: element 0 is inf"
	fails 1 "$BIN/nx-merge" -q -m safe -o made large
	one_line "nx-merge: large: tensor gpt_neox.layers.0.attention.query_key_value.weight: element 0 is inf"
}
