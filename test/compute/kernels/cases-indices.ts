/** Cases of the kernels that read or write where an index says, and of resampling, which does so by tables. */
import type { Prng } from '../../../src/base/prng.ts'
import { scatterReductions } from '../../../src/compute/kernels/scatter-elements.ts'
import { elementsOf } from '../../../src/compute/tensor/shape.ts'
import { awkwards, exact, input, type KernelCase, normals, one, sum, weight } from './case.ts'

/** Places in [-size, size), now and then one that is outside or no number. */
function places(random: Prng, count: number, size: number): Float32Array {
  const wrong = [size, -size - 1, 1e9, -1e9, Number.NaN, Number.POSITIVE_INFINITY]
  return Float32Array.from({ length: count }, () => (random.int(8) ? random.int(2 * size) - size : random.pick(wrong)))
}

export function gatherCases(random: Prng): KernelCase[] {
  const sizes = [
    [1, 1, 1, 1],
    [2, 5, 7, 3],
    [3, 4, 1, 9],
    [1, 30, 33, 6],
    [0, 3, 2, 2],
    [2, 3, 4, 0],
    [1, 0, 2, 2],
  ]
  return sizes.map(([outer, axis, inner, count]) =>
    one(
      'gather',
      `${outer} ${axis} ${inner} by ${count}`,
      { outer, axis, inner, count },
      [input(awkwards(random, outer * axis * inner)), input(places(random, count, axis))],
      outer * count * inner,
      'bits',
    ),
  )
}

const six = (shape: readonly number[]) => [...new Array<number>(6 - shape.length).fill(1), ...shape]

/** x, indices, axis (counted from the end, so that padding does not matter) */
const elementShapes: [number[], number[], number][] = [
  [[1], [1], 1],
  [[7], [9], 1],
  [[3, 5], [3, 4], 1],
  [[5, 3], [8, 2], 2],
  [[2, 4, 3], [1, 6, 3], 2],
  [[2, 3, 2, 2, 3, 2], [2, 3, 1, 4, 2, 2], 3],
  [[4, 3], [0, 3], 2],
  [[0, 3], [0, 2], 1],
  [[6, 5], [6, 5], 2],
]

function elementParams(xShape: number[], indexShape: number[], fromEnd: number) {
  const [dims, sizes] = [six(xShape), six(indexShape)]
  return {
    ...{ dim0: dims[0], dim1: dims[1], dim2: dims[2], dim3: dims[3], dim4: dims[4], dim5: dims[5] },
    ...{ index0: sizes[0], index1: sizes[1], index2: sizes[2], index3: sizes[3], index4: sizes[4], index5: sizes[5] },
    axis: 6 - fromEnd,
  }
}

export function gatherElementsCases(random: Prng): KernelCase[] {
  return elementShapes.map(([x, indices, fromEnd]) =>
    one(
      'gather-elements',
      `[${x}] by [${indices}] axis -${fromEnd}`,
      elementParams(x, indices, fromEnd),
      [input(awkwards(random, elementsOf(x))), input(places(random, elementsOf(indices), x[x.length - fromEnd]))],
      elementsOf(indices),
      'bits',
    ),
  )
}

export function scatterElementsCases(random: Prng): KernelCase[] {
  return elementShapes.flatMap(([x, indices, fromEnd]) =>
    Object.entries(scatterReductions).map(([label, reduction]) => {
      const data = label === 'none' ? awkwards : normals
      return one(
        'scatter-elements',
        `${label} [${x}] by [${indices}] axis -${fromEnd}`,
        { ...elementParams(x, indices, fromEnd), reduction },
        [
          input(data(random, elementsOf(x))),
          input(places(random, elementsOf(indices), x[x.length - fromEnd])),
          input(data(random, elementsOf(indices))),
        ],
        elementsOf(x),
        label === 'add' || label === 'mul' ? sum(4) : exact,
      )
    }),
  )
}

/** batch, indexed axes, inner, count */
const tupleShapes: [number, number[], number, number][] = [
  [1, [1], 1, 1],
  [1, [6], 5, 4],
  [1, [3, 4], 1, 9],
  [1, [2, 3, 4], 9, 5],
  [1, [2, 1, 3, 2, 2, 2], 2, 8],
  [1, [3, 3], 4, 0],
]

function tupleParams(dims: readonly number[]) {
  const [dim0, dim1 = 1, dim2 = 1, dim3 = 1, dim4 = 1, dim5 = 1] = dims
  return { depth: dims.length, dim0, dim1, dim2, dim3, dim4, dim5 }
}

/** Tuples of places [count, dims.length]. */
function tuples(random: Prng, count: number, dims: readonly number[]): Float32Array {
  return Float32Array.from(Array.from({ length: count }, () => dims.map(dim => places(random, 1, dim)[0])).flat())
}

export function gatherNdCases(random: Prng): KernelCase[] {
  const more: typeof tupleShapes = [
    [3, [4], 2, 5],
    [2, [2, 3], 1, 3],
    [0, [2], 3, 2],
  ]
  return [...tupleShapes, ...more].map(([batch, dims, inner, count]) =>
    one(
      'gather-nd',
      `${batch} [${dims}] ${inner} by ${count}`,
      { batch, count, inner, ...tupleParams(dims) },
      [input(awkwards(random, batch * elementsOf(dims) * inner)), input(tuples(random, batch * count, dims))],
      batch * count * inner,
      'bits',
    ),
  )
}

export function scatterNdCases(random: Prng): KernelCase[] {
  return tupleShapes.flatMap(([, dims, inner, count]) =>
    Object.entries(scatterReductions).map(([label, reduction]) => {
      const data = label === 'none' ? awkwards : normals
      return one(
        'scatter-nd',
        `${label} [${dims}] ${inner} by ${count}`,
        { count, inner, ...tupleParams(dims), reduction },
        [
          input(data(random, elementsOf(dims) * inner)),
          input(tuples(random, count, dims)),
          input(data(random, count * inner)),
        ],
        elementsOf(dims) * inner,
        label === 'add' || label === 'mul' ? sum(4) : exact,
      )
    }),
  )
}

export function resampleAxisCases(random: Prng): KernelCase[] {
  const sizes = [
    [1, 1, 1, 1, 1],
    [2, 5, 7, 9, 2],
    [3, 8, 1, 9, 2],
    [3, 8, 1, 4, 4],
    [1, 6, 16, 13, 1],
    [0, 3, 2, 4, 2],
    [2, 4, 3, 0, 2],
  ]
  return sizes.map(([outer, size, inner, outSize, taps], i) => {
    const x = normals(random, outer * size * inner)
    const indices = Float32Array.from({ length: outSize * taps }, () => random.int(size))
    const weights = normals(random, outSize * taps)
    if (i === 1 || i === 2) {
      // A row outside, and a weight of 0 on what would make everything NaN.
      indices[4] = -1
      indices.set([2, 3], 6)
      weights.set([1, 0], 6)
      x.fill(Number.POSITIVE_INFINITY, 3 * inner, 4 * inner)
    }
    return one(
      'resample-axis',
      `${outer} ${size} ${inner} to ${outSize} by ${taps}`,
      { outer, size, inner, outSize, taps, fill: 0.25 },
      [input(x), weight(indices), weight(weights)],
      outer * outSize * inner,
      sum(taps),
    )
  })
}
