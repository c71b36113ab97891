/** Many small blocks to a request: what comes is what was asked for, and what cannot come so is named. */
import { expect, test } from 'vitest'
import { PeerError } from '../../../src/base/errors.ts'
import { blockId } from '../../../src/base/ids.ts'
import { prng } from '../../../src/base/prng.ts'
import { createMemoryStore } from '../../../src/data/store/memory-store.ts'
import type { Mesh, RequestHandler } from '../../../src/mesh/types.ts'
import { batchBlocksMax, batchedBytesMax, createBlockBatches } from '../../../src/peer/blocks/block-batches.ts'

const bytesOf = (seed: number, length: number) => {
  const random = prng(seed)
  return Uint8Array.from({ length }, () => random.int(256))
}

/** Two peers of which the first asks and the second answers; `spoil` changes its replies. */
async function pair(spoil: (reply: Uint8Array) => Uint8Array = reply => reply) {
  let served: RequestHandler = async () => new Uint8Array()
  let asked = 0
  const none = () => {
    throw new Error('not asked for')
  }
  const mesh: Mesh = {
    self: 'me',
    joined: async () => {},
    addresses: () => [],
    listening: () => [],
    discovery: () => undefined,
    peers: () => [],
    setStatus() {},
    on: () => () => {},
    publish: async () => {},
    subscribe() {},
    request: none,
    serve() {},
    offended() {},
    reachability: none,
    stop: async () => {},
  }
  const hear = (handler: RequestHandler) => {
    served = handler
  }
  const theirs = createMemoryStore()
  const mine = createMemoryStore()
  createBlockBatches({ ...mesh, serve: (_, handler) => hear(handler) }, theirs)
  const batches = createBlockBatches(
    {
      ...mesh,
      async request(_peer, _protocol, body) {
        asked++
        return spoil(await served('me', new Uint8Array(body), new AbortController().signal))
      },
    },
    mine,
  )
  return {
    batches,
    theirs,
    mine,
    asked: () => asked,
    serve: (body: Uint8Array) => served('x', body, AbortSignal.any([])),
  }
}

test('every small block comes, in few requests, and the others are named', async () => {
  const { batches, theirs, mine, asked } = await pair()
  const lengths = [0, 1, 2000, batchedBytesMax, batchedBytesMax + 1, 300_000]
  const blocks = Array.from({ length: 1000 }, (_, i) => bytesOf(i + 1, i < 12 ? lengths[i % 6] : 50 + i))
  const ids: string[] = []
  for (const block of blocks) ids.push(await theirs.put(block))
  const nowhere = blockId(bytesOf(7777, 10))
  await mine.put(blocks[20])
  const left = await batches.bring('fig', [...ids.slice(0, 500), nowhere, ...ids.slice(500)])
  expect(left.toSorted()).toEqual([...ids.filter((_, i) => i < 12 && i % 6 > 3), nowhere].toSorted())
  for (const [i, block] of blocks.entries()) {
    const got = await mine.get(ids[i])
    if (i < 12 && i % 6 > 3) expect(got).toBeUndefined()
    else expect(got && Buffer.compare(got, block)).toBe(0)
  }
  expect(asked()).toBeLessThanOrEqual(Math.ceil(1000 / batchBlocksMax) + 1)
  await batches.bring(
    'fig',
    ids.filter(id => !left.includes(id)),
  )
  expect(asked()).toBeLessThanOrEqual(Math.ceil(1000 / batchBlocksMax) + 1)
})

test('a reply has room for so much, and the rest is asked for again', async () => {
  const { batches, theirs, mine, asked } = await pair()
  const ids: string[] = []
  for (let i = 0; i < 60; i++) ids.push(await theirs.put(bytesOf(i + 1, 60_000)))
  expect(await batches.bring('fig', ids)).toEqual([])
  for (const id of ids) expect(await mine.has(id)).toBe(true)
  expect(asked()).toBe(4)
})

test('a reply that is not what was asked for keeps nothing wrong, and ends', async () => {
  const seeds = [1, 2, 3]
  const wrongs: ((reply: Uint8Array) => Uint8Array)[] = [
    reply => reply.map((byte, at) => (at === 10 ? byte ^ 1 : byte)),
    reply => reply.subarray(0, reply.length - 1),
    reply => Uint8Array.of(...reply, 0, 0, 0, 1, 5),
    reply => Uint8Array.of(...reply, 9),
    () => Uint8Array.of(0, 1, 0, 1),
    () => Uint8Array.of(0x7f, 0xff, 0xff, 0xff, 1, 2),
  ]
  for (const spoil of wrongs) {
    const { batches, theirs, mine } = await pair(spoil)
    const ids: string[] = []
    for (const seed of seeds) ids.push(await theirs.put(bytesOf(seed, 100)))
    await expect(batches.bring('liar', ids)).rejects.toMatchObject({ code: 'BLOCK_DAMAGED', kind: 'integrity' })
    for (const { id } of mine.list()) expect(ids).toContain(id)
  }
  const { batches, theirs } = await pair(() => new Uint8Array())
  const id = await theirs.put(bytesOf(1, 100))
  expect(await batches.bring('silent', [id])).toEqual([id])
})

test('a request that breaks the rules is refused, and a full disk is told', async () => {
  const { serve } = await pair()
  expect(() => serve(new Uint8Array(33))).toThrow(PeerError)
  expect(() => serve(new Uint8Array((batchBlocksMax + 1) * 32))).toThrow(PeerError)
  const { batches, theirs, mine } = await pair()
  const id = await theirs.put(bytesOf(1, 100))
  mine.put = async () => {
    throw new PeerError({ code: 'STORE_FULL', kind: 'resource', message: 'full' })
  }
  await expect(batches.bring('fig', [id])).rejects.toMatchObject({ code: 'STORE_FULL' })
})
