/** The lanes of a peer: what WebGPU cannot run, and what a lost device had, ends on WASM. */
import { afterAll, describe, expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { cutShards } from '../../../src/data/sharding.ts'
import { createMemoryStore } from '../../../src/data/store/memory-store.ts'
import { type Lane, startLane } from '../../../src/peer/lanes/lane-host.ts'
import { type LanePool, type PoolInit, startPool } from '../../../src/peer/lanes/pool.ts'
import type { OpenJob } from '../../../src/peer/lanes/types.ts'
import { makeModel } from '../../compute/onnx/make-model.ts'
import { haveWebGpu } from '../../compute/webgpu.ts'

const webgpu = await haveWebGpu('1 test: a WebGPU lane alone')

/** One row with an unreadable image: the networks are opened all the same. */
async function shardBlocks(): Promise<Uint8Array[]> {
  const store = createMemoryStore()
  const blocks: Uint8Array[] = []
  for await (const shard of cutShards([{ path: 'gone.jpg', file: '/nowhere/gone.jpg' }], store)) {
    for (const id of shard.blocks) blocks.push((await store.get(id)) as Uint8Array)
  }
  return blocks
}

/** A network of one operator, as an open job. */
function openJob(op: string, attributes?: Record<string, number>): OpenJob {
  const bytes = makeModel({
    opset: 13,
    inputs: { x: ['N', 3, 1, 1] },
    outputs: ['y'],
    ops: [
      { type: op, inputs: ['x'], outputs: ['a'], attributes },
      { type: 'Flatten', inputs: ['a'], outputs: ['y'] },
    ],
  })
  const model = {
    name: 'm',
    file: { bytes: bytes.length, blocks: ['0'.repeat(64)] },
    input: { name: 'x', height: 1, width: 1, layout: 'nchw' },
    output: 'y',
    preprocess: { rescaleFactor: 1, channels: 3 },
    score: 'softmax',
    weight: 1,
    classes: [0, 1, 2],
  }
  const body = { models: [model], labels: ['a', 'b', 'c'], merge: 'mean', top: 1 }
  return { workload: 'classify', body, files: [{ name: 'model-0', bytes }] }
}

describe('the pool', { timeout: 60_000 }, () => {
  const pools: LanePool[] = []
  afterAll(() => Promise.all(pools.map(pool => pool.stop())))

  async function start(workers: number, gpu: boolean) {
    const warnings: string[] = []
    const pool = await startPool({ workers, webgpu: gpu, onWarning: line => warnings.push(line), onChange: () => {} })
    pools.push(pool)
    return { pool, warnings }
  }

  test('runs shards on as many lanes as asked, and ends', async () => {
    const { pool, warnings } = await start(2, false)
    expect(pool.lanes().map(lane => lane.backend)).toEqual(['wasm', 'wasm'])
    const blocks = await shardBlocks()
    const job = openJob('Relu')
    const ran = await Promise.all([1, 2, 3, 4].map(() => pool.run('a'.repeat(64), () => job, { blocks })))
    expect(ran.map(({ items, errors }) => [items, errors])).toEqual([
      [1, 1],
      [1, 1],
      [1, 1],
      [1, 1],
    ])
    expect(warnings).toEqual([])
    expect(pool.load()).toBe(0)
  })

  test('a job that is closed gives up its queue, and a bad model says so', async () => {
    const { pool } = await start(1, false)
    const bad = { ...openJob('Relu'), files: [{ name: 'model-0', bytes: new Uint8Array([1, 2, 3]) }] }
    await expect(pool.run('b'.repeat(64), () => bad, { blocks: await shardBlocks() })).rejects.toMatchObject({
      code: 'MODEL_NOT_ONNX',
    })
    const blocks = await shardBlocks()
    const waiting = Array.from({ length: 8 }, () => pool.run('c'.repeat(64), () => openJob('Relu'), { blocks }))
    pool.close('c'.repeat(64))
    const ends = await Promise.allSettled(waiting)
    expect(ends.slice(2).every(end => end.status === 'rejected')).toBe(true)
  })

  /** A pool whose WebGPU lane is made up: every shard fails there as `fail` says. */
  async function startFailing(workers: number, fail: (die: (error: PeerError) => void) => PeerError) {
    const warnings: string[] = []
    const facts = { backend: 'webgpu' as const, device: 'made-up GPU', numericClass: 'webgpu/test' }
    const failing: NonNullable<PoolInit['start']> = (backend, onDead) => {
      if (backend === 'wasm') return startLane(backend, onDead)
      const lane: Lane = {
        facts,
        running: 0,
        proved: Promise.resolve(undefined),
        run: async () => {
          throw fail(error => onDead(lane, error))
        },
        keeps: () => false,
        close() {},
        stop: async () => {},
      }
      return Promise.resolve(lane)
    }
    const onWarning = (line: string) => warnings.push(line)
    const onLost = ({ device }: { device: string }, reason: string) => void warnings.push(`${device}: ${reason}`)
    const pool = await startPool({ workers, webgpu: true, onWarning, onLost, onChange: () => {}, start: failing })
    pools.push(pool)
    return { pool, warnings }
  }

  test.each(['MODEL_UNSUPPORTED_KERNEL', 'WEBGPU_OUT_OF_MEMORY', 'WEBGPU_INVALID'])(
    'a network that fails on WebGPU by %s goes to a WASM lane made for it',
    async code => {
      const { pool, warnings } = await startFailing(
        0,
        () => new PeerError({ code, kind: 'resource', message: 'no way' }),
      )
      const blocks = await shardBlocks()
      const job = openJob('Relu')
      const ran = await Promise.all([1, 2, 3].map(() => pool.run('d'.repeat(64), () => job, { blocks })))
      expect(ran.map(({ items }) => items)).toEqual([1, 1, 1])
      expect(pool.lanes().map(lane => lane.backend)).toEqual(['webgpu', 'wasm'])
      expect(warnings).toEqual(['made-up GPU cannot run a network of job dddddddd (no way): the CPU takes it'])
    },
  )

  test('what fails for a job that is over is no fault of the GPU: no other lane is made', async () => {
    const job = 'a'.repeat(64)
    const { pool, warnings } = await startFailing(0, () => {
      pool.close(job)
      return new PeerError({ code: 'WEBGPU_FAILED', kind: 'resource', message: 'its buffers are gone' })
    })
    const ran = pool.run(job, () => openJob('Relu'), { blocks: await shardBlocks() })
    await expect(ran).rejects.toMatchObject({ code: 'JOB_CLOSED' })
    expect(pool.lanes().map(lane => lane.backend)).toEqual(['webgpu'])
    expect(warnings).toEqual([])
  })

  test('a device that is lost hands what it had to a WASM lane', async () => {
    const { pool, warnings } = await startFailing(0, die => {
      const lost = new PeerError({ code: 'LANE_DIED', kind: 'resource', message: 'the device is lost' })
      die(lost)
      return lost
    })
    const ran = await pool.run('e'.repeat(64), () => openJob('Relu'), { blocks: await shardBlocks() })
    expect(ran.items).toBe(1)
    expect(pool.lanes().map(lane => lane.backend)).toEqual(['wasm'])
    expect(warnings).toEqual(['made-up GPU: the device is lost'])
  })

  test.skipIf(!webgpu)('a WebGPU lane alone computes what it is given', async () => {
    const { pool, warnings } = await start(0, true)
    const ran = await pool.run('f'.repeat(64), () => openJob('LRN', { size: 1 }), { blocks: await shardBlocks() })
    expect([ran.items, pool.lanes().map(lane => lane.backend)]).toEqual([1, ['webgpu']])
    expect(warnings).toEqual([])
  })
})
