/** Fetching blocks over a mesh in memory: shared, verified, from several holders, within the window. */
import { expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { type BlockId, blockId, type PeerKey } from '../../../src/base/ids.ts'
import { createMemoryStore } from '../../../src/data/store/memory-store.ts'
import type { BlockStore } from '../../../src/data/store/types.ts'
import type { Mesh, PeerRecord, RequestHandler, RequestOptions } from '../../../src/mesh/types.ts'
import { createBlockExchange } from '../../../src/peer/blocks/block-exchange.ts'
import { askedMax } from '../../../src/peer/blocks/block-sources.ts'
import { statusOf } from '../../mesh/meshes.ts'

const bytesOf = (seed: number, length = 1000) => Uint8Array.from({ length }, (_, i) => seed * 31 + i)

/** A mesh whose peers are stores; `answer` may delay, spoil or refuse. */
function world(holders: Record<PeerKey, Uint8Array[]>) {
  const down = new Set<(peer: PeerKey) => void>()
  const up = new Set<(record: PeerRecord) => void>()
  const away = new Set<PeerKey>()
  const asked: string[] = []
  const open: Record<PeerKey, number> = {}
  const most: Record<PeerKey, number> = {}
  let served: RequestHandler | undefined
  const answers: Record<PeerKey, (id: BlockId) => Promise<Uint8Array>> = {}
  for (const [peer, blocks] of Object.entries(holders)) {
    answers[peer] = async id => {
      await new Promise(resolve => setImmediate(resolve))
      const block = blocks.find(one => blockId(one) === id)
      if (block) return block.slice()
      throw new PeerError({ code: 'BLOCK_ABSENT', kind: 'transport', message: 'no such block here' })
    }
  }
  const recordOf = (peer: PeerKey): PeerRecord => {
    const connected = !away.has(peer)
    return {
      peer,
      status: statusOf(peer),
      addresses: [],
      connected,
      neighbour: connected,
      lastHeardMs: 0,
      offences: 0,
      refusedMs: 0,
    }
  }
  const mesh: Mesh = {
    self: 'me',
    joined: async () => {},
    addresses: () => [],
    listening: () => [],
    discovery: () => undefined,
    peers: () => Object.keys(holders).map(recordOf),
    setStatus() {},
    on(event, handler) {
      if (event === 'down') down.add(handler as (peer: PeerKey) => void)
      if (event === 'up') up.add(handler as (record: PeerRecord) => void)
      return () => {}
    },
    publish: async () => {},
    subscribe() {},
    async request(peer, _protocol, body, { signal }: RequestOptions = {}) {
      const id = Buffer.from(body).toString('hex')
      asked.push(`${peer} ${id.slice(0, 4)}`)
      open[peer] = (open[peer] ?? 0) + 1
      most[peer] = Math.max(most[peer] ?? 0, open[peer])
      try {
        const aborted = new Promise<never>((_, reject) => {
          signal?.addEventListener('abort', () => reject(signal.reason))
        })
        return await Promise.race([answers[peer](id), aborted])
      } finally {
        open[peer]--
      }
    },
    serve(_protocol, handler) {
      served = handler
    },
    offended() {},
    reachability: async () => ({ listening: [], outward: [], inward: [] }),
    stop: async () => {},
  }
  const serve = (from: PeerKey, id: BlockId) =>
    served?.(from, new Uint8Array(Buffer.from(id, 'hex')), new AbortController().signal)
  const fall = (peer: PeerKey) => {
    away.add(peer)
    for (const handler of down) handler(peer)
  }
  const rise = (peer: PeerKey) => {
    away.delete(peer)
    for (const handler of up) handler(recordOf(peer))
  }
  return { mesh, asked, most, answers, serve, fall, rise }
}

test('concurrent demands share one fetch, and the block is kept', async () => {
  const block = bytesOf(1)
  const { mesh, asked } = world({ fig: [block] })
  const store = createMemoryStore()
  const exchange = createBlockExchange(mesh, store)
  const id = blockId(block)
  const got = await Promise.all(Array.from({ length: 5 }, () => exchange.get(id, ['fig'])))
  for (const bytes of got) expect(bytes).toEqual(block)
  await exchange.get(id, [])
  expect(asked).toEqual([`fig ${id.slice(0, 4)}`])
  expect(await store.has(id)).toBe(true)
})

test('a large block is hashed on the thread, and comes back whole', async () => {
  const block = bytesOf(5, 1024 * 1024)
  const { mesh } = world({ fig: [block] })
  const exchange = createBlockExchange(mesh, createMemoryStore())
  expect(Buffer.compare(await exchange.get(blockId(block), ['fig']), block)).toBe(0)
})

test('wrong bytes are never kept, and another holder is asked', async () => {
  for (const length of [1000, 300_000]) {
    const block = bytesOf(1, length)
    const { mesh, asked, answers } = world({ liar: [block], fig: [block], plum: [block] })
    answers.liar = async () => bytesOf(2, length)
    const store = createMemoryStore()
    expect(Buffer.compare(await createBlockExchange(mesh, store).get(blockId(block), ['liar', 'fig']), block)).toBe(0)
    expect(asked.map(each => each.split(' ')[0])).toEqual(['liar', 'fig'])
    expect(await store.has(blockId(bytesOf(2, length)))).toBe(false)
  }
})

test('who is not named is asked last, and nobody twice', async () => {
  const block = bytesOf(1)
  const { mesh, asked } = world({ a: [], b: [], c: [block] })
  const exchange = createBlockExchange(mesh, createMemoryStore())
  await exchange.get(blockId(block), ['b'])
  expect(asked.map(each => each.split(' ')[0])).toEqual(['b', 'a', 'c'])
  const nowhere = exchange.get(blockId(bytesOf(9)), ['b'])
  await expect(nowhere).rejects.toMatchObject({ code: 'BLOCK_UNAVAILABLE', retry: 'later', details: { asked: 3 } })
  expect(asked.length).toBe(6)
})

test('many blocks come from all holders at once, each asked for within its window', async () => {
  const blocks = Array.from({ length: 200 }, (_, i) => bytesOf(i, 100 + i))
  const { mesh, asked, most } = world({ a: blocks, b: blocks, empty: [] })
  const exchange = createBlockExchange(mesh, createMemoryStore())
  await Promise.all(blocks.map(block => exchange.get(blockId(block), ['a', 'b', 'empty'])))
  expect(most.a).toBe(askedMax)
  expect(most.b).toBe(askedMax)
  const share = (peer: string) => asked.filter(each => each.startsWith(`${peer} `)).length
  expect(share('a')).toBeGreaterThan(50)
  expect(share('b')).toBeGreaterThan(50)
  // Who never has a block is asked less and less.
  expect(share('empty')).toBeLessThan(50)
})

test('a holder that goes down is not waited for', async () => {
  const block = bytesOf(1)
  const { mesh, answers, fall } = world({ hung: [block], fig: [block] })
  answers.hung = () => new Promise(() => {})
  const got = createBlockExchange(mesh, createMemoryStore()).get(blockId(block), ['hung', 'fig'])
  await new Promise(resolve => setImmediate(resolve))
  fall('hung')
  expect(await got).toEqual(block)
})

test('a named holder that is away is waited for', async () => {
  const block = bytesOf(1)
  const { mesh, asked, fall, rise } = world({ owner: [block], other: [] })
  fall('owner')
  const got = createBlockExchange(mesh, createMemoryStore()).get(blockId(block), ['owner'])
  await new Promise(resolve => setTimeout(resolve, 20))
  expect(asked.map(each => each.split(' ')[0])).toEqual(['other'])
  rise('other')
  rise('owner')
  expect(await got).toEqual(block)
})

test('a holder that falls while it is asked is asked again when it is back', async () => {
  const block = bytesOf(1)
  const { mesh, answers, fall, rise } = world({ owner: [block] })
  const answer = answers.owner
  answers.owner = () => new Promise(() => {})
  const got = createBlockExchange(mesh, createMemoryStore()).get(blockId(block), ['owner'])
  await new Promise(resolve => setImmediate(resolve))
  fall('owner')
  answers.owner = answer
  await new Promise(resolve => setImmediate(resolve))
  rise('owner')
  expect(await got).toEqual(block)
})

test('a demand that is given up leaves the others theirs; the last one ends the fetch', async () => {
  const block = bytesOf(1)
  const { mesh, answers } = world({ slow: [block] })
  let answer: (bytes: Uint8Array) => void = () => {}
  answers.slow = () => new Promise(resolve => (answer = resolve))
  const store = createMemoryStore()
  const exchange = createBlockExchange(mesh, store)
  const [first, second] = [new AbortController(), new AbortController()]
  const one = exchange.get(blockId(block), ['slow'], first.signal)
  const two = exchange.get(blockId(block), ['slow'], second.signal)
  await new Promise(resolve => setImmediate(resolve))
  first.abort(new Error('enough'))
  await expect(one).rejects.toThrow('enough')
  answer(block.slice())
  expect(await two).toEqual(block)

  const other = bytesOf(2)
  const third = new AbortController()
  const alone = exchange.get(blockId(other), ['slow'], third.signal)
  await new Promise(resolve => setImmediate(resolve))
  third.abort(new Error('enough'))
  await expect(alone).rejects.toThrow('enough')
  // A new demand begins anew.
  const again = exchange.get(blockId(other), ['slow'])
  await new Promise(resolve => setImmediate(resolve))
  answer(other.slice())
  expect(await again).toEqual(other)
})

test('a full disk is the demand’s error, not a reason to ask everyone', async () => {
  const block = bytesOf(1)
  const { mesh, asked } = world({ a: [block], b: [block] })
  const full: BlockStore = {
    ...createMemoryStore(),
    put: async () => {
      throw new PeerError({ code: 'STORE_FULL', kind: 'resource', message: 'the disk is full' })
    },
  }
  await expect(createBlockExchange(mesh, full).get(blockId(block), ['a'])).rejects.toMatchObject({ code: 'STORE_FULL' })
  expect(asked.length).toBe(1)
})

test('one peer’s demands beyond the window wait unread', async () => {
  const blocks = Array.from({ length: 3 * askedMax }, (_, i) => bytesOf(i))
  const store = createMemoryStore()
  for (const block of blocks) await store.put(block)
  let now = 0
  let most = 0
  const counted: BlockStore = {
    ...store,
    async get(id) {
      most = Math.max(most, ++now)
      await new Promise(resolve => setImmediate(resolve))
      now--
      return store.get(id)
    },
  }
  const { mesh, serve } = world({})
  createBlockExchange(mesh, counted)
  const replies = await Promise.all(blocks.map(block => serve('fig', blockId(block))))
  expect(replies).toEqual(blocks)
  expect(most).toBe(askedMax)
  await expect(serve('fig', blockId(bytesOf(99)))).rejects.toMatchObject({ code: 'BLOCK_ABSENT' })
  await expect(serve('fig', 'zz')).rejects.toMatchObject({ code: 'BLOCK_ABSENT' })
})
