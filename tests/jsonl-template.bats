load helper

each() {
	cat >data.jsonl <<-'EOF'
		{"question": "What?", "answer": "That.", "n": 1.50}
		{"answer": {"0": "Here."}, "question": {"0": "Where?"}, "ok": true}
	EOF
}

@test "without a template the column rule makes the text" {
	"$BIN/jsonl-template" data.jsonl >got
	cat >want <<-'EOF'
		{"question": "What?", "answer": "That.", "n": 1.50, "text": "What?That."}
		{"answer": {"0": "Here."}, "question": {"0": "Where?"}, "ok": true, "text": "Where?Here."}
	EOF
	same want got
	echo '{"input": "a", "output": "b", "question": "c"}' | "$BIN/jsonl-template" | grep -F '"text": "ab"'
	fails 1 "$BIN/jsonl-template" <<<'{"question": "c"}'
	says 'jsonl-template: stdin:1: no field "question" and "answer"' err
}

@test "a template of one's own, from the command line and from a file" {
	"$BIN/jsonl-template" -t '{question}|{answer}|{{}}' data.jsonl >got
	says '"text": "What?|That.|{}"' got
	says '"text": "Where?|Here.|{}"' got
	printf 'Q {question}\nA {answer[0]}\n' >t
	"$BIN/jsonl-template" --template-file t <(sed -n 2p data.jsonl) >got
	says '"text": "Q Where?\nA Here."' got
	printf '\357\273\277Q\r\n' >t
	"$BIN/jsonl-template" -f t -n 1 data.jsonl >got
	says '"text": "Q"' got
	# a field passes through as it was written, a template prints it as Python does
	"$BIN/jsonl-template" -t '{n}' -n 1 data.jsonl >got
	says '"n": 1.50, "text": "1.5"' got
}

@test "the presets are the guide's" {
	"$BIN/jsonl-template" -p qa -n 1 data.jsonl >got
	says '"text": "### Question:\nWhat?\n\n### Answer:\nThat."' got
	"$BIN/jsonl-template" -p qa-prompt -n 1 -k prompt data.jsonl >got
	says '"prompt": "### Question:\nWhat?\n\n### Answer:"}' got
	"$BIN/jsonl-template" -p concat -n 1 data.jsonl >got
	says '"text": "What? That."' got
	printf '%s\n' '{"instruction": "I", "input": "", "output": "O"}' '{"instruction": "I", "input": "J", "output": "O"}' >alpaca
	"$BIN/jsonl-template" -p alpaca alpaca >got
	says 'completes the request.\n\n### Instruction:\nI\n\n### Response:O"' got
	says 'context. Write a response that appropriately completes the request.\n\n### Instruction:\nI\n\n### Input:\nJ\n\n### Response:O"' got
	"$BIN/jsonl-template" -p alpaca-prompt -k input alpaca >got
	[ "$(grep -c '### Response:", "output": "O"}$' got)" = 2 ]
}

@test "a field that is there is replaced in its place, and may be part of the text" {
	echo '{"text": "old", "z": 1}' | "$BIN/jsonl-template" -t 'new {text}' >got
	echo '{"text": "new old", "z": 1}' >want
	same want got
}

@test "values are printed as Python prints them, and formatted" {
	echo '{"i": 1234567, "x": 2.5, "b": true, "z": null, "s": "h\u00e9", "l": [1.0, "a'"'"'b", {"k": false}]}' >rec
	"$BIN/jsonl-template" -r -t '{i:,}|{x:08.3f}|{b}{z}|{s:>4}|{s!r:*^8}|{s!a}|{l}|{l[1][2]}|{x:.0%}' rec >got
	cat >want <<-'EOF'
		1,234,567|0002.500|TrueNone|  hé|**'hé'**|'h\xe9'|[1.0, "a'b", {'k': False}]|b|250%
	EOF
	same want got
	fails 1 "$BIN/jsonl-template" -t '{s:d}' rec
	says 'jsonl-template: rec:1: field "s": a text has no format type but s' err
}

@test "a second template where a field is missing or empty" {
	printf '%s\n' '{"q": "a", "c": "b"}' '{"q": "a", "c": ""}' '{"q": "a"}' '{"q": "a", "c": null}' '{"q": "a", "c": {"0": ""}}' '{"q": "a", "c": 0.0}' >in
	"$BIN/jsonl-template" -r -t '{q}+{c}' --if c --else '{q}' in >got
	printf '%s\n' a+b a a a a a >want
	same want got
	"$BIN/jsonl-template" -p qa-prompt --if question --else 'none' -r <<<'{"question": ""}' >got
	echo none >want
	same want got
	"$BIN/jsonl-template" --prompt '{q}+{c}' --if c --else '{q}' --completion '.' in | sed -n 3p >got
	echo '{"q": "a", "prompt": "a", "completion": "."}' >want
	same want got
	fails 2 "$BIN/jsonl-template" --if c in
	fails 2 "$BIN/jsonl-template" --if c --else x in
	says 'need a template' err
	fails 2 "$BIN/jsonl-template" -p alpaca --if c --else x in
	says 'the template has a form for an empty "input" already' err
	fails 2 "$BIN/jsonl-template" -t x --if c --else '{' in
	says 'else: column 1 of the template' err
}

@test "prompt and completion take the place of what they are made of" {
	"$BIN/jsonl-template" --prompt 'Q: {question}' --completion ' {answer}' data.jsonl >got
	cat >want <<-'EOF'
		{"n": 1.50, "prompt": "Q: What?", "completion": " That."}
		{"ok": true, "prompt": "Q: Where?", "completion": " Here."}
	EOF
	same want got
	"$BIN/jsonl-template" -n 1 --prompt 'Q: {question}' --completion ' {answer}' --only question,prompt data.jsonl >got
	echo '{"question": "What?", "prompt": "Q: What?"}' >want
	same want got
	"$BIN/jsonl-template" -n 1 -p qa-prompt -k prompt --completion '{answer}' data.jsonl >got
	says '"answer": "That.", "n": 1.50, "prompt": "### Question:\nWhat?\n\n### Answer:", "completion": "That."}' got
	fails 2 "$BIN/jsonl-template" -p qa-prompt -k prompt --prompt x data.jsonl
	says 'the field "prompt" is made twice' err
}

@test "fields are set, dropped and chosen" {
	# each template sees the record as it was read
	"$BIN/jsonl-template" -n 1 --set 'question={answer}' --set 'answer={question}' --set 'a=b={{}}=' data.jsonl >got
	echo '{"question": "That.", "answer": "What?", "n": 1.50, "a": "b={}="}' >want
	same want got
	"$BIN/jsonl-template" -n 1 -t '{answer}' --drop question,nothing --drop n data.jsonl >got
	echo '{"answer": "That.", "text": "That."}' >want
	same want got
	"$BIN/jsonl-template" -n 1 --only n,answer data.jsonl >got
	echo '{"answer": "That.", "n": 1.50}' >want
	same want got
	"$BIN/jsonl-template" -n 1 -k text --only text --only answer --drop answer data.jsonl >got
	echo '{"text": "What?That."}' >want
	same want got
	echo '{"a": {"0": "x", "1": "y"}, "b": {"0": 1, "1": 2}}' | "$BIN/jsonl-template" --columns --set 'c={a}{b}' --drop a >got
	printf '{"b": %s, "c": "%s"}\n' 1 x1 2 y2 >want
	same want got
	fails 2 "$BIN/jsonl-template" --set x data.jsonl
	says 'no "=" between name and template' err
	fails 2 "$BIN/jsonl-template" --raw --drop x data.jsonl
	fails 1 "$BIN/jsonl-template" --drop x <<<'[1]'
	says 'stdin:1: the record is no JSON object' err
}

@test "a missing field names file and line, and what came before is written" {
	echo '{"question": "no more"}' >>data.jsonl
	fails 1 "$BIN/jsonl-template" -p qa data.jsonl
	echo 'jsonl-template: data.jsonl:3: field "answer" is missing' >want
	same want err
	[ "$(wc -l <out)" = 2 ]
	fails 1 "$BIN/jsonl-template" -p qa -o file data.jsonl
	[ ! -e file ]
	fails 1 "$BIN/jsonl-template" -t '{question[0].x}' data.jsonl
	says 'data.jsonl:1: field "question[0].x" is missing' err
}

@test "bad records can be skipped, and are counted" {
	printf '%s\n' '{"question": "no more"}' '{"question": ' '[1]' '{"question": "a", "answer": "b"}' >>data.jsonl
	"$BIN/jsonl-template" --skip-bad -p qa data.jsonl >got 2>err
	[ "$(wc -l <got)" = 3 ]
	says 'jsonl-template: skipped 3 bad records, the first: data.jsonl:3: field "answer" is missing' err
	"$BIN/jsonl-template" -q --skip-bad -p qa data.jsonl 2>err >/dev/null
	[ ! -s err ]
}

@test "--head reads no further than it must" {
	"$BIN/jsonl-template" --head 1 data.jsonl >got
	[ "$(wc -l <got)" = 1 ]
	# the rest is no JSON, and the stream never ends
	{ cat data.jsonl && yes nonsense; } | "$BIN/jsonl-template" --head 2 >got
	[ "$(wc -l <got)" = 2 ]
	"$BIN/jsonl-template" --head 0 </dev/zero >got
	[ ! -s got ]
}

@test "--raw writes the text alone" {
	"$BIN/jsonl-template" --raw -t '{question}
	{answer}' data.jsonl >got
	printf 'What?\n\tThat.\nWhere?\n\tHere.\n' >want
	same want got
	printf '{"text": "%s"}\n' '' 'a\u0000\"\u00e9' | "$BIN/jsonl-template" -r >got
	printf '\na\0"\303\251\n' >want
	same want got
	echo '{"a": {"0": "x", "1": "y"}}' | "$BIN/jsonl-template" --columns -r -n 1 -t '<{a}>' >got
	echo '<x>' >want
	same want got
}

@test "whole columns become rows" {
	echo '{"question": {"0": "a", "5": "b"}, "answer": {"0": "x", "5": {"y": 1}}, "n": {"5": 2, "0": 1}}' >columns
	"$BIN/jsonl-template" --columns -t '{question}{n}' columns >got
	cat >want <<-'EOF'
		{"question": "a", "answer": "x", "n": 1, "text": "a1"}
		{"question": "b", "answer": {"y": 1}, "n": 2, "text": "b2"}
	EOF
	same want got
	echo '{"text": ["a", "b", "c"]}' | "$BIN/jsonl-template" --columns -n 2 >got
	printf '{"text": "%s"}\n' a b >want
	same want got
	fails 1 "$BIN/jsonl-template" columns
	says 'field "question" holds 2 rows, not one text' err
	fails 1 "$BIN/jsonl-template" --columns <<<'{"a": {"0": 1}, "b": {"0": 1, "1": 2}}'
	says 'stdin:1: column "b" has not the rows of column "a"' err
	fails 1 "$BIN/jsonl-template" --columns -t '{b}' <<<'{"a": {"0": 1, "1": 3}, "b": {"0": 1, "2": 2}}'
	says 'stdin:1: row 1: column "b" has no row "1"' err
	fails 1 "$BIN/jsonl-template" --columns <<<'{"a": "text"}'
	says 'field "a" is no column' err
}

@test "templates that are wrong are told with their column" {
	fails 2 "$BIN/jsonl-template" -t '{a' data.jsonl
	says 'column 1 of the template: a "{" without its "}"' err
	fails 2 "$BIN/jsonl-template" -t 'x{a:x}' data.jsonl
	says 'column 5 of the template: of the format types only s, d, e, E, f, F, g, G and % are supported' err
	fails 2 "$BIN/jsonl-template" -t 'x{a!x}' data.jsonl
	says 'column 4 of the template: only the conversions !r, !s and !a are known' err
	fails 2 "$BIN/jsonl-template" --set 'a={' data.jsonl
	says 'jsonl-template: --set: column 1 of the template: a "{" without its "}"' err
	echo '}' >t
	fails 1 "$BIN/jsonl-template" -f t data.jsonl
	says 'jsonl-template: t: column 1 of the template' err
	fails 2 "$BIN/jsonl-template" -p alpacca data.jsonl
	says 'there is no preset "alpacca", but qa|qa-prompt|alpaca|alpaca-prompt|concat' err
	fails 2 "$BIN/jsonl-template" -p qa -t x data.jsonl
	fails 2 "$BIN/jsonl-template" -t $'\xff' data.jsonl
	fails 1 "$BIN/jsonl-template" -f missing data.jsonl
}

@test "a full disk is an error of the output, not of a record" {
	yes data.jsonl | head -n 2000 | xargs cat >many.jsonl
	got=0
	"$BIN/jsonl-template" many.jsonl >/dev/full 2>err || got=$?
	[ "$got" = 1 ]
	echo 'jsonl-template: stdout: No space left on device' >want
	same want err
	"$BIN/jsonl-template" many.jsonl | head -n 1 >got
	[ "$(wc -l <got)" = 1 ]
}

@test "the guide's data: every row gets its text, the empty one too" {
	need_shared
	"$BIN/jsonl-template" "$SHARED/lamini_docs.jsonl" >got
	[ "$(wc -l <got)" = 1400 ]
	sed -n 951p got >row
	says '"question": "", "answer": "", "text": ""' row
	"$BIN/jsonl-template" -p qa -n 1 "$SHARED/lamini_docs.jsonl" >got
	says '"text": "### Question:\nWhat are the different types of documents available' got
}

@test "--columns takes the time of the record's bytes: many columns, and rows in another order" {
	local n=200000
	case $BIN in *san*) n=40000 ;; esac
	seq $n | sed 's/.*/"c&": {"0": &}/' | paste -sd, | sed 's/.*/{"question": {"0": "q"}, &}/' >wide
	timeout 20 "$BIN/jsonl-template" --columns --raw -t "{question}{c$n}" wide >out
	[ "$(cat out)" = "q$n" ]
	{
		seq $n | sed 's/.*/"&": "q&"/' | paste -sd, | sed 's/.*/{"question": {&}, /'
		seq $n -1 1 | sed 's/.*/"&": "a&"/' | paste -sd, | sed 's/.*/"answer": {&}}/'
	} | tr -d '\n' >back
	timeout 20 "$BIN/jsonl-template" --columns --raw -t '{question} {answer}' back >out
	[ "$(cksum <out)" = "$(seq $n | sed 's/.*/q& a&/' | cksum)" ]
}
