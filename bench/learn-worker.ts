/** A thread of `npm run bench -- learn`: what one shard after the other adds to a round, on the shared runtime. */
import { parentPort, workerData } from 'node:worker_threads'
import { attachWasmBackend } from '../src/compute/backends/wasm/backend.ts'
import type { TableShard } from '../src/data/tables/types.ts'
import { openEngine } from '../src/learn/device/engine.ts'
import { parseTrainOptions, type TrainInit } from '../src/learn/options.ts'
import { createTraining } from '../src/learn/training.ts'

export interface LearnInit {
  runtime: unknown
  options: TrainInit
  columns: string[]
  rowsPerShard: number
  /** [rows, columns], in shared memory. */
  x: Float32Array
}

const { runtime, options, columns, rowsPerShard, x }: LearnInit = workerData
const training = createTraining(parseTrainOptions(options), columns)
const engine = openEngine(await attachWasmBackend(runtime))

/** As a peer does: its shards lie where its device reads them, for all rounds. */
const kept = new Map<number, TableShard>()

function shardOf(index: number): TableShard {
  const known = kept.get(index) ?? engine.keep(cutShard(index))
  kept.set(index, known)
  return known
}

function cutShard(index: number): TableShard {
  const first = index * rowsPerShard
  const part = x.subarray(first * columns.length, (first + rowsPerShard) * columns.length)
  return { index, firstRow: first, rows: part.length / columns.length, columns, x: part }
}

parentPort?.on('message', async ({ bytes, shards }: { bytes: Uint8Array; shards: number[] }) => {
  const parameters = training.decodeParameters(bytes)
  for (const shard of shards) {
    const partial = training.encodePartial(await training.partial(engine, parameters, shardOf(shard)))
    parentPort?.postMessage({ shard, partial })
  }
})
parentPort?.postMessage('ready')
