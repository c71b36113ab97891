/** Chains that exporters spell out become one kernel, only as a whole, and compute the same. */
import { describe, expect, test } from 'vitest'
import { prng } from '../../../src/base/prng.ts'
import { createReferenceBackend } from '../../../src/compute/backends/reference/index.ts'
import { createGraphBuilder, dropUnused, type GraphBuilder, type Tensor } from '../../../src/compute/engine/graph.ts'
import { recogniseIdioms } from '../../../src/compute/engine/idioms.ts'
import { planGraph } from '../../../src/compute/engine/plan.ts'
import { noActivation } from '../../../src/compute/kernels/activation.ts'
import { type BinaryOp, binaryOps } from '../../../src/compute/kernels/binary.ts'
import { reduceOps } from '../../../src/compute/kernels/reduce.ts'
import { type UnaryOp, unaryOps } from '../../../src/compute/kernels/unary.ts'

const [rows, columns] = [3, 10]
const count = rows * columns

function ops(builder: GraphBuilder) {
  const numbers = (value: number) => builder.constant({ dims: [1], type: 'float32', data: Float32Array.of(value) })
  return {
    affine(x: Tensor, scale: number, shift: number): Tensor {
      const inner = x.dims.reduce((product, dim) => product * dim, 1)
      const params = { outer: 1, channels: 1, inner, ...noActivation }
      return builder.emit('affine', 'affine', params, [x, numbers(scale), numbers(shift)], x.dims)
    },
    unary(x: Tensor, op: UnaryOp): Tensor {
      const elements = x.dims.reduce((product, dim) => product * dim, 1)
      return builder.emit('unary', op, { count: elements, op: unaryOps[op], alpha: 0, beta: 0 }, [x], x.dims)
    },
    binary(op: BinaryOp, a: Tensor, b: Tensor, way: 'dense' | 'by row' | 'scalar' = 'dense'): Tensor {
      const dims = { dim0: 1, dim1: 1, dim2: 1, dim3: 1 }
      const sizes = way === 'by row' ? { dim4: rows, dim5: columns } : { dim4: 1, dim5: count }
      const none = {
        strideA0: 0,
        strideA1: 0,
        strideA2: 0,
        strideA3: 0,
        strideB0: 0,
        strideB1: 0,
        strideB2: 0,
        strideB3: 0,
      }
      const steps = way === 'by row' ? { strideA4: columns, strideB4: 1 } : { strideA4: 0, strideB4: 0 }
      const params = { op: binaryOps[op], ...dims, ...sizes, ...none, ...steps, strideA5: 1 }
      const last = { strideB5: way === 'dense' ? 1 : 0, ...noActivation }
      return builder.emit('binary', op, { ...params, ...last }, [a, b], a.dims)
    },
    mean(x: Tensor): Tensor {
      const params = { outer: rows, axis: columns, inner: 1, op: reduceOps.mean, selectLast: 0 }
      return builder.emit('reduce', 'mean', params, [x], [rows, 1])
    },
    number: numbers,
  }
}

type Make = (x: Tensor, on: ReturnType<typeof ops>) => Tensor[]

const gate = (x: Tensor, { affine, unary }: ReturnType<typeof ops>, factor = Math.SQRT1_2) =>
  affine(unary(affine(x, factor, 0), 'erf'), 1, 1)

const norm = (x: Tensor, on: ReturnType<typeof ops>, square: 'pow' | 'mul'): Tensor => {
  const d = on.binary('sub', x, on.mean(x), 'by row')
  const squared = square === 'mul' ? on.binary('mul', d, d) : on.binary('pow', d, on.number(2), 'scalar')
  return on.binary('div', d, on.unary(on.affine(on.mean(squared), 1, 1e-5), 'sqrt'), 'by row')
}

const found: Record<string, { make: Make; kernel: 'unary' | 'normalize' }> = {
  'Gelu, halved last': { make: (x, on) => [on.affine(on.binary('mul', x, gate(x, on)), 0.5, 0)], kernel: 'unary' },
  'Gelu, x halved': { make: (x, on) => [on.binary('mul', on.affine(x, 0.5, 0), gate(x, on))], kernel: 'unary' },
  'Gelu, the other way round': {
    make: (x, on) => [on.affine(on.binary('mul', gate(x, on), x), 0.5, 0)],
    kernel: 'unary',
  },
  'LayerNormalization by a power': { make: (x, on) => [norm(x, on, 'pow')], kernel: 'normalize' },
  'LayerNormalization by a product': { make: (x, on) => [norm(x, on, 'mul')], kernel: 'normalize' },
}

const kept: Record<string, Make> = {
  'Gelu whose gate is an output as well': (x, on) => {
    const open = gate(x, on)
    return [on.affine(on.binary('mul', x, open), 0.5, 0), open]
  },
  'another factor inside': (x, on) => [on.affine(on.binary('mul', x, gate(x, on, 0.7)), 0.5, 0)],
  'another tensor outside': (x, on) => [on.affine(on.binary('mul', on.unary(x, 'neg'), gate(x, on)), 0.5, 0)],
  'a difference that is an output as well': (x, on) => {
    const d = on.binary('sub', x, on.mean(x), 'by row')
    const squared = on.binary('mul', d, d)
    const root = on.unary(on.affine(on.mean(squared), 1, 1e-5), 'sqrt')
    return [on.binary('div', d, root, 'by row'), d]
  },
}

async function run(make: Make, recognise: boolean) {
  const builder = createGraphBuilder()
  const x = builder.input('x', [rows, columns], 'float32')
  const { graph } = builder
  graph.outputs = make(x, ops(builder)).map(({ value, dims, type }, i) => ({ name: `y${i}`, value, dims, type }))
  if (recognise) recogniseIdioms(graph)
  dropUnused(graph)
  const steps = graph.steps.map(step => step.kernel)
  const { program, weights } = planGraph(graph, 1)
  const random = prng(3)
  const data = Float32Array.from({ length: count }, () => random.normal() * 3)
  return { steps, outputs: await (await createReferenceBackend().compile(program, weights)).run({ x: data }) }
}

describe('chains that become one kernel', () => {
  test.each(Object.entries(found))('%s', async (_, { make, kernel }) => {
    const [before, after] = [await run(make, false), await run(make, true)]
    expect(after.steps).toEqual([kernel])
    for (const [i, value] of before.outputs.y0.entries()) expect(after.outputs.y0[i]).toBeCloseTo(value, 5)
  })
})

test.each(Object.entries(kept))('%s stays as it is', async (_, make) => {
  const [before, after] = [await run(make, false), await run(make, true)]
  expect(after).toEqual(before)
})
