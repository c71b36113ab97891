/**
 * A backend that runs the kernels' scalar references: slow, exact, and there on every machine, so that graphs,
 * plans and jobs can be tested anywhere. Its memory is the planned arena, so that a wrong plan shows here too.
 */
import { assert, PeerError } from '../../../base/errors.ts'
import { checkProgram, type Program, type ProgramBuffer, type StepOf, type Weight } from '../../engine/program.ts'
import { type KernelName, type KernelReference, kernels, type Unsupported } from '../../kernels/index.ts'
import type { KernelArray } from '../../tensor/dtype.ts'
import { takeInputs } from '../ports.ts'
import type { Backend, Executable, RunInputs, RunOutputs } from '../types.ts'

export type ReferenceTable = { readonly [K in KernelName]: KernelReference<K> | Unsupported }

/** The contracts' own references. */
export const referenceTable: ReferenceTable = {
  affine: kernels.affine.reference,
  binary: kernels.binary.reference,
  'conv-transpose': kernels['conv-transpose'].reference,
  conv2d: kernels.conv2d.reference,
  'conv2d-channels-last': kernels['conv2d-channels-last'].reference,
  copy: kernels.copy.reference,
  cumsum: kernels.cumsum.reference,
  gather: kernels.gather.reference,
  'gather-elements': kernels['gather-elements'].reference,
  'gather-nd': kernels['gather-nd'].reference,
  gemm: kernels.gemm.reference,
  'global-average-pool': kernels['global-average-pool'].reference,
  'image-to-tensor': kernels['image-to-tensor'].reference,
  lrn: kernels.lrn.reference,
  matmul: kernels.matmul.reference,
  normalize: kernels.normalize.reference,
  'pairwise-coupling': kernels['pairwise-coupling'].reference,
  pool2d: kernels.pool2d.reference,
  'pool2d-channels-last': kernels['pool2d-channels-last'].reference,
  pool3d: kernels.pool3d.reference,
  reduce: kernels.reduce.reference,
  'resample-axis': kernels['resample-axis'].reference,
  'scatter-elements': kernels['scatter-elements'].reference,
  'scatter-nd': kernels['scatter-nd'].reference,
  softmax: kernels.softmax.reference,
  'segment-sum': kernels['segment-sum'].reference,
  'squared-distance': kernels['squared-distance'].reference,
  'top-k': kernels['top-k'].reference,
  'tree-ensemble': kernels['tree-ensemble'].reference,
  unary: kernels.unary.reference,
  where: kernels.where.reference,
}

const absent = new Float32Array(0)

/** @param table replaces kernels; a test's canary gives a wrong one */
export function createReferenceBackend(table: ReferenceTable = referenceTable): Backend {
  return {
    name: 'reference',
    layout: 'planes',
    device: 'scalar reference (JavaScript)',
    numericClass: 'reference/f64-accumulate/f32/1',
    compile: async (program, weights) => {
      checkProgram(program, weights)
      return createExecutable(table, program, weights)
    },
    dispose: async () => {},
  }
}

function createExecutable(table: ReferenceTable, program: Program, weights: readonly Weight[]): Executable {
  const arena = new ArrayBuffer(program.arenaBytes)
  const arrays = program.buffers.map(buffer =>
    buffer.kind === 'weight' ? weights[buffer.weight].data : view(arena, buffer),
  )
  const calls = program.steps.map(step => bindStep(table, step, arrays))
  return {
    program,
    run: async (inputs: RunInputs): Promise<RunOutputs> => {
      for (const { port, data } of takeInputs(program, inputs)) arrays[port.buffer].set(data)
      for (const call of calls) call()
      return Object.fromEntries(program.outputs.map(port => [port.name, Float32Array.from(arrays[port.buffer])]))
    },
    dispose: () => {},
  }
}

function view(arena: ArrayBuffer, buffer: ProgramBuffer): KernelArray {
  return buffer.dtype === 'float32'
    ? new Float32Array(arena, buffer.offset, buffer.elements)
    : new Uint8Array(arena, buffer.offset, buffer.elements)
}

function bindStep<K extends KernelName>(table: ReferenceTable, step: StepOf<K>, arrays: KernelArray[]): () => void {
  const kernel: KernelReference<K> | Unsupported = table[step.kernel]
  if ('unsupported' in kernel) {
    throw new PeerError({
      code: 'MODEL_UNSUPPORTED_KERNEL',
      kind: 'model',
      message: `${step.name} needs the kernel ${step.kernel}, which this backend lacks: ${kernel.unsupported}`,
    })
  }
  const inputs = step.inputs.map(input => (input === null ? absent : arrays[input]))
  const output = arrays[step.output]
  assert(output instanceof Float32Array, `${step.name} writes float32`)
  return () => kernel(step.params, inputs, output)
}
