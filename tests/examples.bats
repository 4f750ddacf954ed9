# The example data, and what README.md and examples/README.md tell a reader to type.
load helper

each() {
	PATH=$BIN:$PATH
	DATA=$ROOT/examples/nxtools.jsonl
}

# typed FILE: the lines of its fenced sh blocks and of its indented ones.
typed() {
	awk '/^```/ { inside = $0 == "```sh"; next } inside || sub(/^    /, "")' "$1"
}

@test "the data set is JSON lines of at least 100 questions with answers" {
	jsonl-template -t '{question}{answer}' "$DATA" >records.jsonl
	[ "$(wc -l <records.jsonl)" -ge 100 ]
	same <(wc -l <"$DATA") <(wc -l <records.jsonl)
}

@test "no question and no answer occurs twice, and none is empty" {
	for f in question answer; do
		jsonl-template --raw -t "{$f}" "$DATA" >"$f"
		sort "$f" | uniq -d >twice
		same /dev/null twice
		fails 1 grep -n '^[[:space:]]*$' "$f"
		same <(wc -l <"$DATA") <(wc -l <"$f")
	done
}

@test "no answer holds a special token, which would end it" {
	jsonl-template --raw -t '{answer}' "$DATA" >answers
	fails 1 grep -F '<|' answers
}

@test "the data names no option that no program has" {
	for p in "$ROOT"/bin/*.c; do
		"$BIN/$(basename "$p" .c)" --help
	done | grep -o -- '--[a-z][a-z-]*' | sort -u >known
	jsonl-template --raw -t '{question} {answer}' "$DATA" | grep -o -- '--[a-z][a-z_-]*' | tr _ - | sort -u >named
	[ "$(wc -l <named)" -gt 20 ]
	same /dev/null <(comm -23 named known)
}

@test "what the two READMEs tell to type has programs and options that are there" {
	typed "$ROOT/README.md" >lines
	typed "$ROOT/examples/README.md" >>lines
	[ "$(wc -l <lines)" -gt 15 ]
	# a command with the lines it goes on in, then each part of its pipe
	sed -e ':more' -e '/[|\\]$/{N;s/\\\{0,1\}\n/ /;b more' -e '}' lines | tr '|' '\n' >parts
	while read -r program rest; do
		[ -e "$ROOT/bin/$program.c" ] || continue
		echo "$program" >>programs
		"$BIN/$program" --help >help
		for word in $rest; do
			case $word in
			--*) says " ${word%%=*} " <(sed 's/$/ /' help) ;;
			-?) says "  $word" help ;;
			esac
		done
	done <parts
	[ "$(sort -u programs | wc -l)" -ge 7 ]
}

@test "README's walk can be typed as it stands" {
	mkdir repository
	ln -s "$ROOT/examples" repository
	ln -s "$BIN" repository/bin
	cd repository
	awk '/^```/ { inside = $0 == "```sh"; next } inside' "$ROOT/README.md" | grep -v '^make' >walk.sh
	says 'nx-train -m walk/base' walk.sh
	fails 0 env -u NX_MODEL -u NX_TOKENIZER sh -e walk.sh
	says '200 records: 180 train, 20 test' err
	says 'step 50/50: loss' err
	says '"generated": "' out
}

@test "the curve that is shown lies on the Trainer's" {
	fails 0 "$ROOT/examples/curve/compare" "$ROOT/examples/curve/hf.jsonl" "$ROOT/examples/curve/nx-train.jsonl"
	[ "$(wc -l <out)" = 2 ]
	while read -r line; do says "    $line" "$ROOT/examples/README.md"; done <out
	awk '{ n += $2; for (i = 1; i < NF; i++) if ($i == "difference" && $(i + 1) > 2e-4) exit 1 } END { exit n != 477 }' out
	sed '7s/"loss": [0-9.]*/"loss": 9/' "$ROOT/examples/curve/hf.jsonl" >other
	"$ROOT/examples/curve/compare" other "$ROOT/examples/curve/nx-train.jsonl" >out
	grep -q 'largest difference [0-9.]*e-0[0-2] at step 7,' out
	sed 7d "$ROOT/examples/curve/hf.jsonl" >other
	fails 1 "$ROOT/examples/curve/compare" other "$ROOT/examples/curve/nx-train.jsonl"
}
