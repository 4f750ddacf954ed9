#include "nx/generate.h"
#include "base/arena.h"
#include "base/buf.h"
#include "io/in.h"
#include "io/json.h"
#include "nx/sample.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int add_eos(struct generate_rules *r, const struct json *v, const char *path, struct err *e)
{
	int64_t id;
	if (json_i64(v, &id) || id < 0 || id > INT32_MAX)
		return err_data(e, "%s: \"eos_token_id\" is no token id or list of them", path);
	if (r->neos == GENERATE_EOS_MAX)
		return err_data(e, "%s: more than %d ids of \"eos_token_id\"", path, GENERATE_EOS_MAX);
	r->eos[r->neos++] = (int32_t)id;
	return 0;
}

static int read_eos(struct generate_rules *r, const char *path, struct err *e)
{
	struct buf text = {0};
	struct arena a = {0};
	struct json *v;
	int rc = in_slurp(path, &text, e);
	if (rc == 0 && (rc = json_parse(&a, text.p, text.n, &v, e)))
		err_prefix(e, "%s: ", path);
	if (rc == 0) {
		const struct json *eos = json_get(v, "eos_token_id");
		if (json_is(eos, JSON_ARRAY))
			for (const struct json *c = eos->child; c && rc == 0; c = c->next)
				rc = add_eos(r, c, path, e);
		else if (eos && eos->type != JSON_NULL)
			rc = add_eos(r, eos, path, e);
	}
	buf_release(&text);
	arena_release(&a);
	return rc;
}

int generate_eos(struct generate_rules *r, const char *dir, const struct config *c, struct err *e)
{
	char *path;
	if (asprintf(&path, "%s/generation_config.json", dir) < 0)
		return err_mem(e);
	int rc = 0;
	r->neos = 0;
	if (access(path, F_OK) == 0)
		rc = read_eos(r, path, e);
	else if (c->eos >= 0)
		r->eos[r->neos++] = c->eos;
	free(path);
	return rc;
}

int64_t generate_room(const struct generate_rules *r, int64_t n)
{
	if (r->max_new > 0)
		return r->max_new;
	return r->max_length > n ? r->max_length - n : 0;
}

bool generate_is_eos(const struct generate_rules *r, int32_t id)
{
	for (int i = 0; i < r->neos; i++)
		if (r->eos[i] == id)
			return true;
	return false;
}

int generate_run(struct decode *d, const struct generate_rules *r, const int32_t *prompt, int n, generate_take *take,
                 void *arg, enum generate_end *end, struct err *e)
{
	int64_t room = generate_room(r, n);
	enum generate_end why = GENERATE_LENGTH;
	const int32_t *feed = prompt;
	int32_t id;
	decode_reset(d);
	for (int64_t i = 0; i < room && why == GENERATE_LENGTH; i++) {
		if (decode_feed(d, feed, n, e))
			return -1;
		id = sample_greedy(decode_logits(d), decode_vocab(d));
		if (id < 0) {
			err_data(e, "the model's logits are not numbers (NaN): its weights are damaged");
			e->kind = ERR_IO; /* no other prompt would fare better */
			return -1;
		}
		if (take(arg, id, e))
			return -1;
		why = generate_is_eos(r, id) ? GENERATE_EOS : GENERATE_LENGTH;
		feed = &id;
		n = 1;
	}
	if (end)
		*end = why;
	return 0;
}
