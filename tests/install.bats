load helper

# The programs' names in $PROGS; what is built is not built again.
setup_file() {
	PROGS=$(cd "$ROOT/bin" && printf '%s ' *.c)
	PROGS=${PROGS//.c/}
	export PROGS
}

# make_in ARG ...: make with the flavour that BIN was built with, staged in ./stage.
make_in() {
	local flavour=rel
	if [[ $BIN =~ /build/([a-z]+)/bin$ ]]; then flavour=${BASH_REMATCH[1]}; fi
	env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s --no-print-directory -C "$ROOT" FLAVOUR="$flavour" DESTDIR="$PWD/stage" PREFIX=/usr/local PROGRAM_PREFIX= "$@"
}

@test "install puts every program and page in place, split as nx-split" {
	make_in install
	for p in $PROGS; do
		if [ "$p" = split ]; then name=nx-split; else name=$p; fi
		[ -x "stage/usr/local/bin/$name" ]
		[ -f "stage/usr/local/share/man/man1/$name.1" ]
		"stage/usr/local/bin/$name" --version >out
		says "$p (nxtools)" out
	done
	[ ! -e stage/usr/local/bin/split ]
	[ ! -e stage/usr/local/share/man/man1/split.1 ]
	same "$ROOT/man/nx-shard.5" stage/usr/local/share/man/man5/nx-shard.5
	same "$ROOT/man/nxtools.7" stage/usr/local/share/man/man7/nxtools.7
	# program, page, and completions for three shells
	want=$(($(wc -w <<<"$PROGS") * 5 + $(find "$ROOT/man" -name '*.[57]' | wc -l)))
	[ "$(find stage -type f | wc -l)" = "$want" ]
	# what others have there stays, and nothing of ours does
	echo theirs >stage/usr/local/bin/other
	echo theirs >stage/usr/local/share/man/man7/other.7
	echo theirs >stage/usr/local/share/zsh/site-functions/_other
	make_in uninstall
	[ "$(find stage -type f | sort | tr '\n' ' ')" = 'stage/usr/local/bin/other stage/usr/local/share/man/man7/other.7 stage/usr/local/share/zsh/site-functions/_other ' ]
}

@test "PREFIX and PROGRAM_PREFIX place and rename, uninstall finds them again" {
	make_in PREFIX=/opt/x PROGRAM_PREFIX=nxt- install
	for p in $PROGS; do
		[ -x "stage/opt/x/bin/nxt-$p" ]
		[ -f "stage/opt/x/share/man/man1/nxt-$p.1" ]
		[ -f "stage/opt/x/share/bash-completion/completions/nxt-$p" ]
		[ -f "stage/opt/x/share/zsh/site-functions/_nxt-$p" ]
		[ -f "stage/opt/x/share/fish/vendor_completions.d/nxt-$p.fish" ]
	done
	[ -z "$(find stage/opt/x/bin -type f ! -name 'nxt-*')" ]
	make_in PREFIX=/opt/x PROGRAM_PREFIX=nxt- uninstall
	[ -z "$(find stage -type f)" ]
}

# completed WORD ...: what bash offers for the last word of this command line, a word a line.
completed() {
	bash -c '
		. "$0"
		COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
		"_${1//-/_}"
		printf "%s\n" "${COMPREPLY[@]}"' "made/bash/$1" "$@" | sort
}

@test "completions offer every option of --help, the words of a value, files elsewhere" {
	list=()
	for p in $PROGS; do
		name=$p
		if [ "$p" = split ]; then name=nx-split; fi
		list+=("$name=$BIN/$p")
	done
	"$ROOT/man/completions" made "${list[@]}"
	for p in "${list[@]}"; do
		name=${p%%=*}
		"${p#*=}" --help | sed -n 's/^  .\{0,4\}\(--[a-z0-9-]*\).*/\1/p' | sort >want
		[ -s want ]
		completed "$name" -- >got
		same want got
		sed -n "s/^complete -c $name .*-l \([a-z0-9-]*\) .*/--\1/p" "made/fish/$name.fish" | sort >got
		same want got
		sed -n "s/^\t'\*\(--[a-z0-9-]*\)[=[].*/\1/p" "made/zsh/_$name" | sort >got
		same want got
		bash -n "made/bash/$name"
		if command -v zsh >/dev/null; then zsh -n "made/zsh/_$name"; fi
		if command -v fish >/dev/null; then fish -n "made/fish/$name.fish"; fi
	done
	[ "$(completed nx-train --lear)" = --learning-rate ]
	[ "$(completed nx-train --optim sg)" = sgd ]
	[ "$(completed nx-train --optim = sg)" = sgd ]
	[ "$(completed nx-train --optim = | wc -l)" -ge 3 ]
	[ -z "$(completed nx-train -o '')" ]
	[ -z "$(completed nx-train --max-steps '')" ]
	says "complete -c nx-train -l lr-scheduler-type -x -a 'linear cosine " made/fish/nx-train.fish
	[ "$(cat made/fish/*.fish | grep -c -e "-d ''")" = 0 ] # every option is explained
}

# dist_of DIR: make dist there; prints the tarball's path.
dist_of() {
	echo "$1/$(env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -s --no-print-directory -C "$1" dist)"
}

@test "make dist: the sources and nothing else, which build, with git and without" {
	mkdir source unpacked
	# shellcheck disable=SC2046,SC2086  # a word a program
	tar -C "$ROOT" -c --exclude=./.git --exclude=./build --exclude=./demo --exclude=./walk $(printf -- '--exclude=./bin/%s ' $PROGS) . | tar -C source -x
	(cd source && find . -type f | sort) >want
	mkdir source/build source/demo
	touch source/bin/split source/build/x source/demo/x
	tar -C unpacked --strip-components=1 -xzf "$(dist_of source)"
	same want <(cd unpacked && find . -type f | sort)
	same source/lib/base/opt.h unpacked/lib/base/opt.h
	[ -x unpacked/tests/check ]
	[[ $(tar -tzf "$(dist_of source)" | cut -d/ -f1 | uniq) =~ ^nxtools-[0-9.]+$ ]]
	dry=$(env -u MAKEFLAGS -u MAKELEVEL -u MFLAGS make -C unpacked -n all)
	for p in $PROGS; do [[ $dry == *"-o bin/$p "* ]]; done
	# with git it is what is committed
	if ! command -v git; then return 0; fi
	git -C source init -q
	git -C source add .
	git -C source -c user.name=a -c user.email=a@example.com -c commit.gpgsign=false commit -q -m all
	touch source/untracked
	tar -tzf "$(dist_of source)" | sed -n 's,^[^/]*/\(.*[^/]\)$,./\1,p' | sort >got
	same want got
}
