load helper

each() {
	export LC_ALL=C.UTF-8
}

# log NAME FIRST LAST: a run of 40 updates whose loss falls in a line, with an evaluation every tenth.
log() {
	awk -v a="$2" -v b="$3" 'BEGIN {
		for (i = 1; i <= 40; i++) {
			loss = a + (b - a) * (i - 1) / 39
			printf "{\"loss\": %.4f, \"grad_norm\": %.3f, \"learning_rate\": %g, \"epoch\": %g, \"step\": %d, \"tokens\": 100}\n",
				loss, 1 + i % 3, 1e-3 * (1 - i / 40), i / 20, i
			if (i % 10 == 0)
				printf "{\"eval_loss\": %.4f, \"epoch\": %g, \"step\": %d}\n", loss + 0.5, i / 20, i
		}
		printf "{\"train_runtime\": 1.5, \"train_loss\": 3, \"epoch\": 2, \"step\": 40}\n"
	}' >"$1"
}

# is_svg FILE: well-formed where xmllint can tell, and in any case every element is closed and no text breaks out.
is_svg() {
	if command -v xmllint >/dev/null; then xmllint --noout --nonet "$1"; fi
	head -n 1 "$1" | grep -q '^<svg xmlns="http://www.w3.org/2000/svg" '
	[ "$(tail -n 1 "$1")" = '</svg>' ]
	grep -vnE '^<svg [^<>]*>$|^<title>[^<>]*</title>$|^<text [^<>]*>[^<>]*</text>$|^<(rect|line|path) [^<>]*/>$|^</svg>$' "$1" >broken || return 0
	cat broken
	return 1
}

# lacks REGEX FILE: no line of FILE matches.
lacks() {
	local got=0
	grep -n -e "$1" "$2" || got=$?
	[ "$got" -eq 1 ]
}

# texts FILE: what is written in the picture, an item a line.
texts() {
	sed -n 's/^<text [^>]*>\(.*\)<\/text>$/\1/p' "$1"
}

# lines_of FILE: the curves' lines, "d" of each path that is no marker, legend or axis.
lines_of() {
	sed -n 's/^<path fill="none" .* d="\(M.*\)"\/>$/\1/p' "$1" | grep -v h36
}

@test "points stand where they belong" {
	printf '{"loss": %s, "step": %s}\n' 0 0 5 50 10 100 >tiny.jsonl
	"$BIN/nx-plot" tiny.jsonl >out.svg
	is_svg out.svg
	# 720 by 480: from 26 + two digits + 8 to 702, and from 438 up to 12
	[ "$(lines_of out.svg)" = 'M49.1 438.0L375.6 225.0L702.0 12.0' ]
	[ "$(grep -c '<path d="M[0-9. ]*m' out.svg)" = 3 ]
	[ "$(texts out.svg | tr '\n' ' ')" = '0 1 2 3 4 5 6 7 8 9 10 0 20 40 60 80 100 loss step ' ]
	# on a logarithmic axis 0 is a gap; one point above another is half the way of a hundredfold
	printf '{"loss": %s, "step": %s}\n' 0 0 1 50 10 75 100 100 >tiny.jsonl
	"$BIN/nx-plot" -l tiny.jsonl >out.svg
	[ "$(lines_of out.svg | sed 's/[ML][0-9.]* / /g')" = ' 438.0 225.0 12.0' ]
}

@test "loss, evaluations and rate of a run, in two panels" {
	log run.jsonl 8 2
	"$BIN/nx-plot" -o out.svg --title 'A run' run.jsonl >stdout 2>err
	[ ! -s stdout ]
	[ ! -s err ]
	is_svg out.svg
	[ "$(lines_of out.svg | wc -l)" = 3 ]
	texts out.svg >words
	for word in 'A run' loss eval_loss 'loss, eval_loss' learning_rate step; do grep -qxF "$word" words; done
	# without rates there is no second panel
	grep -v learning_rate run.jsonl | "$BIN/nx-plot" >out.svg
	[ "$(texts out.svg | grep -c .)" -gt 5 ]
	lacks learning_rate out.svg
}

@test "two logs differ in colour, dashes and markers, and have names" {
	mkdir x y
	log x/run.jsonl 8 2
	log y/other.jsonl 9 3
	"$BIN/nx-plot" x/run.jsonl y/other.jsonl >out.svg
	is_svg out.svg
	texts out.svg >words
	for word in 'run loss' 'other loss' 'run eval_loss' 'other eval_loss' run other; do grep -qxF "$word" words; done
	# samples of the legend: four in the first panel, two below
	grep h36 out.svg | sed 's/ d=.*//' >samples
	[ "$(wc -l <samples)" = 6 ]
	head -n 4 samples | sed 's/.*stroke-width="1.7"//' | sort -u >dashes
	[ "$(wc -l <dashes)" = 4 ]
	head -n 4 samples | grep -o '#[0-9a-f]*' | sort -u >tints
	[ "$(wc -l <tints)" = 2 ]
	# a run's rate looks as its loss does
	same <(head -n 2 samples) <(tail -n 2 samples)
	cp x/run.jsonl y/run.jsonl
	"$BIN/nx-plot" x/run.jsonl y/run.jsonl --label 'y/run.jsonl=<b> & "c"' >out.svg
	is_svg out.svg
	texts out.svg >words
	grep -qxF 'x/run.jsonl loss' words
	grep -qxF '&lt;b&gt; &amp; "c" loss' words
	fails 2 "$BIN/nx-plot" x/run.jsonl --label run.jsonl=a
	says 'nx-plot: --label run.jsonl=a names no log' err
}

@test "any keys, in any panels" {
	log run.jsonl 8 2
	"$BIN/nx-plot" -y grad_norm -y loss,learning_rate -y epoch run.jsonl >out.svg
	is_svg out.svg
	[ "$(lines_of out.svg | wc -l)" = 4 ]
	says '>grad_norm</text>' out.svg
	says '>loss, learning_rate</text>' out.svg
	"$BIN/nx-plot" -y loss,nope run.jsonl >out.svg 2>err
	says 'nx-plot: no log has the key "nope"' err
	"$BIN/nx-plot" -q -y loss,nope run.jsonl >out.svg 2>err
	[ ! -s err ]
	fails 1 "$BIN/nx-plot" -y nope run.jsonl
	says 'nx-plot: nothing to plot: ' err
	fails 2 "$BIN/nx-plot" -y loss, run.jsonl
	says 'nx-plot: --y wants keys with a comma between two' err
}

@test "over steps, epochs or tokens" {
	log run.jsonl 8 2
	for x in step epoch tokens; do
		"$BIN/nx-plot" -x $x run.jsonl >$x.svg
		[ "$(texts $x.svg | tail -n 1)" = $x ]
	done
	"$BIN/nx-plot" run.jsonl | cmp - step.svg
	texts tokens.svg | grep -qx 4000 # the sum
	texts epoch.svg | grep -qx 2.0
	# what logs do not have
	sed 's/, "step": [0-9]*//' run.jsonl >nostep.jsonl
	"$BIN/nx-plot" nostep.jsonl | cmp - epoch.svg
	sed 's/, "epoch": [0-9.]*//' nostep.jsonl | "$BIN/nx-plot" >out.svg
	[ "$(texts out.svg | tail -n 1)" = entry ]
	fails 1 "$BIN/nx-plot" -x step nostep.jsonl
	says 'over its step' err
	# HF counts tokens itself
	printf '{"loss": 1, "num_input_tokens_seen": %d}\n' 0 500 2000 | "$BIN/nx-plot" -x tokens -q >out.svg
	texts out.svg | grep -qx 2000
}

@test "smoothing keeps the raw curve, and leaves rates and evaluations alone" {
	log run.jsonl 8 2
	"$BIN/nx-plot" -s 0.5 run.jsonl >out.svg
	is_svg out.svg
	[ "$(lines_of out.svg | wc -l)" = 4 ]
	[ "$(grep -c 'stroke-opacity' out.svg)" = 1 ]
	"$BIN/nx-plot" run.jsonl >plain.svg
	same <(lines_of plain.svg | tail -n 2) <(lines_of out.svg | tail -n 2)
	same <(lines_of plain.svg | head -n 1) <(lines_of out.svg | head -n 1)
	# values 0, 2 with 1/2: 0 and (0 + 2/2) / (3/4) = 4/3
	printf '{"loss": %s, "step": %s}\n' 0 0 2 1 | "$BIN/nx-plot" -s 0.5 >out.svg
	lines_of out.svg | tail -n 1 | grep -qx 'M.* 438.0L702.0 154.0'
	fails 2 "$BIN/nx-plot" -s 1 run.jsonl
}

@test "null, NaN and Infinity leave gaps, and a point alone is marked" {
	printf '{"loss": %s, "step": %s}\n' 1 1 2 2 null 3 NaN 4 3 5 -Infinity 6 4 7 5 8 >gap.jsonl
	"$BIN/nx-plot" gap.jsonl >out.svg
	is_svg out.svg
	[ "$(lines_of out.svg | sed 's/[0-9. ]//g')" = MLMML ]
	# among many points, that are not all marked, too
	awk 'BEGIN { for (i = 1; i <= 500; i++) printf "{\"loss\": %s, \"step\": %d}\n", i == 101 || i == 103 ? "NaN" : 1 + i % 2, i }' >gap.jsonl
	"$BIN/nx-plot" gap.jsonl >out.svg
	x=$(lines_of out.svg | grep -o 'M[0-9.]*' | sed -n 2p)
	grep -q "^<path d=\"$x " out.svg
	# inside strings such words are text
	echo '{"loss": 1, "step": 1, "note": "a \" NaN"}' | "$BIN/nx-plot" -y loss,note -q >out.svg
	is_svg out.svg
}

@test "trainer_state.json is read, on one line and on many" {
	cat >state.json <<-'END'
		{
		  "best_metric": null,
		  "log_history": [
		    {"loss": 3.0, "learning_rate": 1e-05, "epoch": 0.5, "step": 1},
		    {"loss": NaN, "learning_rate": 1e-05, "epoch": 1.0, "step": 2},
		    {"eval_loss": 2.5, "epoch": 1.0, "step": 2},
		    {"train_loss": 3.0, "step": 2}
		  ]
		}
	END
	"$BIN/nx-plot" state.json >out.svg
	is_svg out.svg
	grep -qx eval_loss <(texts out.svg)
	tr -d '\n' <state.json | "$BIN/nx-plot" | cmp - out.svg
	sed '/log_history/,$!d; /"log_history"/d; /^  ]/,$d; s/},/}/' state.json | "$BIN/nx-plot" | cmp - out.svg
	head -n 4 state.json >cut.json
	fails 1 "$BIN/nx-plot" cut.json
	says 'nx-plot: cut.json: ' err
}

@test "an empty log, and a log of one point" {
	: >empty.jsonl
	log run.jsonl 8 2
	fails 1 "$BIN/nx-plot" empty.jsonl
	says 'nx-plot: nothing to plot: ' err
	[ ! -s out ]
	fails 0 "$BIN/nx-plot" empty.jsonl run.jsonl
	says 'nx-plot: empty.jsonl: none of the keys is in it' err
	is_svg out
	echo '{"loss": 2.5, "learning_rate": 0, "step": 1}' >one.jsonl
	fails 0 "$BIN/nx-plot" one.jsonl
	[ ! -s err ]
	is_svg out
	[ "$(grep -c '<path d=' out)" = 2 ]
	fails 0 "$BIN/nx-plot" -l -f text one.jsonl
}

@test "bad lines" {
	log run.jsonl 8 2
	{ head -n 5 run.jsonl && echo '{"loss": 1,' && tail -n +6 run.jsonl && echo 7; } >bad.jsonl
	fails 1 "$BIN/nx-plot" bad.jsonl
	says 'nx-plot: bad.jsonl:6: ' err
	fails 0 "$BIN/nx-plot" --skip-bad bad.jsonl
	says 'nx-plot: skipped 2 bad lines, the first: bad.jsonl:6: ' err
	"$BIN/nx-plot" run.jsonl | cmp - out
}

@test "a hundred thousand points make a small picture" {
	awk 'BEGIN { for (i = 1; i <= 100000; i++) printf "{\"loss\": %d, \"step\": %d}\n", i == 70000 ? 100 : i % 10, i }' >long.jsonl
	"$BIN/nx-plot" long.jsonl >out.svg
	[ "$(wc -c <out.svg)" -lt 60000 ]
	# the one that is apart from all others is there
	[[ $(lines_of out.svg) == *' 12.0L'* ]]
}

@test "text: Braille or letters, as wide as wanted" {
	log run.jsonl 8 2
	log other.jsonl 9 3
	"$BIN/nx-plot" -f text -W 60 -H 20 -t Title run.jsonl other.jsonl >out
	[ "$(wc -l <out)" -le 20 ]
	LC_ALL=C grep -q $'[\xe2][\xa0-\xa3]' out
	says 'o run loss  x other loss  + run eval_loss  * other eval_loss' out
	says 'learning_rate:  o run  x other' out
	says '└' out
	lacks $'\033' out
	wc -L <out | grep -qx '60'
	LC_ALL=C "$BIN/nx-plot" -f text -W 60 -H 20 run.jsonl other.jsonl >out
	LC_ALL=C lacks '[^ -~]' out
	awk 'length > 60 { exit 1 }' out
	# two points in the corners, letters on the diagonal
	printf '{"loss": %s, "step": %s}\n' 0 0 1 1 | LC_ALL=C "$BIN/nx-plot" -f text -W 30 -H 10 >out
	grep -qx '1.0 + *oo*' out
	grep -qx '  0 +oo*' out
}

@test "names cannot speak to the terminal" {
	log $'e\033[31mv\xe2\x80\xaeil.jsonl' 8 2
	log b.jsonl 8 3
	"$BIN/nx-plot" -f text $'e\033[31mv\xe2\x80\xaeil.jsonl' b.jsonl >out
	says 'o e?[31mv?il loss' out
	"$BIN/nx-plot" $'e\033[31mv\xe2\x80\xaeil.jsonl' b.jsonl >out
	is_svg out
}

@test "on a terminal it is text in its width, with colours" {
	log run.jsonl 8 2
	env -u NO_COLOR -u COLUMNS script -qec "stty cols 70; '$BIN/nx-plot' run.jsonl" /dev/null </dev/null | tr -d '\r' >out
	says $'\033[38;5;33mo' out
	sed 's/\x1b\[[0-9;]*m//g' out | wc -L | grep -qx 70
	NO_COLOR=1 script -qec "'$BIN/nx-plot' run.jsonl" /dev/null </dev/null | tr -d '\r' >out
	lacks $'\033' out
	# a file is a picture from there too
	script -qec "'$BIN/nx-plot' run.jsonl -o file" /dev/null </dev/null >out
	is_svg file
}

@test "numbers at the ends of what there is" {
	for pair in '1e308 -1e308' '5e-324 1e308' '1e300 -1e300' '1e15 1000000000000001' '0.1 0.10000000000000002' '1e-320 2e-320'; do
		for x in 2 1e308 1e-300; do
			printf '{"loss": %s, "step": %s}\n' "${pair% *}" 1 "${pair#* }" "$x" 1 3 >far.jsonl
			for o in '' -l; do
				timeout 5 "$BIN/nx-plot" $o far.jsonl >out.svg
				is_svg out.svg
				lacks 'nan\|inf' out.svg
				timeout 5 "$BIN/nx-plot" $o -f text -W 30 -H 10 far.jsonl >out
			done
		done
	done
}

@test "a file named as another kind of picture is refused" {
	for f in a.gif b.PDF c.d.jpeg; do
		fails 2 "$BIN/nx-plot" -o $f "$BATS_TEST_DIRNAME/../examples/curve/hf.jsonl"
		says "$f: pictures are SVG or PNG" err
		[ ! -e $f ]
	done
	"$BIN/nx-plot" -f svg -o a.png "$BATS_TEST_DIRNAME/../examples/curve/hf.jsonl"
	says '<svg' a.png
}

# is_png FILE WIDTH HEIGHT: a whole PNG of this size.
is_png() {
	[ "$(od -An -tx1 -N 16 "$1" | tr -d ' \n')" = 89504e470d0a1a0a0000000d49484452 ]
	[ "$(od -An -tu1 -j 16 -N 8 "$1" | awk '{ print (($1 * 256 + $2) * 256 + $3) * 256 + $4, (($5 * 256 + $6) * 256 + $7) * 256 + $8 }')" = "$2 $3" ]
	[ "$(tail -c 8 "$1" | od -An -tx1 | tr -d ' \n')" = 49454e44ae426082 ]
}

# renderer LINE ...: in the place of rsvg-convert a script of these lines, first in PATH.
renderer() {
	mkdir -p fake
	printf '%s\n' '#!/bin/sh' "$@" >fake/rsvg-convert
	chmod +x fake/rsvg-convert
	PATH=$T/fake:$PATH
}

# leaves NAME ...: these files are here, and none else.
leaves() {
	[ "$(printf '%s\n' "$@" | sort)" = "$(find . -type f ! -path './fake/*' ! -name out ! -name err ! -name stdout -printf '%P\n' | sort)" ]
}

@test "a PNG is the drawing of the SVG in pixels" {
	log run.jsonl 8 2
	fails 0 "$BIN/nx-plot" -o a.PNG run.jsonl
	[ ! -s out ]
	[ ! -s err ]
	is_png a.PNG 1440 960
	"$BIN/nx-plot" -f png run.jsonl | cmp - a.PNG
	"$BIN/nx-plot" -f png -o - run.jsonl | cmp - a.PNG
	"$BIN/nx-plot" -f png -o a.gif run.jsonl
	same a.PNG a.gif
	# the same as of the SVG by hand
	"$BIN/nx-plot" -o a.svg run.jsonl
	rsvg-convert --zoom=2 a.svg | cmp - a.PNG
	"$BIN/nx-plot" -W 801 -H 333 -o b.png run.jsonl
	is_png b.png 1602 666
	"$BIN/nx-plot" -W 801 -H 333 --scale 1 -o b.png run.jsonl
	is_png b.png 801 333
	"$BIN/nx-plot" --scale 0.5 -W 30 -H 10 -o b.png run.jsonl
	is_png b.png 100 75
	fails 2 "$BIN/nx-plot" --scale 2 -o b.svg run.jsonl
	says 'nx-plot: --scale is for PNG alone' err
	leaves a.PNG a.gif a.svg b.png run.jsonl
}

@test "a PNG goes to no terminal" {
	log run.jsonl 8 2
	for to in '-f png' '-f png -o -' '-f png -o /dev/tty'; do
		script -qec "'$BIN/nx-plot' $to run.jsonl; echo status \$?" /dev/null </dev/null | tr -d '\r' >out
		says 'nx-plot: a PNG is nothing for a terminal' out
		says 'status 2' out
	done
	script -qec "'$BIN/nx-plot' run.jsonl -o a.png" /dev/null </dev/null >out
	is_png a.png 1440 960
	script -qec "'$BIN/nx-plot' -f png run.jsonl | cat >b.png" /dev/null </dev/null >out
	same a.png b.png
}

@test "what makes a PNG is missing" {
	log run.jsonl 8 2
	mkdir empty
	echo old >a.png
	for path in "$T/empty" "$T/run.jsonl" ''; do
		PATH=$path fails 1 "$BIN/nx-plot" -o a.png run.jsonl
		[ "$(cat err)" = 'nx-plot: rsvg-convert is not there: on Debian it is in the package librsvg2-bin' ]
		PATH=$path fails 1 "$BIN/nx-plot" -f png run.jsonl
		[ ! -s out ]
		leaves a.png run.jsonl
	done
	[ "$(cat a.png)" = old ]
	# there, and no program
	renderer
	chmod -x fake/rsvg-convert
	PATH=$T/fake fails 1 "$BIN/nx-plot" -o a.png run.jsonl
	[ "$(cat err)" = 'nx-plot: rsvg-convert: Permission denied' ]
	leaves a.png run.jsonl
}

@test "what makes a PNG fails, in whichever way" {
	log run.jsonl 8 2
	try() { # try LINE ... WANT: of a renderer of these lines this is said, in one line
		renderer "${@:1:$#-1}"
		fails 1 "$BIN/nx-plot" -o a.png run.jsonl
		[ "$(cat err)" = "nx-plot: ${*: -1}" ] || { cat err && return 1; }
		leaves run.jsonl
	}
	# half a picture and some words, then as said
	half='head -c 20; printf "no \033[31mroom\nand more\n" >&2'
	try "$half" 'exit 3' 'rsvg-convert ended with status 3: no ?[31mroom'
	try 'kill -9 $$' 'rsvg-convert was killed by signal 9 (Killed)'
	try "$half" 'kill -PIPE $$' 'rsvg-convert was killed by signal 13 (Broken pipe): no ?[31mroom'
	try 'exit 127' 'rsvg-convert ended with status 127'
	try 'exec >&- 2>&-' 'exit 1' 'rsvg-convert ended with status 1'
	try ':' 'rsvg-convert wrote no PNG'
	try 'cat' 'rsvg-convert wrote no PNG'
	# a word of warning is not shown where all went well, nor is it an error that the SVG is not read
	renderer 'printf "\211PNG\r\n\032\n"; echo hm >&2'
	fails 0 "$BIN/nx-plot" -o a.png run.jsonl
	[ ! -s err ]
	[ "$(wc -c <a.png)" = 8 ]
	# nor that the caller waits for no children
	fails 0 env --ignore-signal=CHLD "$BIN/nx-plot" -o a.png run.jsonl
	[ ! -s err ]
	# names are operands of nobody's command line
	renderer 'printf "%s\n" "$@" >args; printf "\211PNG\r\n\032\n"'
	"$BIN/nx-plot" -t '; touch x; --help' -o '; touch x.png' run.jsonl
	[ "$(cat args)" = "$(printf '%s\n' --format=png --width=1440 --height=960)" ]
	leaves '; touch x.png' a.png args run.jsonl
}

@test "a PNG on a full disk" {
	log run.jsonl 8 2
	fails 1 "$BIN/nx-plot" -f png -o /dev/full run.jsonl
	[ "$(cat err)" = 'nx-plot: /dev/full: No space left on device' ]
	echo old >a.png
	# 4 kilobytes hold the SVG, not the PNG: it is rsvg-convert that fails
	fails 1 bash -c 'ulimit -f 12; exec "$@"' - "$BIN/nx-plot" -o a.png run.jsonl
	[[ $(cat err) == 'nx-plot: rsvg-convert ended with status '* ]]
	[ "$(wc -l <err)" = 1 ]
	# and nothing holds the SVG
	fails 1 bash -c 'ulimit -f 1; exec "$@"' - "$BIN/nx-plot" -o a.png run.jsonl
	says 'nx-plot: a temporary file in ' err
	[ "$(cat a.png)" = old ]
	leaves a.png run.jsonl
}
