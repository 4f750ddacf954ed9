/* Compiled once for each instruction set; scan.c chooses. */
#include "text/scan.h"
#include "base/isa.h"
#include "base/le.h"
#include "text/unicode.h"

#if defined __AVX2__
#include <immintrin.h>
#endif


enum { ROW_C = 1, ROW_D = 2, ROW_E = 4 };

/* Leads by their nibbles, as scan_nibbles has classes. */
static const struct scan_nibbles lead = {
	.lo = {ROW_D, ROW_D | ROW_E, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, ROW_C | ROW_D, 7, 7},
	.hi = {[12] = ROW_C, [13] = ROW_D, [14] = ROW_E}};

#if defined __AVX2__
struct half {
	__m256i bytes, class;
};

static struct half half_of(const unsigned char *s, const struct scan_nibbles *t)
{
	const __m256i low = _mm256_set1_epi8(15);
	__m256i lo = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)t->lo));
	__m256i hi = _mm256_broadcastsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)t->hi));
	__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)s);
	__m256i a = _mm256_shuffle_epi8(lo, _mm256_and_si256(v, low));
	__m256i b = _mm256_shuffle_epi8(hi, _mm256_and_si256(_mm256_srli_epi16(v, 4), low));
	return (struct half){v, _mm256_and_si256(a, b)};
}

/* The top bits of 64 bytes. */
static uint64_t tops(__m256i a, __m256i b)
{
	return (uint32_t)_mm256_movemask_epi8(a) | (uint64_t)(uint32_t)_mm256_movemask_epi8(b) << 32;
}

/* The bytes whose class has the bit 1 << (7 - up). */
#define MEMBERS(up) tops(_mm256_slli_epi16(a.class, up), _mm256_slli_epi16(b.class, up))

static void classify(struct scan_mask *m, const unsigned char *s, const struct scan_nibbles *t)
{
	struct half a = half_of(s, t), b = half_of(s + 32, t);
	m->line = MEMBERS(0);
	m->raw = MEMBERS(1);
	m->quote = MEMBERS(2);
	m->blank = MEMBERS(3);
	m->space = MEMBERS(4) | m->blank;
	m->number = MEMBERS(5);
	m->letter = MEMBERS(6) | MEMBERS(7);
	m->high = tops(a.bytes, b.bytes);
}

static struct scan_leads leads(const unsigned char *s)
{
	struct half a = half_of(s, &lead), b = half_of(s + 32, &lead);
	uint64_t two = MEMBERS(7) | MEMBERS(6), three = MEMBERS(5);
	uint64_t all = tops(a.bytes, b.bytes) & tops(_mm256_slli_epi16(a.bytes, 1), _mm256_slli_epi16(b.bytes, 1));
	return (struct scan_leads){two, three, all & ~(two | three)};
}
#else
/* Eight flags of 0 or 1, one a byte, to eight bits. */
static uint64_t pack(uint64_t flags)
{
	return flags * UINT64_C(0x0102040810204080) >> 56;
}

static void classify(struct scan_mask *m, const unsigned char *s, const struct scan_nibbles *t)
{
	uint64_t member[8] = {0}, high = 0;
	for (int i = 0; i < 64; i += 8) {
		uint64_t class = 0, top = 0;
		for (int k = 0; k < 8; k++) {
			unsigned char c = s[i + k];
			class |= (uint64_t)(t->lo[c & 15] & t->hi[c >> 4]) << 8 * k;
			top |= (uint64_t)(c >> 7) << 8 * k;
		}
		for (int b = 0; b < 8; b++)
			member[b] |= pack(class >> b & UINT64_C(0x0101010101010101)) << i;
		high |= pack(top) << i;
	}
	m->letter = member[0] | member[1];
	m->number = member[2];
	m->blank = member[4];
	m->space = member[3] | member[4];
	m->quote = member[5];
	m->raw = member[6];
	m->line = member[7];
	m->high = high;
}

static struct scan_leads leads(const unsigned char *s)
{
	struct scan_leads l = {0};
	for (int i = 0; i < 64; i++) {
		unsigned class = lead.lo[s[i] & 15] & lead.hi[s[i] >> 4];
		l.two |= (uint64_t)((class & (ROW_C | ROW_D)) != 0) << i;
		l.three |= (uint64_t)((class & ROW_E) != 0) << i;
		l.other |= (uint64_t)(s[i] >= 0xC0 && !(class & (ROW_C | ROW_D | ROW_E))) << i;
	}
	return l;
}
#endif

static inline void say(struct scan_said *to, uint32_t cp, unsigned i)
{
	unsigned entry = unicode_entry(cp);
	to->low |= (uint64_t)(entry & 1) << i;
	to->high |= (uint64_t)(entry >> 1 & 1) << i;
	to->any |= entry;
}

/* What the characters are decides no branch: it is different from one to the next. */
static struct scan_said ask(const struct scan_seams *sm, const unsigned char *s, uint64_t two, uint64_t three, uint32_t last)
{
	struct scan_said to = {.last = last};
	for (; two; two &= two - 1) {
		unsigned i = (unsigned)__builtin_ctzll(two);
		say(&to, (s[i] & 0x1Fu) << 6 | (s[i + 1] & 0x3F), i);
	}
	for (; three; three &= three - 1) {
		unsigned i = (unsigned)__builtin_ctzll(three);
		uint32_t word = le_load32(s + i), cp = (word & 0x0F) << 12 | (word & 0x3F00) >> 2 | (word >> 16 & 0x3F);
		say(&to, cp, i);
		to.seam |= (uint64_t)scan_seam(sm, to.last, cp, word) << i;
		to.last = cp;
	}
	return to;
}

ISA_TABLE(struct scan_isa, scan_isa_) = {ISA_NAME, classify, leads, ask};
