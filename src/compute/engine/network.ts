/**
 * A model on a backend, for any number of rows: compiles a program for each batch size that is needed, all with the same
 * weights, and cuts the input into runs of those sizes. For models with one input.
 *
 * Invariant: a row's result is the same to the bit however many rows come with it.
 */
import { assert, PeerError } from '../../base/errors.ts'
import type { Backend, Executable } from '../backends/types.ts'
import type { KernelArray } from '../tensor/dtype.ts'
import { elementsOf, type Shape } from '../tensor/shape.ts'
import { type Model, type PlanOptions, planModel } from './model.ts'
import type { PlannedModel, Port } from './program.ts'

export interface NetworkOptions extends Omit<PlanOptions, 'batch'> {
  /**
   * Rows of the largest run; default 32. A model that insists on a batch gets that, and a backend that is faster with fewer
   * gets fewer, and so does one that lacks the memory for so many.
   */
  batchMax?: number
}

export interface Network {
  /** Elements of one input row, and its type. */
  readonly rowElements: number
  /** Dims of one row of each output, by name. */
  readonly outputs: Readonly<Record<string, Shape>>
  /**
   * @param rows `count` rows, one after the other
   * @returns for each output its rows, one after the other
   */
  run(rows: KernelArray, count: number): Promise<Record<string, Float32Array>>
  dispose(): void
}

/** @throws PeerError of `planModel` and of the backend's `compile` */
export async function openNetwork(backend: Backend, model: Model, options: NetworkOptions = {}): Promise<Network> {
  if (model.inputs.length !== 1) {
    const names = model.inputs.map(port => port.name).join(', ')
    throw new PeerError({
      code: 'MODEL_INPUT',
      kind: 'model',
      message: `the model takes ${model.inputs.length} inputs (${names}); only models with one input can be run by rows`,
    })
  }
  const { batchMax = 32, ...planOptions } = options
  const plan = (batch: number) => planModel(model, { layout: backend.layout, ...planOptions, batch })
  const compiled = new Map<number, Promise<Executable>>()
  const executableOf = (batch: number, planned?: PlannedModel): Promise<Executable> => {
    const known = compiled.get(batch)
    if (known) return known
    planned ??= plan(batch)
    const made = backend.compile(planned.program, planned.weights)
    compiled.set(batch, made)
    made.catch(() => compiled.delete(batch))
    return made
  }
  // The plan of one row tells what many would take; where one is the best, it is the one that runs.
  const bounded = backend.arenaBest !== undefined || backend.bufferMax !== undefined
  const single = model.fixedBatch === undefined && bounded ? plan(1) : undefined
  const wanted = model.fixedBatch ?? rowsOfRun(backend, single, batchMax)
  const { program } = await openMost(wanted, model.fixedBatch ?? 1, rows =>
    executableOf(rows, rows === 1 ? single : undefined),
  )
  const most = program.batch
  const perRow = (port: Port) => elementsOf(port.dims) / most
  const input = program.inputs[0]
  return {
    rowElements: perRow(input),
    outputs: Object.fromEntries(program.outputs.map(port => [port.name, port.dims.slice(1)])),
    async run(rows, count) {
      assert(rows.length === count * perRow(input), 'the rows are whole')
      const results = program.outputs.map(port => ({ port, data: new Float32Array(perRow(port) * count) }))
      for (let row = 0; row < count; ) {
        const batch = model.fixedBatch ?? runSize(most, count - row)
        const executable = await executableOf(batch)
        // A model that insists on its batch gets the last rows padded with zeros.
        const part = rows.subarray(row * perRow(input), (row + batch) * perRow(input))
        const whole = part.length === batch * perRow(input) ? part : padded(part, batch * perRow(input))
        const outputs = await executable.run({ [input.name]: whole })
        for (const { port, data } of results) {
          const wanted = Math.min(batch, count - row) * perRow(port)
          data.set(outputs[port.name].subarray(0, wanted), row * perRow(port))
        }
        row += batch
      }
      return Object.fromEntries(results.map(({ port, data }) => [port.name, data]))
    },
    dispose() {
      for (const executable of compiled.values()) void executable.then(open => open.dispose())
      compiled.clear()
    },
  }
}

/** Opens it for `rows`, and halves them where memory runs out, down to `least`. */
async function openMost(rows: number, least: number, open: (rows: number) => Promise<Executable>): Promise<Executable> {
  try {
    return await open(rows)
  } catch (thrown) {
    const noMemory = thrown instanceof PeerError && thrown.code.endsWith('OUT_OF_MEMORY')
    if (!noMemory || rows <= least) throw thrown
    return openMost(2 ** Math.ceil(Math.log2(rows) - 1), least, open)
  }
}

/**
 * The largest power of two of rows, up to `batchMax`, whose arena stays within what the backend likes best, and whose
 * buffers within what it holds.
 */
function rowsOfRun(backend: Backend, single: PlannedModel | undefined, batchMax: number): number {
  if (!single) return batchMax
  const { arenaBytes, slots, outputs } = single.program
  const { arenaBest = Number.POSITIVE_INFINITY, bufferMax = Number.POSITIVE_INFINITY } = backend
  const handedBack = outputs.reduce((sum, port) => sum + 4 * elementsOf(port.dims), 0)
  const largest = Math.max(1, handedBack, ...slots)
  const rows = Math.floor(Math.min(arenaBest / Math.max(1, arenaBytes), bufferMax / largest))
  return rows >= batchMax ? batchMax : 2 ** Math.floor(Math.log2(Math.max(1, rows)))
}

/** A remainder goes in runs of powers of two, so that few programs are compiled whatever the counts. */
function runSize(most: number, remaining: number): number {
  return remaining >= most ? most : 2 ** Math.floor(Math.log2(remaining))
}

function padded(part: KernelArray, elements: number): KernelArray {
  const whole = part instanceof Float32Array ? new Float32Array(elements) : new Uint8Array(elements)
  whole.set(part)
  return whole
}
