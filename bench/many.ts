/**
 * Many peers on one machine, over real loopback TCP: how long until every one knows all others, from the moment at which they all
 * start and know but one address; then a job of shards of nothing from one of them, each result counted. First meshes alone, all in
 * one process, then whole peers in some processes.
 *
 *   npm run bench -- many [--peers 64] [--processes 4] [--computing 64] [--shards 5000] [--only meshes|peers]
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { createIdentity } from '../src/mesh/identity.ts'
import { startMesh } from '../src/mesh/mesh.ts'
import type { Mesh } from '../src/mesh/types.ts'
import type { Crowd, ManyOrder, ManySaid } from './many-peers.ts'
import { printTable } from './report.ts'

export async function benchMany(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      peers: { type: 'string', default: '64' },
      processes: { type: 'string', default: '4' },
      computing: { type: 'string' },
      shards: { type: 'string', default: '5000' },
      only: { type: 'string' },
    },
  })
  const [total, processes, shards] = [values.peers, values.processes, values.shards].map(Number)
  if (values.only !== 'peers') await benchMeshes(total)
  if (values.only !== 'meshes') await benchPeers(total, processes, Number(values.computing ?? total), shards)
}

const lookMs = 50
const settleMs = 20_000

async function benchMeshes(total: number): Promise<void> {
  const secret = new Uint8Array(randomBytes(32))
  const status = { version: '0', device: 'x', backend: 'wasm', slots: 1, itemsPerSecond: 0, load: 0 } as const
  const start = (index: number, dial: string[]) =>
    startMesh({
      identity: createIdentity(),
      secret,
      status: { ...status, name: `peer${index}` },
      listen: ['/ip4/127.0.0.1/tcp/0'],
      dial,
      mdns: false,
    })
  const [begunMs, cpu] = [performance.now(), process.cpuUsage()]
  const first = await start(0, [])
  const rest = Array.from({ length: total - 1 }, (_, i) => start(i + 1, first.addresses()))
  const meshes: Mesh[] = [first, ...(await Promise.all(rest))]
  let downs = 0
  for (const mesh of meshes) mesh.on('down', () => downs++)
  const knows = (mesh: Mesh) => mesh.peers().filter(peer => peer.connected).length === total - 1
  while (!meshes.every(knows)) await new Promise(resolve => setTimeout(resolve, lookMs))
  const knownMs = performance.now() - begunMs
  const { user, system } = process.cpuUsage(cpu)
  await new Promise(resolve => setTimeout(resolve, settleMs))
  const degrees = meshes.map(mesh => mesh.peers().filter(peer => peer.neighbour).length)
  console.log(`\n${total} meshes in one process, all started at once with one address`)
  printTable(
    ['s until all know all', 's of CPU', 'connections after 20 s: least, mean, most', 'called lost'],
    [
      [
        (knownMs / 1000).toFixed(1),
        ((user + system) / 1e6).toFixed(1),
        `${Math.min(...degrees)}, ${(degrees.reduce((sum, degree) => sum + degree, 0) / total).toFixed(1)}, ${Math.max(...degrees)}`,
        String(downs),
      ],
    ],
  )
  await Promise.all(meshes.map(mesh => mesh.stop()))
}

interface Child {
  obey(order: ManyOrder): Promise<ManySaid>
  stop(): Promise<void>
}

async function startChild(crowd: Crowd): Promise<Child> {
  const child: ChildProcess = fork(fileURLToPath(new URL('./many-peers.ts', import.meta.url)), [JSON.stringify(crowd)])
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  const said = () =>
    new Promise<ManySaid>((resolve, reject) => {
      const gone = () => reject(new Error('a process of the bench ended'))
      child.once('exit', gone)
      child.once('message', message => {
        child.off('exit', gone)
        const what = message as ManySaid
        if (what.said === 'failed') reject(new Error(what.why))
        else resolve(what)
      })
    })
  await said()
  return {
    obey(order) {
      const answer = said()
      child.send(order)
      return answer
    },
    async stop() {
      if (child.connected) child.send('stop')
      await exited
    },
  }
}

async function benchPeers(total: number, processes: number, computing: number, shards: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'shardmesh-many-'))
  const count = Math.ceil(total / processes)
  const crowds = Array.from({ length: processes }, (_, i) => ({
    folder,
    first: i * count,
    count: Math.min(count, total - i * count),
    total,
    computing,
  }))
  const children = await Promise.all(crowds.map(startChild))
  try {
    const made = await children[0].obey({ do: 'start' })
    if (made.said !== 'token') throw new Error('the first peer gives a token')
    const begunMs = Date.now()
    const all = await Promise.all(children.map(child => child.obey({ do: 'start', token: made.token })))
    const times = all.flatMap(said => (said.said === 'known' ? [said] : []))
    const last = (times_: number[]) => ((Math.max(...times_) - begunMs) / 1000).toFixed(1)
    console.error(`all know all after ${last(times.map(({ knownMs }) => knownMs))} s; the job begins`)
    const done = await children[0].obey({ do: 'submit', shards })
    if (done.said !== 'done' || done.results !== shards) throw new Error(`${shards} shards: ${JSON.stringify(done)}`)
    const counted = (await Promise.all(children.map(child => child.obey({ do: 'count' })))).flatMap(said =>
      said.said === 'counted' ? [said] : [],
    )
    const sum = (of: (each: (typeof counted)[number]) => number) => counted.reduce((all_, each) => all_ + of(each), 0)
    console.log(`\n${total} whole peers in ${processes} processes, ${computing} of which compute, all started at once`)
    printTable(
      [
        's until all have started',
        's until all know all',
        `s for ${shards} shards`,
        'peers that did some',
        'results, each once',
        'MB a peer',
        's of CPU a peer, in all',
      ],
      [
        [
          last(times.map(({ startedMs }) => startedMs)),
          last(times.map(({ knownMs }) => knownMs)),
          (done.ms / 1000).toFixed(1),
          String(done.took),
          String(done.results),
          (sum(({ rssBytes }) => rssBytes) / 1e6 / total).toFixed(0),
          (sum(({ cpuMs }) => cpuMs) / 1000 / total).toFixed(2),
        ],
      ],
    )
  } finally {
    await Promise.all(children.map(child => child.stop()))
    await rm(folder, { recursive: true, force: true })
  }
}
