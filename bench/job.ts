/**
 * The whole job, from the folder of images to the file of predictions, over one, two and three peers on this
 * machine, beside the loop that a user would write instead: sharp, then the same networks in onnxruntime.
 * Images per second, medians of the runs; the ratio is to the first row.
 *
 *   npm run bench -- job [--images DIR] [--model PATH --model PATH] [--runs 3] [--limit N]
 */

import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../src/base/package-root.ts'
import { median } from '../src/base/statistics.ts'
import { drawSamples } from '../src/cli/demo/draw.ts'
import { startMeshOfProcesses } from '../test/e2e/mesh-of-processes.ts'
import { cifar10 } from '../test/fixtures/shared.ts'
import { plainLoop } from './plain-loop.ts'
import { printTable } from './report.ts'

interface Work {
  images: string
  models: string[]
}

export async function benchJob(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      images: { type: 'string' },
      model: { type: 'string', multiple: true },
      runs: { type: 'string', default: '3' },
      backend: { type: 'string', default: 'wasm' },
    },
  })
  const runs = Number(values.runs)
  const scratch = await mkdtemp(join(tmpdir(), 'shardmesh-bench-'))
  try {
    const work = await chooseWork(values.images, values.model, scratch)
    const rows: { what: string; perSecond: number[] }[] = []
    const cores = availableParallelism()
    for (const runtime of ['onnxruntime-web', 'onnxruntime-node'] as const) {
      for (const threads of new Set([1, cores])) {
        const rates = await repeat(runs, () => plainLoop(runtime, work.images, work.models, threads))
        rows.push({ what: `plain loop, ${runtime}, ${threads} thread${threads === 1 ? '' : 's'}`, perSecond: rates })
      }
    }
    const layouts = [[1], [cores], [1, 1], [1, 1, 1]]
    for (const workers of layouts) {
      const what = `${workers.length} peer${workers.length === 1 ? '' : 's'}, ${workers.join(' + ')} worker${workers.join('') === '1' ? '' : 's'}`
      rows.push({ what, perSecond: await meshRates(work, workers, runs) })
    }
    const base = rows.find(row => row.perSecond.length > 0)
    printTable(
      ['what', 'images/s', 'min', 'max', 'ratio'],
      rows.map(row =>
        row.perSecond.length === 0 || !base
          ? [row.what, 'not installed', '', '', '']
          : [
              row.what,
              median(row.perSecond).toFixed(0),
              Math.min(...row.perSecond).toFixed(0),
              Math.max(...row.perSecond).toFixed(0),
              (median(row.perSecond) / median(base.perSecond)).toFixed(2),
            ],
      ),
    )
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function chooseWork(images: string | undefined, models: string[] | undefined, scratch: string): Promise<Work> {
  if (images && models) return { images, models }
  const shared = await cifar10(scratch)
  if (shared) return { images: images ?? shared.images, models: models ?? shared.models }
  const drawn = join(scratch, 'drawn')
  await drawSamples(drawn, { count: 5000, seed: 7 })
  return {
    images: images ?? drawn,
    models: models ?? ['plain', 'residual'].map(name => join(packageRoot, 'demo/models', name)),
  }
}

/** Runs that are not possible (a package that is not installed) give no rate. */
async function repeat(runs: number, run: () => Promise<number | undefined>): Promise<number[]> {
  const rates: number[] = []
  for (let i = 0; i < runs; i++) {
    const rate = await run()
    if (rate === undefined) break
    rates.push(rate)
  }
  return rates
}

/** From the submission to the last row of the result, on a mesh that is up. The first job warms it. */
async function meshRates(work: Work, workers: number[], runs: number): Promise<number[]> {
  const mesh = await startMeshOfProcesses(workers.map(count => ({ workers: count })))
  try {
    const client = mesh.clients[mesh.clients.length - 1]
    const once = async () => {
      const startMs = performance.now()
      const { job } = await client.submit({
        workload: 'classify',
        inputs: [work.images],
        cwd: process.cwd(),
        models: work.models,
        merge: 'mean',
        top: 1,
      })
      for await (const _ of client.watch(job)) {
        // until it ends
      }
      let rows = 0
      for await (const item of client.results(job)) if (item.type === 'row') rows++
      return (rows / (performance.now() - startMs)) * 1000
    }
    await once()
    return await repeat(runs, once)
  } finally {
    await mesh.stop()
  }
}
