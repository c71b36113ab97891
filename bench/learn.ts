/**
 * Rounds of Lloyd's algorithm and of expectation maximisation (diagonal covariances) over generated rows: one worker and two
 * of one process, scikit-learn on one core where it is installed, and a mesh of one peer and of two, a process and a worker each.
 *
 *   npm run bench -- learn [--rows 1000000] [--features 64] [--k 32] [--rounds 5] [--python /usr/bin/python3]
 *                          [--peer-rounds 20, 0: no mesh] [--rows-per-shard 32768]
 */
import { execFileSync } from 'node:child_process'
import { parseArgs } from 'node:util'
import { Worker } from 'node:worker_threads'
import { prng } from '../src/base/prng.ts'
import { median } from '../src/base/statistics.ts'
import { sharedWasmRuntime } from '../src/compute/backends/wasm/shared-runtime.ts'
import { parseTrainOptions, type TrainInit } from '../src/learn/options.ts'
import { createTraining, type PartialSum } from '../src/learn/training.ts'
import { createMergeTree } from '../src/learn/tree.ts'
import { measurePeers, type PeersRound, writeRows } from './learn-peers.ts'
import type { LearnInit } from './learn-worker.ts'
import { printTable } from './report.ts'

export async function benchLearn(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      rows: { type: 'string', default: '1000000' },
      features: { type: 'string', default: '64' },
      k: { type: 'string', default: '32' },
      rounds: { type: 'string', default: '5' },
      python: { type: 'string', default: '/usr/bin/python3' },
      'peer-rounds': { type: 'string', default: '20' },
      'rows-per-shard': { type: 'string', default: '32768' },
    },
  })
  const [rows, features, k, rounds] = [values.rows, values.features, values.k, values.rounds].map(Number)
  const [peerRounds, rowsPerShard] = [values['peer-rounds'], values['rows-per-shard']].map(Number)
  const { x, starts } = generate(rows, features, k)
  const theirs = scikitLearn(values.python, [rows, features, k, rounds])
  const table: string[][] = []
  const methods = [
    { name: "Lloyd's", options: { method: 'kmeans', k, init: starts, tolerance: 0 }, other: theirs?.lloyd },
    {
      name: 'EM, diag',
      options: { method: 'gmm', k, covariance: 'diag', init: starts, tolerance: 0 },
      other: theirs?.em,
    },
  ] satisfies { name: string; options: TrainInit; other: number | undefined }[]
  for (const { name, options, other } of methods) {
    const [one, two] = await measure(options, x, features, rounds, rowsPerShard)
    table.push([
      name,
      one.toFixed(3),
      two.toFixed(3),
      (one / two).toFixed(2),
      other?.toFixed(3) ?? '-',
      other ? (other / one).toFixed(2) : '-',
    ])
  }
  console.log(`${rows} rows of ${features} float32 features, ${k} components; seconds a round, medians of ${rounds}`)
  const version = theirs ? `scikit-learn ${theirs.version}` : 'scikit-learn (not installed)'
  printTable(['round', 'one worker', 'two', 'one / two', version, 'theirs / one'], table)
  if (peerRounds > 0) await overPeers(methods, x, features, peerRounds, rowsPerShard)
}

/** The same on a mesh of one peer, and on one of two. */
async function overPeers(
  methods: readonly { name: string; options: TrainInit }[],
  x: Float32Array,
  features: number,
  rounds: number,
  rowsPerShard: number,
): Promise<void> {
  const file = await writeRows(x, features)
  try {
    const trainings = methods.map(({ options }) => options)
    const one = await measurePeers(1, file, trainings, rounds, rowsPerShard)
    const two = await measurePeers(2, file, trainings, rounds, rowsPerShard)
    console.log(
      `\nthe same as jobs of a mesh, ${(x.byteLength / 2 ** 20).toFixed(0)} MiB of rows; seconds a round, medians of ${rounds}, ` +
        "and each process's peak memory since its start",
    )
    const peaks = ({ peakMiB }: PeersRound) => peakMiB.map(mib => mib.toFixed(0)).join(' + ')
    printTable(
      ['round', 'one peer', 'two', 'one / two', 'CPU, one', 'CPU, two', 'idle MiB', 'peak of one', 'peaks of two'],
      methods.map(({ name }, i) => [
        name,
        one[i].seconds.toFixed(3),
        two[i].seconds.toFixed(3),
        (one[i].seconds / two[i].seconds).toFixed(2),
        one[i].cpuSeconds.toFixed(3),
        two[i].cpuSeconds.toFixed(3),
        one[i].idleMiB.toFixed(0),
        peaks(one[i]),
        peaks(two[i]),
      ]),
    )
  } finally {
    await file.remove()
  }
}

/** Normal rows around `k` centers, near enough to overlap, in shared memory; and the first `k` rows, to start from. */
function generate(rows: number, features: number, k: number) {
  const random = prng(1)
  const centers = Array.from({ length: k }, () => Array.from({ length: features }, () => random.normal()))
  const x = new Float32Array(new SharedArrayBuffer(4 * rows * features))
  for (let row = 0; row < rows; row++) {
    const center = random.pick(centers)
    for (let c = 0; c < features; c++) x[row * features + c] = center[c] / 2 + random.normal()
  }
  const starts = Array.from({ length: k }, (_, i) => [...x.subarray(i * features, (i + 1) * features)])
  return { x, starts }
}

function scikitLearn(python: string, args: number[]): { version: string; lloyd: number; em: number } | undefined {
  try {
    const script = new URL('./learn.py', import.meta.url).pathname
    return JSON.parse(
      execFileSync(python, [script, ...args.map(String)], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }),
    )
  } catch {
    return undefined
  }
}

/** Median seconds of a round with one worker and with two; their rounds take turns. */
async function measure(
  init: TrainInit,
  x: Float32Array,
  features: number,
  rounds: number,
  rowsPerShard: number,
): Promise<[number, number]> {
  const columns = Array.from({ length: features }, (_, c) => `c${c}`)
  const training = createTraining(parseTrainOptions(init), columns)
  const runtime = await sharedWasmRuntime()
  const shards = Math.ceil(x.length / features / rowsPerShard)
  const data: LearnInit = { runtime, options: init, columns, rowsPerShard, x }
  const workers = await Promise.all([startWorker(data), startWorker(data)])
  let parameters = training.start()
  const round = async (threads: LearnThread[]): Promise<number> => {
    const started = performance.now()
    const bytes = training.encodeParameters(parameters)
    const tree = createMergeTree<PartialSum>(shards, training.merge)
    const share = (t: number) => Array.from({ length: shards }, (_, i) => i).filter(i => i % threads.length === t)
    await Promise.all(
      threads.map((thread, t) =>
        thread.run(bytes, share(t), (shard, partial) => tree.add(shard, training.decodePartial(partial, parameters))),
      ),
    )
    parameters = training.update(parameters, tree.end())
    return (performance.now() - started) / 1000
  }
  await round(workers) // the summary
  // Warms; and each of them has all shards in its memory from now on.
  for (const worker of workers) await round([worker])
  await round(workers)
  const [one, two]: [number[], number[]] = [[], []]
  for (let turn = 0; turn < rounds; turn++) {
    one.push(await round([workers[turn % 2]]))
    two.push(await round(workers))
  }
  await Promise.all(workers.map(worker => worker.stop()))
  return [median(one), median(two)]
}

interface LearnThread {
  run(bytes: Uint8Array, shards: number[], each: (shard: number, partial: Uint8Array) => void): Promise<void>
  stop(): Promise<unknown>
}

async function startWorker(workerData: LearnInit): Promise<LearnThread> {
  const worker = new Worker(new URL('./learn-worker.ts', import.meta.url), { workerData })
  await new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
  })
  return {
    run(bytes, shards, each) {
      let left = shards.length
      return new Promise(resolve => {
        const receive = ({ shard, partial }: { shard: number; partial: Uint8Array }) => {
          each(shard, partial)
          if (--left > 0) return
          worker.off('message', receive)
          resolve()
        }
        worker.on('message', receive)
        worker.postMessage({ bytes, shards })
      })
    },
    stop: () => worker.terminate(),
  }
}
