/**
 * One of the processes of `npm run bench -- many`: several whole peers, each with a data folder, an identity, connections and a
 * compute lane of its own. The parent says when they start and what the first one submits, over the channel.
 */
import { join } from 'node:path'
import { type Peer, startPeer } from '../src/peer/peer.ts'

export interface Crowd {
  folder: string
  first: number
  count: number
  /** Of all processes together. */
  total: number
  /** Of these so many compute; the rest only hold and pass on. */
  computing: number
}

export type ManyOrder =
  /** Without a token the first one makes the mesh; with one all others of this process join it. */
  { do: 'start'; token?: string } | { do: 'submit'; shards: number } | { do: 'count' }

export type ManySaid =
  | { said: 'ready' }
  | { said: 'token'; token: string }
  /** When the last peer of this process had started, and when it knew all others, milliseconds since the epoch. */
  | { said: 'known'; startedMs: number; knownMs: number }
  | { said: 'done'; ms: number; results: number; took: number }
  | { said: 'counted'; rssBytes: number; cpuMs: number }
  | { said: 'failed'; why: string }

const crowd = JSON.parse(process.argv[2]) as Crowd
const peers: Peer[] = []
const lookMs = 25

const say = (said: ManySaid) => process.send?.(said)

async function start(index: number, token: string | undefined): Promise<void> {
  const computes = (index * crowd.computing) % crowd.total < crowd.computing
  const peer = await startPeer({
    data: join(crowd.folder, `peer${index}`),
    name: `peer${index}`,
    join: token,
    listen: ['/ip4/127.0.0.1/tcp/0'],
    mdns: false,
    backend: 'wasm',
    workers: 1,
    compute: computes,
  })
  peers.push(peer)
}

async function allKnown(): Promise<number> {
  for (const peer of peers) {
    while ((await peer.peers()).filter(other => other.connected).length < crowd.total) {
      await new Promise(resolve => setTimeout(resolve, lookMs))
    }
  }
  return Date.now()
}

/** The job's end, and its results counted: each shard's one row. */
async function submit(shards: number): Promise<ManySaid> {
  const [peer] = peers
  const begunMs = performance.now()
  const { job } = await peer.submit({ workload: 'probe', shards, cwd: '/' })
  for await (const state of peer.watch(job)) {
    if (!state.outcome) continue
    if (state.phase !== 'final') throw new Error(`the job ended as ${state.phase}`)
    const ms = performance.now() - begunMs
    let results = 0
    for await (const item of peer.results(job)) if (item.type === 'rows') results += item.rows.rows
    return { said: 'done', ms, results, took: state.shares.filter(share => share.itemsDone > 0).length }
  }
  throw new Error('the peer is gone')
}

async function obey(order: ManyOrder): Promise<ManySaid> {
  if (order.do === 'submit') return submit(order.shards)
  if (order.do === 'count') {
    const { user, system } = process.cpuUsage()
    return { said: 'counted', rssBytes: process.memoryUsage().rss, cpuMs: (user + system) / 1000 }
  }
  if (order.token === undefined) {
    await start(crowd.first, undefined)
    return { said: 'token', token: (await peers[0].info()).token }
  }
  const made = peers.length
  const rest = Array.from({ length: crowd.count - made }, (_, i) => crowd.first + made + i)
  await Promise.all(rest.map(index => start(index, order.token)))
  const startedMs = Date.now()
  return { said: 'known', startedMs, knownMs: await allKnown() }
}

process.on('message', message => {
  if (message === 'stop') {
    void Promise.all(peers.map(peer => peer.stop())).finally(() => process.exit(0))
    return
  }
  obey(message as ManyOrder).then(say, thrown => say({ said: 'failed', why: String(thrown) }))
})
process.on('disconnect', () => process.exit(1))
say({ said: 'ready' })
