#!/usr/bin/env bats
# api-generate and nx-fetch over TLS: who the other side is, is checked before anything is said to it.
load helper

COMMIT=00112233445566778899aabbccddeeff00112233

# certificate NAME SAN: NAME.pem, a key and a certificate that vouches for itself; NAME.crt: that alone
certificate() {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout "$1.key" -out "$1.crt" -days 2 \
		-subj "/CN=$1" -addext "subjectAltName=$2" 2>/dev/null
	cat "$1.key" "$1.crt" >"$1.pem"
}

# encrypted PORT NAME: the server behind TLS on that port, with that certificate
encrypted() {
	socat "OPENSSL-LISTEN:$1,bind=127.0.0.1,reuseaddr,fork,cert=$2.pem,verify=0" "TCP:${URL#http://}" 2>/dev/null 3>&- &
	echo $! >>tls.pids
	for _ in $(seq 100); do
		if openssl s_client -connect "127.0.0.1:$1" </dev/null >/dev/null 2>&1; then return; fi
		sleep 0.05
	done
}

# A model of one file list without pages; its weights lie at another path, by a redirect that is encrypted, too.
a_hub() {
	local at=$HUB/org/tiny/resolve/$COMMIT f size oid
	"$BIN/nx-init" -q --vocab-size 512 --hidden 32 --layers 1 --heads 2 -o model
	cp "$ROOT/tests/golden/bpe-small.json" model/tokenizer.json
	mkdir -p "$at" "$HUB/cdn" "$HUB/api/models/org/tiny/revision" "$HUB/api/models/org/tiny/tree"
	for f in config.json tokenizer.json model.safetensors; do
		size=$(stat -c %s "model/$f")
		oid=$({ printf 'blob %d\0' "$size" && cat "model/$f"; } | sha1sum | cut -d' ' -f1)
		cp "model/$f" "$HUB/cdn/$f"
		cp "model/$f" "$at/$f"
		printf 'ETag: "%s"\nX-Repo-Commit: %s\n' "$oid" "$COMMIT" >"$at/$f.head"
		printf '{"type": "file", "oid": "%s", "size": %d, "path": "%s"}\n' "$oid" "$size" "$f"
	done | sed '1s/^/[/; $!s/$/,/; $s/$/]/' >"$HUB/api/models/org/tiny/tree/$COMMIT"
	printf '{"sha": "%s", "id": "org/tiny"}' $COMMIT >"$HUB/api/models/org/tiny/revision/main"
}

setup_file() {
	export HUB=$BATS_FILE_TMPDIR/hub TLS WRONG
	cd "$BATS_FILE_TMPDIR" || exit 1
	a_hub
	serve "$HUB"
	certificate good IP:127.0.0.1
	certificate other DNS:other.example
	local port=$((20000 + RANDOM % 20000))
	encrypted $port good
	encrypted $((port + 1)) other
	TLS=https://127.0.0.1:$port WRONG=https://127.0.0.1:$((port + 1))
}

teardown_file() {
	xargs kill <"$BATS_FILE_TMPDIR/tls.pids" || true
	served
}

each() {
	unset DEEPSEEK_API_KEY LAMINI_API_KEY HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_TOKEN HUGGING_FACE_HUB_TOKEN HF_TOKEN_PATH HF_HUB_OFFLINE TRANSFORMERS_OFFLINE
	export OPENAI_API_KEY=sk-secret HF_HOME=$PWD/hf
	D=$BATS_FILE_TMPDIR
	: >"$LOG"
}

ask() {
	"$BIN/api-generate" -m a-model -u "$1/ok/v1" --key-env OPENAI_API_KEY --retry-delay 0.01 --retries 1 <<<'{"text": "x"}'
}

@test "a service whose certificate is trusted gets the question and the key" {
	SSL_CERT_FILE=$D/good.crt ask "$TLS" >got
	says '"generated": "answer to x"' got
	says 'auth=Bearer sk-secret' "$LOG"
}

@test "one whose certificate nobody vouches for gets neither" {
	fails 1 ask "$TLS"
	says 'certificate' err
	fails 1 env SSL_CERT_FILE="$D/other.crt" "$BIN/api-generate" -m a-model -u "$TLS/ok/v1" --retries 0 --key-env OPENAI_API_KEY <<<'{"text": "x"}'
	says 'certificate' err
	[ ! -s "$LOG" ]
}

@test "one whose certificate is another host's gets neither" {
	fails 1 env SSL_CERT_FILE="$D/other.crt" "$BIN/api-generate" -m a-model -u "$WRONG/ok/v1" --retries 0 --key-env OPENAI_API_KEY <<<'{"text": "x"}'
	says "no alternative certificate subject name" err
	[ ! -s "$LOG" ]
}

@test "a list of certificates that is not there is an error, not no check" {
	fails 1 env SSL_CERT_FILE="$D/none.crt" "$BIN/api-generate" -m a-model -u "$TLS/ok/v1" --retries 0 --key-env OPENAI_API_KEY <<<'{"text": "x"}'
	says 'certificate' err
	[ ! -s "$LOG" ]
}

@test "nx-fetch brings a model over TLS, and from a hub that is not trusted nothing" {
	HF_ENDPOINT=$TLS/hub SSL_CERT_FILE=$D/good.crt "$BIN/nx-fetch" -q org/tiny >out
	cmp "$(cat out)/model.safetensors" "$D/model/model.safetensors"
	rm -r hf
	fails 1 env HF_ENDPOINT="$TLS/hub" "$BIN/nx-fetch" -q org/tiny
	says 'certificate' err
	[ ! -e "hf/hub/models--org--tiny/snapshots/$COMMIT" ]
}

@test "nx-fetch follows a redirect to TLS, and none away from it" {
	local file=$HUB/org/tiny/resolve/$COMMIT/model.safetensors at
	at=$file.head
	cp "$at" kept
	rm "$file"
	{ printf '302\nLocation: %s/hub/cdn/model.safetensors\n' "$TLS" && cat kept; } >"$at"
	HF_ENDPOINT=$TLS/hub SSL_CERT_FILE=$D/good.crt "$BIN/nx-fetch" -q org/tiny >out
	cmp "$(cat out)/model.safetensors" "$D/model/model.safetensors"
	rm -r hf
	{ printf '302\nLocation: %s/hub/cdn/model.safetensors\n' "$URL" && cat kept; } >"$at"
	fails 1 env HF_ENDPOINT="$TLS/hub" SSL_CERT_FILE="$D/good.crt" "$BIN/nx-fetch" -q org/tiny
	cp "$D/model/model.safetensors" "$file"
	cp kept "$at"
	says 'a redirect from https to http is not followed' err
}
