/**
 * A mixture's densities on the device: the program of one round, and what its ports are fed with.
 *
 * Ports out: best, share [rows] (the largest weighed log-density and its responsibility), and by block of rows counts, sums and
 * products. Of `full` these lie component by component, [k, blocks, …]; else block by block, [blocks, …].
 *
 * Sums and products of `full` and `tied` are of rows turned by the precision's factor, in which every direction has a spread of
 * about one: float32 then keeps the narrow directions of a table whose columns nearly follow from each other. `plainSums` turns
 * them back in float64.
 */
import { PeerError } from '../../base/errors.ts'
import { noActivation } from '../../compute/kernels/activation.ts'
import type { Arrays } from '../arrays.ts'
import { binaryStep, blockProducts, blockSums, pairwise, productStep, reduceStep, withRows } from '../device/ops.ts'
import { buildProgram, type ProgramBuilder, type Value } from '../device/program.ts'
import { cholesky, invertLower } from '../linear-algebra.ts'
import type { Setting } from '../method.ts'
import type { OptionsOf } from '../options.ts'
import { transformSteps } from '../transform.ts'

type Mixture = Setting<OptionsOf<'gmm'>>

/** The program of one chunk of rows. */
export function densityProgram(setting: Mixture, rows: number) {
  const b = buildProgram()
  const x = transformSteps(b, setting.transform, rows, setting.summary.features)
  const mask = b.input('mask', rows)
  if (setting.options.covariance === 'full') fullSteps(b, setting, x, mask, rows)
  else diagonalSteps(b, setting, x, mask, rows)
  return b.finish()
}

/** log-densities [rows, k] = constant - distance / 2, and what follows of them. */
function diagonalSteps(b: ProgramBuilder, { options, summary }: Mixture, x: Value, mask: Value, rows: number): void {
  const { k, covariance } = options
  const d = summary.features
  const tied = covariance === 'tied'
  const means = b.input('means', d * k)
  const z = tied ? productStep(b, x, b.input('factor', d * d), null, { m: rows, n: d, k: d }) : x
  const scale = tied ? null : b.input('inverse', d * k)
  const distances = b.run(
    'squared-distance',
    { m: rows, n: k, k: d, hasScale: tied ? 0 : 1 },
    [z, means, scale],
    rows * k,
  )
  const [halves, constants] = [b.input('halves', k), b.input('constants', k)]
  const affine = { outer: rows, channels: k, inner: 1, ...noActivation }
  const logs = b.run('affine', affine, [distances, halves, constants], rows * k)
  const shares = b.run('softmax', { outer: rows, axis: k, inner: 1, log: 0 }, [logs], rows * k)
  b.output('best', reduceStep(b, 'max', logs, rows, k, 1))
  b.output('share', reduceStep(b, 'max', shares, rows, k, 1))
  const weighed = withRows(b, 'mul', shares, mask, rows, k)
  b.output('counts', blockSums(b, weighed, rows, k))
  b.output('sums', blockProducts(b, weighed, z, { rows, m: k, n: d }))
  if (tied) {
    const real = withRows(b, 'mul', z, mask, rows, d)
    b.output('products', blockProducts(b, real, z, { rows, m: d, n: d }))
  } else {
    const squares = pairwise(b, 'mul', x, x, rows * d)
    b.output('products', blockProducts(b, weighed, squares, { rows, m: k, n: d }))
  }
}

/** The same with a factor of its own for each component: everything component by component. */
function fullSteps(b: ProgramBuilder, { options, summary }: Mixture, x: Value, mask: Value, rows: number): void {
  const { k } = options
  const d = summary.features
  const means = b.input('means', k * d)
  const off = binaryStep(b, 'sub', [k, rows, d], [x, [0, d, 1]], [means, [d, 0, 1]])
  const z = productStep(b, off, b.input('factor', k * d * d), null, { batch: k, m: rows, n: d, k: d })
  const distances = reduceStep(b, 'sumSquare', z, k * rows, d, 1)
  const affine = { outer: 1, channels: k, inner: rows, ...noActivation }
  const logs = b.run('affine', affine, [distances, b.input('halves', k), b.input('constants', k)], k * rows)
  const shares = b.run('softmax', { outer: 1, axis: k, inner: rows, log: 0 }, [logs], k * rows)
  b.output('best', reduceStep(b, 'max', logs, 1, k, rows))
  b.output('share', reduceStep(b, 'max', shares, 1, k, rows))
  const weighed = binaryStep(b, 'mul', [k, rows], [shares, [rows, 1]], [mask, [0, 1]])
  const parts = binaryStep(b, 'mul', [k, rows, d], [z, [rows * d, d, 1]], [weighed, [rows, 1, 0]])
  b.output('counts', blockSums(b, weighed, rows, 1, k))
  b.output('sums', blockSums(b, parts, rows, d, k))
  b.output('products', blockProducts(b, parts, z, { rows, m: d, n: d, batch: k }))
}

/** What the ports get for these parameters, but the rows. */
export function densityInputs(setting: Mixture, parameters: Arrays): Record<string, Float32Array> {
  const { options, summary } = setting
  const { k, covariance } = options
  const d = summary.features
  const { weights, means, covariances } = parameters
  const halves = new Float32Array(k).fill(-0.5)
  const base = (c: number) => Math.log(weights[c]) - (d / 2) * Math.log(2 * Math.PI)
  if (covariance === 'full') {
    const factor = new Float32Array(k * d * d)
    const constants = new Float32Array(k)
    for (let c = 0; c < k; c++) {
      const precision = precisionFactor(covariances.subarray(c * d * d, (c + 1) * d * d), d)
      factor.set(precision.factor, c * d * d)
      constants[c] = base(c) + precision.logDeterminant
    }
    return { means: Float32Array.from(means), factor, halves, constants }
  }
  if (covariance === 'tied') {
    const { factor, logDeterminant } = precisionFactor(covariances, d)
    const turned = new Float32Array(d * k)
    for (let c = 0; c < k; c++)
      for (let j = 0; j < d; j++) {
        let sum = 0
        for (let i = 0; i < d; i++) sum += means[c * d + i] * factor[i * d + j]
        turned[j * k + c] = sum
      }
    const constants = Float32Array.from({ length: k }, (_, c) => base(c) + logDeterminant)
    return { means: turned, factor: Float32Array.from(factor), halves, constants }
  }
  const turned = new Float32Array(d * k)
  const inverse = new Float32Array(d * k)
  const constants = new Float32Array(k)
  for (let c = 0; c < k; c++) {
    let constant = base(c)
    for (let i = 0; i < d; i++) {
      const variance = covariance === 'diag' ? covariances[c * d + i] : covariances[c]
      if (!(variance > 0)) throw collapsed()
      turned[i * k + c] = means[c * d + i]
      inverse[i * k + c] = 1 / Math.sqrt(variance)
      constant -= Math.log(variance) / 2
    }
    constants[c] = constant
  }
  return { means: turned, inverse, halves, constants }
}

/**
 * A round's sums and products as they would be of the rows themselves: less the float32 means of `full`, and of x' for the others.
 * @param parameters those that the round began with
 */
export function plainSums({ options, summary }: Mixture, { covariances }: Arrays, merged: Arrays): Arrays {
  const d = summary.features
  const { k, covariance } = options
  if (covariance !== 'full' && covariance !== 'tied') return merged
  const sums = new Float64Array(merged.sums.length)
  const products = new Float64Array(merged.products.length)
  let back: Float64Array = new Float64Array(0)
  for (let c = 0; c < k; c++) {
    const matrix = (values: Float64Array) => values.subarray(c * d * d, (c + 1) * d * d)
    if (covariance === 'full') back = turnBack(matrix(covariances), d)
    else if (c === 0) back = turnBack(covariances, d)
    for (let j = 0; j < d; j++) {
      const sum = merged.sums[c * d + j]
      for (let i = 0; i < d; i++) sums[c * d + i] += sum * back[i * d + j]
    }
    if (covariance === 'full') matrix(products).set(turnedProducts(matrix(merged.products), back, d))
  }
  if (covariance === 'tied') products.set(turnedProducts(merged.products, back, d))
  return { ...merged, sums, products }
}

/** The matrix b with x = b z, of the factor as the device had it, in float32. */
function turnBack(covariance: Float64Array, d: number): Float64Array {
  const { factor } = precisionFactor(covariance, d)
  const lower = new Float64Array(d * d)
  for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) lower[j * d + i] = Math.fround(factor[i * d + j])
  return invertLower(lower, d)
}

/** b products bᵀ, b lower triangular. */
function turnedProducts(products: Float64Array, back: Float64Array, d: number): Float64Array {
  const half = new Float64Array(d * d)
  const turned = new Float64Array(d * d)
  for (let i = 0; i < d; i++)
    for (let l = 0; l <= i; l++) {
      const share = back[i * d + l]
      for (let j = 0; j < d; j++) half[i * d + j] += share * products[l * d + j]
    }
  for (let i = 0; i < d; i++)
    for (let j = 0; j < d; j++) {
      let sum = 0
      for (let l = 0; l <= j; l++) sum += half[i * d + l] * back[j * d + l]
      turned[i * d + j] = sum
    }
  return turned
}

/**
 * The factor p with x p = L⁻¹ x, L the covariance's Cholesky factor, and the logarithm of its determinant.
 * @throws PeerError LEARN_COLLAPSED
 */
export function precisionFactor(covariance: Float64Array, d: number): { factor: Float64Array; logDeterminant: number } {
  const lower = cholesky(covariance, d)
  if (!lower) throw collapsed()
  const inverse = invertLower(lower, d)
  const factor = new Float64Array(d * d)
  let logDeterminant = 0
  for (let i = 0; i < d; i++) {
    logDeterminant += Math.log(inverse[i * d + i])
    for (let j = 0; j < d; j++) factor[j * d + i] = inverse[i * d + j]
  }
  return { factor, logDeterminant }
}

/** Adds to the diagonal, if need be, until the matrix is a covariance; whether it had to. The rounding of float32 sums is the measure. */
export function withSpread(covariance: Float64Array, d: number): boolean {
  const plain = covariance.slice()
  for (let share = 0; share < 1e-3; share = share === 0 ? 1e-7 : 10 * share) {
    for (let i = 0; i < d; i++) covariance[i * (d + 1)] = plain[i * (d + 1)] * (1 + share)
    if (cholesky(covariance, d)) return share > 0
  }
  return true
}

function collapsed(): PeerError {
  return new PeerError({
    code: 'LEARN_COLLAPSED',
    kind: 'input',
    message:
      'a component of the mixture has no spread left in some direction; take fewer components or a larger --reg-covar',
  })
}
