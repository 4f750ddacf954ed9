#include "text/pad.h"

#include <string.h>

int pad_check(const struct pad_rule *rule, struct err *e)
{
	if (rule->padding == PAD_MAX && rule->max_length < 0)
		return err_usage(e, "padding to the maximal length needs --max-length");
	if (rule->truncate && rule->max_length < 0)
		return err_usage(e, "truncation needs --max-length");
	if (rule->truncate && rule->padding != PAD_NONE && rule->multiple && rule->max_length % rule->multiple)
		return err_usage(e, "records are cut to %lld tokens, which is no multiple of %lld", (long long)rule->max_length,
		                 (long long)rule->multiple);
	return 0;
}

size_t pad_cut(const struct pad_rule *rule, struct record *r)
{
	if (!rule->truncate || r->n <= (size_t)rule->max_length)
		return 0;
	size_t cut = r->n - (size_t)rule->max_length;
	r->n -= cut;
	if (rule->cut_left) {
		r->ids += cut;
		r->attn += cut;
		r->labels += cut;
	}
	return cut;
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
	return 0;
}
