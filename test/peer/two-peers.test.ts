/** Peers in one process, over real connections, with the demo's networks: what the control promises. */
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect } from '../../src/api/index.ts'
import { type ApiServer, serveApi } from '../../src/api/server.ts'
import { packageRoot } from '../../src/base/package-root.ts'
import { drawSamples } from '../../src/cli/demo/draw.ts'
import type { ClassifyRequest, Control, JobSummary, ResultItem } from '../../src/peer/control.ts'
import { type Peer, startPeer } from '../../src/peer/peer.ts'
import { until } from '../e2e/mesh-of-processes.ts'

const listen = ['/ip4/127.0.0.1/tcp/0']

async function end(control: Control, job: string): Promise<JobSummary> {
  let last: JobSummary | undefined
  for await (const summary of control.watch(job)) last = summary
  return last as JobSummary
}

async function all(items: AsyncIterable<ResultItem>): Promise<ResultItem[]> {
  const list: ResultItem[] = []
  for await (const item of items) list.push(item)
  return list
}

describe('two peers', { timeout: 60_000 }, () => {
  let scratch: string
  let one: Peer
  let two: Peer
  let api: ApiServer
  let request: ClassifyRequest

  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'shardmesh-peers-'))
    await drawSamples(join(scratch, 'images'), { count: 300, seed: 3 })
    const start = (name: string, join_?: string) =>
      startPeer({ data: join(scratch, name), name, join: join_, listen, mdns: false, backend: 'wasm', workers: 1 })
    one = await start('one')
    two = await start('two', (await one.info()).token)
    expect(await one.waitForPeers(10_000)).toBe(true)
    api = await serveApi(two, two.home.socketPath)
    const models = (await readdir(join(packageRoot, 'demo/models'))).sort()
    request = {
      workload: 'classify',
      inputs: ['images'],
      cwd: scratch,
      models: models.map(name => join(packageRoot, 'demo/models', name)),
      merge: 'mean',
      top: 3,
    }
  })
  afterAll(async () => {
    await api?.stop()
    await two?.stop()
    await one?.stop()
    await rm(scratch, { recursive: true, force: true })
  })

  test('the result is the same from either peer, over the socket, and whoever computed', async () => {
    const client = await connect({ data: two.home.folder })
    const { job, models, notes } = await client.submit(request)
    expect(models.map(model => model.labels)).toEqual([10, 10, 10])
    expect(notes).toEqual([])
    const ended = await end(client, job)
    expect(ended).toMatchObject({ phase: 'final', itemsDone: 300, itemsTotal: 300, errors: 0, complete: true })
    const here = await all(client.results(job))
    expect(here[0]).toMatchObject({ type: 'header', rows: 300, errors: 0, top: 3 })
    expect(here).toHaveLength(301)
    await end(one, job) // it hears of the end by gossip
    expect(await all(one.results(job.slice(0, 12)))).toEqual(here)

    const again = await one.submit(request)
    await end(one, again.job)
    expect((await all(one.results(again.job))).slice(1)).toEqual(here.slice(1))
    await client.close()
  })

  test('a job is cancelled by its owner alone, and then has no result', async () => {
    const { job } = await one.submit(request)
    // The other peer hears of it by gossip.
    await until(async () => (await two.jobs()).some(known => known.job === job), 'the job is known')
    await expect(two.cancel(job)).rejects.toMatchObject({ code: 'NOT_OWNER' })
    expect(await one.cancel(job)).toMatchObject({ phase: 'cancelled' })
    expect((await end(two, job)).phase).toBe('cancelled')
    await expect(all(one.results(job))).rejects.toMatchObject({ code: 'JOB_NOT_FINAL' })
  })

  test('peers see each other with their devices', async () => {
    const seen = await one.peers()
    expect(seen.map(peer => peer.name).sort()).toEqual(['one', 'two'])
    expect(seen.every(peer => peer.connected && peer.slots === 1 && peer.backend === 'wasm')).toBe(true)
  })

  test('a folder in use is refused', async () => {
    await expect(serveApi(one, two.home.socketPath)).rejects.toMatchObject({ code: 'PEER_RUNNING' })
  })
})
