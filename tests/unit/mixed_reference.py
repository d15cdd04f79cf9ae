"""Mixed models straight from the papers, with n x n matrices: slow, plain, and independent of pniflow.

Kenward & Roger 1997 as in pbkrtest (vcovAdj, Lb_ddf, KRmodcomp); Satterthwaite as in lmerTest, with a
numerical Hessian of the deviance in (theta, sigma).
"""

from __future__ import annotations

import numpy as np
from scipy import linalg, stats


def structures(groups, slopes=None):
    """Derivative of V in each variance and covariance: ZZ' of each factor, slopes too, then the residual."""
    out = []
    for index, labels in enumerate(groups):
        z = (np.asarray(labels)[:, None] == np.unique(labels)).astype(float)
        columns = [z] if slopes is None or index else [z, *(z * slope[:, None] for slope in slopes)]
        for a in range(len(columns)):
            for b in range(a + 1):
                g = columns[a] @ columns[b].T
                out.append(g if a == b else g + g.T)
    return [*out, np.eye(len(labels))]


def deviance(x, y, v, reml=True):
    """-2 log-likelihood, as lme4 counts it."""
    n, p = x.shape
    w = linalg.inv(v)
    a = x.T @ w @ x
    beta = linalg.solve(a, x.T @ w @ y)
    r = y - x @ beta
    value = np.linalg.slogdet(v)[1] + r @ w @ r
    return (
        value + n * np.log(2 * np.pi)
        if not reml
        else value + np.linalg.slogdet(a)[1] + (n - p) * np.log(2 * np.pi)
    )


def kenward_roger(x, y, g, gamma, rows):
    """Estimate, standard errors, df of single contrasts; V = sum of gamma times g."""
    v = sum(c * part for c, part in zip(gamma, g, strict=True))
    w = linalg.inv(v)
    phi = linalg.inv(x.T @ w @ x)
    beta = phi @ x.T @ w @ y
    k = len(g)
    p = [-x.T @ w @ part @ w @ x for part in g]
    q = [[x.T @ w @ a @ w @ b @ w @ x for b in g] for a in g]
    wg = [w @ part for part in g]
    information = np.empty((k, k))
    for i in range(k):
        for j in range(k):
            information[i, j] = (
                np.sum(wg[i] * wg[j].T) - 2 * np.trace(phi @ q[i][j]) + np.trace(phi @ p[i] @ phi @ p[j])
            )
    weight = 2 * linalg.inv(information)
    u = sum(weight[i, j] * (q[i][j] - p[i] @ phi @ p[j]) for i in range(k) for j in range(k))
    adjusted = phi + 2 * phi @ u @ phi
    df = []
    for row in rows:
        theta = np.outer(row, row) / (row @ phi @ row)
        e = [np.trace(theta @ phi @ part @ phi) for part in p]
        df.append(2 / sum(weight[i, j] * e[i] * e[j] for i in range(k) for j in range(k)))
    return {
        "estimate": rows @ beta,
        "se_reml": np.sqrt(np.einsum("rp,ps,rs->r", rows, phi, rows)),
        "se_kr": np.sqrt(np.einsum("rp,ps,rs->r", rows, adjusted, rows)),
        "df_kr": np.array(df),
        "phi": phi,
        "adjusted": adjusted,
        "p": p,
        "weight": weight,
        "beta": beta,
    }


def kenward_roger_f(fit, rows):
    """Scaled F, its df and p, as KRmodcomp computes them."""
    phi, p, weight, q = fit["phi"], fit["p"], fit["weight"], len(rows)
    theta = rows.T @ linalg.solve(rows @ phi @ rows.T, rows)
    u = [theta @ phi @ part @ phi for part in p]
    k = len(p)
    a1 = sum(weight[i, j] * np.trace(u[i]) * np.trace(u[j]) for i in range(k) for j in range(k))
    a2 = sum(weight[i, j] * np.trace(u[i] @ u[j]) for i in range(k) for j in range(k))
    b = (a1 + 6 * a2) / (2 * q)
    g = ((q + 1) * a1 - (q + 4) * a2) / ((q + 2) * a2)
    c1, c2, c3 = (part / (3 * q + 2 * (1 - g)) for part in (g, q - g, q + 2 - g))
    mean = 1 / (1 - a2 / q)
    variance = 2 / q * (1 + c1 * b) / ((1 - c2 * b) ** 2 * (1 - c3 * b))
    rho = variance / (2 * mean**2)
    df = 4 + (q + 2) / (q * rho - 1)
    scale = df / (mean * (df - 2))
    beta = rows @ fit["beta"]
    f = scale * beta @ linalg.solve(rows @ fit["adjusted"] @ rows.T, beta) / q
    return f, df, stats.f.sf(f, q, df)


def satterthwaite(x, y, v_of, theta, rows):
    """Df of single contrasts by central differences; v_of(theta) is V, theta away from its bounds."""
    k = len(theta)
    size = np.maximum(np.abs(theta), 1e-2)

    def value(shift):
        return deviance(x, y, v_of(theta + shift))

    def variances(shift):
        return np.einsum("rp,ps,rs->r", rows, linalg.inv(x.T @ linalg.inv(v_of(theta + shift)) @ x), rows)

    def derivatives(width):
        step = np.diag(width * size)
        hessian = np.empty((k, k))
        for i in range(k):
            for j in range(i + 1):
                parts = [value(a * step[i] + b * step[j]) * a * b for a in (1, -1) for b in (1, -1)]
                hessian[i, j] = hessian[j, i] = sum(parts) / (4 * step[i, i] * step[j, j])
        gradient = [(variances(step[i]) - variances(-step[i])) / (2 * step[i, i]) for i in range(k)]
        return hessian, np.array(gradient)

    fine, coarse = derivatives(2e-3), derivatives(4e-3)
    hessian, gradient = ((4 * a - b) / 3 for a, b in zip(fine, coarse, strict=True))  # Richardson
    covariance = 2 * linalg.inv(hessian)
    v = variances(np.zeros(k))
    return 2 * v**2 / np.einsum("ir,ij,jr->r", gradient, covariance, gradient)


def profile_loglik(x, y, v, reml=True):
    """Largest log-likelihood over the scale of V."""
    n, p = x.shape
    w = linalg.inv(v)
    r = y - x @ linalg.solve(x.T @ w @ x, x.T @ w @ y)
    return -deviance(x, y, v * (r @ w @ r) / (n - p if reml else n), reml) / 2
