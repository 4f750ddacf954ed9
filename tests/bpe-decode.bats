#!/usr/bin/env bats
load helper
SMALL=$ROOT/tests/golden/bpe-small.json

enc() {
	"$BIN/bpe-encode" -q -T "$SMALL" "$@"
}

dec() {
	"$BIN/bpe-decode" -T "$SMALL" "$@"
}

each() {
	unset NX_MODEL NX_TOKENIZER
	printf '%s\n' 'How are you?' '' 'a<|endoftext|>b  c' >texts
	enc --text texts >tokens.jsonl
	enc --text --shard texts >tokens.nxs
}

@test "text comes back from both record forms" {
	dec tokens.jsonl >got
	same texts got
	dec tokens.nxs >got
	same texts got
	cat tokens.nxs tokens.nxs | dec >got
	cat texts texts | same - got
}

@test "with the Pythia tokenizer: the guide's texts and all its rows come back" {
	need_shared
	printf '%s\n' 'Hi, how are you?' "I'm good" Yes >texts
	echo '{"input_ids": [12764, 13, 849, 403, 368, 32]}
		{"input_ids": [42, 1353, 1175]}
		{"input_ids": [4374]}' | "$BIN/bpe-decode" -T "$SHARED/pythia.tokenizer.json" >got
	same texts got
	"$BIN/jsonl-template" "$SHARED/lamini_docs.jsonl" | "$BIN/bpe-encode" -q -T "$SHARED/pythia.tokenizer.json" |
		"$BIN/bpe-decode" -T "$SHARED/pythia.tokenizer.json" --json -k again >got
	[ "$(grep -cE '"text": ("([^"\\]|\\.)*"),.*"again": \1}$' got)" = 1400 ]
}

@test "special tokens are left out on demand" {
	dec -s tokens.jsonl >got
	printf '%s\n' 'How are you?' '' 'ab  c' >want
	same want got
	# padding is shown as what it is
	"$BIN/pad-trunc" -q -p longest -T "$SMALL" tokens.jsonl | dec >got
	[ "$(sed -n 2p got | grep -o '<|endoftext|>' | wc -l)" -gt 1 ]
	"$BIN/pad-trunc" -q -p longest -T "$SMALL" tokens.jsonl | dec -s >got
	same want got
}

@test "records are told apart: --json keeps the other fields, --print0 ends with NUL" {
	printf '{"n": 1.0, "input_ids": [1, 0]}\n' | dec --json >got
	echo '{"n": 1.0, "input_ids": [1, 0], "text": "<|padding|><|endoftext|>"}' >want
	same want got
	printf '{"text": "old", "input_ids": [0]}\n' | dec -j -k new >got
	echo '{"text": "old", "input_ids": [0], "new": "<|endoftext|>"}' >want
	same want got
	dec -j tokens.nxs | head -n 1 >got
	echo '{"text": "How are you?"}' >want
	same want got
	dec -0 tokens.jsonl >got
	tr '\n' '\0' <texts | same - got
}

@test "ids of another field" {
	echo '{"input_ids": [0], "output_ids": [1, 1]}' >r.jsonl
	[ "$(dec -f output_ids r.jsonl)" = '<|padding|><|padding|>' ]
	echo '{"output_ids": []}' | dec -f output_ids >got
	echo | same - got
	fails 1 dec -f nonesuch r.jsonl
	says 'bpe-decode: r.jsonl:1: field "nonesuch" is missing' err
	fails 1 dec -f output_ids tokens.nxs
	says 'a token shard has no field "output_ids"' err
	echo '{"output_ids": [1, "x"]}' >r.jsonl
	fails 1 dec -f output_ids r.jsonl
	says 'r.jsonl:1: "output_ids"[1] is no token id' err
}

@test "half a character is U+FFFD, as in HF" {
	printf 'é\n' | enc -t >got
	printf '{"text": "日"}\n' | enc >three
	id=$(sed 's/.*"input_ids": \[\([0-9]*\), \([0-9]*\).*/\1, \2/' three)
	echo "{\"input_ids\": [$id]}" | dec >got
	printf '\357\277\275\n' | same - got
}

@test "a wrong tokenizer, a wrong id, a cut shard" {
	"$BIN/bpe-train" -q -V 270 -o other.json texts
	fails 1 "$BIN/bpe-decode" -T other.json tokens.nxs
	says 'another tokenizer made this shard' err
	[ ! -s out ]
	"$BIN/bpe-decode" -T other.json --any-tokenizer -f input_ids <(enc --text --shard <(echo)) >got
	echo | same - got
	fails 1 "$BIN/bpe-decode" -T other.json tokens.jsonl
	says 'tokens.jsonl:1: the tokenizer has no token ' err
	fails 0 "$BIN/bpe-decode" -T other.json --skip-bad tokens.jsonl
	says 'skipped ' err
	head -c -3 tokens.nxs >cut.nxs
	fails 1 dec -o file cut.nxs
	[ ! -e file ]
	fails 1 dec <<<'{"text": "no ids"}'
	says 'stdin:1: field "input_ids" is missing' err
}

@test "the environment names the tokenizer; wrong usage is told" {
	NX_TOKENIZER=$SMALL "$BIN/bpe-decode" tokens.jsonl >got
	same texts got
	mkdir model
	cp "$SMALL" model/tokenizer.json
	NX_MODEL=model "$BIN/bpe-decode" tokens.nxs >got
	same texts got
	fails 2 "$BIN/bpe-decode" tokens.jsonl
	fails 2 dec --json --print0 tokens.jsonl
	fails 2 dec -k x tokens.jsonl
	says 'bpe-decode: --key is for --json' err
}
