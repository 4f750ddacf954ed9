load helper

each() {
	printf '%s\n' 'low low low low low' 'lower lower newest newest newest' 'newest newest newest widest widest widest' >text.txt
}

# tokens FILE: the vocabulary behind the bytes, in order.
tokens() {
	sed -n 's/^      "\(.*\)": \([0-9]*\),\{0,1\}$/\2 \1/p' "$1" | sort -n | tail -n +261 | cut -d' ' -f2 | paste -sd' '
}

@test "the tokens of a small text are those of HF's trainer" {
	"$BIN/bpe-train" -V 268 -m 0 text.txt >got
	[ "$(tokens got)" = "es est lo low ew new newest Ġlow Ġnewest dest" ] || {
		tokens got
		return 1
	}
	says '      "<|endoftext|>": 0,' got
	says '      "<|padding|>": 1,' got
	says '      "e s",' got
}

@test "stdin, files, -o and zstd make the same" {
	"$BIN/bpe-train" -V 268 text.txt >want
	"$BIN/bpe-train" -V 268 <text.txt >got
	same want got
	head -n 1 text.txt >a
	tail -n +2 text.txt | zstd -q >b
	"$BIN/bpe-train" -V 268 -o got a b
	same want got
	tail -n +2 text.txt | "$BIN/bpe-train" -V 268 --vocab_size 268 a - >got
	same want got
}

@test "lines are fed with their newlines, byte-order mark and last newline as they are" {
	{ printf '\357\273\277' && cat text.txt; } >marked
	"$BIN/bpe-train" -V 280 -m 0 text.txt >want
	"$BIN/bpe-train" -V 280 -m 0 marked >got
	same want got
	# a line that is longer than any buffer
	head -c 300000 /dev/zero | tr '\0' 'ab' | tr -d '\n' >long
	{ cat long && echo && cat text.txt; } >with
	"$BIN/bpe-train" -V 300 -m 0 with >got
	says '"version": "1.0"' got
	# carriage returns are text
	sed 's/$/\r/' text.txt >crlf
	"$BIN/bpe-train" -q -V 300 -m 0 crlf >got
	says '"č Ċ"' got
}

@test "JSON lines: a field, or the column rule" {
	printf '%s\n' '{"a": "low low low", "question": "new", "answer": "est"}' '{"a": "lower", "question": "new", "answer": "est"}' >r.jsonl
	printf 'low low low' >one
	printf 'lower' >two
	"$BIN/bpe-train" -q -V 300 one two >want
	"$BIN/bpe-train" -q -V 300 --field a r.jsonl >got
	same want got
	printf 'newest' >one
	cp one two
	"$BIN/bpe-train" -q -V 300 one two >want
	"$BIN/bpe-train" -q -V 300 --jsonl r.jsonl >got
	same want got
	fails 1 "$BIN/bpe-train" --field b r.jsonl
	says 'bpe-train: r.jsonl:1: field "b" is missing' err
	fails 2 "$BIN/bpe-train" --field a --jsonl r.jsonl
}

@test "special tokens have the first ids, in the order given" {
	"$BIN/bpe-train" -q -V 270 -s '</s>' -s 'lo' -s '</s>' text.txt >got
	says '      "</s>": 0,' got
	says '      "lo": 1,' got
	[ "$(grep -c '"special": true' got)" = 2 ]
	fails 2 "$BIN/bpe-train" -s '' text.txt
	fails 2 "$BIN/bpe-train" -V 257 text.txt
	says '--vocab-size must be at least 258: the 256 bytes and 2 special tokens' err
}

@test "a text that runs dry is told" {
	"$BIN/bpe-train" -V 1000 -o got text.txt 2>err
	says 'tokens, not 1000: no further pair in 8 distinct words occurs once' err
	"$BIN/bpe-train" -q -V 1000 text.txt 2>err >got
	[ ! -s err ]
	"$BIN/bpe-train" -q -V 1000 </dev/null >got
	says '"Ń": 257' got
	[ -z "$(tokens got)" ]
}

@test "settings of HF's trainer: frequency, alphabet, length, space, normalizer" {
	"$BIN/bpe-train" -q -V 1000 text.txt >want
	"$BIN/bpe-train" -q -V 1000 --min_frequency 1 --threads 3 text.txt >got
	same want got
	"$BIN/bpe-train" -V 1000 --min-frequency 5 text.txt >got 2>err
	says 'no further pair in 8 distinct words occurs 5 times' err
	"$BIN/bpe-train" -q -V 1000 --initial-alphabet none --no-special text.txt >got
	says '"added_tokens": [],' got
	says '      "d": 0,' got
	"$BIN/bpe-train" -q -V 1000 --initial-alphabet none --no-special --limit-alphabet 2 text.txt >got
	says '      "e": 0,' got
	says '      "w": 1,' got
	says '      "we": 2,' got
	"$BIN/bpe-train" -q -V 1000 --max-token-length 3 text.txt >got
	[ "$(tokens got | wc -w)" -gt 5 ]
	[ -z "$(tokens got | tr ' ' '\n' | sed 's/Ġ/_/' | grep ... || true)" ]
	"$BIN/bpe-train" -q -V 300 --add-prefix-space text.txt >got
	[ "$(grep -c '"add_prefix_space": true' got)" = 3 ]
	sed 's/^/ /' text.txt | "$BIN/bpe-train" -q -V 300 >want
	sed 's/"add_prefix_space": true/"add_prefix_space": false/' got | same want -
	printf 'e\314\201e\314\201\n' >accents
	"$BIN/bpe-train" -q -V 300 --no-nfc accents >got
	says '"normalizer": null,' got
	says '"Ì ģ"' got
	fails 2 "$BIN/bpe-train" --no-special -s x text.txt
	fails 2 "$BIN/bpe-train" --pre-tokenizer llama3 text.txt
	fails 2 "$BIN/bpe-train" --continuing-subword-prefix '##' text.txt
}

@test "the number of threads does not change the result, whatever the text" {
	seq -f '%.0f lines of many, with é, ﬁ and e'$'\314\201'' and longer-than-sixteen-bytes' 20000 >many
	"$BIN/bpe-train" -q -V 900 --threads 1 many >want
	"$BIN/bpe-train" -q -V 900 --threads 5 many >got
	same want got
	printf 'bad \377\n' >>many
	fails 1 "$BIN/bpe-train" -q -V 900 --threads 4 many
	says 'many:20001: byte 5 is not valid UTF-8' err
}

@test "what is no UTF-8 is named, or skipped" {
	printf 'good\nb\377d\ngood\n' >bad
	fails 1 "$BIN/bpe-train" -o file bad
	says 'bpe-train: bad:2: byte 2 is not valid UTF-8' err
	[ ! -e file ]
	"$BIN/bpe-train" --skip-bad -V 260 bad >got 2>err
	says 'skipped 1 bad text, the first: bad:2: ' err
	fails 1 "$BIN/bpe-train" missing
	fails 1 "$BIN/bpe-train" -o missing/file text.txt
	got=0
	"$BIN/bpe-train" -q text.txt >/dev/full 2>err || got=$?
	[ "$got" = 1 ]
}

@test "the guide's data: 2000 tokens in no time, the same as HF's" {
	need_shared
	"$BIN/jsonl-template" "$SHARED/lamini_docs.jsonl" | "$BIN/bpe-train" -V 2000 -m 0 --field text >got
	sed -n '/^    "merges"/,$ s/^      \(".*"\),\{0,1\}$/\1/p' got >merges
	[ "$(wc -l <merges)" = 1742 ]
	sha256sum <merges | cut -d' ' -f1 | same "$ROOT/tests/golden/bpetrain_guide.sha256" -
}
