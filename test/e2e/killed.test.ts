/** Peers as processes, ended by SIGKILL in the middle of a job and started again. */
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Client, connectClient } from '../../src/api/client.ts'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import { type PeerProcess, startPeerProcess } from '../../src/cli/demo/peer-process.ts'
import { socketPathOf } from '../../src/peer/home.ts'
import { type Peer, startPeer } from '../../src/peer/peer.ts'
import { until } from './mesh-of-processes.ts'
import { peer } from './peer-command.ts'

const count = 3000

describe('every peer killed in the middle of a job', { timeout: 180_000 }, () => {
  let scratch: string
  let model: string
  let processes: PeerProcess[] = []
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'shardmesh-killed-'))
    await drawSamples(join(scratch, 'images'), { count, seed: 5 })
    model = join(packageRoot, 'demo/models', (await readdir(join(packageRoot, 'demo/models'))).sort()[0])
  })
  afterAll(async () => {
    await Promise.all(processes.map(one => one.stop()))
    await rm(scratch, { recursive: true, force: true })
  })

  const data = (name: string) => join(scratch, name)
  async function startAll(): Promise<void> {
    processes = []
    for (const name of ['one', 'two']) {
      const base = { data: data(name), name, backend: 'wasm' as const, workers: 1, mdns: false }
      const listen = '/ip4/127.0.0.1/tcp/0'
      processes.push(await startPeerProcess({ ...base, listen, join: processes[0]?.token }))
    }
  }
  async function withClient<T>(name: string, run: (client: Client) => Promise<T>): Promise<T> {
    const client = await connectClient(socketPathOf(data(name)))
    try {
      return await run(client)
    } finally {
      await client.close()
    }
  }
  /**
   * The peers come back without lanes: what they count as done they had computed before they were killed. What was in flight
   * then may be missing.
   */
  async function nothingLost(job: string, least: number): Promise<void> {
    const back: Peer[] = []
    for (const name of ['one', 'two']) {
      const base = { data: data(name), name, compute: false, mdns: false, listen: ['/ip4/127.0.0.1/tcp/0'] }
      back.push(await startPeer({ ...base, join: await back[0]?.info().then(info => info.token) }))
    }
    const done = async () => Math.max(...(await Promise.all(back.map(async peer => (await peer.job(job)).itemsDone))))
    await until(async () => (await done()) >= least, 'the finished shards are known again')
    for (const peer of back) await peer.stop()
  }
  const submit = (out: string) =>
    peer(['submit', 'classify', 'images', '--model', model, '--data', data('two'), '--out', out], { cwd: scratch })

  test('the job goes on, no finished shard is computed again, and the file is the same to the byte', async () => {
    await startAll()
    expect((await submit('undisturbed.csv')).code).toBe(0)

    void submit('never-written.csv')
    const running = () =>
      withClient('one', async client => (await client.jobs()).find(job => !job.outcome && job.itemsDone > 0))
    await until(async () => ((await running())?.itemsDone ?? 0) >= 600, 'the job runs')
    const job = (await running())?.job as string
    for (const one of processes) one.kill('SIGKILL')
    await Promise.all(processes.map(one => one.stop()))

    await nothingLost(job, 500)
    await startAll()
    await withClient('two', async client => {
      for await (const state of client.watch(job)) {
        if (!state.outcome) continue
        expect(state).toMatchObject({ phase: 'final', itemsDone: count, errors: 0 })
        expect(state.shares.reduce((sum, share) => sum + share.itemsDone, 0)).toBe(count)
      }
    })
    const fetched = await peer(['results', job, '--out', 'after.csv', '--data', data('one')], { cwd: scratch })
    expect(fetched.code, fetched.stderr).toBe(0)
    const [before, after] = await Promise.all(
      ['undisturbed.csv', 'after.csv'].map(name => readFile(join(scratch, name), 'utf8')),
    )
    expect(after).toBe(before)
    expect(after.trim().split('\n')).toHaveLength(count + 1)
  })
})
