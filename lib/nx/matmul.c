#include "nx/matmul.h"

#include "base/isa.h"

ISA_CHOICE(struct matmul, matmul_isa_, matmul_at)

const struct matmul *matmul_best(bool bf16)
{
	const struct matmul *best = NULL;
	bool halves = cpu_halves_avx512() && !(bf16 && cpu_bf16_dots());
	for (int i = 0; matmul_at(i) && !(halves && i == CPU_AVX512); i++)
		best = matmul_at(i);
	return best;
}

/* The parts that n is cut into, each at most `most`: all of one size but the last, a multiple of `grain`. */
static int part(int n, int most, int grain)
{
	int parts = (n + most - 1) / most, each = (n + parts - 1) / parts;
	return (each + grain - 1) / grain * grain;
}

static int smaller(int a, int b)
{
	return a < b ? a : b;
}

/* Floats of the packed blocks of a and b, with what packing may overwrite behind them. */
static size_t room_a(const struct matmul *t)
{
	return (size_t)(MATMUL_HEIGHT + 2 * t->rows) * MATMUL_DEPTH + 64;
}

static size_t room_b(const struct matmul *t)
{
	return (size_t)(MATMUL_WIDTH + t->cols) * MATMUL_DEPTH + 64;
}

size_t matmul_room(const struct matmul *t)
{
	return room_a(t) + room_b(t);
}

static struct matmul_operand from(const struct matmul_operand *o, int across, int depth)
{
	return (struct matmul_operand){o->v + across * o->across + depth * o->depth, o->across, o->depth};
}

/* How a block of k is packed and multiplied: `deep` of it in a panel. */
struct way {
	const struct matmul *t;
	bool bf16, pairs;
	int k, deep;
};

static void pack_b(const struct way *w, float *to, struct matmul_operand b, int n)
{
	ptrdiff_t next = (ptrdiff_t)w->deep * w->t->cols;
	if (w->pairs)
		w->t->pack_b_pairs(to, next, &b, n, w->k);
	else
		w->t->pack_b(to, next, &b, n, w->k, w->bf16);
}

static void pack_a(const struct way *w, float *to, struct matmul_operand a, int m)
{
	ptrdiff_t next = (ptrdiff_t)w->deep * w->t->rows;
	if (w->pairs)
		w->t->pack_a_pairs(to, next, &a, m, w->k);
	else
		w->t->pack_a(to, next, &a, m, w->k, w->bf16);
}

/* The columns j .. j + n - 1 of c, at the depth q of k. */
static void columns(const struct matmul_product *p, const struct way *w, int j, int n, int q, float *room)
{
	float *pb = room, *pa = room + room_b(w->t);
	int height = part(p->m, MATMUL_HEIGHT, w->t->rows);
	pack_b(w, pb, from(&p->b, j, q), n);
	for (int i = 0; i < p->m; i += height) {
		int m = smaller(height, p->m - i);
		struct matmul_tiles s = {p->c + i * p->ldc + j, p->ldc, pa, pb, (ptrdiff_t)w->deep * w->t->rows,
		                         (ptrdiff_t)w->deep * w->t->cols, m, n, w->deep,
		                         p->bias && q == 0 ? p->bias + j : NULL, p->add || q > 0};
		pack_a(w, pa, from(&p->a, i, q), m);
		if (w->pairs)
			w->t->tiles_pairs(&s);
		else
			w->t->tiles(&s);
	}
}

void matmul_run(const struct matmul *t, const struct matmul_product *p, float *room)
{
	bool pairs = p->bf16 && t->tiles_pairs && cpu_bf16_dots();
	int width = part(p->n, MATMUL_WIDTH, t->cols), depth = part(p->k, MATMUL_DEPTH, 8);
	for (int j = 0; j < p->n; j += width)
		for (int q = 0; q < p->k; q += depth) {
			int k = smaller(depth, p->k - q);
			struct way w = {t, p->bf16, pairs, k, pairs ? (k + 1) / 2 : k};
			columns(p, &w, j, smaller(width, p->n - j), q, room);
		}
}
