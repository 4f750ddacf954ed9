/* text/pad: every combination of padding and truncation as HF's tokenizer call
 * has it. The golden is made by tests/reference/pad.py. */
#include "test.h"

#include "base/hash.h"
#include "text/pad.h"

enum { ROWS = 6, LONGEST = 9 };
static const size_t lengths[ROWS] = {0, 1, 3, 4, 6, LONGEST};

/* Row i of pad.py; label 1000 + id, to be told from it. */
static struct record row(int i, int32_t *ids, uint8_t *attn, int32_t *labels)
{
	for (int j = 0; j < (int)lengths[i]; j++) {
		ids[j] = 10 * i + j + 2;
		labels[j] = 1000 + ids[j];
		attn[j] = 1;
	}
	return (struct record){.n = lengths[i], .ids = ids, .attn = attn, .labels = labels};
}

/* A token has its own label, padding has -100. */
static int labels_wrong(const struct record *r)
{
	int bad = 0;
	for (size_t i = 0; i < r->n; i++)
		bad += r->labels[i] != (r->attn[i] ? 1000 + r->ids[i] : RECORD_IGNORE);
	return bad;
}

/* The rows under the rule, hashed as pad.py does it. */
static uint64_t digest(const struct pad_rule *rule, int *wrong)
{
	int32_t ids[ROWS][LONGEST], labels[ROWS][LONGEST];
	uint8_t attn[ROWS][LONGEST];
	struct record r[ROWS];
	struct arena a = {0};
	struct err e;
	size_t longest = 0, cut = 0;
	uint64_t h = HASH_SEED;
	for (int i = 0; i < ROWS; i++) {
		size_t less;
		r[i] = row(i, ids[i], attn[i], labels[i]);
		if (pad_cut(rule, &r[i], &less, &a, &e))
			abort();
		cut += less;
		*wrong += lengths[i] - r[i].n != 0 && !rule->truncate;
		longest = r[i].n > longest ? r[i].n : longest;
	}
	for (int i = 0; i < ROWS; i++) {
		cut += r[i].n;
		if (pad_fill(rule, &r[i], pad_length(rule, longest), &a, &e))
			abort();
		*wrong += labels_wrong(&r[i]);
		h = hash_word(h, (uint32_t)r[i].n);
		for (size_t j = 0; j < r[i].n; j++)
			h = hash_word(h, (uint32_t)r[i].ids[j]);
		for (size_t j = 0; j < r[i].n; j++)
			h = hash_word(h, r[i].attn[j]);
	}
	*wrong += cut != 0 + 1 + 3 + 4 + 6 + 9;
	arena_release(&a);
	return h;
}

static int agrees(const char *line, int *wrong)
{
	static const char *const modes[] = {[PAD_LONGEST] = "longest", [PAD_MAX] = "max_length", [PAD_NONE] = "none"};
	char padding[20], pad_side[20], cut_side[20], want[40], got[40] = "error";
	int truncate;
	long long max, multiple;
	struct err e = {0};
	if (sscanf(line, "%19s %d %lld %lld %19s %19s %39s", padding, &truncate, &max, &multiple, pad_side, cut_side, want) != 7)
		return 0;
	struct pad_rule rule = {.max_length = max, .truncate = truncate, .multiple = multiple < 0 ? 0 : multiple};
	rule.cut_left = strcmp(cut_side, "left") == 0;
	rule.pad_left = strcmp(pad_side, "left") == 0;
	while (strcmp(modes[rule.padding], padding) != 0)
		rule.padding++;
	if (pad_check(&rule, &e) == 0)
		snprintf(got, sizeof got, "%016llx", (unsigned long long)digest(&rule, wrong));
	else
		*wrong += e.kind != ERR_USAGE;
	if (strcmp(got, want) == 0)
		return 1;
	printf("# %s# got %s\n", line, got);
	return 0;
}

/* tests/golden/pad_windows.txt */
static void all_windows(void)
{
	FILE *f = fopen("tests/golden/pad_windows.txt", "r");
	char line[300], side[20], got[300];
	int count = 0, bad = 0, at;
	while (f && fgets(line, sizeof line, f)) {
		struct pad_rule rule = {.truncate = true, .padding = PAD_NONE};
		long long n, max, stride;
		size_t from, to, len = 0;
		struct err e;
		if (sscanf(line, "%lld %lld %lld %19s %n", &n, &max, &stride, side, &at) != 4)
			continue;
		rule.max_length = max;
		rule.stride = stride;
		rule.cut_left = strcmp(side, "left") == 0;
		bad += pad_check(&rule, &e) != 0;
		for (size_t k = 0; pad_window(&rule, (size_t)n, k, &from, &to); k++)
			len += (size_t)snprintf(got + len, sizeof got - len, "%s%zu-%zu", k ? " " : "", from, to);
		line[strcspn(line, "\n")] = 0;
		bad += strcmp(got, line + at) != 0;
		count++;
	}
	if (f)
		fclose(f);
	TEST(count > 400 && bad == 0, "%d rows of windows as HF has them, %d wrong", count, bad);
}

/* The pieces of a packed record go with their tokens. */
static void pieces(void)
{
	static const uint32_t starts[] = {2, 3, 7};
	static const struct {
		struct pad_rule rule;
		size_t pad, k;
		uint32_t starts[3];
	} want[] = {
		{{.max_length = 7, .truncate = true}, 0, 2, {2, 3}},
		{{.max_length = 7, .truncate = true, .cut_left = true}, 0, 2, {1, 5}},
		{{.max_length = 6, .truncate = true, .cut_left = true}, 0, 1, {4}},
		{{.max_length = 1, .truncate = true}, 0, 0, {0}},
		{{.max_length = -1}, 12, 3, {2, 3, 7}},
		{{.max_length = -1, .pad_left = true}, 12, 3, {5, 6, 10}},
		{{.max_length = 7, .truncate = true, .cut_left = true, .pad_left = true}, 9, 2, {3, 7}},
	};
	int32_t ids[LONGEST], labels[LONGEST];
	uint8_t attn[LONGEST];
	struct arena a = {0};
	struct err e;
	for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
		struct record r = row(ROWS - 1, ids, attn, labels);
		size_t cut;
		r.starts = starts;
		r.nstarts = 3;
		if (pad_cut(&want[i].rule, &r, &cut, &a, &e) || pad_fill(&want[i].rule, &r, want[i].pad, &a, &e))
			abort();
		TEST(r.nstarts == want[i].k && (!r.nstarts || !memcmp(r.starts, want[i].starts, r.nstarts * sizeof *starts)),
		     "pieces, cut and padded: %zu left", r.nstarts);
	}
	arena_release(&a);
}

int main(void)
{
	FILE *f = fopen("tests/golden/pad.txt", "r");
	char line[200];
	int count = 0, bad = 0, wrong = 0;
	struct err e = {0};
	while (f && fgets(line, sizeof line, f)) {
		if (line[0] == '#')
			continue;
		bad += !agrees(line, &wrong);
		count++;
	}
	TEST(count == 608 && bad == 0, "%d combinations as HF has them, %d wrong", count, bad);
	TEST(wrong == 0, "labels go with their tokens, padding has -100, cut tokens are counted");
	if (f)
		fclose(f);
	struct pad_rule no_length = {.max_length = -1, .padding = PAD_MAX};
	TEST(pad_check(&no_length, &e) == -1 && e.kind == ERR_USAGE, "padding to no length: %s", e.msg);
	all_windows();
	pieces();
	return test_done();
}
