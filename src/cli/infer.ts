/** The work of `peer infer`: a network and its arrays in, .npy files and the time of each stage out. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { limits } from '../base/limits.ts'
import { makeFolder } from '../base/make-folder.ts'
import type { Model } from '../compute/engine/model.ts'
import { type OutputTensor, openSession } from '../compute/engine/session.ts'
import { fromHost, isElementType, isFloat, type TypedTensor, toHost } from '../compute/tensor/element-type.ts'
import { shapeText } from '../compute/tensor/shape.ts'
import { readNpy } from '../data/readers/npy.ts'
import { writeNpy } from '../data/writers/npy.ts'
import { openBackend, readBounded, readModel, usageError } from './open-model.ts'
import type { CommonOptions } from './session.ts'

export interface InferOptions extends CommonOptions {
  input?: string[]
  out: string
  backend: string
  precision?: 'f32' | 'f16'
  json?: boolean
}

export interface InferReport {
  device: string
  stages: { stage: string; ms: number }[]
  outputs: { name: string; type: string; dims: readonly number[]; file: string }[]
}

/** Runs the network at `path` and writes its outputs. Throws PeerError: `input`, `model`, `resource`. */
export async function infer(
  path: string,
  { input = [], out, backend: wanted, precision, data }: InferOptions,
): Promise<InferReport> {
  const stages: InferReport['stages'] = []
  const timed = async <T>(stage: string, work: () => Promise<T>): Promise<T> => {
    const started = performance.now()
    const result = await work()
    stages.push({ stage, ms: performance.now() - started })
    return result
  }
  const { model, inputs } = await timed('load', async () => {
    const { model: loaded } = await readModel(path)
    return { model: loaded, inputs: await readInputs(loaded, input) }
  })
  await makeFolder(out)
  const backend = await openBackend(wanted, { precision, data })
  const session = openSession(backend, model)
  const { outputs, times } = await session.profile(inputs)
  stages.push({ stage: 'plan', ms: times.planMs }, { stage: 'compile', ms: times.compileMs })
  stages.push({ stage: 'run', ms: times.runMs })
  const files = await timed('write', () => writeOutputs(out, outputs))
  return { device: backend.device, stages, outputs: files }
}

async function readInputs(model: Model, given: readonly string[]): Promise<Record<string, TypedTensor>> {
  const inputs: Record<string, TypedTensor> = {}
  for (const text of given) {
    const [name, file] = namedFile(text, model)
    const bytesMax = 8 * limits.tensorElementsMax
    const array = readNpy(await readBounded(file, bytesMax), file)
    const wanted = model.inputs.find(port => port.name === name)?.dtype
    inputs[name] = asType(array, wanted)
  }
  return inputs
}

/** Names and files may both hold '=': the longest name that the model has decides, else the first '='. */
function namedFile(text: string, model: Model): [name: string, file: string] {
  const known = model.inputs.map(port => port.name).filter(name => text.startsWith(`${name}=`))
  const at = known.length > 0 ? Math.max(...known.map(name => name.length)) : text.indexOf('=')
  if (at < 1) throw usageError(`"${text}" is not an input; give --input NAME=FILE.npy`)
  return [text.slice(0, at), text.slice(at + 1)]
}

/** NumPy's floats are float64 unless one says otherwise: floats become what the model takes; nothing else does. */
function asType(tensor: TypedTensor, wanted: string | undefined): TypedTensor {
  if (wanted === undefined || wanted === tensor.type || !isElementType(wanted)) return tensor
  return isFloat(wanted) && isFloat(tensor.type) ? fromHost(wanted, tensor.dims, toHost(tensor)) : tensor
}

async function writeOutputs(
  folder: string,
  outputs: Readonly<Record<string, OutputTensor>>,
): Promise<InferReport['outputs']> {
  const taken = new Set<string>()
  const written: InferReport['outputs'] = []
  for (const [name, tensor] of Object.entries(outputs)) {
    // A name comes from the model: it is never a path.
    let base = name.replace(/[^A-Za-z0-9._-]/g, '_').replace(/^\.+/, '_') || 'output'
    while (taken.has(base)) base += '_'
    taken.add(base)
    // .npy has no strings that others read without pickling.
    const file = join(folder, `${base}.${tensor.strings ? 'json' : 'npy'}`)
    await writeFile(file, tensor.strings ? JSON.stringify(tensor.strings) : writeNpy(tensor))
    written.push({ name, type: tensor.strings ? 'string' : tensor.type, dims: tensor.dims, file })
  }
  return written
}

/** What a person is shown of it. */
export function inferText({ device, stages, outputs }: InferReport): string {
  const lines = [
    `on ${device}`,
    ...stages.map(({ stage, ms }) => `  ${stage.padEnd(8)} ${ms.toFixed(1).padStart(9)} ms`),
    ...outputs.map(({ name, type, dims, file }) => `${name}  ${type} ${shapeText(dims)}  ${file}`),
  ]
  return `${lines.join('\n')}\n`
}
