#!/usr/bin/env bats
# api-generate: asks a service that misbehaves in every way it can.
load helper

setup_file() { serve; }
teardown_file() { served; }

each() {
	unset OPENAI_API_KEY DEEPSEEK_API_KEY LAMINI_API_KEY
	: >"$LOG"
	cat >in.jsonl <<'IN'
{"question": "one", "n": 1.50}
{"input": "two", "output": "x"}
{"text": "three"}
IN
	cat >want <<'OUT'
{"question": "one", "n": 1.50, "generated": "answer to one", "finish_reason": "stop", "prompt_tokens": 3, "completion_tokens": 3}
{"input": "two", "output": "x", "generated": "answer to two", "finish_reason": "stop", "prompt_tokens": 3, "completion_tokens": 3}
{"text": "three", "generated": "answer to three", "finish_reason": "stop", "prompt_tokens": 5, "completion_tokens": 3}
OUT
}

# ask MODE [OPTION ...]: api-generate against a service of that mode, waiting no longer than a test has to.
ask() {
	"$BIN/api-generate" -m a-model -u "$URL/$1/v1" --retry-delay 0.01 "${@:2}"
}

# names N: N records with prompts of this test's own, so that the server counts their tries afresh.
names() {
	for i in $(seq "$1"); do printf '{"text": "%s %d"}\n' "$BATS_TEST_NUMBER" "$i"; done
}

# live_question: one that comes by the pipe `in`, descriptor 5, and is answered into got before another comes
live_question() {
	exec 5>in
	echo '{"text": "live"}' >&5
	await test -s got
}

asked() {
	grep -c ' POST ' "$LOG"
}

# at_once: the most requests that were under way together
at_once() {
	sed -n 's/.* now=\([0-9]*\) .*/\1/p' "$LOG" | sort -n | tail -n 1
}

@test "records are answered by the prompt rule of nx-generate, their fields stay" {
	ask ok in.jsonl >got
	same want got
	ask ok -f output -k reply <<<'{"output": "four", "reply": 1}' >got
	says '{"output": "four", "reply": "answer to four", "finish_reason"' got
	fails 1 ask ok <<<'{"answer": "x"}'
	says 'stdin:1: no "question", "input", "text" or "prompt" to answer: name a field with --field' err
	fails 1 ask ok -f text <<<'{"text": 7}'
	says 'stdin:1: field "text" is a number, no text' err
	fails 1 ask ok <<<'[1]'
	says 'stdin:1: the record is an array' err
}

@test "the request holds what was wished for, and nothing else" {
	ask ok -q --system 'be "kind"' --temperature 0.7 --top-p 1 --max-tokens 9 --stop $'\n' --stop END --seed 0 --extra n=1 \
		--extra 'response_format={"type": "json_object"}' <<<'{"text": "x"}' >got
	says ' POST /ok/v1/chat/completions now=1 auth= range= {"model": "a-model", "messages": [{"role": "system", "content": "be \"kind\""}, {"role": "user", "content": "x"}], "temperature": 0.7, "top_p": 1, "max_tokens": 9, "stop": ["\n", "END"], "seed": 0, "n": 1, "response_format": {"type": "json_object"}}' "$LOG"
	ask ok -q <<<'{"text": "x"}' >got
	says '{"model": "a-model", "messages": [{"role": "user", "content": "x"}]}' "$LOG"
	ask ok -q --completion --temperature 0 <<<'{"text": "x"}' >got
	says ' POST /ok/v1/completions now=1 auth= range= {"model": "a-model", "prompt": "x", "temperature": 0}' "$LOG"
	says '"generated": "answer to x", "finish_reason": "length"' got
	"$BIN/api-generate" -m a-model -u "$URL/ok/v1///" <<<'{"text": "x"}' >got
	says ' POST /ok/v1/chat/completions ' <(tail -n 1 "$LOG")
}

@test "--dry-run asks nobody and writes lines of a batch file" {
	ask ok --dry-run in.jsonl >got
	[ ! -s "$LOG" ]
	[ "$(wc -l <got)" = 3 ]
	says '{"custom_id": "record-2", "method": "POST", "url": "/v1/chat/completions", "body": {"model": "a-model", "messages": [{"role": "user", "content": "two"}]}}' got
	"$BIN/api-generate" -m m --dry-run --completion in.jsonl >got # no key is needed
	says '"url": "/v1/completions", "body": {"model": "m", "prompt": "one"}}' got
}

@test "many are asked at once, no more than wished, and come out in order" {
	for i in 9 1 5 2 8 3; do echo "{\"text\": \"wait ${i}0 $i\"}"; done >waits
	ask gather3 -j 3 waits >got
	[ "$(sed 's/.*wait .0 \(.\)".*/\1/' got | tr -d '\n')" = 915283 ]
	[ "$(at_once)" = 3 ]
	: >"$LOG"
	ask ok -j 1 waits >got
	[ "$(at_once)" = 1 ]
	: >"$LOG"
	names 100 | ask ok -j 20 >got
	[ "$(wc -l <got)" = 100 ]
	same <(names 100 | sed 's/^{"text": //; s/}$//') <(sed 's/^{"text": \("[^"]*"\).*/\1/' got)
}

@test "an answer is written before the next record comes" {
	mkfifo in
	ask ok -q <in >got &
	live_question
	says '"generated": "answer to live"' got
	exec 5>&-
	wait $!
}

@test "what may heal is asked again, and told of at the end" {
	for mode in first2-500 first1-429 first1-408 first3-503 cut-head cut-body cut-json; do
		: >"$LOG"
		ask $mode in.jsonl >got 2>err
		same want got
		grep -Eq '^api-generate: [0-9]+ tries failed and were repeated, the last: ' err
		case $mode in first2*) [ "$(asked)" = 9 ] ;; first3*) [ "$(asked)" = 12 ] ;; *) [ "$(asked)" = 6 ] ;; esac
		[ "$(wc -l <err)" = 1 ]
	done
	says 'the answer is no JSON: column 2' err
	names 1 | ask first1-500 -q >got 2>err
	[ ! -s err ]
}

@test "a time out is asked again" {
	names 1 | ask hang --timeout 0.2 >got 2>err
	says "answer to $BATS_TEST_NUMBER 1" got
	says '1 try failed and was repeated, the last: ' err
	grep -Eqi 'timeout|timed out' err
}

@test "Retry-After is kept to, as seconds and as a date, by all requests" {
	for mode in later later-date; do
		: >"$LOG"
		begun=$(date +%s%N)
		names 2 | ask $mode -j 1 >got 2>err
		took=$((($(date +%s%N) - begun) / 1000000))
		[ "$(wc -l <got)" = 2 ]
		[ "$took" -ge 990 ]
		[ "$took" -lt 9000 ]
	done
	names 1 | fails 1 ask later-long
	says 'the service answered 429: slow down; it asks to wait for 100000 seconds' err
	[ "$(tail -n 1 "$LOG" | grep -c later-long)" = 1 ]
}

@test "waits grow: each is about twice the one before" {
	begun=$(date +%s%N)
	names 1 | "$BIN/api-generate" -m m -u "$URL/first3-500/v1" --retry-delay 0.2 -q >got
	took=$((($(date +%s%N) - begun) / 1000000))
	[ "$took" -ge 700 ] # half of 200 + 400 + 800
	[ "$took" -lt 5000 ]
}

@test "what does not heal is given up after --retries" {
	fails 1 ask status-500 --retries 2 in.jsonl
	says 'api-generate: in.jsonl:1: no answer after 3 tries: the service answered 500: this is the message' err
	[ ! -s out ]
	fails 1 ask bad-json --retries 1 in.jsonl
	says 'in.jsonl:1: no answer after 2 tries: the answer is no JSON: column 13' err
	fails 1 ask page-502 --retries 0 in.jsonl
	says 'in.jsonl:1: no answer after 1 try: the service answered 502: <html>Bad gateway</html>' err
	: >"$LOG"
	fails 1 ask status-500 --retries 2 <<<'{"text": "x"}'
	[ "$(asked)" = 3 ]
}

@test "what cannot heal is asked once" {
	for mode in status-400 status-422 no-choices not-object no-text error-200 detail-422; do
		: >"$LOG"
		fails 1 ask $mode -j 1 in.jsonl
		[ "$(asked)" = 1 ]
		says 'api-generate: in.jsonl:1: ' err
		[ "$(wc -l <err)" = 1 ]
	done
	says 'the service answered 422: wrong field' err
	fails 1 ask status-400 in.jsonl
	says 'the service answered 400: this is the message' err
	fails 1 ask error-200 in.jsonl
	says 'the answer has no "choices": the model is gone' err
	fails 1 ask html in.jsonl
	says 'the service answered with text/html, not with JSON: is the --base-url right?' err
}

@test "--skip-bad passes over what was refused, and over nothing else" {
	fails 0 ask status-400 --skip-bad in.jsonl
	says 'skipped 3 bad records, the first: in.jsonl:1: the service answered 400' err
	{ head -n 1 in.jsonl && echo '{"text": ' && echo '{"x": 1}' && tail -n 1 in.jsonl; } >mixed
	fails 0 ask ok --skip-bad mixed
	[ "$(wc -l <out)" = 2 ]
	says 'skipped 2 bad records, the first: mixed:2: ' err
	fails 0 ask status-500 --retries 1 --skip-bad in.jsonl
	says 'skipped 3 bad records' err
	# a wrong key, no money, no such model, no service are no bad records
	for mode in status-401 status-402 status-404 quota html redirect-other; do
		fails 1 ask $mode --skip-bad in.jsonl
		says 'api-generate: in.jsonl:1: ' err
	done
	fails 1 "$BIN/api-generate" -m m -u http://127.0.0.1:1/v1 --retry-delay 0.01 --retries 1 --skip-bad in.jsonl
	says 'in.jsonl:1: no answer after 2 tries: ' err
}

@test "records before a bad one are written, none behind it is asked" {
	{ head -n 2 in.jsonl && echo '{' && names 20; } >bad
	fails 1 ask ok -j 1 bad
	same <(head -n 2 want) out
	[ "$(asked)" = 2 ]
	says 'api-generate: bad:3: ' err
	# also while one before it is long under way
	: >"$LOG"
	{ echo '{"text": "wait 300 one"}' && tail -n +2 bad; } >late
	fails 1 ask ok -j 2 late
	[ "$(asked)" = 2 ]
	says 'api-generate: late:3: ' err
}

@test "odd answers: null, no usage, chunks, hints before the answer" {
	fails 0 ask null-text <<<'{"text": "x"}'
	[ "$(cat out)" = '{"text": "x", "generated": "", "finish_reason": "content_filter"}' ]
	fails 0 ask nul-text <<<'{"text": "x"}'
	[ "$(cat out)" = '{"text": "x", "generated": "a\u0000b", "finish_reason": "c\u0000d"}' ]
	fails 0 ask chunked <<<'{"text": "x \"y\" \u00e9"}'
	[ "$(cat out)" = '{"text": "x \"y\" é", "generated": "answer to x \"y\" é", "finish_reason": "stop"}' ]
}

@test "endless answers are cut off" {
	for mode in huge huge-head; do
		fails 1 ask $mode --max-body 1 in.jsonl
		says 'in.jsonl:1: the answer is larger than 1048576 bytes' err
	done
	fails 1 ask huge-error in.jsonl
	says 'the service answered 400' err
}

@test "a redirect is followed on the same host only" {
	export OTHERS_SECRET=sk-not-for-others
	ask redirect-same --key-env OTHERS_SECRET in.jsonl >got
	same want got
	for mode in redirect-other redirect-302 redirect-loop; do
		: >"$LOG"
		fails 1 ask $mode -j 1 --key-env OTHERS_SECRET in.jsonl
		says 'in.jsonl:1: the service ' err
		if grep "^${OTHER##*:} " "$LOG"; then return 1; fi
		[ "$(asked)" -le 6 ]
	done
}

@test "the key goes to its service and into no message, file or process list" {
	export SECRET=sk-very-secret OPENAI_API_KEY=sk-other
	ask ok --key-env SECRET in.jsonl >got
	[ "$(grep -c ' auth=Bearer sk-very-secret ' "$LOG")" = 3 ]
	same want got
	: >"$LOG"
	ask ok in.jsonl >got # none for this machine without --key-env
	if grep 'Bearer' "$LOG"; then return 1; fi
	fails 1 ask tell-key --key-env SECRET -o made in.jsonl
	says 'the service answered 401: Incorrect API key provided: [31mBearer *** second line' err
	if grep -r 'very-secret' out err ./*; then return 1; fi
	if grep -q $'[\e\a]' err; then return 1; fi
	fails 1 env SECRET=$'a\nHost: x' "$BIN/api-generate" -m m -u "$URL/ok/v1" --key-env SECRET in.jsonl
	says 'SECRET holds a space' err
	fails 2 ask ok --key-env NOT_SET in.jsonl
	says 'no key for 127.0.0.1: set NOT_SET in the environment' err
}

@test "a crash leaves no core with the key in it" {
	mkfifo in
	if [ "$(ulimit -Hc)" = 0 ]; then skip "no process has a core here"; fi
	ulimit -Sc "$(ulimit -Hc)"
	"$BIN/api-generate" -m a-model -u "$URL/ok/v1" -q <in >got 3>&- &
	pid=$!
	live_question
	grep -Eq '^Max core file size +1 ' /proc/$pid/limits
	exec 5>&-
	wait $pid
}

@test "each service has its variable, and no key goes out unencrypted" {
	for host in api.openai.com eu.api.openai.com:444 API.OpenAI.com; do
		fails 2 "$BIN/api-generate" -m m -u "https://$host/v1" in.jsonl
		says 'set OPENAI_API_KEY in the environment' err
	done
	fails 2 "$BIN/api-generate" -m m in.jsonl
	says 'no key for api.openai.com: set OPENAI_API_KEY' err
	fails 2 "$BIN/api-generate" -m m -u https://api.deepseek.com in.jsonl
	says 'set DEEPSEEK_API_KEY' err
	fails 2 "$BIN/api-generate" -m m -u https://api.lamini.ai/v1 in.jsonl
	says 'set LAMINI_API_KEY' err
	fails 1 env OPENAI_API_KEY=sk-x "$BIN/api-generate" -m m -u http://api.openai.com/v1 in.jsonl
	says 'OPENAI_API_KEY would go unencrypted to api.openai.com: https is needed' err
	# a name that only ends alike is another's
	fails 1 env OPENAI_API_KEY=sk-x "$BIN/api-generate" -m m -u http://notopenai.com.invalid/v1 --retries 0 in.jsonl
	if grep 'OPENAI_API_KEY' err; then return 1; fi
}

@test "an interrupted run is gone on with: what was answered is not asked again" {
	# one that takes longer than all the test, so that whenever the signal comes it finds the run under way
	names 30 | sed '20s/: "/: "wait 600000 /' >many
	env --default-signal=INT "$BIN/api-generate" -m a-model -u "$URL/ok/v1" -j 2 -o made many 2>err &
	pid=$!
	holds_20() { [ "$(wc -l <made.partial)" -ge 20 ]; }
	await holds_20
	kill -INT "$pid"
	got=0
	wait "$pid" || got=$?
	[ "$got" -eq 130 ]
	[ ! -e made ]
	kept=$(wc -l <made.partial)
	says "$kept answers are kept in made.partial: --resume goes on with them" err
	fails 1 ask ok -o made many
	says 'made.partial holds answers of a run that did not end: --resume goes on with them' err
	: >"$LOG"
	sed -i 's/wait 600000 //' many
	fails 0 ask ok -j 2 -o made --resume many
	[ "$(asked)" = $((30 - kept)) ]
	says "$kept answers of the run before were used" err
	[ ! -e made.partial ]
	ask ok many >want
	same want made
}

@test "a killed run is gone on with, its torn last line is asked again" {
	names 5 >some
	{ head -n 3 some && echo 'no JSON'; } >bad
	fails 1 ask ok -o made bad
	says '3 answers are kept in made.partial' err
	printf '{"request": "0123' >>made.partial
	: >"$LOG"
	fails 0 ask ok --resume -o made some
	[ "$(asked)" = 2 ]
	ask ok some >want
	same want made
	# the answer to another question, or with other wishes, is no answer
	fails 1 ask ok -o made bad
	: >"$LOG"
	fails 0 ask ok --resume -o made --temperature 1 some
	[ "$(asked)" = 5 ]
	[ "$(cat err)" = 'api-generate: 3 answers of the run before fitted no request: not used' ]
	# --resume with nothing to go on with just begins
	fails 0 ask ok --resume -o made some
	same want made
	[ ! -e made.partial ]
}

@test "of one question asked twice each answer is used once" {
	printf '{"text": "same"}\n%.0s' 1 2 3 >three
	{ head -n 2 three && echo '{'; } >bad
	fails 1 ask ok -o made bad
	[ "$(wc -l <made.partial)" = 2 ]
	: >"$LOG"
	fails 0 ask ok --resume -o made three
	[ "$(asked)" = 1 ]
	[ "$(wc -l <made)" = 3 ]
}

@test "what a line of kept answers is not, is told" {
	echo '{"a": 1}' >made.partial
	fails 1 ask ok --resume -o made in.jsonl
	says 'made.partial:1: no line of kept answers' err
	[ -e made.partial ]
}

@test "options that contradict each other are told" {
	refused() {
		fails 2 "$BIN/api-generate" "${@:2}"
		says "$1" err
	}
	refused 'no model: give -m NAME' in.jsonl
	refused '--chat and --completion exclude each other' -m m --chat --completion in.jsonl
	refused '--system is for --chat' -m m --completion --system x in.jsonl
	refused '--resume goes on with what a run with -o FILE left' -m m --resume in.jsonl
	refused '"ftp://x" does not begin with http:// or https://' -m m -u ftp://x in.jsonl
	refused 'secrets belong into the environment' -m m -u https://me:pw@x/v1 in.jsonl
	if grep -q 'pw' err; then return 1; fi
	refused 'has no place in it' -m m -u 'http://localhost/v1?key=x' in.jsonl
	refused '"n" is no NAME=JSON' -m m -u "$URL/ok/v1" --extra n in.jsonl
	refused 'is no URL' -m m -u 'http://' in.jsonl
}
