/**
 * The mesh alone, without a job: blocks from one process to another on loopback beside a bare libp2p stream over the
 * same transport, noise and yamux; the time of one request; resident memory while gigabytes pass through; and what
 * heartbeats cost as a mesh grows. Blocks are verified before they count; the two rows of a run take turns.
 *
 *   npm run bench -- mesh [--runs 5] [--mb 256] [--gb 1] [--peers 4,8,16,32] [--only blocks|requests|memory|gossip]
 */
import { type ChildProcess, fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { subscribe } from 'node:diagnostics_channel'
import { readFile } from 'node:fs/promises'
import type { Socket } from 'node:net'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { median } from '../src/base/statistics.ts'
import { createIdentity } from '../src/mesh/identity.ts'
import { startMesh } from '../src/mesh/mesh.ts'
import type { Mesh } from '../src/mesh/types.ts'
import type { Figures, Order, Role } from './mesh-peer.ts'
import { printTable } from './report.ts'

const MiB = 1024 * 1024

export async function benchMesh(args: string[]): Promise<void> {
  const { values } = parseArgs({
    args,
    options: {
      runs: { type: 'string', default: '5' },
      mb: { type: 'string', default: '256' },
      gb: { type: 'string', default: '1' },
      peers: { type: 'string', default: '4,8,16,32' },
      only: { type: 'string' },
    },
  })
  const wanted = (part: string) => values.only === undefined || values.only === part
  const pair = await startPair()
  try {
    if (wanted('blocks')) await benchBlocks(pair, Number(values.runs), Number(values.mb))
    if (wanted('requests')) await benchRequests(pair, Number(values.runs))
    if (wanted('memory')) await benchMemory(pair, Number(values.gb))
  } finally {
    await pair.stop()
  }
  if (wanted('gossip')) await benchGossip(values.peers.split(',').map(Number))
}

interface Pair {
  giver: BenchPeer
  taker: BenchPeer
  stop(): Promise<void>
}

interface BenchPeer {
  pid: number
  mesh: string[]
  bare: string[]
  obey(order: Order): Promise<Figures>
  stop(): Promise<void>
}

async function startPair(): Promise<Pair> {
  const secret = randomBytes(32).toString('hex')
  const giver = await startBenchPeer({ secret, mesh: [], bare: [] })
  const taker = await startBenchPeer({ secret, mesh: giver.mesh, bare: giver.bare })
  return {
    giver,
    taker,
    async stop() {
      await taker.stop()
      await giver.stop()
    },
  }
}

function startBenchPeer(role: Role): Promise<BenchPeer> {
  const child: ChildProcess = fork(fileURLToPath(new URL('./mesh-peer.ts', import.meta.url)), [JSON.stringify(role)], {
    execArgv: process.env.BENCH_EXEC_ARGV?.split(' ') ?? [],
  })
  const exited = new Promise<void>(resolve => child.once('exit', () => resolve()))
  type Said = { figures?: Figures; failed?: string; mesh?: string[]; bare?: string[] }
  const said = () => new Promise<Said>(resolve => child.once('message', message => resolve(message as Said)))
  return said().then(({ mesh = [], bare = [] }) => ({
    pid: child.pid ?? 0,
    mesh,
    bare,
    async obey(order) {
      const answer = said()
      child.send(order)
      const { figures, failed } = await answer
      if (!figures) throw new Error(`a peer of the bench failed: ${failed}`)
      return figures
    },
    async stop() {
      child.send('stop')
      await exited
    },
  }))
}

async function benchBlocks({ giver, taker }: Pair, runs: number, mb: number): Promise<void> {
  const rows: { what: string; order: Order; rates: number[]; taker: number[]; giver: number[] }[] = [
    {
      what: 'bare libp2p stream',
      order: { do: 'bare', bytes: mb * MiB, disk: false },
      rates: [],
      taker: [],
      giver: [],
    },
    {
      what: 'bare libp2p stream, onto the disk',
      order: { do: 'bare', bytes: mb * MiB, disk: true },
      rates: [],
      taker: [],
      giver: [],
    },
    {
      what: 'blocks, verified, in memory',
      order: { do: 'blocks', count: mb, disk: false },
      rates: [],
      taker: [],
      giver: [],
    },
    {
      what: 'blocks, verified, onto the disk',
      order: { do: 'blocks', count: mb, disk: true },
      rates: [],
      taker: [],
      giver: [],
    },
  ]
  // The first round warms both processes up.
  for (let run = -1; run < runs; run++) {
    for (const row of rows) {
      const before = await giver.obey({ do: 'idle' })
      const { ms, cpuMs } = await taker.obey(row.order)
      const after = await giver.obey({ do: 'idle' })
      if (run < 0) continue
      row.rates.push((mb * MiB) / 1e6 / (ms / 1000))
      row.taker.push((cpuMs / (mb * MiB)) * 1e9)
      row.giver.push(((after.cpuTotalMs - before.cpuTotalMs) / (mb * MiB)) * 1e9)
    }
  }
  const ratio = (rates: number[], to: number) => median(rates.map((rate, run) => rate / rows[to].rates[run])).toFixed(2)
  console.log(`\n${mb} MiB from one process to another, ${runs} runs; the ratio is the median of each run's own`)
  printTable(
    ['what', 'MB/s', 'min', 'max', 'giver: ms of CPU a GB', 'taker', 'to bare', 'to bare onto the disk'],
    rows.map(({ what, rates, giver, taker }) => [
      what,
      median(rates).toFixed(0),
      Math.min(...rates).toFixed(0),
      Math.max(...rates).toFixed(0),
      median(giver).toFixed(0),
      median(taker).toFixed(0),
      ratio(rates, 0),
      ratio(rates, 1),
    ]),
  )
}

async function benchRequests({ taker }: Pair, runs: number): Promise<void> {
  const rows = [
    { what: 'bare libp2p stream', order: { do: 'bare-requests', count: 500 } as const, eachMs: [] as number[] },
    { what: 'request', order: { do: 'requests', count: 500 } as const, eachMs: [] as number[] },
  ]
  for (let run = -1; run < runs; run++) {
    for (const row of rows) {
      const { eachMs } = await taker.obey(row.order)
      if (run >= 0) row.eachMs.push(...eachMs)
    }
  }
  console.log('\n16 bytes there and back, one at a time')
  printTable(
    ['what', 'median ms', 'p99 ms', 'ratio'],
    rows.map(({ what, eachMs }) => {
      const sorted = eachMs.toSorted((a, b) => a - b)
      const ratio = median(sorted) / median(rows[0].eachMs)
      return [what, median(sorted).toFixed(3), sorted[Math.floor(sorted.length * 0.99)].toFixed(3), ratio.toFixed(2)]
    }),
  )
}

/** Resident memory of another process, as the system counts it. */
async function residentBytes(pid: number): Promise<number> {
  const text = await readFile(`/proc/${pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(text)?.[1] ?? 0) * 1024
}

async function benchMemory({ giver, taker }: Pair, gb: number): Promise<void> {
  const quarter = Math.max(1, Math.round((gb * 1000) / 4))
  const rows: string[][] = []
  let most = [0, 0]
  const look = async () => {
    const now = [await residentBytes(giver.pid), await residentBytes(taker.pid)]
    most = most.map((bytes, i) => Math.max(bytes, now[i]))
    return now
  }
  const show = (bytes: number[]) => bytes.map(each => (each / 1e6).toFixed(0))
  rows.push(['before', ...show(await look()), ...show(most)])
  for (let part = 1; part <= 4; part++) {
    most = [0, 0]
    const timer = setInterval(() => void look(), 100)
    await taker.obey({ do: 'blocks', count: quarter, disk: false })
    clearInterval(timer)
    rows.push([`${((part * quarter * MiB) / 1e9).toFixed(1)} GB`, ...show(await look()), ...show(most)])
  }
  console.log('\nresident MB while blocks pass through; the peak is that since the row before')
  printTable(['passed', 'giver', 'taker', 'giver peak', 'taker peak'], rows)
}

const settleMs = 5_000
const watchMs = 10_000

/** Meshes in one process: bytes that their sockets send, and CPU, while nothing but heartbeats goes on. */
async function benchGossip(counts: number[]): Promise<void> {
  const sockets = new Set<Socket>()
  const note = (message: unknown) => {
    const { socket } = message as { socket: Socket }
    sockets.add(socket)
  }
  subscribe('net.client.socket', note)
  subscribe('net.server.socket', note)
  const sent = () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, 0)
  const rows: string[][] = []
  for (const count of counts) {
    sockets.clear()
    const secret = new Uint8Array(randomBytes(32))
    const startMs = performance.now()
    const meshes: Mesh[] = []
    for (let i = 0; i < count; i++) {
      meshes.push(
        await startMesh({
          identity: createIdentity(),
          secret,
          status: {
            name: `peer${i}`,
            version: '0',
            device: 'x',
            backend: 'wasm',
            slots: 1,
            itemsPerSecond: 0,
            load: 0,
          },
          listen: ['/ip4/127.0.0.1/tcp/0'],
          dial: meshes[0]?.addresses() ?? [],
          mdns: false,
        }),
      )
    }
    const known = () => meshes.every(mesh => mesh.peers().filter(peer => peer.connected).length === count - 1)
    while (!known()) await new Promise(resolve => setTimeout(resolve, 50))
    const knownMs = performance.now() - startMs
    await new Promise(resolve => setTimeout(resolve, settleMs))
    const [bytes, cpu, watchedMs] = [sent(), process.cpuUsage(), performance.now()]
    await new Promise(resolve => setTimeout(resolve, watchMs))
    const seconds = (performance.now() - watchedMs) / 1000
    const { user, system } = process.cpuUsage(cpu)
    rows.push([
      String(count),
      (knownMs / 1000).toFixed(1),
      ((sent() - bytes) / count / seconds / 1000).toFixed(1),
      ((user + system) / 1000 / count / seconds).toFixed(1),
    ])
    await Promise.all(meshes.map(mesh => mesh.stop()))
  }
  console.log('\nheartbeats alone, peers in one process: a peer’s share')
  printTable(['peers', 's until all know all', 'kB/s sent', 'ms of CPU a second'], rows)
}
