/**
 * Small dense matrices on the host, in float64: what is left of a method when the rows are summed. Row-major.
 *
 * Source: Golub and Van Loan, "Matrix Computations" (Cholesky 4.2.5, modified Gram-Schmidt 5.2.8); the symmetric
 * eigenproblem by Householder's reduction and implicit QL after EISPACK's tred2 and tql2 (Bowdler, Martin, Reinsch and
 * Wilkinson, 1968).
 */

/** The lower L with L Lᵀ = a, [n, n]; undefined where a is not positive definite. */
export function cholesky(a: Float64Array, n: number): Float64Array | undefined {
  const lower = new Float64Array(n * n)
  for (let i = 0; i < n; i++) {
    for (let j = 0; j <= i; j++) {
      let sum = a[i * n + j]
      for (let l = 0; l < j; l++) sum -= lower[i * n + l] * lower[j * n + l]
      if (i !== j) lower[i * n + j] = sum / lower[j * n + j]
      else if (sum > 0) lower[i * n + i] = Math.sqrt(sum)
      else return undefined
    }
  }
  return lower
}

/** The inverse of a lower triangle, which is one too. */
export function invertLower(lower: Float64Array, n: number): Float64Array {
  const inverse = new Float64Array(n * n)
  for (let j = 0; j < n; j++) {
    for (let i = j; i < n; i++) {
      let sum = i === j ? 1 : 0
      for (let l = j; l < i; l++) sum -= lower[i * n + l] * inverse[l * n + j]
      inverse[i * n + j] = sum / lower[i * n + i]
    }
  }
  return inverse
}

/** x with a x = b by a's Cholesky factor; b and x are [n, columns]. */
export function solveCholesky(lower: Float64Array, b: Float64Array, n: number, columns: number): Float64Array {
  const x = b.slice()
  for (let c = 0; c < columns; c++) {
    for (let i = 0; i < n; i++) {
      let sum = x[i * columns + c]
      for (let l = 0; l < i; l++) sum -= lower[i * n + l] * x[l * columns + c]
      x[i * columns + c] = sum / lower[i * n + i]
    }
    for (let i = n - 1; i >= 0; i--) {
      let sum = x[i * columns + c]
      for (let l = i + 1; l < n; l++) sum -= lower[l * n + i] * x[l * columns + c]
      x[i * columns + c] = sum / lower[i * n + i]
    }
  }
  return x
}

/** Columns [n, columns] made orthonormal, twice over so that rounding does not count; a dependent column becomes zeros. */
export function orthonormal(a: Float64Array, n: number, columns: number): Float64Array {
  const q = a.slice()
  for (let c = 0; c < columns; c++) {
    const before = norm(q, n, columns, c)
    for (let pass = 0; pass < 2; pass++) {
      for (let other = 0; other < c; other++) {
        let dot = 0
        for (let i = 0; i < n; i++) dot += q[i * columns + c] * q[i * columns + other]
        for (let i = 0; i < n; i++) q[i * columns + c] -= dot * q[i * columns + other]
      }
    }
    const length = norm(q, n, columns, c)
    const factor = length > 1e-12 * before ? 1 / length : 0
    for (let i = 0; i < n; i++) q[i * columns + c] *= factor
  }
  return q
}

function norm(a: Float64Array, n: number, columns: number, c: number): number {
  let sum = 0
  for (let i = 0; i < n; i++) sum += a[i * columns + c] ** 2
  return Math.sqrt(sum)
}

/** a [m, k] times b [k, n]. */
export function multiply(a: Float64Array, b: Float64Array, m: number, k: number, n: number): Float64Array {
  const y = new Float64Array(m * n)
  for (let i = 0; i < m; i++)
    for (let l = 0; l < k; l++) {
      const value = a[i * k + l]
      for (let j = 0; j < n; j++) y[i * n + j] += value * b[l * n + j]
    }
  return y
}

export function transpose(a: Float64Array, m: number, n: number): Float64Array {
  return Float64Array.from({ length: m * n }, (_, at) => a[(at % m) * n + Math.floor(at / m)])
}

/** Eigenvalues of a symmetric [n, n], largest first, and their vectors as rows. */
export function symmetricEigen(a: Float64Array, n: number): { values: Float64Array; vectors: Float64Array } {
  const v = a.slice()
  const d = new Float64Array(n)
  const e = new Float64Array(n)
  tridiagonalise(v, d, e, n)
  implicitQl(v, d, e, n)
  const order = [...d.keys()].sort((i, j) => d[j] - d[i])
  const vectors = new Float64Array(n * n)
  order.forEach((from, to) => {
    for (let i = 0; i < n; i++) vectors[to * n + i] = v[i * n + from]
  })
  return { values: Float64Array.from(order, i => d[i]), vectors }
}

/** tred2: v becomes the transformation, d the diagonal, e the subdiagonal. */
function tridiagonalise(v: Float64Array, d: Float64Array, e: Float64Array, n: number): void {
  for (let j = 0; j < n; j++) d[j] = v[(n - 1) * n + j]
  for (let i = n - 1; i > 0; i--) {
    let scale = 0
    let h = 0
    for (let k = 0; k < i; k++) scale += Math.abs(d[k])
    if (scale === 0) {
      e[i] = d[i - 1]
      for (let j = 0; j < i; j++) {
        d[j] = v[(i - 1) * n + j]
        v[i * n + j] = 0
        v[j * n + i] = 0
      }
    } else {
      for (let k = 0; k < i; k++) {
        d[k] /= scale
        h += d[k] * d[k]
      }
      const f = d[i - 1]
      const g = f > 0 ? -Math.sqrt(h) : Math.sqrt(h)
      e[i] = scale * g
      h -= f * g
      d[i - 1] = f - g
      reflect(v, d, e, n, i, h)
    }
    d[i] = h
  }
  accumulate(v, d, n)
  e[0] = 0
}

/** Applies one Householder reflection to what is left of the matrix. */
function reflect(v: Float64Array, d: Float64Array, e: Float64Array, n: number, i: number, h: number): void {
  for (let j = 0; j < i; j++) e[j] = 0
  for (let j = 0; j < i; j++) {
    const f = d[j]
    v[j * n + i] = f
    let g = e[j] + v[j * n + j] * f
    for (let k = j + 1; k < i; k++) {
      g += v[k * n + j] * d[k]
      e[k] += v[k * n + j] * f
    }
    e[j] = g
  }
  let f = 0
  for (let j = 0; j < i; j++) {
    e[j] /= h
    f += e[j] * d[j]
  }
  const hh = f / (h + h)
  for (let j = 0; j < i; j++) e[j] -= hh * d[j]
  for (let j = 0; j < i; j++) {
    const fj = d[j]
    const gj = e[j]
    for (let k = j; k < i; k++) v[k * n + j] -= fj * e[k] + gj * d[k]
    d[j] = v[(i - 1) * n + j]
    v[i * n + j] = 0
  }
}

function accumulate(v: Float64Array, d: Float64Array, n: number): void {
  for (let i = 0; i < n - 1; i++) {
    v[(n - 1) * n + i] = v[i * n + i]
    v[i * n + i] = 1
    const h = d[i + 1]
    if (h !== 0) {
      for (let k = 0; k <= i; k++) d[k] = v[k * n + i + 1] / h
      for (let j = 0; j <= i; j++) {
        let g = 0
        for (let k = 0; k <= i; k++) g += v[k * n + i + 1] * v[k * n + j]
        for (let k = 0; k <= i; k++) v[k * n + j] -= g * d[k]
      }
    }
    for (let k = 0; k <= i; k++) v[k * n + i + 1] = 0
  }
  for (let j = 0; j < n; j++) {
    d[j] = v[(n - 1) * n + j]
    v[(n - 1) * n + j] = 0
  }
  v[n * n - 1] = 1
}

/** tql2: rotations until the subdiagonal is gone. */
function implicitQl(v: Float64Array, d: Float64Array, e: Float64Array, n: number): void {
  for (let i = 1; i < n; i++) e[i - 1] = e[i]
  e[n - 1] = 0
  let f = 0
  let tst1 = 0
  for (let l = 0; l < n; l++) {
    tst1 = Math.max(tst1, Math.abs(d[l]) + Math.abs(e[l]))
    let m = l
    while (m < n - 1 && Math.abs(e[m]) > Number.EPSILON * tst1) m++
    // 60 turns are far more than a value ever takes; with NaN in the matrix it would never end.
    for (let turn = 0; m > l && turn < 60; turn++) {
      const g = d[l]
      let p = (d[l + 1] - g) / (2 * e[l])
      let r = p < 0 ? -Math.hypot(p, 1) : Math.hypot(p, 1)
      d[l] = e[l] / (p + r)
      d[l + 1] = e[l] * (p + r)
      const dl1 = d[l + 1]
      const h = g - d[l]
      for (let i = l + 2; i < n; i++) d[i] -= h
      f += h
      p = d[m]
      let [c, c2, c3, s, s2] = [1, 1, 1, 0, 0]
      const el1 = e[l + 1]
      for (let i = m - 1; i >= l; i--) {
        c3 = c2
        c2 = c
        s2 = s
        const gi = c * e[i]
        const hi = c * p
        r = Math.hypot(p, e[i])
        e[i + 1] = s * r
        s = e[i] / r
        c = p / r
        p = c * d[i] - s * gi
        d[i + 1] = hi + s * (c * gi + s * d[i])
        for (let k = 0; k < n; k++) {
          const vk = v[k * n + i + 1]
          v[k * n + i + 1] = s * v[k * n + i] + c * vk
          v[k * n + i] = c * v[k * n + i] - s * vk
        }
      }
      p = (-s * s2 * c3 * el1 * e[l]) / dl1
      e[l] = s * p
      d[l] = c * p
      if (Math.abs(e[l]) <= Number.EPSILON * tst1) break
    }
    d[l] += f
    e[l] = 0
  }
}
