/**
 * Which of a program's buffers are stored as float16 where half precision was asked for; every kernel reads them into
 * float32 and sums there.
 *
 * Invariant: what comes in and goes out stays float32, and so does what may be an index or has to be whole (what is made
 * element by element of an input or of places, and what indices are made of), what easily leaves float16's range or falls
 * into its gaps (powers, exponentials, quotients, sums of squares), and constants but for the weights of products.
 * Source: Micikevicius et al., "Mixed Precision Training" (2018): half precision in memory, single in sums.
 */

import type { Program, Step } from '../../engine/program.ts'
import { binaryOps } from '../../kernels/binary.ts'
import { type KernelName, kernels } from '../../kernels/index.ts'
import { reduceOps } from '../../kernels/reduce.ts'
import { topKParts } from '../../kernels/top-k.ts'
import { unaryOps } from '../../kernels/unary.ts'

type Roles = Partial<Readonly<Record<KernelName, readonly string[]>>>

/** Operands that the shaders can read as float16. */
const readable: Roles = {
  affine: ['x'],
  binary: ['a', 'b'],
  'conv-transpose': ['x', 'w'],
  conv2d: ['x', 'w', 'residual'],
  copy: ['x'],
  gemm: ['a', 'b'],
  'global-average-pool': ['x'],
  lrn: ['x'],
  matmul: ['a', 'b'],
  normalize: ['x'],
  pool2d: ['x'],
  reduce: ['x'],
  'resample-axis': ['x'],
  softmax: ['x'],
  unary: ['x'],
}

/** Among them the weights of products, whose terms are many. */
const weighty: Roles = { 'conv-transpose': ['w'], conv2d: ['w'], gemm: ['a', 'b'], matmul: ['a', 'b'] }

/** Operands whose elements, as they are or one by one, become the kernel's output: what is whole stays whole. */
const passed: Roles = {
  affine: ['x'],
  binary: ['a', 'b'],
  copy: ['x'],
  cumsum: ['x'],
  gather: ['x'],
  'gather-elements': ['x'],
  'gather-nd': ['x'],
  reduce: ['x'],
  'scatter-elements': ['x', 'updates'],
  'scatter-nd': ['x', 'updates'],
  'top-k': ['x'],
  unary: ['x'],
  where: ['a', 'b'],
}

const places: Roles = {
  gather: ['indices'],
  'gather-elements': ['indices'],
  'gather-nd': ['indices'],
  'scatter-elements': ['indices'],
  'scatter-nd': ['indices'],
}

const mild: readonly number[] = [
  ...[unaryOps.neg, unaryOps.abs, unaryOps.relu, unaryOps.leakyRelu, unaryOps.clip, unaryOps.sigmoid, unaryOps.tanh],
  ...[unaryOps.erf, unaryOps.hardSigmoid, unaryOps.hardSwish, unaryOps.gelu, unaryOps.geluTanh, unaryOps.mish],
  ...[unaryOps.celu, unaryOps.elu, unaryOps.selu, unaryOps.softplus, unaryOps.softsign, unaryOps.thresholdedRelu],
]

/** Whether a kernel's shader can write float16, and its results as a rule fit. */
function writable(step: Step): boolean {
  switch (step.kernel) {
    case 'affine':
    case 'conv-transpose':
    case 'conv2d':
    case 'copy':
    case 'gemm':
    case 'global-average-pool':
    case 'image-to-tensor':
    case 'lrn':
    case 'matmul':
    case 'normalize':
    case 'pool2d':
    case 'resample-axis':
    case 'softmax':
      return true
    case 'binary':
      return (
        step.params.op === binaryOps.add ||
        step.params.op === binaryOps.sub ||
        (step.params.op === binaryOps.mul && step.inputs[0] !== step.inputs[1])
      )
    case 'unary':
      return mild.includes(step.params.op)
    default:
      return false
  }
}

function makesPlaces(step: Step): boolean {
  if (step.kernel === 'reduce') return step.params.op === reduceOps.argMax || step.params.op === reduceOps.argMin
  return step.kernel === 'top-k' && step.params.part !== topKParts.values
}

/** The buffers that a step reads, each with whether it is in one of these roles. */
function readsOf(step: Step, roles: Roles): { buffer: number; inRole: boolean }[] {
  const names = kernels[step.kernel].operands.map(operand => operand.replace('?', ''))
  const wanted = roles[step.kernel] ?? []
  return step.inputs.flatMap((buffer, place) =>
    buffer === null ? [] : [{ buffer, inRole: wanted.includes(names[place]) }],
  )
}

function inRoles(step: Step, roles: Roles): number[] {
  return readsOf(step, roles)
    .filter(({ inRole }) => inRole)
    .map(({ buffer }) => buffer)
}

/** What may have to be whole: made of inputs or places element by element, or what places are made of. */
function wholes({ steps, buffers }: Program): Set<number> {
  const found = new Set<number>()
  for (const [index, { kind }] of buffers.entries()) if (kind === 'input') found.add(index)
  for (const step of steps) {
    if (makesPlaces(step) || inRoles(step, passed).some(input => found.has(input))) found.add(step.output)
  }
  const wanted = new Set<number>()
  for (const step of steps.toReversed()) {
    for (const index of inRoles(step, places)) wanted.add(index)
    if (wanted.has(step.output)) for (const input of inRoles(step, passed)) wanted.add(input)
  }
  return new Set([...found, ...wanted])
}

/** For each of the program's buffers whether all that touch it can, by their roles, read or write it as float16. */
export function storable(program: Program): boolean[] {
  const { steps, buffers } = program
  const barred = new Set<number>()
  for (const step of steps) {
    if (!writable(step)) barred.add(step.output)
    const weights = new Set(inRoles(step, weighty))
    for (const { buffer, inRole } of readsOf(step, readable)) {
      if (!inRole || (buffers[buffer].kind === 'weight' && !weights.has(buffer))) barred.add(buffer)
    }
  }
  return buffers.map(
    ({ kind, dtype }, index) =>
      dtype === 'float32' && (kind === 'temporary' || kind === 'weight') && !barred.has(index),
  )
}

/** For each of the program's buffers whether it is stored as float16. */
export function planHalves(program: Program): boolean[] {
  const whole = wholes(program)
  return storable(program).map((can, index) => can && !whole.has(index))
}
