/* text/cell and text/table: what a terminal's columns hold. The widths and lines are those of Rich 15.0, where
 * jsonl-table(1) does not say otherwise. */
#include "test.h"

#include "text/cell.h"
#include "text/table.h"

static void width(const char *s, size_t want, const char *what)
{
	TEST(cell_width(s, strlen(s)) == want, "%s: %zu columns", what, cell_width(s, strlen(s)));
}

static void widths(void)
{
	width("", 0, "nothing");
	width("abc", 3, "ASCII");
	width("漢字かな", 8, "CJK");
	width("ｶﾅ", 2, "half-width katakana");
	width("Ａ", 2, "full-width letter");
	width("한국어", 6, "Hangul syllables");
	width("cafe\u0301", 4, "a combining accent");
	width("\u0301", 0, "an accent alone");
	width("a\u0301\u0302\u0323", 1, "three marks on one letter");
	width("a\u200bb", 2, "a zero-width space");
	width("🚀", 2, "an emoji");
	width("👩‍💻", 2, "two emoji joined");
	width("👨‍👩‍👧‍👦", 2, "four emoji joined");
	width("❤️", 2, "a heart with the emoji selector");
	width("❤", 1, "a heart without it");
	width("1\uFE0F", 2, "a digit with it");
	width("a\uFE0F \uFE0F→\uFE0F", 3, "what has no form as an emoji does not heed it");
	width("👍🏽", 2, "a skin tone");
	width("\u2026", 1, "an ellipsis");
	width("🇩🇪", 2, "a flag");
	width("é漢🚀x", 6, "a mixture");
}

static void cleaned(const char *s, const char *want, const char *what)
{
	struct buf b = {0};
	int rc = cell_clean(&b, s, strlen(s));
	TEST(rc == 0 && b.n == strlen(want) && memcmp(b.n ? b.p : "", want, b.n) == 0, "%s", what);
	buf_release(&b);
}

static void cleaning(void)
{
	cleaned("", "", "nothing");
	cleaned("a\tb", "a       b", "a tab");
	cleaned("12345678\tb", "12345678        b", "a tab behind eight");
	cleaned("漢\tb", "漢      b", "a tab behind a wide character");
	cleaned("x\ny\tz", "x\ny       z", "a tab in the second line");
	cleaned("a\r\nb\rc", "a\nb␍c", "carriage returns");
	cleaned("\033[31m\a\x7f", "␛[31m␇␡", "escapes");
	cleaned("\xc2\x9b\u202e\u2028\u200f", "\uFFFD\uFFFD\uFFFD\uFFFD", "C1, direction, line separator");
}

static void fits(const char *s, size_t to, const char *want)
{
	struct buf b = {0};
	int rc = cell_fit(&b, s, strlen(s), to);
	TEST(rc == 0 && b.n == strlen(want) && memcmp(b.n ? b.p : "", want, b.n) == 0, "%s in %zu: %.*s", s, to, (int)b.n,
	     b.p ? b.p : "");
	buf_release(&b);
}

static void cropping(void)
{
	fits("abc", 5, "abc  ");
	fits("abc", 3, "abc");
	fits("abcd", 3, "ab…");
	fits("abcd", 1, "…");
	fits("abcd", 0, "");
	fits("", 2, "  ");
	fits("漢字", 4, "漢字");
	fits("漢字", 3, "漢…");
	fits("漢字", 2, " …"); /* half of a wide character is a blank */
	fits("a漢字", 4, "a漢…");
	fits("cafe\u0301s", 4, "caf…");
	fits("cafe\u0301", 4, "cafe\u0301"); /* a mark stays with its letter */
	fits("e\u0301e\u0301e\u0301", 2, "e\u0301…");
	fits("👩‍💻👩‍💻", 3, "👩‍💻…"); /* what is joined is not torn apart */
}

/* The lines of s in `to` columns are those of want, which are ended by "|". */
static void wraps(const char *s, size_t to, const char *want)
{
	char got[400];
	size_t at = 0, n = strlen(s), k = 0;
	while (at < n && k < sizeof got - 100) {
		size_t len = cell_break(s + at, n - at, to);
		k += (size_t)snprintf(got + k, sizeof got - k, "%.*s|", (int)len, s + at);
		at += len;
	}
	got[k] = '\0';
	TEST(at == n && strcmp(got, want) == 0, "wrapped to %zu: %s", to, got);
}

static void wrapping(void)
{
	wraps("one two three", 20, "one two three|");
	wraps("one two three", 8, "one two |three|");
	wraps("one two three", 7, "one two |three|");
	wraps("one two three", 6, "one |two |three|");
	wraps("one  two", 4, "one  |two|"); /* blanks behind a word are its own */
	wraps("abcdefghij", 4, "abcd|efgh|ij|");
	wraps("ab cdefghij", 4, "ab |cdef|ghij|");
	wraps("漢字漢字漢", 4, "漢字|漢字|漢|");
	wraps("漢字漢字漢", 5, "漢字|漢字|漢|");
	wraps("漢", 1, "漢|"); /* at least one character a line */
	wraps("e\u0301e\u0301e\u0301", 2, "e\u0301e\u0301|e\u0301|");
	wraps("a 👩‍💻👩‍💻", 3, "a |👩‍💻|👩‍💻|");
	wraps("ab\u3000\u3000cd", 3, "ab\u3000\u3000|cd|");
	wraps("    abc", 3, "   | ab|c|"); /* blanks before a word are its own as well */
	wraps("a \u0301b", 2, "a |\u0301b|");
}

/* A table of one row at the given width. */
static void drawn(const struct table_text *heads, const struct table_text *cells, size_t n, size_t wide, bool wrap,
                  const char *title, const char *want, const char *what)
{
	struct table t = {.n = n, .width = wide, .wrap = wrap};
	struct buf b = {0};
	int rc = table_begin(&t, heads) || (cells && table_add(&t, cells)) || table_print(&t, title, &b);
	TEST(rc == 0 && b.n == strlen(want) && memcmp(b.p, want, b.n) == 0, "%s", what);
	if (rc == 0 && (b.n != strlen(want) || memcmp(b.p, want, b.n) != 0))
		fwrite(b.p, 1, b.n, stderr);
	buf_release(&b);
	table_release(&t);
}

#define T(s) {s, sizeof(s) - 1}

static void tables(void)
{
	static const struct table_text heads[] = {T("q"), T("answer")}, cells[] = {T("漢字"), T("two\nlines")},
	                               selector[] = {T("\uFE0Fab"), T("y")}, late[] = {T("a b"), T("x")}, longer[] = {T("aaa bbb ccc"), T("x")},
	                               wide[] = {T("①\u3000"), T("x \u00a0\u3000")};
	drawn(heads, NULL, 2, 80, false, NULL,
	      "┏━━━┳━━━━━━━━┓\n┃ q ┃ answer ┃\n┡━━━╇━━━━━━━━┩\n└───┴────────┘\n", "a head without rows");
	drawn(heads, cells, 2, 80, false, "TT",
	      "       TT        \n┏━━━━━━┳━━━━━━━━┓\n┃ q    ┃ answer ┃\n┡━━━━━━╇━━━━━━━━┩\n│ 漢字 │ two    │\n"
	      "│      │ lines  │\n└──────┴────────┘\n",
	      "a title, wide characters, two lines");
	drawn(heads, longer, 2, 20, false, NULL,
	      "┏━━━━━━━━━━━┳━━━━━━┓\n┃ q         ┃ ans… ┃\n┡━━━━━━━━━━━╇━━━━━━┩\n│ aaa bbb … │ x    │\n└───────────┴──────┘\n",
	      "cropped, both columns lose the same");
	drawn(heads, longer, 2, 20, true, NULL,
	      "┏━━━━━━━━━┳━━━━━━━━┓\n┃ q       ┃ answer ┃\n┡━━━━━━━━━╇━━━━━━━━┩\n│ aaa bbb │ x      │\n│ ccc     │        │\n"
	      "└─────────┴────────┘\n",
	      "wrapped, the widest column loses first");
	drawn(late, heads, 2, 11, true, NULL,
	      "┏━━━━┳━━━━┓\n┃ a  ┃    ┃\n┃ b  ┃ x  ┃\n┡━━━━╇━━━━┩\n│ q  │ an │\n│    │ sw │\n│    │ er │\n└────┴────┘\n",
	      "a head stands at the bottom, a long word is folded");
	drawn(late, selector, 2, 9, false, NULL,
	      "┏━━━┳━━━┓\n┃ … ┃ x ┃\n┡━━━╇━━━┩\n│ \uFE0F… │ y │\n└───┴───┘\n", "a cell that begins with a selector");
	drawn(late, wide, 2, 9, true, NULL,
	      "┏━━━┳━━━┓\n┃ a ┃   ┃\n┃ b ┃ x ┃\n┡━━━╇━━━┩\n│ ① │ x │\n└───┴───┘\n",
	      "blanks of any width stick out, and no \"…\" says that something was lost");
}

int main(void)
{
	widths();
	cleaning();
	cropping();
	wrapping();
	tables();
	return test_done();
}
