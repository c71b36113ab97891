/**
 * The main job with real processes, real images and real networks: 10,000 CIFAR-10 images over three peers,
 * undisturbed, with a peer that is killed in the middle, and with a peer that computes on WebGPU.
 */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { JobSummary } from '../../src/peer/control.ts'
import { haveWebGpu } from '../compute/webgpu.ts'
import { cifar10, missing } from '../fixtures/shared.ts'
import { type ProcessMesh, startMeshOfProcesses } from './mesh-of-processes.ts'
import { command } from './peer-command.ts'

/** Right answers by column: each path's folder is its label. */
async function score(csv: string) {
  const [head, ...lines] = (await readFile(csv, 'utf8')).trim().split('\n')
  const columns = head.split(',')
  const paths = new Set<string>()
  const correct: Record<string, number> = {}
  for (const line of lines) {
    const cells = line.split(',')
    paths.add(cells[0])
    const truth = cells[0].split('/').at(-2)
    columns.forEach((column, c) => {
      if (column.endsWith('label') && cells[c] === truth) correct[column] = (correct[column] ?? 0) + 1
    })
  }
  return { rows: lines.length, distinct: paths.size, correct }
}

/** What onnxruntime gets on the same images, each within 5. */
const expected = { 'cifar10-resnet8_label': 7548, 'cifar10-vgg_label': 8404, label: 8272 }

async function expectRight(csv: string): Promise<void> {
  const { rows, distinct, correct } = await score(csv)
  expect({ rows, distinct }).toEqual({ rows: 10_000, distinct: 10_000 })
  for (const [column, count] of Object.entries(expected)) {
    expect(Math.abs(correct[column] - count), `${column} ${correct[column]}`).toBeLessThanOrEqual(5)
  }
}

const working = (job: JobSummary) => job.shares.filter(share => share.itemsDone > 0)

const webgpu = await haveWebGpu('2 tests: the main job with a WebGPU peer')

describe.skipIf(missing('the main job on CIFAR-10', 4))('the main job on CIFAR-10', () => {
  let scratch: string
  let work: { images: string; models: string[] }
  let undisturbed: string

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'shardmesh-cifar-'))
    work = (await cifar10(scratch)) as typeof work
  })
  afterAll(() => rm(scratch, { recursive: true, force: true }))

  async function submit(mesh: ProcessMesh, from: number, inputs: string[], out: string) {
    const models = work.models.flatMap(model => ['--model', model])
    const args = [
      'submit',
      'classify',
      ...inputs,
      ...models,
      '--merge',
      'mean',
      '--out',
      out,
      '--json',
      '--data',
      mesh.peers[from].data,
    ]
    const ran = await command(args, { cwd: scratch })
    expect(ran.code, ran.stderr).toBe(0)
    return JSON.parse(ran.stdout) as JobSummary & { numericClasses: string[] }
  }

  test('three peers, submitted from the third', { timeout: 240_000 }, async () => {
    const mesh = await startMeshOfProcesses([{}, {}, {}])
    try {
      undisturbed = join(scratch, 'predictions.csv')
      const job = await submit(mesh, 2, ['test'], undisturbed)
      await expectRight(undisturbed)
      expect(working(job).length).toBeGreaterThanOrEqual(2)
      expect(job.numericClasses).toHaveLength(1)

      // The same result from another peer, to the byte.
      const other = join(scratch, 'fetched.csv')
      const fetched = await command(['results', job.job.slice(0, 10), '--out', other, '--data', mesh.peers[0].data], {
        cwd: scratch,
      })
      expect(fetched.code, fetched.stderr).toBe(0)
      expect(await readFile(other, 'utf8')).toBe(await readFile(undisturbed, 'utf8'))

      // Only the submitter's peer may cancel.
      const refused = await command(['cancel', job.job, '--data', mesh.peers[0].data], { cwd: scratch })
      expect(refused.code).toBe(2)
      expect(refused.stderr).toContain('only the peer that submitted a job cancels it')
    } finally {
      await mesh.stop()
    }
  })

  test('a worker killed in the middle costs no image and no bit', { timeout: 240_000 }, async () => {
    const mesh = await startMeshOfProcesses([{}, {}, {}])
    try {
      const out = join(scratch, 'killed.csv')
      const done = submit(mesh, 2, ['test'], out)
      const [job] = await waitForJob(mesh, summary => summary.itemsDone > 2000 && summary.leader !== undefined)
      const victim = (await mesh.clients[2].peers()).find(one => !one.self && one.peer !== job.leader)
      const place = mesh.peers.findIndex(one => one.name === victim?.name)
      mesh.peers[place].kill('SIGKILL')
      await done
      await expectRight(out)
      if (undisturbed) expect(await readFile(out, 'utf8')).toBe(await readFile(undisturbed, 'utf8'))
    } finally {
      await mesh.stop()
    }
  })

  test.skipIf(!webgpu)('one peer on WebGPU, the others on WASM', { timeout: 400_000 }, async () => {
    const mesh = await startMeshOfProcesses([{}, { backend: 'webgpu', workers: 0 }, {}])
    try {
      const out = join(scratch, 'mixed.csv')
      const job = await submit(mesh, 2, ['test'], out)
      await expectRight(out)
      // How much a software GPU manages before the others are done is a matter of luck: the next test holds its rows.
      console.info(
        'shares:',
        working(job)
          .map(share => `${share.backend} ${share.itemsDone}`)
          .join(', '),
      )
      expect(working(job).length).toBeGreaterThanOrEqual(2)
    } finally {
      await mesh.stop()
    }
  })

  test.skipIf(!webgpu)('rows computed on WebGPU are those of WASM', { timeout: 240_000 }, async () => {
    const mesh = await startMeshOfProcesses([{ backend: 'webgpu', workers: 0 }, {}])
    try {
      const inputs = ['test/*/000*.jpg']
      const rows = async (from: string) => {
        const lines = (await readFile(from, 'utf8')).trim().split('\n').slice(1)
        return new Map(lines.map(line => [line.split(',')[0], line.split(',')] as const))
      }
      // The WASM peer leaves once it is known what it gives, so that the GPU must compute every row.
      const byWasm = join(scratch, 'by-wasm.csv')
      await submit(mesh, 1, inputs, byWasm)
      await mesh.peers[1].stop()
      const byGpu = join(scratch, 'by-gpu.csv')
      const job = await submit(mesh, 0, inputs, byGpu)
      expect(job.numericClasses.join()).toMatch(/^webgpu/)
      const [wasm, gpu] = [await rows(byWasm), await rows(byGpu)]
      expect([...gpu.keys()]).toEqual([...wasm.keys()])
      expect(gpu.size).toBe(100)
      for (const [path, cells] of gpu) {
        expect(cells[1], path).toBe(wasm.get(path)?.[1])
        expect(Number(cells[2]), path).toBeCloseTo(Number(wasm.get(path)?.[2]), 4)
      }
    } finally {
      await mesh.stop()
    }
  })

  async function waitForJob(mesh: ProcessMesh, ready: (job: JobSummary) => boolean): Promise<JobSummary[]> {
    for (let tries = 0; tries < 2000; tries++) {
      const jobs = (await mesh.clients[2].jobs()).filter(ready)
      if (jobs.length > 0) return jobs
      await new Promise(resolve => setTimeout(resolve, 50))
    }
    throw new Error('the job did not get going')
  }
})
