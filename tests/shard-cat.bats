load helper

# The four documents of tests/reference/tokenfile.py; G holds them in each of the formats.
each() {
	unset NX_MODEL NX_TOKENIZER
	G=$ROOT/tests/golden/tokenfile
	printf '{"input_ids": [%s]}\n' '5, 6, 7' '300' '8, 9, 10, 11, 500' '12, 13' >docs.jsonl
}

# ids FILE: the ids of JSON lines, a record a line.
ids() {
	sed 's/^{"input_ids": \[\([^]]*\)\].*/\1/; s/, / /g' "$1"
}

# reads WANT ARG ...: shard-cat with these arguments gives these records.
reads() {
	printf '%s\n' "$1" >want
	shift
	fails 0 "$BIN/shard-cat" --to jsonl "$@"
	ids out >got
	same want got
}

BEHIND=$'5 6 7 0\n300 0\n8 9 10 11 500 0\n12 13 0'
BEFORE=$'0 5 6 7\n0 300\n0 8 9 10 11 500\n0 12 13'
PLAIN=$'5 6 7\n300\n8 9 10 11 500\n12 13'

@test "the files of the other programs' own writers are read" {
	reads "$BEFORE" --eos 0 "$G/gpt2.bin"
	reads $'128000 9906 1917\n128000 128255\n128000' "$G/llama3.bin"
	reads "$BEHIND" --from nanogpt --eos 0 "$G/nanogpt.bin"
	reads $'5 6 7\n300\n\n8 9 10 11 500\n12 13' "$G/mega"
	reads $'128000 9906 1917\n128000 128255\n128000' "$G/mega32.idx"
	reads $'5 6 7 300\n\n8 9 10 11 500 12 13' --from megatron "$G/sentences.bin"
}

@test "NumPy's arrays are read: types, byte orders, versions, one dimension and two" {
	for a in u2 i4 i8be u2be u4 i2 version2; do
		reads "$BEHIND" --eos 0 "$G/flat-$a.npy"
	done
	for a in u2 i4 i8be; do
		reads "$PLAIN" --pad 1 "$G/rows-$a.npy"
		reads $'5 6 7 1 1\n300 1 1 1 1\n8 9 10 11 500\n12 13 1 1 1' "$G/rows-$a.npy"
	done
	# where the end of the text pads, one stays
	reads $'5 6 7 1\n300 1\n8 9 10 11 500\n12 13 1' --pad 1 --eos 1 "$G/rows-u2.npy"
	reads $'\n\n' "$G/none-rows.npy"
	fails 0 "$BIN/shard-cat" --to jsonl --eos 0 "$G/none.npy"
	[ ! -s out ]
}

@test "what is written are the bytes that the other programs write" {
	for how in "llmc gpt2.bin" "nanogpt nanogpt.bin" "npy flat-u2.npy" "npy2 rows-u2.npy"; do
		read -r form file <<<"$how"
		"$BIN/shard-cat" --vocab-size 512 --eos 0 --pad 1 --to "$form" -o made docs.jsonl
		same "$G/$file" made
		"$BIN/shard-cat" --vocab-size 512 --eos 0 --pad 1 --to "$form" docs.jsonl | cat >piped
		same "$G/$file" piped
		"$BIN/shard-cat" --vocab-size 512 --eos 0 --pad 1 --to "$form" docs.jsonl >redirected
		same "$G/$file" redirected
	done
	for how in "npy flat-i4.npy" "npy2 rows-i4.npy"; do
		read -r form file <<<"$how"
		"$BIN/shard-cat" --eos 0 --pad 1 --to "$form" -o made docs.jsonl
		same "$G/$file" made
	done
	"$BIN/shard-cat" --to llmc -o made "$G/llama3.bin"
	same "$G/llama3.bin" made
	sed 2q docs.jsonl >five.jsonl
	echo '{"input_ids": []}' >>five.jsonl
	sed 1,2d docs.jsonl >>five.jsonl
	"$BIN/shard-cat" --vocab-size 512 --to megatron -o made five.jsonl
	same "$G/mega.bin" made.bin
	same "$G/mega.idx" made.idx
	"$BIN/shard-cat" --to megatron -o made.idx "$G/mega32"
	same "$G/mega32.bin" made.bin
	same "$G/mega32.idx" made.idx
}

@test "through a shard and back every format is the same to the byte" {
	"$BIN/shard-cat" --eos 0 -o s.nxs "$G/gpt2.bin"
	"$BIN/shard-cat" --to llmc s.nxs >got
	same "$G/gpt2.bin" got
	"$BIN/shard-cat" --from nanogpt --eos 0 --vocab-size 512 "$G/nanogpt.bin" >s.nxs
	for how in "llmc gpt2.bin" "nanogpt nanogpt.bin" "npy flat-u2.npy"; do
		read -r form file <<<"$how"
		"$BIN/shard-cat" --to "$form" s.nxs >got
		same "$G/$file" got
	done
	"$BIN/shard-cat" --vocab-size 512 "$G/mega" | "$BIN/shard-cat" --to megatron -o got
	same "$G/mega.bin" got.bin
	same "$G/mega.idx" got.idx
	"$BIN/shard-cat" --vocab-size 512 --pad 1 "$G/rows-i8be.npy" | "$BIN/shard-cat" --to npy2 >got
	same "$G/rows-u2.npy" got
}

@test "the end-of-text token moves to its side, and is never doubled" {
	printf '{"input_ids": [%s]}\n' '0, 1, 2, 0' '3, 0' '0' '' '4' >e.jsonl
	"$BIN/shard-cat" --eos 0 --to nanogpt e.jsonl | od -An -v -t u2 | tr -s ' \n' ' ' >got
	[ "$(cat got)" = ' 1 2 0 3 0 0 0 4 0 ' ]
	"$BIN/shard-cat" --eos 0 --to llmc e.jsonl | tail -c +1025 | od -An -v -t u2 | tr -s ' \n' ' ' >got
	[ "$(cat got)" = ' 0 1 2 0 3 0 0 0 4 ' ]
}

@test "compressed input, standard input and several files" {
	zstd -q "$G/gpt2.bin" -o gpt2.zst
	reads "$BEFORE" --eos 0 gpt2.zst
	reads "$BEFORE" --eos 0 <"$G/gpt2.bin"
	reads "$BEHIND"$'\n'"$BEHIND" --eos 0 "$G/flat-u2.npy" "$G/flat-i8be.npy"
	reads "$PLAIN" docs.jsonl
	fails 1 "$BIN/shard-cat" --eos 0 --to jsonl "$G/gpt2.bin" "$G/flat-u2.npy"
	says 'flat-u2.npy: no llm.c file: magic' err
}

@test "shards are joined into one, which equals that of their records" {
	"$BIN/shard-cat" --vocab-size 512 --to shard docs.jsonl >a.nxs
	sed 2q docs.jsonl | "$BIN/shard-cat" --vocab-size 512 --to shard >b.nxs
	sed 1,2d docs.jsonl | "$BIN/shard-cat" --vocab-size 512 --to shard >c.nxs
	"$BIN/shard-cat" b.nxs c.nxs >got
	same a.nxs got
	cat b.nxs c.nxs | "$BIN/shard-cat" >got
	same a.nxs got
	reads "$PLAIN" b.nxs c.nxs
	"$BIN/shard-cat" --vocab-size 600 --to shard docs.jsonl >other.nxs
	fails 1 "$BIN/shard-cat" a.nxs other.nxs
	says 'made by another tokenizer' err
	head -c -20 a.nxs >cut.nxs
	fails 1 "$BIN/shard-cat" -o made cut.nxs
	[ ! -e made ]
}

@test "masks and labels: kept in shards, told of once where they are lost, padding left out" {
	cat >m.jsonl <<-'EOF'
		{"input_ids": [1, 1, 5, 6], "attention_mask": [0, 0, 1, 1], "labels": [-100, -100, -100, 6]}
		{"input_ids": [7, 8, 1], "attention_mask": [1, 1, 0], "labels": [7, 8, -100]}
		{"input_ids": [9], "attention_mask": [1], "labels": [-100]}
	EOF
	"$BIN/shard-cat" --vocab-size 99 --to shard m.jsonl | "$BIN/shard-cat" --to jsonl >got 2>err
	same m.jsonl got
	[ ! -s err ]
	"$BIN/shard-cat" --to megatron -o mega m.jsonl 2>err
	printf '%s\n' 'shard-cat: 3 tokens of padding left out' \
		'shard-cat: megatron holds ids only: the masks and labels of 2 records are lost' >want
	same want err
	reads $'5 6\n7 8\n9' mega
	echo '{"input_ids": [1, 2, 3], "attention_mask": [1, 0, 1]}' >hole.jsonl
	"$BIN/shard-cat" --to npy2 hole.jsonl 2>err >/dev/null
	says 'npy2 holds ids only: the masks and labels of 1 record are lost' err
	"$BIN/shard-cat" -q --to npy2 --pad 3 m.jsonl 2>err >m.npy
	[ ! -s err ]
	reads $'1 1 5 6\n7 8 1 3\n9 3 3 3' m.npy
}

@test "the pieces of a packed record are documents, and stay pieces in shards" {
	printf '{"input_ids": [%s], "attention_mask": [%s], "labels": [%s], "position_ids": [%s]}\n' \
		'5, 6, 7, 300, 8, 9, 0' '1, 1, 1, 1, 1, 1, 0' '5, 6, 7, 300, 8, 9, -100' '0, 1, 2, 0, 0, 1, 0' >packed.jsonl
	"$BIN/shard-cat" --vocab-size 512 --to shard packed.jsonl >packed.nxs
	"$BIN/shard-cat" --to jsonl packed.nxs >got
	same packed.jsonl got
	"$BIN/shard-cat" --eos 1 --to nanogpt packed.nxs 2>err | od -An -v -t u2 | tr -s ' \n' ' ' >got
	[ "$(cat got)" = ' 5 6 7 1 300 1 8 9 1 ' ]
	echo 'shard-cat: 1 token of padding left out' >want
	same want err
	"$BIN/shard-cat" --to megatron -o m packed.nxs
	reads $'5 6 7\n300\n8 9' m
	"$BIN/shard-cat" --to npy2 packed.nxs 2>err >/dev/null
	says 'npy2 holds ids only: the masks and labels of 1 record are lost' err
	"$BIN/shard-cat" -s packed.nxs >got
	says 'in the loss   3 (42.9 %)' got
}

@test "figures of records, for people and as JSON" {
	cat >m.jsonl <<-'EOF'
		{"input_ids": [1, 1, 5, 6], "attention_mask": [0, 0, 1, 1], "labels": [-100, -100, -100, 6]}
		{"input_ids": [7, 8, 1], "attention_mask": [1, 1, 0], "labels": [7, 8, -100]}
		{"input_ids": []}
		{"input_ids": [9]}
	EOF
	"$BIN/shard-cat" --stats m.jsonl >got
	cat >want <<-'EOF'
		records       4
		empty records 1
		tokens        8
		in the loss   2 (25.0 %)
		padding       3 (37.5 %)
		length        min 0, mean 2.0, median 1, p90 4, p99 4, max 4
		                    0            1 ####################
		                    1            1 ####################
		                  2-3            1 ####################
		                  4-7            1 ####################
	EOF
	sed -i 's/ #*$//' got want
	same want got
	"$BIN/shard-cat" --stats --json m.jsonl >got
	cat >want <<-'EOF'
		{"records": 4, "empty_records": 1, "tokens": 8, "loss_tokens": 2, "loss_share": 0.250000, "padding_tokens": 3, "length": {"min": 0, "mean": 2.000000, "median": 1, "p90": 4, "p99": 4, "max": 4}, "histogram": [{"from": 0, "to": 0, "records": 1}, {"from": 1, "to": 1, "records": 1}, {"from": 2, "to": 3, "records": 1}, {"from": 4, "to": 7, "records": 1}]}
	EOF
	same want got
	"$BIN/shard-cat" -s --eos 0 "$G/flat-u2.npy" >got
	says 'tokens        15' got
	: | "$BIN/shard-cat" -s -j >got
	says '"records": 0, ' got
	says '"length": null, "histogram": []' got
}

@test "the percentiles are NumPy's inverted_cdf, very long records included" {
	awk 'BEGIN { for (i = 1; i <= 200; i++) { printf "{\"input_ids\": ["; for (k = 1; k < i; k++) printf "1, "; print "1]}" } }' >many.jsonl
	"$BIN/shard-cat" -s many.jsonl >got
	says 'min 1, mean 100.5, median 100, p90 180, p99 198, max 200' got
	head -c 400000 /dev/zero | "$BIN/shard-cat" --from nanogpt --eos 9 --to shard --vocab-size 10 >long.nxs
	head -c 140000 /dev/zero | "$BIN/shard-cat" --from nanogpt --eos 9 --to shard --vocab-size 10 >>long.nxs
	head -c 20 /dev/zero | "$BIN/shard-cat" --from nanogpt --eos 9 --to shard --vocab-size 10 >>long.nxs
	"$BIN/shard-cat" -s long.nxs >got
	says 'min 10, mean 90003.3, median 70000, p90 200000, p99 200000, max 200000' got
}

@test "the tokenizer tells vocabulary, end of text and fingerprint" {
	printf 'a b c\n' >text
	"$BIN/bpe-train" -q -V 300 -s x -s '<|endoftext|>' -o tokenizer.json text
	echo '{"text": "a b c"}' | "$BIN/bpe-encode" -T tokenizer.json --shard >want
	echo '{"text": "a b c"}' | "$BIN/bpe-encode" -T tokenizer.json | "$BIN/shard-cat" -T tokenizer.json --to shard >got
	same want got
	NX_TOKENIZER=tokenizer.json "$BIN/shard-cat" --to nanogpt want >a.bin
	[ "$(tail -c 2 a.bin | od -An -t u2 | tr -d ' ')" = 1 ]
	NX_TOKENIZER=tokenizer.json "$BIN/shard-cat" --from nanogpt a.bin | "$BIN/bpe-decode" -T tokenizer.json >got
	echo 'a b c<|endoftext|>' >want
	same want got
	"$BIN/bpe-train" -q -V 280 -s z -o other.json text
	echo '{"text": "a b c"}' | "$BIN/bpe-encode" -T tokenizer.json --shard >s.nxs
	fails 1 "$BIN/shard-cat" -T other.json s.nxs
	says 'another tokenizer than other.json made the shard' err
}

@test "ids that do not fit are refused by name" {
	echo '{"input_ids": [70000]}' >wide.jsonl
	for form in nanogpt llmc; do
		fails 1 "$BIN/shard-cat" --eos 0 --to $form -o made wide.jsonl
		says 'wide.jsonl:1: id 70000 does not fit into the format'"'"'s 16 bits' err
	done
	fails 2 "$BIN/shard-cat" --eos 0 --vocab-size 70001 --to nanogpt wide.jsonl
	says 'nanogpt has 16 bits a token: a vocabulary of 70001 does not fit' err
	for form in npy npy2 megatron llmc; do
		fails 1 "$BIN/shard-cat" --eos 0 --vocab-size 512 --to $form -o made wide.jsonl
		says 'id 70000 is outside the vocabulary of 512' err
	done
	[ "$(echo made*)" = 'made*' ]
	"$BIN/shard-cat" --eos 0 --vocab-size 70001 --to llmc wide.jsonl >w.bin
	reads '0 70000' --eos 0 w.bin
	fails 1 "$BIN/shard-cat" --eos 0 --vocab-size 300 --to jsonl "$G/gpt2.bin"
	says 'gpt2.bin: token 5: id 300 is outside the vocabulary of 300' err
	fails 1 "$BIN/shard-cat" --vocab-size 300 --to jsonl "$G/mega"
	says 'mega.bin: token 3: id 300 is outside the vocabulary of 300' err
	cat docs.jsonl wide.jsonl | "$BIN/shard-cat" --skip-bad --eos 0 --to nanogpt 2>err >got
	same "$G/nanogpt.bin" got
	says 'skipped 1 bad record' err
}

@test "arrays that hold no tokens are refused by name" {
	for how in 'float the array'"'"'s type is <f4' 'struct the array'"'"'s type is structured' 'cube an array of 3 dimensions' \
		'scalar an array of 0 dimensions' 'fortran Fortran order' 'negative token 1: a negative number'; do
		fails 1 "$BIN/shard-cat" --eos 0 --to jsonl "$G/bad-${how%% *}.npy"
		says "${how#* }" err
	done
}

# cut_everywhere FROM SIZES FILE ARG ...: each shorter file of the sizes ends with 1 and one line.
cut_everywhere() {
	local file=$1 n size
	shift
	size=$(stat -c %s "$file")
	for n in $(seq 1 $((size < 40 ? 1 : size / 40)) $((size - 1))) $((size - 1)); do
		head -c "$n" "$file" >"cut.${file##*.}"
		fails 1 "$BIN/shard-cat" --to jsonl "$@"
		[ "$(wc -l <err)" = 1 ]
	done
	{ cat "$file" && printf x; } >"cut.${file##*.}"
	fails 1 "$BIN/shard-cat" --to jsonl "$@"
}

@test "a file that is cut off or too long is an error, wherever" {
	cut_everywhere "$G/gpt2.bin" --from llmc --eos 0 cut.bin
	cut_everywhere "$G/flat-u2.npy" --from npy --eos 0 cut.npy
	cut_everywhere "$G/rows-i8be.npy" --from npy cut.npy
	cp "$G/mega.bin" cut.bin
	cut_everywhere "$G/mega.idx" --from megatron cut
	cp "$G/mega.idx" cut.idx
	cut_everywhere "$G/mega.bin" cut
	head -c 29 "$G/nanogpt.bin" >short
	fails 1 "$BIN/shard-cat" --from nanogpt --eos 0 --to jsonl short
	says 'short: cut off within its last token' err
}

# poke FILE OFFSET BYTES: FILE with other bytes there.
poke() {
	# shellcheck disable=SC2059  # the bytes are escapes
	printf "$3" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

@test "headers and indices that lie are refused" {
	for how in '4 \2 version' '8 \377\377\377\377 negative number' '8 \377\377\377\177 cut off' '0 \0 no llm.c file'; do
		read -r at bytes what <<<"$how"
		cp "$G/gpt2.bin" a.bin
		poke a.bin "$at" "$bytes"
		fails 1 "$BIN/shard-cat" --from llmc --eos 0 --to jsonl a.bin
		says "$what" err
	done
	# version, type, counts, a size, a place, a bound
	for how in '9 \2 version' '17 \6 floating-point' '17 \11 unknown type' '18 \377\377\377\377\377\377\377\377 cut off' \
		'26 \5 longer' '130 1234 modes of sequences' '26 \0\0\0\0\0\0\0\020 cut off' '34 \377\377\377\377 negative size' '34 \377\377\377\177 behind the end' \
		'50 \377\377\377\377\377\377\377\377 behind the end' '82 \1 first document' '114 \1 out of order' '98 \7 out of order' '122 \3 no document'; do
		read -r at bytes what <<<"$how"
		cp "$G/mega.idx" m.idx
		cp "$G/mega.bin" m.bin
		poke m.idx "$at" "$bytes"
		fails 1 "$BIN/shard-cat" --from megatron --to jsonl m
		says "$what" err
	done
	npy() { printf '\223NUMPY\1\0\166\0%-117s\n' "$1" >a.npy; }
	for header in "{'descr': '<u2', 'fortran_order': False}" "{'descr': '<u2', 'fortran_order': False, 'shape': (1,)" \
		"{'descr': '<u2', 'fortran_order': Maybe, 'shape': (1,)}" "{'descr': '<u2', 'fortran_order': False, 'shape': (99999999999999999999,)}" \
		"{'descr': '<u2', 'fortran_order': False, 'shape': (-1,)}" "{'descr: '<u2'}" "{'a': 1}" "x" ''; do
		npy "$header"
		fails 1 "$BIN/shard-cat" --eos 0 --to jsonl a.npy
		says 'header of the .npy file is damaged' err
	done
	npy "{'shape': (4611686018427387904, 4), 'fortran_order': False, 'descr': '<i8', }"
	fails 1 "$BIN/shard-cat" --to jsonl a.npy
	says "the array's shape is no file's" err
	npy "{'shape': (1, 200000000), 'fortran_order': False, 'descr': '<i8', }"
	fails 1 "$BIN/shard-cat" --to jsonl a.npy
	says 'cut off: 0 tokens where the header counts 200000000' err
}

@test "wrong usage is told" {
	fails 2 "$BIN/shard-cat" --to nanogpt docs.jsonl
	says '--eos ID or -T FILE tells it' err
	fails 2 "$BIN/shard-cat" --from nanogpt "$G/nanogpt.bin"
	says '--eos ID or -T FILE tells it' err
	fails 2 "$BIN/shard-cat" --to jsonl "$G/flat-u2.npy"
	says '--eos ID or -T FILE names it' err
	fails 2 "$BIN/shard-cat" --to shard docs.jsonl
	says 'a shard names its vocabulary' err
	fails 2 "$BIN/shard-cat" --to npy2 docs.jsonl
	says '--pad ID or -T FILE names the token' err
	fails 2 "$BIN/shard-cat" --to megatron docs.jsonl
	says '-o PREFIX names them' err
	fails 2 "$BIN/shard-cat" --from megatron <docs.jsonl
	says 'named by their prefix' err
	fails 2 "$BIN/shard-cat" --stats --to jsonl docs.jsonl
	fails 2 "$BIN/shard-cat" --json docs.jsonl
	fails 2 "$BIN/shard-cat" --vocab-size 5 --eos 5 docs.jsonl
	fails 1 "$BIN/shard-cat" --from shard docs.jsonl
	says 'docs.jsonl: the input is jsonl, not shard' err
}

@test "an output that fails leaves nothing, and no temporary file" {
	mkdir tmp dir
	export TMPDIR=$PWD/tmp
	echo 'broken' >>docs.jsonl
	for form in llmc nanogpt npy npy2 megatron; do
		fails 1 "$BIN/shard-cat" --eos 0 --pad 1 --to $form -o dir/made docs.jsonl
		[ -z "$(find dir tmp -type f)" ]
	done
	for form in llmc npy npy2; do
		fails 1 "$BIN/shard-cat" --eos 0 --pad 1 --to $form docs.jsonl
		[ ! -s out ]
		got=0
		"$BIN/shard-cat" --skip-bad --eos 0 --pad 1 --to $form docs.jsonl >/dev/full 2>err || got=$?
		[ "$got" = 1 ]
		says 'stdout: No space left on device' err
	done
	[ -z "$(ls -A tmp)" ]
}
