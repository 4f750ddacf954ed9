load helper

# The corpora are those of tests/reference/corpora.sh, in the directory $NXTOOLS_CORPORA.
@test "whole corpora have HF's ids, by digest" {
	need_shared
	need_corpora
	seen=0
	while read -r name lines tokens text ids; do
		[ "$name" != '#' ] || continue
		[ "$(sha256sum <"$NXTOOLS_CORPORA/$name.txt")" = "$text  -" ]
		"$BIN/bpe-encode" -T "$SHARED/pythia.tokenizer.json" --text "$NXTOOLS_CORPORA/$name.txt" 2>err |
			LC_ALL=C sed 's/.*"input_ids": \[\([^]]*\)\].*/\1/' | tr -d , >got
		says "bpe-encode: $lines records, $tokens tokens" err
		[ "$(sha256sum <got)" = "$ids  -" ] || {
			echo "$name: other ids than HF's"
			return 1
		}
		seen=$((seen + 1))
	done <"$ROOT/tests/golden/corpora.sha256"
	[ "$seen" = 6 ]
}
