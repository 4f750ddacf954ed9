#include "io/record.h"
#include "io/in.h"
#include "io/jsonfast.h"
#include "io/jsonl.h"

#include <stdlib.h>
#include <string.h>

struct record_in {
	enum record_form form;
	bool ended;
	/* JSON lines, or lines of text */
	struct jsonl lines;
	bool text;
	/* shards: files one after the other; arena for what the caller makes */
	char **paths;
	int npaths, at;
	struct in *in;
	struct shard_reader *shard;
	struct shard_head head; /* of the first */
	uint64_t count;         /* records of the present file */
	/* the present record */
	struct arena arena;
	int32_t *ids, *labels;
	uint8_t *attn;
	uint32_t *starts;
	size_t cap;
};

static const char stdin_name[] = "-";
static char *const stdin_only[] = {(char *)stdin_name, NULL};

/* --- opening ----------------------------------------------------------------- */

static int form_of(struct in *in, enum record_form *form, struct err *e)
{
	const unsigned char *p;
	ssize_t n = in_peek(in, SHARD_MAGIC_LEN, &p, e);
	if (n < 0)
		return -1;
	/* a shard cut off within its magic is a shard: the first byte opens no JSON text */
	*form = n == 0 ? RECORD_NONE : p[0] == (unsigned char)SHARD_MAGIC[0] ? RECORD_SHARD : RECORD_JSONL;
	return 0;
}

static int open_shard(struct record_in *r, struct err *e)
{
	if (shard_open(r->in, &r->shard, e))
		return -1;
	const struct shard_head *h = shard_headof(r->shard);
	if (r->at > 0 && (h->vocab != r->head.vocab || h->fingerprint != r->head.fingerprint))
		return err_data(e, "%s: this shard was made by another tokenizer than %s", in_name(r->in), r->paths[0]);
	if (r->at == 0)
		r->head = *h;
	r->count = 0;
	return 0;
}

int record_open(struct record_in **out, int npaths, char **paths, struct err *e)
{
	struct in *first;
	return in_open(&first, npaths ? paths[0] : NULL, e) ? -1 : record_open_in(out, first, npaths, paths, e);
}

int record_open_in(struct record_in **out, struct in *first, int npaths, char **paths, struct err *e)
{
	struct record_in *r = calloc(1, sizeof *r);
	if (!r) {
		in_close(first);
		return err_mem(e);
	}
	r->paths = npaths ? paths : (char **)stdin_only;
	r->npaths = npaths ? npaths : 1;
	r->in = first;
	if (form_of(r->in, &r->form, e) || (r->form == RECORD_SHARD && open_shard(r, e))) {
		record_close(r);
		return -1;
	}
	if (r->form != RECORD_SHARD) {
		/* the line reader takes over, with the file already open */
		r->lines = (struct jsonl){.in = r->in, .name = in_name(r->in), .paths = r->paths, .npaths = r->npaths};
		r->in = NULL;
	}
	*out = r;
	return 0;
}

int record_open_text(struct record_in **out, int npaths, char **paths, struct err *e)
{
	struct record_in *r = calloc(1, sizeof *r);
	if (!r)
		return err_mem(e);
	*r = (struct record_in){.form = RECORD_JSONL, .text = true};
	if (jsonl_open(&r->lines, npaths, paths, e)) {
		record_close(r);
		return -1;
	}
	*out = r;
	return 0;
}

enum record_form record_form(struct record_in *r)
{
	return r->form;
}

const struct shard_head *record_head(const struct record_in *r)
{
	return r->form == RECORD_SHARD ? &r->head : NULL;
}

struct arena *record_arena(struct record_in *r)
{
	return r->form == RECORD_SHARD ? &r->arena : &r->lines.arena;
}

int record_at(const struct record_in *r, struct err *e)
{
	if (r->form != RECORD_SHARD)
		return jsonl_at(&r->lines, e);
	if (e->kind == ERR_IO || e->kind == ERR_MEM)
		return -1;
	return err_prefix(e, "%s: record %llu: ", in_name(r->in), (unsigned long long)r->count);
}

void record_close(struct record_in *r)
{
	if (!r)
		return;
	shard_close(r->shard);
	in_close(r->in);
	jsonl_close(&r->lines);
	arena_release(&r->arena);
	free(r->ids);
	free(r->labels);
	free(r->attn);
	free(r->starts);
	free(r);
}

/* --- reading ------------------------------------------------------------------ */

static int room(struct record_in *r, size_t n, struct err *e)
{
	if (r->ids && r->labels && r->attn && r->starts && n <= r->cap)
		return 0;
	size_t cap = n + n / 2 + 64;
	int32_t *ids = realloc(r->ids, cap * sizeof *ids);
	if (ids)
		r->ids = ids;
	int32_t *labels = realloc(r->labels, cap * sizeof *labels);
	if (labels)
		r->labels = labels;
	uint8_t *attn = realloc(r->attn, cap);
	if (attn)
		r->attn = attn;
	uint32_t *starts = realloc(r->starts, cap * sizeof *starts);
	if (starts)
		r->starts = starts;
	if (!ids || !labels || !attn || !starts)
		return err_mem(e);
	r->cap = cap;
	return 0;
}

/* An array field of n whole numbers within [lo, hi] into ids or labels (wide) or attn. */
static int numbers(const struct json *v, const char *name, size_t n, int64_t lo, int64_t hi, int32_t *wide,
                   uint8_t *narrow, struct err *e)
{
	if (v->type != JSON_ARRAY)
		return err_data(e, "\"%s\" is no array", name);
	if (v->n != n)
		return err_data(e, "\"%s\" has %zu entries where \"input_ids\" has %zu", name, v->n, n);
	size_t i = 0;
	for (const struct json *c = v->child; c; c = c->next, i++) {
		int64_t x;
		if (json_i64(c, &x) || x < lo || x > hi)
			return err_data(e, "\"%s\"[%zu] is no whole number from %lld to %lld", name, i, (long long)lo, (long long)hi);
		if (wide)
			wide[i] = (int32_t)x;
		if (narrow)
			narrow[i] = (uint8_t)x;
	}
	return 0;
}

/* Where "position_ids" of tokens that are no padding go back to 0, pieces begin. A
 * position is otherwise one more than the one before: a model computes it, it is not told. */
static int pieces(struct record_in *r, const struct json *v, struct record *rec, struct err *e)
{
	if (v->type != JSON_ARRAY)
		return err_data(e, "\"position_ids\" is no array");
	if (v->n != rec->n)
		return err_data(e, "\"position_ids\" has %zu entries where \"input_ids\" has %zu", v->n, rec->n);
	int64_t x, want = 0;
	size_t i = 0;
	rec->starts = r->starts;
	for (const struct json *c = v->child; c; c = c->next, i++) {
		if (!rec->attn[i])
			continue;
		if (json_i64(c, &x) || (x != 0 && x != want))
			return err_data(e, "\"position_ids\"[%zu] is neither 0 nor one more than the one before", i);
		if (x == 0 && want > 0)
			r->starts[rec->nstarts++] = (uint32_t)i;
		want = x + 1;
	}
	return 0;
}

static int from_json(struct record_in *r, struct json *obj, struct record *rec, struct err *e)
{
	*rec = (struct record){.obj = obj};
	if (!json_is(obj, JSON_OBJECT))
		return err_data(e, "the record is no JSON object");
	const struct json *ids = json_get(obj, "input_ids");
	const struct json *attn = json_get(obj, "attention_mask"), *labels = json_get(obj, "labels");
	const struct json *positions = json_get(obj, "position_ids");
	rec->has_ids = ids != NULL;
	rec->has_attn = attn != NULL;
	rec->has_labels = labels != NULL;
	size_t n = ids && ids->type == JSON_ARRAY ? ids->n : 0;
	if (room(r, n, e) || (ids && numbers(ids, "input_ids", n, 0, INT32_MAX, r->ids, NULL, e)))
		return -1;
	if (!ids)
		return 0;
	if (n) {
		memset(r->attn, 1, n);
		memcpy(r->labels, r->ids, n * sizeof *r->ids);
	}
	if (attn && numbers(attn, "attention_mask", n, 0, 1, NULL, r->attn, e))
		return -1;
	if (labels && numbers(labels, "labels", n, RECORD_IGNORE, INT32_MAX, r->labels, NULL, e))
		return -1;
	rec->n = n;
	rec->ids = r->ids;
	rec->attn = r->attn;
	rec->labels = r->labels;
	return positions ? pieces(r, positions, rec, e) : 0;
}

/* A shard behind JSON lines, the first of which are file `at`, would be read as a broken
 * line: says what it is. -1. */
static int bad_line(struct record_in *r, int at, struct err *e)
{
	if (e->kind == ERR_DATA && r->lines.at != at && r->lines.text.n && r->lines.text.p[0] == SHARD_MAGIC[0]) {
		err_data(e, "%s is a token shard and %s is JSON lines: one run reads one form", r->lines.name, r->paths[0]);
		e->kind = ERR_IO;
	}
	return -1;
}

static int next_text(struct record_in *r, struct record *rec, struct err *e)
{
	struct arena *a = &r->lines.arena;
	int rc = jsonl_next_raw(&r->lines, e);
	if (rc != 1)
		return rc;
	*rec = (struct record){.obj = json_object(a)};
	if (!rec->obj || json_set(a, rec->obj, "text", json_string(a, r->lines.text.p, r->lines.text.n)))
		return err_mem(e);
	return 1;
}

static int next_line(struct record_in *r, struct record *rec, struct err *e)
{
	struct json *obj;
	int at = r->lines.at, rc = jsonl_next(&r->lines, &obj, e);
	if (rc < 0)
		return bad_line(r, at, e);
	if (rc == 0)
		return 0;
	return from_json(r, obj, rec, e) ? jsonl_at(&r->lines, e) : 1;
}

/* 1: the next file is open, 0: there is none. */
static int next_file(struct record_in *r, struct err *e)
{
	enum record_form form;
	if (r->at + 1 == r->npaths)
		return 0;
	shard_close(r->shard);
	r->shard = NULL;
	in_close(r->in);
	r->in = NULL;
	if (in_open(&r->in, r->paths[++r->at], e) || form_of(r->in, &form, e))
		return -1;
	if (form != RECORD_SHARD) {
		err_data(e, "%s is no token shard and %s is one: one run reads one form", in_name(r->in), r->paths[0]);
		e->kind = ERR_IO;
		return -1;
	}
	return open_shard(r, e) ? -1 : 1;
}

/* The next record of the present shard or, at its end, of the next. */
static int next_of_shards(struct record_in *r, struct shard_rec *s, struct err *e)
{
	int rc;
	arena_reset(&r->arena);
	while ((rc = shard_next(r->shard, s, e)) == 0)
		if ((rc = next_file(r, e)) <= 0)
			return rc;
	r->count += rc > 0;
	return rc;
}

static int next_shard(struct record_in *r, struct record *rec, struct err *e)
{
	struct shard_rec s;
	int rc = next_of_shards(r, &s, e);
	if (rc <= 0)
		return rc;
	if (room(r, s.n, e))
		return -1;
	for (size_t i = 0; i < s.n; i++) {
		r->ids[i] = s.ids[i];
		r->labels[i] = !s.keep || s.keep[i] ? s.ids[i] : RECORD_IGNORE;
		r->attn[i] = !s.attn || s.attn[i];
	}
	*rec = (struct record){.n = s.n, .ids = r->ids, .attn = r->attn, .labels = r->labels,
	                       .starts = s.starts, .nstarts = s.nstarts,
	                       .has_ids = true, .has_attn = true, .has_labels = true};
	return 1;
}

int record_next(struct record_in *r, struct record *rec, struct err *e)
{
	if (r->ended)
		return 0;
	int rc = r->form == RECORD_SHARD ? next_shard(r, rec, e) : r->text ? next_text(r, rec, e) : next_line(r, rec, e);
	r->ended = rc == 0 || (rc < 0 && e->kind != ERR_DATA);
	return rc;
}

static int raw_line(struct record_in *r, struct record_raw *raw, struct err *e)
{
	struct json *obj;
	int at = r->lines.at, rc = jsonl_next_raw(&r->lines, e);
	if (rc <= 0)
		return rc;
	const struct buf *b = &r->lines.text;
	if (!jsonfast_object(b->p, b->n)) {
		if (json_parse(&r->lines.arena, b->p, b->n, &obj, e)) {
			jsonl_at(&r->lines, e);
			return bad_line(r, at, e);
		}
		if (!json_is(obj, JSON_OBJECT)) {
			err_data(e, "the record is no JSON object");
			return jsonl_at(&r->lines, e);
		}
	}
	*raw = (struct record_raw){b->p, b->n, in_fd(r->lines.in), in_line_at(r->lines.in), r->lines.at};
	return 1;
}

static int raw_shard(struct record_in *r, struct record_raw *raw, struct err *e)
{
	struct shard_rec s;
	int rc = next_of_shards(r, &s, e);
	if (rc <= 0)
		return rc;
	*raw = (struct record_raw){.fd = in_fd(r->in), .at = in_tell(r->in), .file = r->at};
	raw->p = shard_raw(r->shard, &raw->n);
	raw->at -= raw->at < 0 ? 0 : (off_t)raw->n;
	return 1;
}

int record_next_raw(struct record_in *r, struct record_raw *raw, struct err *e)
{
	if (r->ended)
		return 0;
	int rc = r->form == RECORD_SHARD ? raw_shard(r, raw, e) : raw_line(r, raw, e);
	r->ended = rc == 0 || (rc < 0 && e->kind != ERR_DATA);
	return rc;
}

/* --- writing ------------------------------------------------------------------ */

struct record_out {
	struct out *out;
	struct shard_writer *shard; /* NULL: JSON lines */
	struct record_packer packer;
	struct buf b;
};

int record_create(struct record_out **outp, const char *path, enum record_form form, const struct shard_head *head,
                  enum out_form pack, struct err *e)
{
	struct record_out *o = calloc(1, sizeof *o);
	if (!o)
		return err_mem(e);
	o->packer = (struct record_packer){.form = form, .head = head ? *head : (struct shard_head){0}};
	if (out_open(&o->out, path, pack, e) ||
	    (form == RECORD_SHARD && shard_begin(o->out, head, &o->shard, e))) {
		record_abort(o);
		return -1;
	}
	*outp = o;
	return 0;
}

/* Which labels are in the loss; NULL: all. */
static int keep_of(struct record_packer *p, const struct record *r, const uint8_t **keep, struct err *e)
{
	*keep = NULL;
	if (!r->labels)
		return 0;
	if (r->n > p->cap) {
		uint8_t *more = realloc(p->keep, r->n);
		if (!more)
			return err_mem(e);
		p->keep = more;
		p->cap = r->n;
	}
	for (size_t i = 0; i < r->n; i++) {
		p->keep[i] = r->labels[i] != RECORD_IGNORE;
		if (p->keep[i] && r->labels[i] != r->ids[i])
			return err_data(e, "label %d of token %zu is neither its id nor -100: a shard cannot hold it", r->labels[i], i);
	}
	*keep = p->keep;
	return 0;
}

static int pack_shard(struct record_packer *p, const struct record *r, struct buf *b, struct err *e)
{
	struct shard_rec s = {r->n, r->ids, r->attn, NULL, r->starts, r->nstarts};
	return keep_of(p, r, &s.keep, e) ? -1 : shard_pack(&p->head, &s, b, e);
}

/* Each token's place in its piece; padding has 0. */
static struct json *positions_of(const struct record *r, struct arena *a)
{
	int32_t *pos = arena_alloc(a, (r->n + 1) * sizeof *pos), next = 0;
	if (!pos)
		return NULL;
	for (size_t i = 0, k = 0; i < r->n; i++) {
		if (k < r->nstarts && r->starts[k] == i) {
			next = 0;
			k++;
		}
		pos[i] = !r->attn || r->attn[i] ? next++ : 0;
	}
	return json_ints(a, pos, r->n);
}

static int pack_line(const struct record *r, struct arena *a, struct buf *b, struct err *e)
{
	struct json *obj = r->obj ? r->obj : json_object(a);
	int32_t *attn = arena_alloc(a, (r->n + 1) * sizeof *attn);
	if (!obj || !attn)
		return err_mem(e);
	for (size_t i = 0; i < r->n; i++)
		attn[i] = r->attn ? r->attn[i] : 1;
	if (json_set(a, obj, "input_ids", json_ints(a, r->ids, r->n)) ||
	    json_set(a, obj, "attention_mask", json_ints(a, attn, r->n)) ||
	    json_set(a, obj, "labels", json_ints(a, r->labels ? r->labels : r->ids, r->n)))
		return err_mem(e);
	bool positions = r->nstarts || json_get(obj, "position_ids");
	if (positions && json_set(a, obj, "position_ids", positions_of(r, a)))
		return err_mem(e);
	return json_write(b, obj) || buf_addc(b, '\n') ? err_mem(e) : 0;
}

int record_pack(struct record_packer *p, const struct record *r, struct arena *a, struct buf *b, struct err *e)
{
	size_t before = b->n;
	if ((p->form == RECORD_SHARD ? pack_shard(p, r, b, e) : pack_line(r, a, b, e)) == 0)
		return 0;
	b->n = before;
	return -1;
}

int record_put_packed(struct record_out *o, const struct buf *b, uint64_t records, uint64_t tokens, struct err *e)
{
	return o->shard ? shard_put_packed(o->shard, b->p, b->n, records, tokens, e) : out_write(o->out, b->p, b->n, e);
}

int record_put(struct record_out *o, const struct record *r, struct arena *a, struct err *e)
{
	buf_reset(&o->b);
	return record_pack(&o->packer, r, a, &o->b, e) ? -1 : record_put_packed(o, &o->b, 1, r->n, e);
}

void record_packer_release(struct record_packer *p)
{
	free(p->keep);
	p->keep = NULL;
	p->cap = 0;
}

int record_put_raw(struct record_out *o, const char *p, size_t n, struct err *e)
{
	if (o->shard)
		return shard_put_raw(o->shard, p, n, e);
	return out_write(o->out, p, n, e) || out_write(o->out, "\n", 1, e) ? -1 : 0;
}

int record_flush(struct record_out *o, struct err *e)
{
	return out_flush(o->out, e);
}

static void forget(struct record_out *o)
{
	shard_drop(o->shard);
	buf_release(&o->b);
	record_packer_release(&o->packer);
	free(o);
}

int record_seal(struct record_out *o, struct err *e)
{
	int rc = 0;
	if (o->shard) {
		rc = shard_end(o->shard, e);
		o->shard = NULL;
	}
	return rc == 0 ? out_seal(o->out, e) : -1;
}

int record_commit(struct record_out *o, struct err *e)
{
	int rc = record_seal(o, e);
	if (rc == 0)
		rc = out_commit(o->out, e);
	else
		out_abort(o->out);
	forget(o);
	return rc;
}

void record_abort(struct record_out *o)
{
	if (!o)
		return;
	out_abort(o->out);
	forget(o);
}
