#include "nx/curves.h"

#include "io/jsonl.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

enum { FIRST_KEY = CURVES_NUMBER + 1 };

/* In a row: a key that the entry does not have. A gap is NAN. */
#define ABSENT INFINITY

/* --- entries ---------------------------------------------------------------------------- */

static double value(const struct json *entry, const char *key)
{
	const struct json *v = json_get(entry, key);
	double x;
	if (json_is(v, JSON_NULL))
		return NAN;
	if (!json_is(v, JSON_NUMBER))
		return ABSENT;
	return json_f64(v, &x) || !isfinite(x) ? NAN : x;
}

/* "tokens" are those since the line before; HF's "num_input_tokens_seen" is their sum. */
static double tokens_so_far(const struct curves *c, const struct curves_log *l, const struct json *entry)
{
	double sum = value(entry, "num_input_tokens_seen"), part = value(entry, "tokens"), before = 0;
	if (isfinite(sum))
		return sum;
	if (l->n)
		before = ((const double *)(const void *)l->rows.p)[(l->n - 1) * (size_t)(FIRST_KEY + c->nkeys) + CURVES_TOKENS];
	if (isfinite(part))
		return isfinite(before) ? before + part : part;
	return l->n ? before : ABSENT;
}

static int add_entry(const struct curves *c, struct curves_log *l, const struct json *entry, struct err *e)
{
	double row[FIRST_KEY + CURVES_KEYS];
	row[CURVES_STEP] = value(entry, "step");
	row[CURVES_EPOCH] = value(entry, "epoch");
	row[CURVES_TOKENS] = tokens_so_far(c, l, entry);
	row[CURVES_NUMBER] = (double)(l->n + 1);
	for (int k = 0; k < c->nkeys; k++)
		row[FIRST_KEY + k] = value(entry, c->keys[k]);
	if (buf_add(&l->rows, row, sizeof row[0] * (size_t)(FIRST_KEY + c->nkeys)))
		return err_mem(e);
	l->n++;
	return 0;
}

/* An object is an entry, or it holds them. */
static int add_value(const struct curves *c, struct curves_log *l, const struct json *v, struct err *e)
{
	const struct json *history = json_get(v, "log_history");
	if (!json_is(v, JSON_OBJECT))
		return err_data(e, "no JSON object");
	if (!json_is(history, JSON_ARRAY))
		return add_entry(c, l, v, e);
	for (const struct json *entry = history->child; entry; entry = entry->next)
		if (add_entry(c, l, entry, e))
			return -1;
	return 0;
}

/* --- text ------------------------------------------------------------------------------- */

/* Length of a word that Python writes for a number that JSON does not have, or 0. */
static size_t python_number(const char *s, size_t n)
{
	static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
	for (size_t i = 0; i < 3; i++)
		if (n >= strlen(words[i]) && !memcmp(s, words[i], strlen(words[i])))
			return strlen(words[i]);
	return 0;
}

/* s[0..n) with those words outside strings made null. */
static int without_nan(const char *s, size_t n, struct buf *to)
{
	bool inside = false;
	for (size_t i = 0; i < n;) {
		size_t word = inside ? 0 : python_number(s + i, n - i), take = inside && s[i] == '\\' && i + 1 < n ? 2 : 1;
		if (s[i] == '"')
			inside = !inside;
		if (word ? buf_adds(to, "null") : buf_add(to, s + i, take))
			return -1;
		i += word ? word : take;
	}
	return 0;
}

static int add_text(const struct curves *c, struct curves_log *l, struct arena *a, const struct buf *text, struct err *e)
{
	struct json *v;
	struct buf clean = {0};
	const struct buf *from = text;
	if (memmem(text->p, text->n, "NaN", 3) || memmem(text->p, text->n, "Infinity", 8)) {
		if (without_nan(text->p, text->n, &clean)) {
			buf_release(&clean);
			return err_mem(e);
		}
		from = &clean;
	}
	int rc = json_parse(a, from->p, from->n, &v, e) || add_value(c, l, v, e) ? -1 : 0;
	buf_release(&clean);
	return rc;
}

/* Whether a first line is one that no JSON lines begin with: an object over several lines. */
static bool opens_file(const struct buf *line)
{
	size_t from = strspn(line->p, " \t\r");
	return from + 1 == line->n && line->p[from] == '{';
}

static int rest_of_file(struct jsonl *r, struct buf *whole, struct err *e)
{
	int rc;
	do {
		if (buf_add(whole, r->text.p, r->text.n) || buf_addc(whole, '\n'))
			return err_mem(e);
	} while ((rc = jsonl_next_raw(r, e)) == 1);
	return rc;
}

static int read_log(const struct curves *c, struct curves_log *l, struct jsonl *r, struct skip *skip, struct err *e)
{
	struct buf whole = {0};
	bool first = true;
	int rc;
	for (; (rc = jsonl_next_raw(r, e)) == 1; first = false) {
		if (!buf_str(&r->text))
			return err_mem(e);
		if (first && opens_file(&r->text)) {
			rc = rest_of_file(r, &whole, e);
			if (!rc && add_text(c, l, &r->arena, &whole, e))
				rc = err_prefix(e, "%s: ", r->name);
			buf_release(&whole);
			return rc;
		}
		if (add_text(c, l, &r->arena, &r->text, e)) {
			jsonl_at(r, e);
			if (skip_pass(skip, e))
				return -1;
		}
	}
	return rc;
}

int curves_read(struct curves *c, const char *path, struct skip *skip, struct err *e)
{
	struct jsonl r;
	char *one = (char *)(path ? path : "-");
	if (c->nlogs == CURVES_LOGS)
		return err_usage(e, "at most %d logs can be read", CURVES_LOGS);
	if (jsonl_open(&r, 1, &one, e))
		return -1;
	int rc = read_log(c, &c->logs[c->nlogs], &r, skip, e);
	c->nlogs++;
	jsonl_close(&r);
	return rc;
}

/* --- points ----------------------------------------------------------------------------- */

static bool all_have(const struct curves *c, enum curves_x x)
{
	for (int log = 0; log < c->nlogs; log++)
		for (int key = 0; key < c->nkeys; key++)
			if (curves_take(c, log, key, x, NULL, NULL) < curves_take(c, log, key, CURVES_NUMBER, NULL, NULL))
				return false;
	return true;
}

enum curves_x curves_best_x(const struct curves *c)
{
	return all_have(c, CURVES_STEP) ? CURVES_STEP : all_have(c, CURVES_EPOCH) ? CURVES_EPOCH : CURVES_NUMBER;
}

size_t curves_take(const struct curves *c, int log, int key, enum curves_x x, double *xs, double *ys)
{
	const struct curves_log *l = &c->logs[log];
	const double *row = (const double *)(const void *)l->rows.p;
	size_t n = 0;
	for (size_t i = 0; i < l->n; i++, row += FIRST_KEY + c->nkeys) {
		double y = row[FIRST_KEY + key];
		if (isinf(y) || !isfinite(row[x]))
			continue;
		if (xs)
			xs[n] = row[x], ys[n] = y;
		n++;
	}
	return n;
}

void curves_smooth(const double *ys, size_t n, double alpha, double *out)
{
	double m = 0, weight = 1;
	for (size_t i = 0; i < n; i++) {
		out[i] = NAN;
		if (isnan(ys[i]))
			continue;
		m = alpha * m + (1 - alpha) * ys[i];
		weight *= alpha;
		out[i] = m / (1 - weight);
	}
}

void curves_release(struct curves *c)
{
	for (int i = 0; i < c->nlogs; i++)
		buf_release(&c->logs[i].rows);
}
