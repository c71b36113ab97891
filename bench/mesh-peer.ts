/**
 * One of the two processes of `npm run bench -- mesh`: a peer of a mesh and, beside it, a bare libp2p node with the
 * same transport, noise and yamux. One gives, the other takes; the parent says what to do, over the channel.
 *
 * The giver has 64 blocks and gives them round and round; the taker keeps fewer, so that gigabytes pass through
 * without filling memory or disk.
 */
import { mkdtemp, open, rm, unlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Stream } from '@libp2p/interface'
import { type BlockId, blockId, type PeerKey } from '../src/base/ids.ts'
import { prng } from '../src/base/prng.ts'
import { openDiskStore } from '../src/data/store/disk-store.ts'
import { createMemoryStore } from '../src/data/store/memory-store.ts'
import type { BlockStore } from '../src/data/store/types.ts'
import { asMultiaddrs } from '../src/mesh/addresses.ts'
import { createIdentity } from '../src/mesh/identity.ts'
import { startMesh } from '../src/mesh/mesh.ts'
import { createNode, type Node } from '../src/mesh/node.ts'
import type { Mesh } from '../src/mesh/types.ts'
import { type BlockExchange, createBlockExchange } from '../src/peer/blocks/block-exchange.ts'

const MiB = 1024 * 1024
const bareProtocol = '/bench/bare/1'
const echoProtocol = '/bench/echo/1'
/** What a reader of a list of blocks has under way at once, as `streamBlocks` does. */
const aheadBlocks = 8
const writeBytes = 256 * 1024
const givenCount = 64
const keptCount = 16

export interface Role {
  secret: string
  /** Empty for the peer that gives. */
  mesh: string[]
  bare: string[]
}

export type Order =
  /** Into memory or onto the disk. */
  | { do: 'blocks'; count: number; disk: boolean }
  | { do: 'bare'; bytes: number; disk: boolean }
  | { do: 'requests'; count: number }
  | { do: 'bare-requests'; count: number }
  | { do: 'idle' }

export interface Figures {
  ms: number
  /** Of each round trip, where there are any. */
  eachMs: number[]
  /** Of this process, meanwhile. */
  cpuMs: number
  /** And since it began. */
  cpuTotalMs: number
}

function filler(): Uint8Array {
  const random = prng(7)
  const words = new Uint32Array(MiB / 4)
  for (let i = 0; i < words.length; i++) words[i] = random.int(2 ** 32)
  return new Uint8Array(words.buffer)
}

/** The blocks that the giver has: the same in both processes. */
function givenBlocks(): Uint8Array[] {
  const template = filler()
  return Array.from({ length: givenCount }, (_, number) => {
    const block = template.slice()
    new DataView(block.buffer).setUint32(0, number)
    return block
  })
}

/** Keeps the newest few blocks alone: too few to spare a transfer. */
function forgetfulStore(): BlockStore {
  const kept = new Map<BlockId, Uint8Array>()
  return {
    async put(bytes, known) {
      const id = known ?? blockId(bytes)
      kept.set(id, bytes)
      if (kept.size > keptCount) for (const [oldest] of [...kept].slice(0, 1)) kept.delete(oldest)
      return id
    },
    get: async id => kept.get(id),
    has: async id => kept.has(id),
    delete: async id => void kept.delete(id),
    size: async () => kept.size * MiB,
    bytesOf: id => kept.get(id)?.byteLength,
    list: () => [...kept].map(([id, { byteLength: bytes }]) => ({ id, bytes })),
    close: async () => {},
  }
}

/** Sends as many bytes as the first eight asked for, as fast as the stream takes them; echoes where they say 0. */
function serveBare(stream: Stream): void {
  const piece = filler().slice(0, writeBytes)
  let left = -1
  const pump = () => {
    while (left > 0) {
      const take = Math.min(left, piece.byteLength)
      left -= take
      if (!stream.send(piece.subarray(0, take))) return
    }
  }
  stream.addEventListener('drain', pump)
  stream.addEventListener('message', event => {
    const bytes = event.data instanceof Uint8Array ? event.data : event.data.subarray()
    if (left === -1) {
      left = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0))
      pump()
    } else stream.send(bytes.slice())
  })
}

function asked(bytes: number): Uint8Array {
  const words = new Uint8Array(8)
  new DataView(words.buffer).setBigUint64(0, BigInt(bytes))
  return words
}

interface Taker {
  mesh: Mesh
  from: PeerKey
  ids: BlockId[]
  memory: BlockExchange
  disk: BlockExchange
  forget: (id: BlockId) => Promise<void>
  bare: () => Promise<Stream>
  scratch: string
}

async function takeBlocks(taker: Taker, { count, disk }: Extract<Order, { do: 'blocks' }>): Promise<Figures> {
  const exchange = disk ? taker.disk : taker.memory
  return measured(async () => {
    let next = 0
    const reader = async () => {
      while (next < count) {
        const id = taker.ids[next++ % taker.ids.length]
        await exchange.get(id, [taker.from])
        if (disk) await taker.forget(id)
      }
    }
    await Promise.all(Array.from({ length: aheadBlocks }, reader))
  })
}

/** Onto the disk: a file for every MiB, written as it came and then removed, as the blocks are. */
async function takeBare(taker: Taker, { bytes, disk }: Extract<Order, { do: 'bare' }>): Promise<Figures> {
  const stream = await taker.bare()
  return measured(async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    const written: Promise<void>[] = []
    let pieces: Uint8Array[] = []
    let got = 0
    const flush = () => {
      written.push(writePieces(join(taker.scratch, `bare${written.length}`), pieces))
      pieces = []
    }
    stream.addEventListener('message', event => {
      const before = got
      got += event.data.byteLength
      if (disk) pieces.push(...(event.data instanceof Uint8Array ? [event.data] : event.data))
      if (disk && Math.floor(before / MiB) !== Math.floor(got / MiB)) flush()
      if (got === bytes) resolve()
    })
    stream.send(asked(bytes))
    await promise
    await Promise.all(written)
    await stream.close()
  })
}

async function writePieces(name: string, pieces: Uint8Array[]): Promise<void> {
  const file = await open(name, 'w')
  await file.writev(pieces)
  await file.close()
  await unlink(name)
}

async function bareRequests(taker: Taker, count: number): Promise<Figures> {
  const stream = await taker.bare()
  let answered = () => {}
  stream.addEventListener('message', () => answered())
  stream.send(asked(0))
  const figures = await roundTrips(count, async () => {
    const { promise, resolve } = Promise.withResolvers<void>()
    answered = resolve
    stream.send(new Uint8Array(16))
    await promise
  })
  await stream.close()
  return figures
}

function roundTrips(count: number, trip: () => Promise<unknown>): Promise<Figures> {
  const eachMs: number[] = []
  return measured(async () => {
    for (let i = 0; i < count; i++) {
      const startMs = performance.now()
      await trip()
      eachMs.push(performance.now() - startMs)
    }
  }, eachMs)
}

async function measured(work: () => Promise<void>, eachMs: number[] = []): Promise<Figures> {
  const before = process.cpuUsage()
  const startMs = performance.now()
  await work()
  const ms = performance.now() - startMs
  const { user, system } = process.cpuUsage(before)
  const total = process.cpuUsage()
  return { ms, eachMs, cpuMs: (user + system) / 1000, cpuTotalMs: total.user / 1000 + total.system / 1000 }
}

async function obey(taker: Taker, order: Order): Promise<Figures> {
  switch (order.do) {
    case 'blocks':
      return takeBlocks(taker, order)
    case 'bare':
      return takeBare(taker, order)
    case 'requests':
      return roundTrips(order.count, () => taker.mesh.request(taker.from, echoProtocol, new Uint8Array(16)))
    case 'bare-requests':
      return bareRequests(taker, order.count)
    case 'idle':
      return measured(async () => {})
  }
}

const unknown = {
  name: 'bench',
  version: '0',
  device: 'none',
  backend: 'none',
  slots: 0,
  itemsPerSecond: 0,
  load: 0,
} as const

async function run(role: Role): Promise<void> {
  const secret = new Uint8Array(Buffer.from(role.secret, 'hex'))
  const init = { identity: createIdentity(), secret, listen: ['/ip4/127.0.0.1/tcp/0'], mdns: false }
  const mesh = await startMesh({ ...init, status: unknown, dial: role.mesh })
  await mesh.joined()
  mesh.serve(echoProtocol, async (_from, body) => body)
  const bare = await createNode({ ...init, identity: createIdentity(), refused() {} })
  await bare.handle(bareProtocol, serveBare, { maxInboundStreams: 64 })
  await bare.start()
  const scratch = await mkdtemp(join(tmpdir(), 'shardmesh-bench-'))
  const taker = role.mesh.length > 0 ? await startTaker(mesh, bare, role, scratch) : undefined
  if (!taker) {
    const store = createMemoryStore()
    for (const block of givenBlocks()) await store.put(block)
    createBlockExchange(mesh, store)
  }
  process.on('message', (order: Order | 'stop') => {
    if (order === 'stop') {
      const ends = [mesh.stop(), bare.stop(), rm(scratch, { recursive: true, force: true })]
      void Promise.allSettled(ends).then(() => process.exit(0))
      return
    }
    const done = taker ? obey(taker, order) : measured(async () => {})
    done.then(
      figures => process.send?.({ figures }),
      thrown => process.send?.({ failed: String(thrown) }),
    )
  })
  process.send?.({ mesh: mesh.addresses(), bare: bare.getMultiaddrs().map(String) })
}

async function startTaker(mesh: Mesh, bare: Node, role: Role, scratch: string): Promise<Taker> {
  while (!mesh.peers().some(record => record.connected)) await new Promise(resolve => setTimeout(resolve, 20))
  const [{ peer: from }] = mesh.peers()
  const connection = await bare.dial(asMultiaddrs(role.bare))
  const onDisk = await openDiskStore(scratch, { cacheBytes: 0 })
  return {
    mesh,
    from,
    ids: givenBlocks().map(blockId),
    memory: createBlockExchange(mesh, forgetfulStore()),
    // Serves nothing: the protocol is the other exchange's.
    disk: createBlockExchange({ ...mesh, serve() {} }, onDisk),
    forget: id => onDisk.delete(id),
    bare: () => connection.newStream(bareProtocol),
    scratch,
  }
}

await run(JSON.parse(process.argv[2]) as Role)
