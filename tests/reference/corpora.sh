#!/bin/bash
# corpora.sh DEBS OUT: the texts of tests/golden/corpora.sha256, as OUT/NAME.txt,
# from Debian 12's packages in DEBS (apt-get download manpages-ja manpages-ru
# manpages-zh manpages-de fortunes-ru linux-source-6.1; the golden's first line has
# their versions): the roff sources of all manual pages one after the other, in the
# order of their paths; the fortunes; and the .c and .h files of three of the
# kernel's folders.
set -eu
export LC_ALL=C
debs=$1 out=$2
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
unpack() {
	mkdir -p "$work/$1"
	dpkg-deb -x "$debs/$1"_*.deb "$work/$1"
}
for p in manpages-ja manpages-ru manpages-zh manpages-de; do
	unpack $p
	find "$work/$p/usr/share/man" -type f -name '*.gz' | sort | xargs zcat >"$out/$p.txt"
done
unpack fortunes-ru
find "$work/fortunes-ru/usr/share/games/fortunes" -type f ! -name '*.dat' ! -name '*.u8' | sort | xargs cat >"$out/fortunes-ru.txt"
unpack linux-source-6.1
tar -xJf "$work"/linux-source-6.1/usr/src/linux-source-6.1.tar.xz -C "$work" --strip-components=1 \
	linux-source-6.1/mm linux-source-6.1/lib linux-source-6.1/kernel/sched
(cd "$work" && find mm lib kernel/sched -type f -name '*.[ch]' | sort | xargs cat) >"$out/linux-source.txt"
