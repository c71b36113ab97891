/**
 * Principal components: the directions in which rows vary most.
 *
 * `covariance`: one round sums the products of all features; the host finds the eigenvectors. `randomised`: rounds of
 * subspace iteration on a few directions, never more than features x directions at a time, and the eigenvectors within.
 * Numerics: rows are centred at the table's mean; what remains of a mean is taken off the sums. A direction's sign is such
 * that its largest element is positive.
 * Source: Halko, Martinsson and Tropp, "Finding structure with randomness", 2011, algorithm 4.4.
 */

import { prng } from '../../base/prng.ts'
import type { TableShard } from '../../data/tables/types.ts'
import type { Arrays } from '../arrays.ts'
import { addBlocks, chunkLength, type Engine, eachChunk } from '../device/engine.ts'
import { blockProducts, blockSums, productStep, withRows } from '../device/ops.ts'
import { buildProgram } from '../device/program.ts'
import { multiply, orthonormal, symmetricEigen, transpose } from '../linear-algebra.ts'
import { type Method, programKey, type Setting, type Update } from '../method.ts'
import { badOption, type OptionsOf } from '../options.ts'
import { totalSquares, transformInputs, transformSteps } from '../transform.ts'

type Components = Setting<OptionsOf<'pca'>>

/** Features up to which the covariance matrix is held and taken apart. */
const covarianceMax = 2048

/** Directions that are followed. */
function widthOf({ options, summary }: Components): number {
  return Math.min(summary.features, options.components + options.oversampling)
}

export const pca: Method<OptionsOf<'pca'>> = {
  objective: { name: 'explained variance', falls: false },
  parameterLayout: setting => {
    const d = setting.summary.features
    const basis = setting.options.solver === 'covariance' ? 0 : d * widthOf(setting)
    return { directions: setting.options.components * d, variances: setting.options.components, basis, iteration: 1 }
  },
  partialLayout: setting => {
    const d = setting.summary.features
    return { products: d * (setting.options.solver === 'covariance' ? d : widthOf(setting)), sums: d }
  },
  start(setting) {
    const { options, summary } = setting
    const d = summary.features
    if (options.components > Math.min(d, summary.rows)) {
      throw badOption('components', `is ${options.components}, more than ${d} features and ${summary.rows} rows have`)
    }
    if (options.solver === 'covariance' && d > covarianceMax) {
      throw badOption('solver', `covariance is for ${covarianceMax} features at most; take randomised`)
    }
    const random = prng(options.seed ^ 0x70636121)
    const width = widthOf(setting)
    const drawn = Float64Array.from({ length: d * width }, () => random.normal())
    const basis = options.solver === 'covariance' ? new Float64Array(0) : orthonormal(drawn, d, width)
    return {
      directions: new Float64Array(options.components * d),
      variances: new Float64Array(options.components),
      basis,
      iteration: new Float64Array(1),
    }
  },
  partial,
  update(setting, parameters, merged) {
    const d = setting.summary.features
    if (setting.options.solver === 'randomised') return iterate(setting, parameters, merged)
    const covariance = scaledProducts(setting, merged, merged.sums, d)
    const { values, vectors } = symmetricEigen(covariance, d)
    return finish(setting, parameters, values, vectors)
  },
  model: ({ options, summary, transform }, { directions, variances }) => ({
    kind: 'pca',
    components: options.components,
    directions,
    variances,
    totalVariance: totalSquares(transform, summary) / Math.max(1, summary.rows - 1),
  }),
}

async function partial(setting: Components, engine: Engine, parameters: Arrays, shard: TableShard): Promise<Arrays> {
  const { options, summary, transform } = setting
  const d = summary.features
  const width = options.solver === 'covariance' ? d : widthOf(setting)
  const products = new Float64Array(d * width)
  const sums = new Float64Array(d)
  const basis = Float32Array.from(parameters.basis)
  const length = chunkLength(engine, shard.rows, 3 * d + width)
  const inputs = { ...transformInputs(transform), ...(options.solver === 'randomised' && { basis }) }
  await eachChunk(
    { x: shard.x, rows: shard.rows, features: d },
    length,
    ({ x, mask }) =>
      engine.run(programKey(setting, options.solver, width, length), () => productProgram(setting, length), {
        ...inputs,
        x,
        mask,
      }),
    (_, outputs) => {
      addBlocks(products, outputs.products)
      addBlocks(sums, outputs.sums)
    },
  )
  return { products, sums }
}

/** By block of rows: xᵀ x, or xᵀ (x basis), and the sums of x. */
function productProgram(setting: Components, rows: number) {
  const { options, summary, transform } = setting
  const d = summary.features
  const b = buildProgram()
  const x = transformSteps(b, transform, rows, d)
  const real = withRows(b, 'mul', x, b.input('mask', rows), rows, d)
  b.output('sums', blockSums(b, real, rows, d))
  if (options.solver === 'covariance') {
    b.output('products', blockProducts(b, real, x, { rows, m: d, n: d }))
  } else {
    const width = widthOf(setting)
    const along = productStep(b, x, b.input('basis', d * width), null, { m: rows, n: width, k: d })
    b.output('products', blockProducts(b, real, along, { rows, m: d, n: width }))
  }
  return b.finish()
}

/** Products [d, width] less those of the means, over rows - 1. @param other what the second factors sum to, [width] */
function scaledProducts({ summary }: Components, { products, sums }: Arrays, other: Float64Array, width: number) {
  const { rows } = summary
  return products.map((product, at) => {
    const off = (sums[Math.floor(at / width)] * other[at % width]) / rows
    return (product - off) / Math.max(1, rows - 1)
  })
}

function iterate(setting: Components, parameters: Arrays, merged: Arrays): Update {
  const { options, summary } = setting
  const d = summary.features
  const width = widthOf(setting)
  // The device had the basis in float32.
  const basis = parameters.basis.map(Math.fround)
  const image = scaledProducts(setting, merged, multiply(merged.sums, basis, 1, d, width), width)
  const iteration = parameters.iteration[0] + 1
  if (iteration <= options.iterations) {
    const next = { ...parameters, basis: orthonormal(image, d, width), iteration: Float64Array.of(iteration) }
    return { arrays: next, objective: Number.NaN, done: false }
  }
  const inner = multiply(transpose(basis, d, width), image, width, d, width)
  const symmetric = inner.map((value, at) => (value + inner[(at % width) * width + Math.floor(at / width)]) / 2)
  const { values, vectors } = symmetricEigen(symmetric, width)
  // Rows are eigenvectors in terms of the basis.
  return finish(setting, parameters, values, multiply(vectors, transpose(basis, d, width), width, width, d))
}

/** @param vectors [.., d], rows in the order of the values */
function finish(setting: Components, parameters: Arrays, values: Float64Array, vectors: Float64Array): Update {
  const { components } = setting.options
  const d = setting.summary.features
  const directions = vectors.slice(0, components * d)
  for (let c = 0; c < components; c++) {
    const row = directions.subarray(c * d, (c + 1) * d)
    const length = Math.sqrt(row.reduce((sum, value) => sum + value * value, 0))
    const largest = row.reduce((most, value) => (Math.abs(value) > Math.abs(most) ? value : most), 0)
    for (let i = 0; i < d; i++) row[i] /= (largest < 0 ? -1 : 1) * (length || 1)
  }
  const variances = values.slice(0, components)
  const objective = variances.reduce((sum, value) => sum + value, 0)
  return { arrays: { ...parameters, directions, variances }, objective, done: true }
}
