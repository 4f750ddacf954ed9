# The guide's steps as pipelines: examples/guide/GUIDE.md is typed and compared, block by block.
load helper

walk() {
	BIN=$BIN "${PAGE:-$ROOT/examples/guide}/walk" "$@"
}

# page EDIT: the page changed by a sed script, with all that it needs around it.
page() {
	PAGE=$T/repository/examples/guide
	mkdir -p "$PAGE"
	cp "$ROOT/examples/guide/walk" "$PAGE"
	ln -sf "$ROOT/README.md" repository/README.md
	ln -sf "$ROOT/examples/nxtools.jsonl" repository/examples/nxtools.jsonl
	sed "$1" "$ROOT/examples/guide/GUIDE.md" >"$PAGE/GUIDE.md"
}

# fewer_updates: the page as it is, but that it trains a tenth as long.
fewer_updates() {
	page '/nx-train/,/^[^\t]/{s/--max-steps \([1-9]*\)0/--max-steps \1/; s/-steps 20 /-steps 2 /g}'
	[ "$(diff "$ROOT/examples/guide/GUIDE.md" "$PAGE/GUIDE.md" | grep -c '^>')" = 4 ]
}

@test "the page's steps do what it says, on small files" {
	# how long training takes the same way is no matter of the sanitizer's
	if sanitized; then fewer_updates; fi
	fails 0 walk w
	says 'The page and its programs agree.' out
	says 'Hi, how are you?' out
	[ -s w/three/model.safetensors ]
	says '</table>' w/results.html
	says '<svg' w/loss.svg
}

@test "the page has every step of the guide" {
	grep '^## Step' "$ROOT/examples/guide/GUIDE.md" | grep -o '[0-9]\+' >steps
	for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do echo "$n"; done >want
	same want steps
}

@test "a page that says something else is found out" {
	page 's/^Why? So\.$/Why? Sow./; /^## Step 6/q' # a page goes on behind a difference
	fails 1 walk w
	says 'prints something else than the page says' err
	says '< Why? Sow.' err
	page 's/^jsonl-table --head 3 data.jsonl$/jsonl-table --head 3 nothing.jsonl/'
	fails 1 walk x
	grep -Eq 'GUIDE.md:[0-9]+: exit status 1' err
	page 's/^zcat corpus.json.gz |.*/jsonl-template -p x data.jsonl | cat/'
	fails 1 walk y # whatever part of a pipe it is
	says 'exit status 2' err
	fails 1 walk y # it is there
	fails 2 walk
	fails 2 walk a b
}

@test "the page's steps give the guide's figures on the guide's files" {
	need_shared
	[ "$BIN" = "$ROOT/bin" ] || skip "the small files have shown these programs to do it"
	# what a small model of Pythia's vocabulary says is nonsense, and its programs are the same
	"$BIN/nx-init" -q --size pythia-70m --hidden 16 --heads 2 --layers 1 -T "$SHARED/pythia.tokenizer.json" -o model
	fewer_updates
	fails 0 walk w "$SHARED" model
	says 'The page and its programs agree.' out
	says '[12764, 13, 849, 403, 368, 32]' out
	[ "$(wc -l <w/test.jsonl)" = 140 ]
}
