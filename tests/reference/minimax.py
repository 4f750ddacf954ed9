"""The polynomials of lib/nx/kernel_isa.c: near-minimax fits by Lawson's iteration
(least squares whose weights grow where the error is large), printed as floats.

    python minimax.py

Ran under Python 3.11, numpy 2.4, mpmath 1.3 (which gives the functions to fit).
"""
import mpmath as mp
import numpy as np

mp.mp.dps = 40


def fit(f, basis, weight, lo, hi, rounds=400, points=4001):
    """Coefficients c with max |weight(x) (sum c_i basis_i(x) - f(x))| small on [lo, hi]."""
    x = (lo + hi) / 2 - (hi - lo) / 2 * np.cos(np.linspace(0, np.pi, points))
    a = np.stack([b(x) for b in basis], axis=1) * weight(x)[:, None]
    y = np.array([float(f(mp.mpf(float(t)))) for t in x]) * weight(x)
    w = np.ones(points)
    best = None
    for _ in range(rounds):
        s = np.sqrt(w)[:, None]
        c = np.linalg.lstsq(a * s, y * s[:, 0], rcond=None)[0]
        err = np.abs(a @ c - y)
        if best is None or err.max() < best[0]:
            best = err.max(), c
        w = w * err
        w /= w.sum()
    return best


def power(k):
    return lambda x: x ** k


def show(name, err, c, order):
    print(f"{name}: error {err:.2e}; x^{order[0]} .. x^{order[-1]}")
    for v in c:
        print(f"    {np.float32(v)!s}f")


def main():
    # exp(r) = 1 + r + r^2 q(r) on |r| <= ln 2 / 2; relative error
    h = 0.3470
    e, c = fit(lambda x: (mp.e ** x - 1 - x) / x ** 2 if abs(x) > 1e-9 else mp.mpf(1) / 2,
               [power(k) for k in range(5)], lambda x: x ** 2 * np.exp(-x), -h, h)
    show("exp", e, c, range(5))
    # tanh(x) = x + x^3 q(x^2) on 0 <= x <= 0.55; relative error
    e, c = fit(lambda x: (mp.tanh(x) - x) / x ** 3 if x > 1e-9 else -mp.mpf(1) / 3,
               [power(2 * k) for k in range(5)], lambda x: x ** 2, 0.0, 0.56)
    show("tanh, in x^2", e, c, range(5))
    # Phi(x) = 1/2 + x q(x^2) on |x| <= 1.25
    e, c = fit(lambda x: (mp.ncdf(x) - mp.mpf(1) / 2) / x if x > 1e-9 else 1 / mp.sqrt(2 * mp.pi),
               [power(2 * k) for k in range(6)], lambda x: x * 0 + 1, 0.0, 1.26)
    show("normal centre, in x^2", e, c, range(6))
    # Phi(-z) = exp(-z^2/2) s q(s), s = 1 / (1 + k z), 0 <= z <= 14: relative error; k found by trying
    def tail(k):
        def f(s):
            z = (1 / s - 1) / k
            return mp.erfc(z / mp.sqrt(2)) * mp.e ** (z * z / 2) / 2 / s
        return f

    best = None
    for k in np.arange(0.20, 0.60, 0.02):
        k = float(np.round(k, 2))
        lo = 1 / (1 + 14 * k)
        e, c = fit(tail(k), [power(i) for i in range(8)], lambda s: s * 0 + 1 / 1, lo, 1.0, rounds=100, points=801)
        if best is None or e < best[0]:
            best = e, k, c
    e, k, c = best
    print(f"k = {k}")
    show("normal tail, in s", e, c, range(8))


if __name__ == "__main__":
    main()
