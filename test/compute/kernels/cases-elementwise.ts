/** Cases of the kernels that make one element of one, two or three. */
import type { Prng } from '../../../src/base/prng.ts'
import { type BinaryOp, binaryOps } from '../../../src/compute/kernels/binary.ts'
import { type UnaryOp, unaryOps } from '../../../src/compute/kernels/unary.ts'
import { broadcastShape, broadcastStrides } from '../../../src/compute/tensor/broadcast.ts'
import { elementsOf } from '../../../src/compute/tensor/shape.ts'
import { collapse } from '../../../src/compute/tensor/strides.ts'
import {
  awkwards,
  epilogues,
  exact,
  input,
  type KernelCase,
  normals,
  one,
  rounding,
  type Tolerance,
  transcendental,
  wholes,
} from './case.ts'

const exactUnary: readonly UnaryOp[] = [
  ...(['neg', 'abs', 'floor', 'ceil', 'relu', 'clip', 'round', 'sign', 'truncate'] as const),
  ...(['isInf', 'isNaN', 'logicalNot', 'notZero', 'thresholdedRelu'] as const),
]

/** Functions whose arguments must stay small: beyond, float32 holds no part of a turn. */
const circular: readonly UnaryOp[] = ['sin', 'cos', 'tan']

/** Relative to the result alone: nothing is lost near a zero. */
const closeToZero: Tolerance = { relative: 2e-6, absolute: 0 }
const keepsSmall: readonly UnaryOp[] = ['sinh', 'asinh', 'atanh', 'asin', 'atan', 'sin', 'tan', 'elu', 'celu', 'selu']

const constants: Partial<Record<UnaryOp, [alpha: number, beta: number]>> = {
  hardSigmoid: [0.2, 0.5],
  clip: [-0.5, 0.75],
  isInf: [1, 1],
  celu: [0.7, 0],
  elu: [1.5, 0],
  selu: [1.6732632, 1.050701],
  thresholdedRelu: [0.6, 0],
}

export function unaryCases(random: Prng): KernelCase[] {
  const cases = Object.entries(unaryOps).flatMap(([label, op], i) =>
    [0, 1, 3, 4, 5, 130 + i].map(count => {
      const drawn = awkwards(random, count)
      const x = isOneOf(circular, label) ? drawn.map(smallAngle) : drawn
      // Where exp over- and underflows, tanh and sigmoid saturate; halves; the ends of the inverse functions.
      if (count > 100) x.set([88, -87, 20, -20, 100, -100, 5, -5, 0.5, 1e-3, 2.5, -2.5, -3.7, 1, -1, 1.5, 1000, -1000])
      const [alpha, beta] = constants[unaryName(label)] ?? [0.01, 0]
      const tolerance = isOneOf(exactUnary, label) ? exact : transcendental
      return one('unary', `${label} ${count}`, { count, op, alpha, beta }, [input(x)], count, tolerance)
    }),
  )
  for (const label of keepsSmall) {
    const x = Float32Array.from({ length: 40 }, (_, i) => (i % 2 ? -1 : 1) * 10 ** -(i / 4) * 0.7)
    const params = { count: 40, op: unaryOps[label], alpha: 1, beta: 1 }
    cases.push(one('unary', `${label} near 0`, params, [input(x)], 40, closeToZero))
  }
  for (const [alpha, beta] of [
    [1, 0],
    [0, 1],
  ]) {
    const params = { count: 9, op: unaryOps.isInf, alpha, beta }
    const x = Float32Array.of(1, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN, 0, -0, 3e38, -3e38, 1)
    cases.push(one('unary', `isInf ${alpha} ${beta}`, params, [input(x)], 9, exact))
  }
  return cases
}

/** Infinities stay what they are. */
function smallAngle(angle: number): number {
  return Number.isFinite(angle) && Math.abs(angle) > 1e5 ? 7.5 : angle
}

function unaryName(label: string): UnaryOp {
  return label as UnaryOp // a key of `unaryOps`, which Object.entries widens
}

function isOneOf(names: readonly string[], label: string): boolean {
  return names.includes(label)
}

const broadcasts: [number[], number[]][] = [
  [[1], [1]],
  [[13], [13]],
  [
    [4, 5, 6],
    [4, 5, 6],
  ],
  [[4, 5, 6], []],
  [[], [3, 4]],
  [
    [2, 3, 4, 5],
    [3, 1, 1],
  ],
  [
    [1, 10],
    [7, 10],
  ],
  [
    [7, 1],
    [1, 9],
  ],
  [
    [2, 1, 3, 1, 2, 1],
    [1, 4, 1, 2, 1, 5],
  ],
  [
    [0, 4],
    [1, 4],
  ],
]

/** What an operator is exact for, or where its result does not jump by a rounding of its own. */
function binaryData(random: Prng, op: BinaryOp, count: number): Float32Array {
  if (op === 'pow') return Float32Array.from({ length: count }, () => awkwardPower(random))
  if (op === 'mod' || op === 'fmod') return wholes(random, count, -40, 40).map(value => value / 4)
  if (op === 'intDiv') return wholes(random, count, -60, 60)
  // Equal values now and then.
  if (binaryOps[op] >= binaryOps.equal && binaryOps[op] <= binaryOps.xor)
    return awkwards(random, count).map(value => (Math.abs(value) < 1 ? Math.round(value * 2) : value))
  return awkwards(random, count)
}

const powers = [0, -0, 1, -1, 2, 3, -2, -3, 0.5, 1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]

function awkwardPower(random: Prng): number {
  return random.int(2) ? random.normal() * 2 : random.pick(powers)
}

export function binaryCases(random: Prng): KernelCase[] {
  const ops = Object.keys(binaryOps).map(label => label as BinaryOp) // its keys, which Object.keys widens
  const cases = ops.flatMap(op =>
    broadcasts.map(([shapeA, shapeB], i) => {
      const shape = broadcastShape([shapeA, shapeB], 'case')
      const { dims: d, strides } = collapse(shape, [broadcastStrides(shapeA, shape), broadcastStrides(shapeB, shape)])
      const [a, b] = strides
      return one(
        'binary',
        `${op} [${shapeA}] [${shapeB}]`,
        {
          op: binaryOps[op],
          ...{ dim0: d[0], dim1: d[1], dim2: d[2], dim3: d[3], dim4: d[4], dim5: d[5] },
          ...{ strideA0: a[0], strideA1: a[1], strideA2: a[2], strideA3: a[3], strideA4: a[4], strideA5: a[5] },
          ...{ strideB0: b[0], strideB1: b[1], strideB2: b[2], strideB3: b[3], strideB4: b[4], strideB5: b[5] },
          ...epilogues[i % 3],
        },
        [input(binaryData(random, op, elementsOf(shapeA))), input(binaryData(random, op, elementsOf(shapeB)))],
        elementsOf(shape),
        op === 'pow' ? { relative: 2e-5, absolute: 1e-6 } : rounding,
      )
    }),
  )
  return [...cases, powersOfOne(random, 2), powersOfOne(random, 3), ...largeIntegers()]
}

/** Squares and cubes, for which backends may take a shorter way. */
function powersOfOne(random: Prng, exponent: number): KernelCase {
  const dims = { dim0: 1, dim1: 1, dim2: 1, dim3: 1, dim4: 1, dim5: 21 }
  const params = { op: binaryOps.pow, ...dims, ...flatStrides, strideB5: 0, ...epilogues[0] }
  const operands = [input(awkwards(random, 21)), input(Float32Array.of(exponent))]
  return one('binary', `all to the power ${exponent}`, params, operands, 21, rounding)
}

/** Whole numbers near the end of what float32 holds, where a quotient just below a whole one must not round up. */
function largeIntegers(): KernelCase[] {
  const a = Float32Array.of(
    16777215,
    -16777215,
    16777215,
    16777214,
    9999999,
    -9999999,
    16777216,
    7,
    0,
    8388607,
    16777213,
  )
  const b = Float32Array.of(3, 3, 7, 16777215, 1000, -1000, 5, -16777216, 9, 4095, -11)
  const dims = { dim0: 1, dim1: 1, dim2: 1, dim3: 1, dim4: 1, dim5: a.length }
  return (['mod', 'fmod', 'intDiv'] as const).map(op =>
    one(
      'binary',
      `${op} of large integers`,
      { op: binaryOps[op], ...dims, ...flatStrides, ...epilogues[0] },
      [input(a), input(b)],
      a.length,
      exact,
    ),
  )
}

const flatStrides = {
  ...{ strideA0: 0, strideA1: 0, strideA2: 0, strideA3: 0, strideA4: 0, strideA5: 1 },
  ...{ strideB0: 0, strideB1: 0, strideB2: 0, strideB3: 0, strideB4: 0, strideB5: 1 },
}

const choices: [number[], number[], number[]][] = [
  [[1], [1], [1]],
  [[13], [13], [13]],
  [[4, 5], [4, 5], []],
  [[], [3, 4], [3, 4]],
  [
    [3, 1],
    [1, 5],
    [3, 5],
  ],
  [
    [2, 3, 1, 5],
    [3, 4, 1],
    [2, 1, 1, 1],
  ],
  [[0, 4], [1, 4], [4]],
  [
    [2, 1, 3, 1, 2, 1],
    [1, 4, 1, 2, 1, 5],
    [2, 4, 3, 2, 2, 5],
  ],
]

export function whereCases(random: Prng): KernelCase[] {
  return choices.map(shapes => {
    const shape = broadcastShape(shapes, 'case')
    const { dims: d, strides } = collapse(
      shape,
      shapes.map(operand => broadcastStrides(operand, shape)),
    )
    const [c, a, b] = strides
    const condition = normals(random, elementsOf(shapes[0])).map(value => (value > 0.3 ? 0 : value < -0.6 ? 1 : value))
    return one(
      'where',
      shapes.map(operand => `[${operand}]`).join(' '),
      {
        ...{ dim0: d[0], dim1: d[1], dim2: d[2], dim3: d[3], dim4: d[4], dim5: d[5] },
        ...{ strideC0: c[0], strideC1: c[1], strideC2: c[2], strideC3: c[3], strideC4: c[4], strideC5: c[5] },
        ...{ strideA0: a[0], strideA1: a[1], strideA2: a[2], strideA3: a[3], strideA4: a[4], strideA5: a[5] },
        ...{ strideB0: b[0], strideB1: b[1], strideB2: b[2], strideB3: b[3], strideB4: b[4], strideB5: b[5] },
      },
      [
        input(condition),
        input(awkwards(random, elementsOf(shapes[1]))),
        input(awkwards(random, elementsOf(shapes[2]))),
      ],
      elementsOf(shape),
      'bits',
    )
  })
}
