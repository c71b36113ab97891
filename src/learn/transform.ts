/**
 * What happens to a feature before a method sees it: x' = (x - shift) * scale, on the device, in float32. All of a method's
 * parameters are in the space of x'.
 *
 * Methods that do not change with the origin get their features centred at the table's mean, so that float32 keeps the
 * bits of what distinguishes rows; shift and scale are float32 numbers themselves, so the host's sums are of the same x'.
 */
import { assert } from '../base/errors.ts'
import type { KernelArray } from '../compute/tensor/dtype.ts'
import { withColumns } from './device/ops.ts'
import type { ProgramBuilder, Value } from './device/program.ts'
import type { TrainOptions } from './options.ts'
import type { Summary } from './summary.ts'

export interface Transform {
  /** [features], or undefined where nothing is taken off. */
  shift: Float32Array | undefined
  /** [features], or undefined where all are 1. */
  scale: Float32Array | undefined
}

export function transformOf(options: TrainOptions, summary: Summary): Transform {
  const centred = options.standardise === 'standard' || wantsCentre(options, summary)
  const shift = centred ? Float32Array.from(summary.mean) : undefined
  if (options.standardise === 'none') {
    const scale = options.divide === 1 ? undefined : new Float32Array(summary.features).fill(1 / options.divide)
    return { shift, scale }
  }
  const scale = Float32Array.from(summary.squares, squares => {
    const deviation = Math.sqrt(squares / summary.rows)
    return deviation > 0 ? 1 / deviation : 1
  })
  return { shift, scale }
}

/** How far off, in spreads, the mean may be before distances lose bits that count; centring costs a tenth of a round. */
const offMax = 2

function wantsCentre({ method }: TrainOptions, summary: Summary): boolean {
  // A support vector machine's bias is penalised, so its origin is the user's.
  if (method === 'svm') return false
  if (method !== 'kmeans') return true
  const squares = summary.squares.reduce((sum, value) => sum + value, 0)
  const off = summary.mean.reduce((sum, value) => sum + value * value, 0) * summary.rows
  return off > offMax ** 2 * squares
}

/** Steps from the raw rows [rows, columns] to x'. */
export function transformSteps(b: ProgramBuilder, { shift, scale }: Transform, rows: number, columns: number): Value {
  let x = b.input('x', rows * columns)
  if (shift) x = withColumns(b, 'sub', x, b.input('shift', columns), rows, columns)
  if (scale) x = withColumns(b, 'mul', x, b.input('scale', columns), rows, columns)
  return x
}

/** The ports that `transformSteps` made, but `x`. */
export function transformInputs({ shift, scale }: Transform): Record<string, KernelArray> {
  return { ...(shift && { shift }), ...(scale && { scale }) }
}

/** A point [columns] in the table's units -> in the method's. */
export function toMethod({ shift, scale }: Transform, point: ArrayLike<number>): Float64Array {
  return Float64Array.from(point, (value, c) => (value - (shift?.[c] ?? 0)) * (scale?.[c] ?? 1))
}

/** Points [n, columns] in the method's space -> in the table's units. */
export function fromMethod({ shift, scale }: Transform, points: Float64Array, columns: number): Float64Array {
  assert(points.length % columns === 0, 'whole points')
  return points.map((value, at) => value / (scale?.[at % columns] ?? 1) + (shift?.[at % columns] ?? 0))
}

/** Sum over all rows and columns of x'^2, from the summary alone. */
export function totalSquares({ shift, scale }: Transform, summary: Summary): number {
  let total = 0
  for (let c = 0; c < summary.features; c++) {
    const off = summary.mean[c] - (shift?.[c] ?? 0)
    total += (summary.squares[c] + summary.rows * off * off) * (scale?.[c] ?? 1) ** 2
  }
  return total
}
