#include "text/pad.h"

#include <string.h>

int pad_check(const struct pad_rule *rule, struct err *e)
{
	if (rule->padding == PAD_MAX && rule->max_length < 0)
		return err_usage(e, "padding to the maximal length needs --max-length");
	if (rule->truncate && rule->max_length < 0)
		return err_usage(e, "truncation needs --max-length");
	if (rule->stride && rule->stride >= rule->max_length)
		return err_usage(e, "windows of %lld tokens cannot share %lld", (long long)rule->max_length, (long long)rule->stride);
	if (rule->truncate && rule->padding != PAD_NONE && rule->multiple && rule->max_length % rule->multiple)
		return err_usage(e, "records are cut to %lld tokens, which is no multiple of %lld", (long long)rule->max_length,
		                 (long long)rule->multiple);
	return 0;
}

/* r's starts, moved by `by` tokens, of those within its n: in `a`. */
static int move_starts(struct record *r, int64_t by, struct arena *a, struct err *e)
{
	uint32_t *starts = arena_alloc(a, (r->nstarts + 1) * sizeof *starts);
	size_t k = 0;
	if (!starts)
		return err_mem(e);
	for (size_t i = 0; i < r->nstarts; i++) {
		int64_t at = r->starts[i] + by;
		if (at > 0 && at < (int64_t)r->n)
			starts[k++] = (uint32_t)at;
	}
	r->starts = starts;
	r->nstarts = k;
	return 0;
}

int pad_slice(struct record *r, size_t from, size_t to, struct arena *a, struct err *e)
{
	r->n = to - from;
	if (from) {
		r->ids += from;
		r->attn += from;
		r->labels += from;
	}
	return r->nstarts ? move_starts(r, -(int64_t)from, a, e) : 0;
}

bool pad_window(const struct pad_rule *rule, size_t n, size_t k, size_t *from, size_t *to)
{
	size_t max = (size_t)rule->max_length, step = max - (size_t)rule->stride;
	if (k && (k - 1) * step + max >= n)
		return false;
	size_t begin = k * step, end = n - begin < max ? n : begin + max;
	*from = rule->cut_left ? n - end : begin;
	*to = rule->cut_left ? n - begin : end;
	return true;
}

int pad_cut(const struct pad_rule *rule, struct record *r, size_t *cut, struct arena *a, struct err *e)
{
	*cut = 0;
	if (!rule->truncate || r->n <= (size_t)rule->max_length)
		return 0;
	size_t keep = (size_t)rule->max_length, from = rule->cut_left ? r->n - keep : 0;
	*cut = r->n - keep;
	return pad_slice(r, from, from + keep, a, e);
}

size_t pad_length(const struct pad_rule *rule, size_t longest)
{
	size_t n = rule->padding == PAD_NONE ? 0 : rule->padding == PAD_MAX ? (size_t)rule->max_length : longest;
	size_t over = rule->multiple ? n % (size_t)rule->multiple : 0;
	return over ? n + (size_t)rule->multiple - over : n;
}

int pad_fill(const struct pad_rule *rule, struct record *r, size_t n, struct arena *a, struct err *e)
{
	if (n <= r->n)
		return 0;
	size_t more = n - r->n, text = rule->pad_left ? more : 0, pad = rule->pad_left ? 0 : r->n;
	int32_t *ids = arena_alloc(a, n * sizeof *ids), *labels = arena_alloc(a, n * sizeof *labels);
	uint8_t *attn = arena_alloc(a, n);
	if (!ids || !labels || !attn)
		return err_mem(e);
	if (r->n) {
		memcpy(ids + text, r->ids, r->n * sizeof *ids);
		memcpy(labels + text, r->labels, r->n * sizeof *labels);
		memcpy(attn + text, r->attn, r->n);
	}
	for (size_t i = pad; i < pad + more; i++) {
		ids[i] = rule->pad_id;
		labels[i] = RECORD_IGNORE;
	}
	memset(attn + pad, 0, more);
	r->ids = ids;
	r->labels = labels;
	r->attn = attn;
	r->n = n;
	return r->nstarts && text ? move_starts(r, (int64_t)text, a, e) : 0;
}
