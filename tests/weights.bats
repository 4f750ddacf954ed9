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
