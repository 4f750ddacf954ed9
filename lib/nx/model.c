#include "nx/model.h"

#include "nx/modelfile.h"

#include <stdlib.h>

/* --- weights ------------------------------------------------------------------- */

/* Room for the weights of c, all zero. */
static int open_weights(struct model *m, const struct config *c, struct err *e)
{
	*m = (struct model){.cfg = *c};
	if (params_layout(&m->lay, c, e))
		return -1;
	m->w = params_alloc(&m->lay);
	if (m->w)
		return 0;
	model_release(m);
	return err_mem(e);
}

int model_load(struct model *m, const char *dir, struct err *e)
{
	struct config c;
	*m = (struct model){0};
	if (config_load(&c, dir, e) || open_weights(m, &c, e))
		return -1;
	if (modelfile_read(m->w, &m->lay, dir, e) == 0)
		return 0;
	model_release(m);
	return -1;
}

int model_init(struct model *m, const struct config *c, uint64_t seed, struct err *e)
{
	if (open_weights(m, c, e))
		return -1;
	if (modelfile_random(m->w, &m->lay, c->init_range, seed, e) == 0)
		return 0;
	model_release(m);
	return -1;
}

int model_save(const struct model *m, const char *dir, struct err *e)
{
	return modelfile_write(m->w, &m->lay, dir, e) || config_save(&m->cfg, dir, "float32", e) ? -1 : 0;
}

void model_release(struct model *m)
{
	params_release(&m->lay);
	free(m->w);
	m->w = NULL;
}
