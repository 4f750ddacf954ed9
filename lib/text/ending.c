#include "text/ending.h"
#include "base/arena.h"
#include "base/buf.h"
#include "io/in.h"
#include "io/json.h"
#include "io/there.h"

#include <string.h>

static int32_t first_of(const struct vocab *v, const char *const *names)
{
	int32_t id = -1;
	for (; *names && id < 0; names++)
		id = vocab_id(v, *names, strlen(*names));
	return id;
}

static int named(const struct vocab *v, const struct json *config, const char *key, int32_t *id, struct err *e)
{
	const struct json *token = json_get(config, key);
	if (json_is(token, JSON_OBJECT))
		token = json_get(token, "content");
	else if (!token || token->type == JSON_NULL)
		return 0;
	if (!json_is(token, JSON_STRING))
		return err_data(e, "\"%s\" is no token", key);
	*id = vocab_id(v, token->s, token->n);
	return *id >= 0 ? 0 : err_data(e, "the tokenizer has no token \"%s\", its \"%s\"", token->s, key);
}

static int read_config(const struct vocab *v, const char *path, int32_t *eos, int32_t *pad, struct err *e)
{
	struct arena a = {0};
	struct buf text = {0};
	struct json *config;
	int rc = in_slurp(path, &text, e);
	if (rc == 0) {
		rc = json_parse(&a, text.p, text.n, &config, e);
		if (rc == 0 && !json_is(config, JSON_OBJECT))
			rc = err_data(e, "no object");
		rc = rc || named(v, config, "eos_token", eos, e) || named(v, config, "pad_token", pad, e) ? -1 : 0;
		if (rc)
			err_prefix(e, "%s: ", path);
	}
	buf_release(&text);
	arena_release(&a);
	return rc;
}

int ending_find(const struct vocab *v, const char *path, int32_t *eos, int32_t *pad, struct err *e)
{
	static const char *const ends[] = {"<|endoftext|>", "</s>", "<|end_of_text|>", "<|im_end|>", "<|eot_id|>", NULL};
	static const char *const pads[] = {"<|padding|>", NULL};
	const char *slash = strrchr(path, '/');
	struct buf config = {0};
	*eos = *pad = -1;
	if (buf_printf(&config, "%.*stokenizer_config.json", slash ? (int)(slash - path) + 1 : 0, path))
		return err_mem(e);
	int rc = there_is_file(config.p, e);
	if (rc > 0)
		rc = read_config(v, config.p, eos, pad, e);
	buf_release(&config);
	if (*eos < 0)
		*eos = first_of(v, ends);
	if (*pad < 0)
		*pad = *eos >= 0 ? *eos : first_of(v, pads);
	return rc;
}
