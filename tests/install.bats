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
	want=$(($(wc -w <<<"$PROGS") * 2 + $(find "$ROOT/man" -name '*.[57]' | wc -l)))
	[ "$(find stage -type f | wc -l)" = "$want" ]
	# what others have there stays, and nothing of ours does
	echo theirs >stage/usr/local/bin/other
	echo theirs >stage/usr/local/share/man/man7/other.7
	make_in uninstall
	[ "$(find stage -type f | sort | tr '\n' ' ')" = 'stage/usr/local/bin/other stage/usr/local/share/man/man7/other.7 ' ]
}

@test "PREFIX and PROGRAM_PREFIX place and rename, uninstall finds them again" {
	make_in PREFIX=/opt/x PROGRAM_PREFIX=nxt- install
	for p in $PROGS; do
		[ -x "stage/opt/x/bin/nxt-$p" ]
		[ -f "stage/opt/x/share/man/man1/nxt-$p.1" ]
	done
	[ -z "$(find stage/opt/x/bin -type f ! -name 'nxt-*')" ]
	make_in PREFIX=/opt/x PROGRAM_PREFIX=nxt- uninstall
	[ -z "$(find stage -type f)" ]
}
