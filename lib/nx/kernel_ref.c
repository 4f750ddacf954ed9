#include "nx/kernel_ref.h"

#include <math.h>
#include <stddef.h>

/* --- LayerNorm ------------------------------------------------------------------ */

static void moments(const double *x, int c, double eps, double *mean, double *rstd)
{
	double sum = 0, square = 0;
	for (int j = 0; j < c; j++)
		sum += x[j];
	*mean = sum / c;
	for (int j = 0; j < c; j++)
		square += (x[j] - *mean) * (x[j] - *mean);
	*rstd = 1 / sqrt(square / c + eps);
}

void kernel_ref_layernorm(double *y, const double *x, const double *w, const double *b, int n, int c, double eps)
{
	for (int r = 0; r < n; r++, x += c, y += c) {
		double mean, rstd;
		moments(x, c, eps, &mean, &rstd);
		for (int j = 0; j < c; j++)
			y[j] = (x[j] - mean) * rstd * w[j] + b[j];
	}
}

void kernel_ref_layernorm_back(double *dx, double *dw, double *db, const double *dy, const double *x, const double *w,
                               int n, int c, double eps)
{
	for (int r = 0; r < n; r++, x += c, dy += c, dx += c) {
		double mean, rstd, g = 0, gh = 0;
		moments(x, c, eps, &mean, &rstd);
		for (int j = 0; j < c; j++) {
			double xhat = (x[j] - mean) * rstd;
			g += dy[j] * w[j] / c;
			gh += dy[j] * w[j] * xhat / c;
			dw[j] += dy[j] * xhat;
			db[j] += dy[j];
		}
		for (int j = 0; j < c; j++)
			dx[j] += rstd * (dy[j] * w[j] - g - (x[j] - mean) * rstd * gh);
	}
}

/* --- activations ------------------------------------------------------------------ */

static const double root_2_over_pi = 0.79788456080286535588;

double kernel_ref_act(double x, enum config_act act)
{
	if (act == CONFIG_RELU)
		return x > 0 ? x : 0;
	if (act == CONFIG_GELU)
		return 0.5 * x * (1 + erf(x * M_SQRT1_2));
	return 0.5 * x * (1 + tanh(root_2_over_pi * (x + 0.044715 * x * x * x)));
}

double kernel_ref_act_slope(double x, enum config_act act)
{
	if (act == CONFIG_RELU)
		return x > 0;
	if (act == CONFIG_GELU)
		return 0.5 * (1 + erf(x * M_SQRT1_2)) + x * exp(-0.5 * x * x) * 0.5 * root_2_over_pi;
	double t = tanh(root_2_over_pi * (x + 0.044715 * x * x * x));
	return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * root_2_over_pi * (1 + 3 * 0.044715 * x * x);
}

/* --- attention -------------------------------------------------------------------- */

void kernel_ref_rotary(double *qkv, const double *angle, int n, int heads, int hd, int dims, int dir)
{
	for (int r = 0; r < n; r++)
		for (int h = 0; h < heads; h++)
			for (int part = 0; part < 2; part++) {
				double *v = qkv + (((size_t)r * heads + h) * 3 + part) * hd;
				for (int i = 0; i < dims / 2; i++) {
					double t = dir * angle[r * (dims / 2) + i], a = v[i], b = v[i + dims / 2];
					v[i] = a * cos(t) - b * sin(t);
					v[i + dims / 2] = b * cos(t) + a * sin(t);
				}
			}
}

static double score(const double *q, const double *k, int hd, int j)
{
	double s = 0;
	for (int i = 0; i < hd; i++)
		s += q[i] * k[j * hd + i] / sqrt(hd);
	return s;
}

/* What exp(score) of a query's n keys is divided by: all of them added up. Scores are small enough for that here. */
static double total(const double *q, const double *k, int n, int hd)
{
	double sum = 0;
	for (int j = 0; j < n; j++)
		sum += exp(score(q, k, hd, j));
	return sum;
}

void kernel_ref_attention(double *out, const double *q, const double *k, const double *v, int nq, int nk, int hd)
{
	for (int r = 0; r < nq; r++, q += hd, out += hd) {
		int sees = nk - nq + r + 1;
		double sum = total(q, k, sees, hd);
		for (int i = 0; i < hd; i++)
			out[i] = 0;
		for (int j = 0; j < sees; j++) {
			double p = exp(score(q, k, hd, j)) / sum;
			for (int i = 0; i < hd; i++)
				out[i] += p * v[j * hd + i];
		}
	}
}

void kernel_ref_attention_back(double *dq, double *dk, double *dv, const double *dout, const double *q, const double *k,
                               const double *v, int nq, int nk, int hd)
{
	for (int r = 0; r < nq; r++, q += hd, dq += hd, dout += hd) {
		int sees = nk - nq + r + 1;
		double mean = 0, sum = total(q, k, sees, hd); /* mean: of dp under p */
		for (int pass = 0; pass < 2; pass++)
			for (int j = 0; j < sees; j++) {
				double p = exp(score(q, k, hd, j)) / sum, dp = 0;
				for (int i = 0; i < hd; i++)
					dp += dout[i] * v[j * hd + i];
				if (pass == 0) {
					mean += p * dp;
					continue;
				}
				for (int i = 0; i < hd; i++) {
					dv[j * hd + i] += p * dout[i];
					dq[i] += p * (dp - mean) * k[j * hd + i] / sqrt(hd);
					dk[j * hd + i] += p * (dp - mean) * q[i] / sqrt(hd);
				}
			}
	}
}

/* --- products and loss -------------------------------------------------------------- */

void kernel_ref_matmul(double *y, const double *x, const double *w, const double *bias, int n, int out, int in)
{
	for (int r = 0; r < n; r++)
		for (int o = 0; o < out; o++) {
			double sum = bias ? bias[o] : 0;
			for (int i = 0; i < in; i++)
				sum += x[r * in + i] * w[o * in + i];
			y[r * out + o] = sum;
		}
}

double kernel_ref_xent(double *dx, const double *x, int v, int label, double scale)
{
	double sum, max = x[0];
	for (int j = 1; j < v; j++)
		max = x[j] > max ? x[j] : max;
	sum = exp(x[0] - max);
	for (int j = 1; j < v; j++)
		sum += exp(x[j] - max);
	for (int j = 0; j < v && dx; j++)
		dx[j] += scale * (exp(x[j] - max) / sum - (j == label));
	return log(sum) + max - x[label];
}

int kernel_ref_argmax(const float *x, int n)
{
	int at = n > 0 ? 0 : -1;
	for (int i = 0; i < n; i++) {
		if (isnan(x[i]))
			return -1;
		if (x[i] > x[at])
			at = i;
	}
	return at;
}
