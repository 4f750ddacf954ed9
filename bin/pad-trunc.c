/* pad-trunc - cuts token records to a length and pads them, as HF's tokenizer call does. */
#include "base/die.h"
#include "base/skip.h"
#include "io/record.h"
#include "text/bpe.h"
#include "text/pad.h"

#include <string.h>

static int64_t max_length = -1, batch, multiple, pad_id = -1, stride;
static bool truncate = true, windows, mask_overlap, packing, zstd, skip_bad, quiet;
static int padding = PAD_NONE, pad_side, cut_side, excess;
enum { EXCESS_TRUNCATE, EXCESS_DROP, EXCESS_ERROR };
static const char *tokenizer, *output;

static const struct opt opts[] = {
	{'n', "max-length", OPT_I64, &max_length, "N", "cut records to N tokens; the length of --padding max-length", 0, SHARD_MAX_TOKENS, NULL},
	{0, "truncation-side", OPT_WORD, &cut_side, "right|left", "the end that tokens are cut from (default right)", 0, 0, NULL},
	{0, "no-truncation", OPT_CLEAR, &truncate, NULL, "cut nothing", 0, 0, NULL},
	{0, "excess", OPT_WORD, &excess, "truncate|drop|error", "what becomes of a record longer than --max-length (default truncate)", 0, 0, NULL},
	{0, "stride", OPT_I64, &stride, "N", "make windows of --max-length out of longer records, neighbours sharing N tokens", 0, SHARD_MAX_TOKENS, &windows},
	{0, "mask-overlap", OPT_FLAG, &mask_overlap, NULL, "take the shared tokens out of the loss in all windows but the first", 0, 0, NULL},
	{0, "pack", OPT_FLAG, &packing, NULL, "put records behind one another up to --max-length, their boundaries kept", 0, 0, NULL},
	{'p', "padding", OPT_WORD, &padding, "longest|max-length|none", "pad to the longest record of the input or batch, or to --max-length (default none)", 0, 0, NULL},
	{'b', "batch", OPT_I64, &batch, "N", "pad to the longest of each N records, and hold no more than these", 1, 1e15, NULL},
	{0, "padding-side", OPT_WORD, &pad_side, "right|left", "the end that padding is added to (default right)", 0, 0, NULL},
	{0, "pad-to-multiple-of", OPT_I64, &multiple, "N", "pad to the next multiple of N", 1, SHARD_MAX_TOKENS, NULL},
	{0, "pad-id", OPT_I64, &pad_id, "ID", "the padding token's id (default: of -T, else of the shard, else of $NX_TOKENIZER)", 0, INT32_MAX, NULL},
	{'T', "tokenizer", OPT_STR, &tokenizer, "FILE", "the tokenizer.json whose end-of-text token pads", 0, 0, NULL},
	{'z', "zstd", OPT_FLAG, &zstd, NULL, "compress the output", 0, 0, NULL},
	{0, "skip-bad", OPT_FLAG, &skip_bad, NULL, "pass over bad records and say how many", 0, 0, NULL},
	{'o', "output", OPT_STR, &output, "FILE", "write to FILE instead of stdout", 0, 0, NULL},
	OPT_COMMON(&quiet),
	{0}
};
static const struct opt_prog prog = {"pad-trunc", "[options] [FILE ...]", "cut and pad token records", opts};

/* A record that waits for the longest of its batch to be known. */
struct held {
	struct record r;  /* arrays in job.hold */
	const char *json; /* the other fields of a JSON record, else NULL */
	size_t n;
	struct held *next;
};

/* Records behind one another. */
struct pack {
	struct buf ids, labels, attn, starts; /* int32_t, int32_t, uint8_t, uint32_t */
	size_t n;
};

struct job {
	struct pad_rule rule;
	struct record_in *in;
	struct record_out *out;
	struct skip skip;
	struct arena hold, one; /* of a batch; of the record being written */
	struct held *first, **end;
	int64_t held;
	size_t longest;
	struct buf json;
	struct pack pack;
	uint64_t records, cut_records, cut_tokens, pad_tokens, dropped, windows, packs;
};

/* --- what pads ----------------------------------------------------------------------- */

/* Of the tokenizer given, else the environment's. */
static int32_t tokenizer_pad(const struct shard_head *head)
{
	struct bpe *t;
	struct err e;
	if (bpe_find(&t, tokenizer, &e)) {
		if (e.kind == ERR_USAGE)
			die_usage("padding needs --pad-id ID or -T tokenizer.json");
		die_err(&e);
	}
	int32_t id = bpe_pad(t);
	if (head && head->fingerprint && head->fingerprint != bpe_fingerprint(t))
		die_now("another tokenizer than %s made the shard", tokenizer ? tokenizer : "the environment's");
	bpe_close(t);
	if (id < 0 && pad_id < 0 && padding != PAD_NONE)
		die_now("the tokenizer has no end-of-text or padding token: name one with --pad-id");
	return id;
}

static int32_t choose_pad(const struct shard_head *head)
{
	int32_t id = tokenizer ? tokenizer_pad(head) : -1;
	if (pad_id >= 0)
		id = (int32_t)pad_id;
	else if (id < 0 && head && head->pad != SHARD_NO_ID)
		id = (int32_t)head->pad;
	else if (id < 0 && head && head->eos != SHARD_NO_ID)
		id = (int32_t)head->eos;
	if (id < 0 && padding != PAD_NONE)
		id = tokenizer_pad(head);
	if (head && id >= 0 && (uint32_t)id >= head->vocab)
		die_now("the padding token %d is not in the shard's vocabulary of %u", id, head->vocab);
	return id;
}

/* --- records ------------------------------------------------------------------------- */

static int write_record(struct job *j, struct record *r, size_t length, struct arena *a, struct err *e)
{
	j->pad_tokens += length > r->n ? length - r->n : 0;
	if (pad_fill(&j->rule, r, length, a, e))
		return -1;
	return record_put(j->out, r, a, e);
}

/* A copy of the record; of a JSON one the text, the arrays' places kept. */
static int hold(struct job *j, const struct record *r, struct err *e)
{
	static const char *const arrays[] = {"input_ids", "attention_mask", "labels", "position_ids"};
	struct held *h = arena_zalloc(&j->hold, sizeof *h);
	size_t wide = r->n * sizeof *r->ids;
	uint32_t *starts;
	if (!h || !(h->r.ids = arena_alloc(&j->hold, wide + 1)) || !(h->r.labels = arena_alloc(&j->hold, wide + 1)) ||
	    !(h->r.attn = arena_alloc(&j->hold, r->n + 1)) || !(h->r.starts = starts = arena_alloc(&j->hold, r->nstarts * sizeof *starts + 1)))
		return err_mem(e);
	h->r.n = r->n;
	h->r.nstarts = r->nstarts;
	if (r->nstarts)
		memcpy(starts, r->starts, r->nstarts * sizeof *starts);
	if (r->n) {
		memcpy(h->r.ids, r->ids, wide);
		memcpy(h->r.labels, r->labels, wide);
		memcpy(h->r.attn, r->attn, r->n);
	}
	if (r->obj) {
		struct arena *a = record_arena(j->in);
		for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++)
			if (json_get(r->obj, arrays[i]) && json_set(a, r->obj, arrays[i], json_bool(a, false)))
				return err_mem(e);
		buf_reset(&j->json);
		if (json_write(&j->json, r->obj) || !(h->json = arena_dup(&j->hold, j->json.p, j->json.n)))
			return err_mem(e);
		h->n = j->json.n;
	}
	*j->end = h;
	j->end = &h->next;
	j->held++;
	j->longest = r->n > j->longest ? r->n : j->longest;
	return 0;
}

static int release(struct job *j, struct err *e)
{
	size_t length = pad_length(&j->rule, j->longest);
	for (struct held *h = j->first; h; h = h->next) {
		arena_reset(&j->one);
		if (h->json && json_parse(&j->one, h->json, h->n, &h->r.obj, e))
			return -1;
		if (write_record(j, &h->r, length, &j->one, e))
			return -1;
	}
	arena_reset(&j->hold);
	j->first = NULL;
	j->end = &j->first;
	j->held = 0;
	j->longest = 0;
	return 0;
}

static int emit(struct job *j, struct record *r, struct err *e)
{
	if (j->rule.padding != PAD_LONGEST)
		return write_record(j, r, pad_length(&j->rule, r->n), record_arena(j->in), e);
	if (hold(j, r, e))
		return -1;
	return batch && j->held == batch ? release(j, e) : 0;
}

/* --- packing ------------------------------------------------------------------------- */

static int put_pack(struct job *j, struct err *e)
{
	struct pack *p = &j->pack;
	struct record r = {.n = p->n, .ids = (void *)p->ids.p, .labels = (void *)p->labels.p, .attn = (void *)p->attn.p,
	                   .starts = (void *)p->starts.p, .nstarts = p->starts.n / sizeof(uint32_t),
	                   .has_ids = true, .has_attn = true, .has_labels = true};
	if (!p->n)
		return 0;
	j->packs++;
	if (emit(j, &r, e))
		return -1;
	buf_reset(&p->ids);
	buf_reset(&p->labels);
	buf_reset(&p->attn);
	buf_reset(&p->starts);
	p->n = 0;
	return 0;
}

/* Padding would stand between the pieces: it goes. */
static int trim(struct job *j, struct record *r, struct err *e)
{
	size_t from = 0, to = r->n;
	while (to > from && !r->attn[to - 1])
		to--;
	while (from < to && !r->attn[from])
		from++;
	return pad_slice(r, from, to, record_arena(j->in), e);
}

/* Next fit: into the pack at hand if there is room, else into a new one. Of a piece behind
 * the first the first token has no label: nothing before it predicts it. */
static int add_to_pack(struct job *j, struct record *r, struct err *e)
{
	struct pack *p = &j->pack;
	if (trim(j, r, e) || (p->n + r->n > (size_t)max_length && put_pack(j, e)))
		return -1;
	if (!r->n)
		return 0;
	size_t at = p->n, wide = r->n * sizeof *r->ids;
	uint32_t start = (uint32_t)at;
	if ((at && buf_add(&p->starts, &start, sizeof start)) || buf_add(&p->ids, r->ids, wide) ||
	    buf_add(&p->labels, r->labels, wide) || buf_add(&p->attn, r->attn, r->n))
		return err_mem(e);
	if (at)
		((int32_t *)(void *)p->labels.p)[at] = RECORD_IGNORE;
	for (size_t i = 0; i < r->nstarts; i++) {
		start = (uint32_t)(at + r->starts[i]);
		if (buf_add(&p->starts, &start, sizeof start))
			return err_mem(e);
	}
	p->n += r->n;
	return 0;
}

/* --- cutting ------------------------------------------------------------------------- */

static int pass_on(struct job *j, struct record *r, struct err *e)
{
	return packing ? add_to_pack(j, r, e) : emit(j, r, e);
}

static int put_windows(struct job *j, const struct record *r, struct err *e)
{
	size_t from, to, before_from = 0, before_to = 0;
	for (size_t k = 0; pad_window(&j->rule, r->n, k, &from, &to); k++) {
		struct record w = *r;
		/* what begins a window is not predicted there */
		for (size_t i = from; mask_overlap && i < to; i++)
			if (i > before_from && i < before_to)
				r->labels[i] = RECORD_IGNORE;
		if (pad_slice(&w, from, to, record_arena(j->in), e) || pass_on(j, &w, e))
			return -1;
		before_from = from;
		before_to = to;
		j->windows++;
	}
	return 0;
}

static int take(struct job *j, struct record *r, struct err *e)
{
	size_t cut;
	if (!r->has_ids)
		return err_data(e, "field \"input_ids\" is missing");
	bool longer = j->rule.truncate && r->n > (size_t)max_length;
	if (longer && excess == EXCESS_ERROR)
		return err_data(e, "the record has %zu tokens, more than %lld", r->n, (long long)max_length);
	j->records++;
	if (longer && excess == EXCESS_DROP) {
		j->dropped++;
		return 0;
	}
	if (windows)
		return put_windows(j, r, e);
	if (pad_cut(&j->rule, r, &cut, record_arena(j->in), e))
		return -1;
	j->cut_records += cut > 0;
	j->cut_tokens += cut;
	return pass_on(j, r, e);
}

static int run(struct job *j, struct err *e)
{
	struct record r;
	int rc;
	while ((rc = record_next(j->in, &r, e)) != 0) {
		if (rc > 0 && take(j, &r, e)) {
			rc = -1;
			if (e->kind == ERR_DATA)
				record_at(j->in, e);
		}
		if (rc < 0 && skip_pass(&j->skip, e))
			return -1;
	}
	return put_pack(j, e) || release(j, e) ? -1 : 0;
}

/* ---------------------------------------------------------------------------------------- */

static struct pad_rule rule_of_options(void)
{
	struct pad_rule rule = {.max_length = max_length, .truncate = truncate && max_length >= 0, .padding = padding};
	struct err e;
	rule.stride = stride;
	rule.cut_left = cut_side == 1;
	rule.pad_left = pad_side == 1;
	rule.multiple = multiple;
	if ((windows || packing || excess) && max_length < (windows || packing))
		die_usage("%s needs --max-length", windows ? "--stride" : packing ? "--pack" : "--excess");
	if (windows && (excess || !truncate))
		die_usage("--stride makes windows of what is too long: --excess and --no-truncation cannot go with it");
	if (excess && !truncate)
		die_usage("--excess and --no-truncation cannot go together");
	if (mask_overlap && !windows)
		die_usage("--mask-overlap is for --stride");
	if (pad_check(&rule, &e))
		die_err(&e);
	if (batch && padding != PAD_LONGEST)
		die_usage("--batch is for --padding longest");
	return rule;
}

static void open_both(struct job *j, int argc, char **argv)
{
	struct shard_head head = {0};
	struct err e;
	if (record_open(&j->in, argc, argv, &e))
		die_err(&e);
	const struct shard_head *h = record_head(j->in);
	j->rule.pad_id = choose_pad(h);
	if (h) {
		head = *h;
		head.pad = padding == PAD_NONE ? h->pad : (uint32_t)j->rule.pad_id;
	}
	if (record_create(&j->out, output, record_form(j->in), &head, zstd ? OUT_ZSTD : OUT_PLAIN, &e))
		die_err(&e);
}

static void report(const struct job *j)
{
	die_skipped(&j->skip, "record");
	if (j->dropped)
		die_warn("%llu record%s dropped, longer than %lld tokens", (unsigned long long)j->dropped, die_s(j->dropped),
		         (long long)max_length);
	if (windows)
		die_warn("%llu windows of %llu records", (unsigned long long)j->windows, (unsigned long long)j->records);
	if (packing)
		die_warn("packed into %llu record%s", (unsigned long long)j->packs, die_s(j->packs));
	die_warn("%llu of %llu records cut, by %llu token%s in all; %llu token%s of padding added",
	         (unsigned long long)j->cut_records, (unsigned long long)j->records, (unsigned long long)j->cut_tokens,
	         die_s(j->cut_tokens), (unsigned long long)j->pad_tokens, die_s(j->pad_tokens));
}

int main(int argc, char **argv)
{
	struct job j = {0};
	struct err e;
	die_opts(&prog, &argc, &argv);
	j.end = &j.first;
	j.skip.on = skip_bad;
	j.rule = rule_of_options();
	open_both(&j, argc, argv);
	if (run(&j, &e)) {
		record_abort(j.out);
		die_err(&e);
	}
	if (record_commit(j.out, &e))
		die_err(&e);
	if (!quiet)
		report(&j);
	record_close(j.in);
	arena_release(&j.hold);
	arena_release(&j.one);
	buf_release(&j.json);
	buf_release(&j.pack.ids);
	buf_release(&j.pack.labels);
	buf_release(&j.pack.attn);
	buf_release(&j.pack.starts);
	return 0;
}
