/**
 * pairwise-coupling: probabilities of classes from those of each pair of them.
 *
 * Shapes: x [rows, pairs], y [rows, classes]. Params: src/compute/kernels/pairwise-coupling.ts. Scratch: q [classes, classes],
 *         then q p [classes].
 * Numerics: float32 as it stands, one operation after the other.
 * Source: Wu, Lin and Weng, "Probability estimates for multi-class classification by pairwise coupling" (2004).
 */
const STEPS: u32 = 100

/** The matrix of the quadratic form. */
function fillForm(x: usize, q: usize, k: u32): void {
  const row = k << 2
  memory.fill(q, 0, k * row)
  for (let c: u32 = 0; c < k; c++) {
    for (let d = c + 1; d < k; d++, x += 4) {
      const cd = load<f32>(x), dc: f32 = 1 - cd
      const both = -(dc * cd)
      store<f32>(q + c * row + (d << 2), both)
      store<f32>(q + d * row + (c << 2), both)
      const ofC = q + c * row + (c << 2), ofD = q + d * row + (d << 2)
      store<f32>(ofC, load<f32>(ofC) + dc * dc)
      store<f32>(ofD, load<f32>(ofD) + cd * cd)
    }
  }
}

export function pairwiseCoupling(x: usize, y: usize, scratch: usize, rows: u32, classes: u32): void {
  const k = classes, row = k << 2
  const q = scratch, qp = scratch + k * row
  const near: f32 = <f32>0.005 / <f32>k
  for (; rows > 0; rows--, x += (k * (k - 1)) << 1, y += row) {
    fillForm(x, q, k)
    for (let c: u32 = 0; c < k; c++) store<f32>(y + (c << 2), 1 / <f32>k)
    for (let step: u32 = 0; step < STEPS; step++) {
      let pqp: f32 = 0
      for (let c: u32 = 0; c < k; c++) {
        let sum: f32 = 0
        for (let d: u32 = 0; d < k; d++) sum += load<f32>(q + c * row + (d << 2)) * load<f32>(y + (d << 2))
        store<f32>(qp + (c << 2), sum)
        pqp += load<f32>(y + (c << 2)) * sum
      }
      let done = true
      for (let c: u32 = 0; c < k; c++) done = done && abs(load<f32>(qp + (c << 2)) - pqp) < near
      if (done) break
      for (let c: u32 = 0; c < k; c++) {
        const own = load<f32>(q + c * row + (c << 2)), mine = load<f32>(qp + (c << 2))
        const move = (pqp - mine) / own
        const scale: f32 = 1 + move
        store<f32>(y + (c << 2), load<f32>(y + (c << 2)) + move)
        pqp = (pqp + move * (move * own + 2 * mine)) / scale / scale
        for (let d: u32 = 0; d < k; d++) {
          const at = d << 2
          store<f32>(qp + at, (load<f32>(qp + at) + move * load<f32>(q + c * row + at)) / scale)
          store<f32>(y + at, load<f32>(y + at) / scale)
        }
      }
    }
  }
}
