/** A training whose mesh is gone: from the file with its state it goes on on another one, to the bits that it would have had. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { prng } from '../../src/base/prng.ts'
import type { TrainInit } from '../../src/learn/options.ts'
import { type Peer, startPeer } from '../../src/peer/peer.ts'
import { until } from '../e2e/mesh-of-processes.ts'
import { all, end } from './some-peers.ts'

describe('a checkpoint', { timeout: 60_000 }, () => {
  const folder = mkdtempSync(join(tmpdir(), 'shardmesh-checkpoint-'))
  const running: Peer[] = []
  afterAll(async () => {
    for (const peer of running) await peer.stop()
    rmSync(folder, { recursive: true, force: true })
  })
  const checkpoint = join(folder, 'state')

  function writeTable(seed: number): void {
    const random = prng(seed)
    const rows = Array.from({ length: 300 }, (_, i) => [random.normal() + (i % 3), random.normal(), `k${i % 3}`].join())
    writeFileSync(join(folder, 'table.csv'), ['a,b,kind', ...rows].join('\n'))
  }

  /** A mesh of one, with nothing of any other's. */
  async function lone(name: string): Promise<Peer> {
    const base = { data: join(folder, name), name, mdns: false, backend: 'wasm' as const, workers: 1 }
    running.push(await startPeer({ ...base, listen: ['/ip4/127.0.0.1/tcp/0'] }))
    return running[running.length - 1]
  }

  /** 600 rounds. */
  const descent = { method: 'softmax', solver: 'adam', batchRows: 30, epochs: 60 } as const
  const request = (options: TrainInit, rowsPerShard = 100) => {
    const table = { label: 'kind', rowsPerShard }
    return { workload: 'train' as const, inputs: ['table.csv'], cwd: folder, options, table }
  }

  async function train(peer: Peer, options: TrainInit, more: { checkpoint?: string; rowsPerShard?: number } = {}) {
    const { rowsPerShard, ...rest } = more
    const { job, notes } = await peer.submit({ ...request(options, rowsPerShard), ...rest })
    const ended = await end(peer, job)
    if (ended.outcome?.phase === 'failed') throw new Error(ended.outcome.reason)
    const parts = (await all(peer.results(job))).flatMap(part => (part.type === 'bytes' ? [part.bytes] : []))
    return { notes, rounds: ended.round, file: Buffer.concat(parts) }
  }

  test('goes on after its last round on another mesh, to the same bits', async () => {
    writeTable(1)
    const first = await lone('first')
    const whole = await train(first, descent)
    const { job } = await first.submit({ ...request(descent), checkpoint })
    await until(async () => (await first.job(job)).round > 20 && existsSync(checkpoint), 'some rounds are done')
    expect((await first.job(job)).outcome).toBeUndefined()
    await first.stop()
    running.pop()

    const second = await lone('second')
    const rest = await train(second, descent, { checkpoint })
    expect(rest.notes).toEqual([expect.stringMatching(/goes on after its round \d/)])
    expect(rest.rounds).toBeLessThan(whole.rounds)
    expect(rest.file.equals(whole.file)).toBe(true)
  })

  test('of another training, of other data or of nothing is refused', async () => {
    const [peer] = running
    await expect(train(peer, { ...descent, c: 2 }, { checkpoint })).rejects.toMatchObject({ code: 'CHECKPOINT_OTHER' })
    await expect(train(peer, { method: 'kmeans', k: 2 }, { checkpoint })).rejects.toThrow(/other options or columns/)
    const before = readFileSync(checkpoint)
    writeFileSync(checkpoint, before.subarray(0, -3))
    await expect(train(peer, descent, { checkpoint })).rejects.toMatchObject({ code: 'CHECKPOINT_INVALID' })
    writeFileSync(checkpoint, before)
    await expect(train(peer, descent, { checkpoint, rowsPerShard: 70 })).rejects.toThrow(/other data/)
    writeFileSync(checkpoint, before)
    writeTable(2)
    await expect(train(peer, descent, { checkpoint })).rejects.toThrow(/other data/)
  })
})
