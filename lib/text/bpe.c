#include "text/bpe.h"
#include "base/utf8.h"
#include "io/hub.h"
#include "io/in.h"
#include "io/there.h"
#include "text/added.h"
#include "text/ending.h"
#include "text/image.h"
#include "text/merge.h"
#include "text/pretok.h"
#include "text/scan.h"
#include "text/unicode.h"
#include "text/vocab.h"
#include "text/vocabimage.h"
#include "text/words.h"

#include <stdlib.h>
#include <string.h>

enum { ROOM = 4096 };

/* A token that covers more bytes of the normalized text than its own are (or less, by < 0). */
struct shift {
	size_t at; /* among the ids of the text */
	ptrdiff_t by;
};

struct bpe {
	bool shares; /* v, raw, normalized and the tables of merge and scan are another's */
	struct image image; /* what v, merge, scan and words may point into */
	struct vocab v;
	struct added raw, normalized;
	struct merge merge;
	struct words words;
	struct scan scan;
	bool scans;          /* the scanner knows the pattern and the added tokens */
	uint64_t *start;     /* scratch of the scanner, for texts of up to 64 * nstart bytes */
	size_t nstart;
	struct buf nfc;
	char room[ROOM + 64];  /* a short text with bytes behind it that may be read */
	pretok_cut *cut[VOCAB_CUTS];
	struct buf spaced;   /* a piece with a space put before it */
	struct shift *shift; /* of the last text encoded */
	size_t nshift, shiftcap, base; /* base: of the ids, those that are not that text's */
	int32_t eos, pad;
};

/* --- opening ----------------------------------------------------------------------- */

/* Runs of blanks that words.h may know by their length: a scanner's, who sees to what is between them. */
static size_t blanks_of(const struct bpe *t)
{
	return vocab_plain(&t->v) ? t->scan.blanks : 0;
}

/* The tables made from the file's text. */
static int make(struct bpe *t, const struct buf *json, struct err *e)
{
	if (vocab_parse(&t->v, json->p, json->n, e))
		return -1;
	if (merge_init(&t->merge, &t->v, e) || added_init(&t->raw, &t->v, false, e) || added_init(&t->normalized, &t->v, true, e))
		return -1;
	scan_init(&t->scan, &t->v, &t->raw);
	return words_init(&t->words, &t->v, &t->merge, blanks_of(t), e);
}

static void keep(const struct bpe *t, const struct buf *json)
{
	struct image_parts parts = {0};
	struct vocabimage vi;
	if (vocabimage_pack(&vi, &t->v, &parts) == 0) {
		merge_pack(&t->merge, &parts);
		scan_pack(&t->scan, &parts);
		words_pack(&t->words, &parts);
		image_save(&parts, json->p, json->n);
	}
	vocabimage_release(&vi);
}

/* The same tables as a run before has left them. */
static int unpack(struct bpe *t, struct err *e)
{
	if (vocabimage_unpack(&t->v, &t->image))
		return err_mem(e);
	merge_unpack(&t->merge, &t->v, &t->image);
	if (added_init(&t->raw, &t->v, false, e) || added_init(&t->normalized, &t->v, true, e))
		return -1;
	scan_unpack(&t->scan, &t->v, &t->raw, &t->image);
	return words_unpack(&t->words, &t->v, &t->merge, blanks_of(t), &t->image, e);
}

static int tables(struct bpe *t, const char *path, struct err *e)
{
	struct buf json = {0};
	/* in_slurp names the file itself */
	if (in_slurp(path, &json, e)) {
		buf_release(&json);
		return -1;
	}
	bool kept = image_find(&t->image, json.p, json.n) == 0;
	int rc = kept ? unpack(t, e) : make(t, &json, e);
	if (rc == 0 && !kept)
		keep(t, &json);
	if (rc)
		err_prefix(e, "%s: ", path);
	buf_release(&json);
	return rc;
}

int bpe_load(struct bpe **out, const char *given, struct err *e)
{
	char *path = hub_tokenizer(given, e);
	if (!path)
		return -1;
	struct bpe *t = calloc(1, sizeof *t);
	int rc = t ? 0 : err_mem(e);
	if (rc == 0 && (tables(t, path, e) || ending_find(&t->v, path, &t->eos, &t->pad, e)))
		rc = -1;
	free(path);
	if (rc) {
		bpe_close(t);
		return -1;
	}
	t->scans = vocab_plain(&t->v) && (t->scan.blanks || t->normalized.n == 0);
	for (uint32_t i = 0; i < t->v.rules.ncut; i++)
		t->cut[i] = pretok_of(t->v.rules.cut[i]);
	*out = t;
	return 0;
}

int bpe_find(struct bpe **t, const char *given, struct err *e)
{
	static const char *const variables[] = {"NX_TOKENIZER", "NX_MODEL"};
	for (size_t i = 0; !given && i < sizeof variables / sizeof *variables; i++) {
		given = getenv(variables[i]);
		given = given && *given ? given : NULL;
	}
	if (!given)
		return err_usage(e, "no tokenizer: give -T FILE, or set NX_TOKENIZER or NX_MODEL");
	return bpe_load(t, given, e);
}

int bpe_beside(struct bpe **t, const char *given, const char *dir, struct err *e)
{
	struct buf path = {0};
	*t = NULL;
	given = given ? given : getenv("NX_TOKENIZER");
	if (given && *given)
		return bpe_load(t, given, e);
	int rc = buf_printf(&path, "%s/tokenizer.json", dir) || !buf_str(&path) ? err_mem(e) : there_is_file(path.p, e);
	if (rc > 0)
		rc = bpe_load(t, path.p, e);
	buf_release(&path);
	return rc;
}

int bpe_share(struct bpe **out, const struct bpe *owner, struct err *e)
{
	struct bpe *t = malloc(sizeof *t);
	if (!t)
		return err_mem(e);
	memcpy(t, owner, sizeof *t);
	t->shares = true;
	t->nfc = t->spaced = (struct buf){0};
	t->shift = NULL;
	t->nshift = t->shiftcap = 0;
	t->start = NULL;
	t->nstart = 0;
	merge_share(&t->merge, &owner->merge);
	if (words_share(&t->words, &owner->words, &t->merge, e)) {
		bpe_close(t);
		return -1;
	}
	*out = t;
	return 0;
}

void bpe_close(struct bpe *t)
{
	if (!t)
		return;
	words_release(&t->words);
	merge_forget(&t->merge);
	if (!t->shares) {
		merge_release(&t->merge);
		added_release(&t->raw);
		added_release(&t->normalized);
		vocab_release(&t->v);
		image_release(&t->image);
	}
	buf_release(&t->nfc);
	free(t->start);
	buf_release(&t->spaced);
	free(t->shift);
	free(t);
}

/* --- lists of ids ------------------------------------------------------------------ */

static int ids_room(struct bpe_ids *out, size_t more)
{
	if (more <= out->cap - out->n)
		return 0;
	size_t cap = out->cap + out->cap / 2 + more + 64;
	int32_t *v = realloc(out->v, cap * sizeof *v);
	if (!v)
		return -1;
	out->v = v;
	out->cap = cap;
	return 0;
}

int bpe_ids_add(struct bpe_ids *ids, int32_t id)
{
	if (ids_room(ids, 1))
		return -1;
	ids->v[ids->n++] = id;
	return 0;
}

int bpe_ids_spare(struct bpe_ids *ids, size_t n)
{
	return ids_room(ids, n);
}

void bpe_ids_release(struct bpe_ids *ids)
{
	free(ids->v);
	*ids = (struct bpe_ids){0};
}

/* --- encoding ---------------------------------------------------------------------- */

/* One piece; `ahead` bytes may be read at s. */
static int word(struct bpe *t, const char *s, size_t n, size_t ahead, struct bpe_ids *out)
{
	size_t count;
	if (ids_room(out, n + WORDS_SPARE) || words_one(&t->words, s, n, ahead, out->v + out->n, &count))
		return -1;
	out->n += count;
	return 0;
}

/* The next id covers `by` bytes more of the text than it has. */
static int note_shift(struct bpe *t, const struct bpe_ids *out, ptrdiff_t by)
{
	if (t->nshift == t->shiftcap) {
		size_t cap = t->shiftcap * 2 + 16;
		struct shift *v = realloc(t->shift, cap * sizeof *v);
		if (!v)
			return -1;
		t->shift = v;
		t->shiftcap = cap;
	}
	t->shift[t->nshift++] = (struct shift){out->n - t->base, by};
	return 0;
}

/* Adds the space that the last step wants before a piece. */
static int space_before(struct bpe *t, const char **s, size_t *n, const struct bpe_ids *out)
{
	if (**s == ' ')
		return 0;
	buf_reset(&t->spaced);
	if (buf_addc(&t->spaced, ' ') || buf_add(&t->spaced, *s, *n) || note_shift(t, out, -1))
		return -1;
	*s = t->spaced.p;
	*n = t->spaced.n;
	return 0;
}

/* Text without added tokens, cut by the steps from `step` on. */
static int pieces(struct bpe *t, uint32_t step, const char *s, size_t n, struct bpe_ids *out)
{
	bool last = step + 1 == t->v.rules.ncut;
	if (last && t->v.rules.prefix_space && n > 0 && space_before(t, &s, &n, out))
		return -1;
	while (n) {
		size_t len = t->cut[step](s, n);
		if (last ? word(t, s, len, n, out) : pieces(t, step + 1, s, len, out))
			return -1;
		s += len;
		n -= len;
	}
	return 0;
}

static int segment(struct bpe *t, const char *s, size_t n, struct bpe_ids *out)
{
	return pieces(t, 0, s, n, out);
}

static int start_room(struct bpe *t, size_t n)
{
	if (n / 64 < t->nstart)
		return 0;
	free(t->start);
	t->nstart = n / 64 + n / 128 + 64;
	t->start = malloc(t->nstart * sizeof *t->start);
	if (!t->start)
		t->nstart = 0;
	return t->start ? 0 : -1;
}

/* The whole text at once. 1: the scanner cannot, nothing is done. */
static int scanned(struct bpe *t, const char *s, size_t n, bool clean, struct bpe_ids *out)
{
	size_t ahead = n, count;
	if (!t->scans)
		return 1;
	if (n == 0)
		return 0;
	if (n <= ROOM) {
		memcpy(t->room, s, n);
		s = t->room;
		ahead = n + 64;
	}
	if (start_room(t, n))
		return -1;
	if (scan_starts(&t->scan, s, n, clean, t->start))
		return 1;
	if (ids_room(out, n + WORDS_SPARE))
		return -1;
	int rc = words_of(&t->words, s, n, ahead, t->start, out->v + out->n, &count);
	out->n += rc == 0 ? count : 0;
	return rc;
}

/* Calls `between` for what stands between the tokens that `a` finds, and puts those into out. */
static int around(struct bpe *t, const struct added *a, const char *s, size_t n, struct bpe_ids *out,
                  int (*between)(struct bpe *, const char *, size_t, struct bpe_ids *))
{
	struct added_walk w = {.a = a, .s = s, .n = n};
	const struct vocab_added *hit;
	size_t done = 0, from, to;
	while ((hit = added_next(&w, done, &from, &to)) != NULL) {
		if (done < from && between(t, s + done, from - done, out))
			return -1;
		ptrdiff_t more = (ptrdiff_t)(to - (from > done ? from : done)) - (ptrdiff_t)hit->n;
		if ((more && note_shift(t, out, more)) || bpe_ids_add(out, hit->id))
			return -1;
		done = to;
	}
	return done < n ? between(t, s + done, n - done, out) : 0;
}

/* Text without raw added tokens. Each such stretch is normalized by itself: nothing composes across a token. */
static int normalize(struct bpe *t, const char **s, size_t *n)
{
	if (!t->v.rules.nfc || unicode_is_nfc(*s, *n))
		return 0;
	buf_reset(&t->nfc);
	if (unicode_nfc(&t->nfc, *s, *n))
		return -1;
	*s = t->nfc.p;
	*n = t->nfc.n;
	return 0;
}

static int stretch(struct bpe *t, const char *s, size_t n, struct bpe_ids *out)
{
	if (normalize(t, &s, &n))
		return -1;
	int rc = scanned(t, s, n, true, out);
	return rc > 0 ? around(t, &t->normalized, s, n, out, segment) : rc;
}

int bpe_encode(struct bpe *t, const char *text, size_t n, struct bpe_ids *out, struct err *e)
{
	if (n > INT32_MAX)
		return err_data(e, "a text of %zu bytes is longer than 2 GiB", n);
	t->nshift = 0;
	t->base = out->n;
	int rc = scanned(t, text, n, false, out);
	if (rc == 0)
		return 0;
	size_t good = utf8_valid(text, n), before = out->n;
	if (good < n)
		return err_data(e, "byte %zu of the text is not valid UTF-8", good + 1);
	if (rc > 0 && around(t, &t->raw, text, n, out, stretch) == 0)
		return 0;
	out->n = before;
	return err_mem(e);
}

/* --- lines ----------------------------------------------------------------------------- */

enum { WINDOW = 8 * 1024 }; /* bytes of lines at a time, so that masks and ids stay near */

static int ends_room(struct bpe_ends *ends, size_t more)
{
	if (more <= ends->cap - ends->n)
		return 0;
	size_t cap = ends->cap + ends->cap / 2 + more;
	size_t *v = realloc(ends->v, cap * sizeof *v);
	if (!v)
		return -1;
	ends->v = v;
	ends->cap = cap;
	return 0;
}

void bpe_ends_release(struct bpe_ends *ends)
{
	free(ends->v);
	*ends = (struct bpe_ends){0};
}

/* Bytes up to the end of the last line that ends within `most`, else of the first line. */
static size_t window(const char *s, size_t n, size_t most)
{
	if (n <= most)
		return n;
	const char *nl = memrchr(s, '\n', most);
	if (!nl)
		nl = memchr(s + most, '\n', n - most);
	return nl ? (size_t)(nl + 1 - s) : n;
}

/* Bytes of the first `count` lines. */
static size_t bytes_of(const char *s, size_t n, size_t count)
{
	const char *p = s;
	for (; count; count--) {
		const char *nl = memchr(p, '\n', (size_t)(s + n - p));
		p = nl ? nl + 1 : s + n;
	}
	return (size_t)(p - s);
}

/* Lines that the scanner has cut. 0: all, *done = n; 1: those before one that words_lines cannot do. */
static int cut_lines(struct bpe *t, const char *s, size_t n, size_t ahead, struct bpe_ids *out, struct bpe_ends *ends, size_t *done)
{
	size_t *end = ends->v + ends->n, lines;
	int rc = words_lines(&t->words, s, n, ahead, t->start, out->v + out->n, end, &lines);
	if (rc < 0)
		return -1;
	size_t count = lines ? end[lines - 1] : 0;
	for (size_t i = 0; i < lines; i++)
		end[i] += out->n;
	out->n += count;
	ends->n += lines;
	*done = rc ? bytes_of(s, n, lines) : n;
	return rc;
}

/* A window of lines without "\r". 0: all are done; 1: the line at *done wants the slow way. */
static int fast_lines(struct bpe *t, const char *s, size_t n, size_t ahead, struct bpe_ids *out, struct bpe_ends *ends, size_t *done)
{
	size_t bad;
	*done = 0;
	if (start_room(t, n) || ids_room(out, n + WORDS_SPARE) || ends_room(ends, n <= WINDOW ? n : 2))
		return -1;
	if (scan_lines(&t->scan, s, n, t->start, &bad) == 0)
		return cut_lines(t, s, n, ahead, out, ends, done);
	const char *nl = memrchr(s, '\n', bad);
	if (!nl)
		return 1;
	n = (size_t)(nl + 1 - s);
	if (scan_lines(&t->scan, s, n, t->start, &bad))
		return 1;
	return cut_lines(t, s, n, ahead, out, ends, done) < 0 ? -1 : 1;
}

/* The line at s by itself; *len: its bytes with its end. */
static int slow_line(struct bpe *t, const char *s, size_t n, struct bpe_ids *out, struct bpe_ends *ends, size_t *len,
                     struct err *e)
{
	const char *nl = memchr(s, '\n', n);
	size_t k = nl ? (size_t)(nl - s) : n;
	*len = k + (nl != NULL);
	if (bpe_encode(t, s, k && s[k - 1] == '\r' ? k - 1 : k, out, e))
		return -1;
	if (ends_room(ends, 1))
		return err_mem(e);
	ends->v[ends->n++] = out->n;
	return 0;
}

int bpe_lines(struct bpe *t, const char *s, size_t n, size_t ahead, struct bpe_ids *out, struct bpe_ends *ends,
              size_t *taken, struct err *e)
{
	size_t most = window(s, n, WINDOW), len;
	*taken = 0;
	if (t->scans && !memchr(s, '\r', most)) {
		int rc = fast_lines(t, s, most, ahead, out, ends, taken);
		if (rc < 0)
			return err_mem(e);
		if (rc > 0)
			most = *taken + 1; /* one line by itself, then the caller comes again */
	}
	while (*taken < most) {
		if (slow_line(t, s + *taken, n - *taken, out, ends, &len, e))
			return -1;
		*taken += len;
	}
	return 0;
}

/* Bytes that a text has once it is normalized. */
static int normal_length(struct bpe *t, const char *text, size_t n, size_t *length)
{
	struct added_walk w = {.a = &t->raw, .s = text, .n = n};
	const struct vocab_added *hit;
	size_t done = 0, from, to;
	*length = 0;
	do {
		hit = added_next(&w, done, &from, &to);
		if (!hit)
			from = to = n;
		size_t len = from > done ? from - done : 0;
		const char *s = text + done;
		size_t token = to - done - len;
		if (normalize(t, &s, &len))
			return -1;
		*length += len + token;
		done = to;
	} while (hit);
	return 0;
}

int bpe_prefix(struct bpe *t, const char *text, size_t prompt, const struct bpe_ids *ids, size_t *count, struct err *e)
{
	size_t end, at = 0, i = 0, k = 0;
	if (normal_length(t, text, prompt, &end))
		return err_mem(e);
	for (; i < ids->n; i++) {
		const struct vocab_token *tok = &t->v.tok[ids->v[i]];
		size_t next = at + (tok->added ? tok->n : tok->nbytes);
		for (; k < t->nshift && t->shift[k].at == i; k++)
			next += (size_t)t->shift[k].by;
		/* an added token may stand in the white space that the one before it took */
		if (at >= end && !(tok->added && next <= at))
			break;
		at = next;
	}
	*count = i;
	return 0;
}

/* --- decoding ------------------------------------------------------------------------ */

int bpe_decode(const struct bpe *t, const int32_t *ids, size_t n, bool skip_special, struct buf *out, struct err *e)
{
	size_t start = out->n;
	for (size_t i = 0; i < n; i++) {
		const struct vocab_token *tok = ids[i] >= 0 && ids[i] < (int32_t)t->v.size ? &t->v.tok[ids[i]] : NULL;
		if (!tok || !tok->text) {
			out->n = start;
			return err_data(e, "the tokenizer has no token %d", ids[i]);
		}
		if (!(skip_special && tok->special) && buf_add(out, tok->bytes, tok->nbytes)) {
			out->n = start;
			return err_mem(e);
		}
	}
	size_t len = out->n - start;
	if (len == 0 || utf8_valid(out->p + start, len) == len)
		return 0;
	struct buf whole = {0};
	int rc = utf8_replace(&whole, out->p + start, len);
	out->n = start;
	if (rc == 0)
		rc = buf_add(out, whole.p, whole.n);
	buf_release(&whole);
	return rc ? err_mem(e) : 0;
}

/* --- questions --------------------------------------------------------------------------- */

uint32_t bpe_vocab(const struct bpe *t)
{
	return t->v.size;
}

int32_t bpe_eos(const struct bpe *t)
{
	return t->eos;
}

int32_t bpe_pad(const struct bpe *t)
{
	return t->pad;
}

int32_t bpe_id(const struct bpe *t, const char *token, size_t n)
{
	return vocab_id(&t->v, token, n);
}

bool bpe_is_special(const struct bpe *t, int32_t id)
{
	return id >= 0 && id < (int32_t)t->v.size && t->v.tok[id].special;
}

const int32_t *bpe_front(const struct bpe *t, size_t *n)
{
	*n = t->v.rules.nfront;
	return t->v.rules.front;
}

const int32_t *bpe_back(const struct bpe *t, size_t *n)
{
	*n = t->v.rules.nback;
	return t->v.rules.back;
}

uint64_t bpe_fingerprint(const struct bpe *t)
{
	return t->v.fingerprint;
}
