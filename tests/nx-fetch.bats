#!/usr/bin/env bats
# nx-fetch: brings a small model from a hub that behaves and from hubs that do not.
load helper

COMMIT=00112233445566778899aabbccddeeff00112233
CACHE=hf/hub/models--org--tiny
SNAP=$CACHE/snapshots/$COMMIT

# put FILE [LFS]: the hub gets model/FILE; its line of the list goes to ./list
put() {
	local at=$HUB/org/tiny/resolve/$COMMIT/$1 size sum oid
	mkdir -p "${at%/*}"
	size=$(stat -c %s "model/$1")
	oid=$({ printf 'blob %d\0' "$size" && cat "model/$1"; } | sha1sum | cut -d' ' -f1)
	if [ $# -gt 1 ]; then
		sum=$(sha256sum <"model/$1" | cut -d' ' -f1)
		mkdir -p "$HUB/cdn"
		cp "model/$1" "$HUB/cdn/$sum"
		printf '302\nLocation: @OTHER@/cdn/%s\nX-Linked-Etag: "%s"\nX-Linked-Size: %d\nX-Repo-Commit: %s\n' "$sum" "$sum" "$size" "$COMMIT" >"$at.head"
		printf '{"type": "file", "oid": "%s", "size": %d, "path": "%s", "lfs": {"oid": "%s", "size": %d, "pointerSize": 130}}\n' "$oid" "$size" "$1" "$sum" "$size" >>list
	else
		cp "model/$1" "$at"
		printf 'ETag: "%s"\nX-Repo-Commit: %s\n' "$oid" "$COMMIT" >"$at.head"
		printf '{"type": "file", "oid": "%s", "size": %d, "path": "%s"}\n' "$oid" "$size" "$1" >>list
	fi
}

# files LINES...: a list of the hub's, as JSON
as_list() {
	sed '1s/^/[/; $!s/$/,/; $s/$/]/'
}

# One model, model/, on the hub $HUB; its list is in two pages.
setup_file() {
	export HUB=$BATS_FILE_TMPDIR/hub
	cd "$BATS_FILE_TMPDIR" || exit 1
	"$BIN/nx-init" -q --vocab-size 512 --hidden 32 --layers 1 --heads 2 -o model
	cp "$ROOT/tests/golden/bpe-small.json" model/tokenizer.json
	mkdir model/onnx
	echo 'more to read' >model/README.md
	echo 'not wanted' >model/onnx/model.onnx
	echo 'pickled' >model/pytorch_model.bin
	: >model/merges.txt
	for f in config.json tokenizer.json README.md merges.txt onnx/model.onnx; do put $f; done
	put model.safetensors lfs
	put pytorch_model.bin lfs
	api=$HUB/api/models/org/tiny
	mkdir -p "$api/revision/refs/pr" "$api/tree"
	for rev in main "$COMMIT" v1 refs/pr/1; do printf '{"sha": "%s", "id": "org/tiny"}' $COMMIT >"$api/revision/$rev"; done
	head -n 3 list | as_list >"$api/tree/$COMMIT"
	tail -n +4 list | as_list >"$api/tree/$COMMIT.page2"
	printf 'Link: <@SELF@/api/models/org/tiny/tree/%s?recursive=true&cursor=abc>; rel="next"\n' $COMMIT >"$api/tree/$COMMIT.head"
	serve "$HUB"
}
teardown_file() { served; }

each() {
	unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_TOKEN HUGGING_FACE_HUB_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE TRANSFORMERS_OFFLINE NX_MODEL NX_TOKENIZER
	export HF_HOME=$PWD/hf
	M=$BATS_FILE_TMPDIR/model
	WEIGHTS=$(sha256sum <"$M/model.safetensors" | cut -d' ' -f1)
	: >"$LOG"
}

# fetch MODE [OPTION ...]: nx-fetch from a hub of that mode
fetch() {
	HF_ENDPOINT=$URL/$1 "$BIN/nx-fetch" --retry-delay 0.01 "${@:2}"
}

# complete: all that a model needs is in the snapshot, and right
complete() {
	for f in config.json tokenizer.json merges.txt model.safetensors; do
		same "$M/$f" "$SNAP/$f"
		[ -L "$SNAP/$f" ]
	done
	[ -z "$(find hf -name '*.incomplete')" ]
}

# bad_list JSON: the list of the model org/bad is this
bad_list() {
	mkdir -p "$HUB/api/models/org/bad/revision" "$HUB/api/models/org/bad/tree"
	printf '{"sha": "%s"}' $COMMIT >"$HUB/api/models/org/bad/revision/main"
	echo "$1" >"$HUB/api/models/org/bad/tree/$COMMIT"
}

@test "without HOME no directory called ~ is taken for it" {
	unset HF_HOME XDG_CACHE_HOME
	export HF_HUB_OFFLINE=1
	local hub=.cache/huggingface/hub/models--org--homeless rev=0123456789abcdef0123456789abcdef01234567
	mkdir -p "$PWD/~/$hub/refs" "$PWD/~/$hub/snapshots/$rev"
	printf %s $rev >"$PWD/~/$hub/refs/main"
	fails 0 env HOME="$PWD/~" "$BIN/nx-fetch" -q org/homeless
	says "$PWD/~/$hub/snapshots/$rev" out
	fails 1 env -u HOME "$BIN/nx-fetch" -q org/homeless
}

@test "a model lies where huggingface_hub would put it, and its directory is printed" {
	fetch hub org/tiny >out 2>err
	[ "$(cat out)" = "$PWD/$SNAP" ]
	[ ! -s err ]
	complete
	[ "$(cat $CACHE/refs/main)" = $COMMIT ]
	[ "$(stat -c %s $CACHE/refs/main)" = 40 ]
	[ "$(readlink $SNAP/model.safetensors)" = "../../blobs/$WEIGHTS" ]
	same "$M/config.json" "$CACHE/blobs/$({ printf 'blob %d\0' "$(stat -c %s "$M/config.json")" && cat "$M/config.json"; } | sha1sum | cut -d' ' -f1)"
	says 'Signature: 8a477f597d28d172789f06886806bc55' hf/hub/CACHEDIR.TAG
	[ -e "hf/hub/.locks/models--org--tiny/$WEIGHTS.lock" ]
	# neither what no model needs nor pickled weights where there are others
	[ "$(cd $SNAP && echo *)" = 'config.json merges.txt model.safetensors tokenizer.json' ]
}

@test "what is there is not fetched again" {
	fetch hub org/tiny >out
	: >"$LOG"
	fetch hub org/tiny >out
	if grep '/resolve/' "$LOG"; then return 1; fi
	# the same files under another revision
	fetch hub org/tiny@v1 >out
	if grep '/resolve/' "$LOG"; then return 1; fi
	[ "$(cat $CACHE/refs/v1)" = $COMMIT ]
	fetch hub --revision refs/pr/1 org/tiny >out
	[ "$(cat $CACHE/refs/refs/pr/1)" = $COMMIT ]
	says 'revision/refs%2Fpr%2F1 ' "$LOG"
	fetch hub --revision $COMMIT org/tiny >out
	[ ! -e $CACHE/refs/$COMMIT ]
}

@test "programs find it by its name" {
	fails 1 "$BIN/nx-info" org/tiny
	says 'org/tiny: No such file or directory, nor in the cache of the hub (nx-fetch org/tiny brings' err
	fetch hub org/tiny >out
	"$BIN/nx-info" "$M" >want
	"$BIN/nx-info" org/tiny >got
	same want got
	"$BIN/nx-generate" -m org/tiny --max-new-tokens 2 -p 'Hello' >out
	NX_MODEL=org/tiny "$BIN/bpe-encode" --text <<<'Hello' >got
	"$BIN/bpe-encode" -T "$M/tokenizer.json" --text <<<'Hello' >want
	same want got
	"$BIN/bpe-encode" -T org/tiny@main --text <<<'Hello' >got
	same want got
	"$BIN/nx-eval" -m org/tiny want >out
	"$BIN/nx-train" -q -m org/tiny --max-steps 1 -o trained want >out
	"$BIN/nx-merge" -q -m org/tiny -o merged
	[ -e merged/config.json ]
}

@test "an adapter finds the model that it names on the hub" {
	fetch hub org/tiny >out
	"$BIN/bpe-encode" -T org/tiny --text <<<'Hello' >tokens
	"$BIN/nx-train" -q -m org/tiny --lora 2 --max-steps 1 -o adapter tokens >out
	says '"base_model_name_or_path": "org/tiny"' adapter/adapter_config.json
	"$BIN/nx-eval" -m adapter tokens >out
	"$BIN/nx-merge" -q -o merged adapter
}

@test "--include chooses other files" {
	fetch hub --include '*.md' --include onnx/ org/tiny >out
	[ "$(cd $SNAP && find . -type l | sort | tr '\n' ' ')" = './README.md ./onnx/model.onnx ' ]
	same "$M/onnx/model.onnx" $SNAP/onnx/model.onnx
	[ "$(readlink $SNAP/onnx/model.onnx | cut -c1-15)" = '../../../blobs/' ]
	fails 1 fetch hub --include '*.h5' org/tiny
	says 'org/tiny has no file of the pattern *.h5' err
}

@test "a transfer that is cut off goes on where it was" {
	fetch hub-cut9999 org/tiny >out
	complete
	says 'range=bytes=9999-' "$LOG"
	says 'range=bytes=19998-' "$LOG"
}

@test "what an earlier run left is gone on with" {
	mkdir -p $CACHE/blobs
	head -c 5000 "$M/model.safetensors" >"$CACHE/blobs/$WEIGHTS.incomplete"
	fetch hub org/tiny >out
	complete
	says 'range=bytes=5000-' "$LOG"
}

@test "a part that is spoilt, too long or complete does no harm" {
	for part in 'head -c 5000 /dev/zero' 'head -c 9999999 /dev/zero' "cat $M/model.safetensors"; do
		rm -rf hf
		mkdir -p $CACHE/blobs
		$part >"$CACHE/blobs/$WEIGHTS.incomplete"
		fetch hub org/tiny >out
		complete
	done
}

@test "hubs that know no ranges, or give others, are coped with" {
	for mode in hub-norange hub-wrongrange; do
		rm -rf hf
		mkdir -p $CACHE/blobs
		head -c 5000 "$M/model.safetensors" >"$CACHE/blobs/$WEIGHTS.incomplete"
		fetch $mode org/tiny >out
		complete
	done
}

@test "bytes from elsewhere than asked for are not taken: the file is asked for anew" {
	mkdir -p $CACHE/blobs
	# from the beginning, and from 2^64 and 5000, which is another number than 5000
	for mode in hub-wrongrange hub-hugerange; do
		: >"$LOG"
		rm -f "$CACHE/blobs"/*
		head -c 5000 "$M/model.safetensors" >"$CACHE/blobs/$WEIGHTS.incomplete"
		fetch $mode org/tiny >out
		complete
		[ "$(grep "/cdn/$WEIGHTS " "$LOG" | sed 's/.* range=//' | tr '\n' '|')" = 'bytes=5000- | |' ]
	done
}

@test "a wrong checksum is an error, and nothing is kept of it" {
	# the lists of this hub hold a one in place of their tenth byte's last bit, and are no JSON
	fails 1 fetch hub-flip --include model.safetensors org/tiny
	says 'nx-fetch: org/tiny: the hub' err
	[ ! -s out ]
	[ -z "$(find hf -type f -path '*blobs*')" ]
	[ ! -e $SNAP ]
	# nothing but a file's own bytes is spoilt
	for f in cdn/$WEIGHTS org/tiny/resolve/$COMMIT/config.json; do
		cp "$HUB/$f" spared
		printf x | dd of="$HUB/$f" bs=1 seek=20 conv=notrunc status=none
		got=0
		fetch hub org/tiny >out 2>err || got=$?
		cp spared "$HUB/$f"
		[ "$got" = 1 ]
		says ': the checksum is ' err
		[ ! -e $SNAP ]
		rm -r hf
	done
}

@test "more bytes than a file has are refused" {
	fails 1 fetch hub-long --include config.json org/tiny
	[ ! -e $SNAP ]
}

@test "busy hubs are asked again, others not" {
	fetch hub-first503 org/tiny >out
	complete
	fails 1 fetch status-500 --retries 1 org/none
	says 'nx-fetch: org/none: the hub answered 500: this is the message' err
	fails 1 fetch status-404 org/none
	says 'org/none: the hub answered 404' err
	: >"$LOG"
	fails 1 fetch status-401 org/none
	says 'org/none: the hub answered 401: this is the message (is there no such model, or does it need another HF_TOKEN?)' err
	[ "$(wc -l <"$LOG")" = 1 ]
}

@test "the token goes to the hub, not to where it sends" {
	HF_TOKEN=hf_secret fetch hub org/tiny >out 2>err
	complete
	says 'auth=Bearer hf_secret' "$LOG"
	says "${OTHER##*:} GET /hub/cdn/$WEIGHTS now=1 auth= " "$LOG"
	if grep "^${OTHER##*:} .*hf_secret" "$LOG"; then return 1; fi
	if grep -r hf_secret out err hf; then return 1; fi
	fails 1 env HF_TOKEN=hf_secret HF_ENDPOINT="$URL/tell-key" "$BIN/nx-fetch" org/other
	says 'Bearer ***' err
	if grep hf_secret err; then return 1; fi
	fails 1 env HF_TOKEN=hf_secret HF_ENDPOINT=http://hub.invalid "$BIN/nx-fetch" org/other
	says 'HF_TOKEN would go unencrypted to hub.invalid' err
	# as hf auth login keeps it
	: >"$LOG"
	echo hf_kept >hf/token
	fetch hub --include README.md org/tiny >out
	says 'auth=Bearer hf_kept ' "$LOG"
}

@test "a list that leads out of the cache, or is none, is refused" {
	for path in ../../../evil /etc/evil a/../../evil . '' 'a\\b' 'a\u0000b' 'a\u001b[31mb' a//b; do
		bad_list "[{\"type\": \"file\", \"oid\": \"$(printf '0%.0s' {1..40})\", \"size\": 1, \"path\": \"$path\"}]"
		fails 1 fetch hub --include '*' org/bad
		says "org/bad: the hub's list names the file" err
		if grep -q $'\e' err; then return 1; fi
	done
	for list in '{}' 'no' '[{"type": "file", "path": "config.json"}]' \
		'[{"type": "file", "path": "config.json", "size": 1, "oid": "../../../../x"}]' \
		'[{"type": "file", "path": "config.json", "size": -1, "oid": "0000000000000000000000000000000000000000"}]'; do
		bad_list "$list"
		fails 1 fetch hub org/bad
		says 'nx-fetch: org/bad: ' err
	done
	bad_list '[{"type": "file", "path": "config.json", "size": 1000000000000000, "oid": "0000000000000000000000000000000000000000"}]'
	fails 1 fetch hub org/bad
	says 'GB are missing, but' err
	bad_list '[{"type": "file", "path": "x.gguf", "size": 1, "oid": "0000000000000000000000000000000000000000"}]'
	fails 1 fetch hub org/bad
	says 'org/bad has none of the files of a model: choose some with --include' err
	[ ! -e evil ]
	[ -z "$(find hf -path '*models--org--bad/snapshots/*' 2>/dev/null)" ]
}

@test "an answer that grows when it is unpacked, is nested deep, or is no text, is an error" {
	local api=$HUB/api/models/org/odd/revision
	mkdir -p "$api"
	head -c 100000000 /dev/zero | tr '\0' ' ' | gzip -1 >"$api/main"
	echo 'Content-Encoding: gzip' >"$api/main.head"
	fails 1 fetch hub --retries 0 org/odd
	says "nx-fetch: org/odd: the answer is larger than 33554432 bytes" err
	rm "$api/main.head"
	printf '%*s' 100000 '' | tr ' ' '[' >"$api/main"
	fails 1 fetch hub --retries 0 org/odd
	says "nx-fetch: org/odd: the hub's answer is no JSON: column 1002: nested too deep" err
	printf '{"sha": "\xff"}' >"$api/main"
	fails 1 fetch hub --retries 0 org/odd
	says "nx-fetch: org/odd: the hub's answer is no JSON: column 10: not valid UTF-8" err
}

@test "a redirect that leads nowhere is the hub's fault, no wrong usage" {
	local to
	bad_list '[{"type": "file", "path": "config.json", "size": 1, "oid": "0000000000000000000000000000000000000000"}]'
	mkdir -p "$HUB/org/bad/resolve/$COMMIT"
	for to in ftp://127.0.0.1/x 'http://' http://me:pw@127.0.0.1/x; do
		printf '302\nLocation: %s\n' "$to" >"$HUB/org/bad/resolve/$COMMIT/config.json.head"
		fails 1 fetch hub org/bad
		[ "$(wc -l <err)" = 1 ]
		says 'nx-fetch: ' err
	done
}

@test "without the hub the cache serves" {
	fails 1 env HF_HUB_OFFLINE=1 "$BIN/nx-fetch" org/tiny
	says 'org/tiny@main: No such file or directory in the cache, and HF_HUB_OFFLINE forbids to ask' err
	fetch hub org/tiny >want
	: >"$LOG"
	HF_HUB_OFFLINE=1 fetch hub org/tiny >out 2>err
	same want out
	[ ! -s err ]
	[ ! -s "$LOG" ]
	HF_ENDPOINT=http://127.0.0.1:1 "$BIN/nx-fetch" --retries 0 org/tiny >out 2>err
	same want out
	says ': taking what the cache has' err
	fetch status-503 --retries 0 org/tiny >out 2>err
	same want out
	# the hub's no is a no
	fails 1 fetch status-404 org/tiny
	# what was cut off is no snapshot
	rm -rf hf
	fails 1 fetch hub-flip --include model.safetensors org/tiny
	fails 1 env HF_HUB_OFFLINE=1 "$BIN/nx-fetch" org/tiny
}

@test "a crash leaves no core with the token in it" {
	if [ "$(ulimit -Hc)" = 0 ]; then skip "no process has a core here"; fi
	ulimit -Sc "$(ulimit -Hc)"
	HF_ENDPOINT=$URL/hub-slow "$BIN/nx-fetch" org/tiny >out 3>&- &
	pid=$!
	await test -s "$LOG"
	grep -Eq '^Max core file size +1 ' /proc/$pid/limits
	wait $pid
}

@test "two at once fetch each file once" {
	fetch hub-slow org/tiny >one 2>err1 &
	sleep 0.1
	fetch hub-slow org/tiny >two 2>err2
	wait $!
	same one two
	complete
	[ "$(grep -c "resolve/$COMMIT/model.safetensors" "$LOG")" = 1 ]
}

@test "several models; names that are none" {
	fetch hub org/tiny@v1 org/tiny >out
	[ "$(wc -l <out)" = 2 ]
	for name in a/b/c ../x '' 'a b' a/b@../x; do
		fails 2 fetch hub "$name"
		says 'is no name of a model' err
	done
	fails 2 fetch hub
	says 'no model: give its name' err
	fails 2 fetch hub --revision v1 org/tiny@v1
	says '--revision is a second one' err
	fails 2 fetch hub --revision ../x org/tiny
	says '"../x" is no revision' err
}
