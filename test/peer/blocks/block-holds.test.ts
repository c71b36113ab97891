import { expect, test } from 'vitest'
import { blockId } from '../../../src/base/ids.ts'
import { prng } from '../../../src/base/prng.ts'
import { createMemoryStore } from '../../../src/data/store/memory-store.ts'
import { createBlockHolds } from '../../../src/peer/blocks/block-holds.ts'

const bytes = Uint8Array.of(1, 2, 3)
const id = blockId(bytes)

test('a block lives as long as the last job that needs it', async () => {
  const store = createMemoryStore()
  const holds = createBlockHolds(store)
  await holds.storeFor('a').put(bytes)
  await holds.storeFor('b').put(bytes)
  await holds.release('a')
  expect(await store.has(id)).toBe(true)
  await holds.release('b')
  expect(await store.has(id)).toBe(false)
})

test('a job that begins while another one ends does not lose its blocks', async () => {
  const store = createMemoryStore()
  // A store in which deleting takes a while, as on a disk.
  const slow = {
    ...store,
    delete: async (block: string) => {
      await new Promise(resolve => setTimeout(resolve, 10))
      await store.delete(block)
    },
  }
  const holds = createBlockHolds(slow)
  await holds.storeFor('a').put(bytes)
  const ending = holds.release('a')
  await holds.storeFor('b').put(bytes)
  await ending
  expect(await store.has(id)).toBe(true)
})

test('held blocks are pinned, used ones are not, and what is kept outlives the job', async () => {
  const store = createMemoryStore()
  const holds = createBlockHolds(store)
  const [a, b, c, stray] = await Promise.all([1, 2, 3, 4].map(byte => store.put(new Uint8Array(byte))))
  await holds.hold('one', a)
  await holds.use('one', b)
  await holds.use('one', c)
  await holds.hold('one', c)
  await holds.use('two', a)
  expect([a, b, c, stray].map(holds.pinned)).toEqual([true, false, true, false])
  expect(holds.bytes('one')).toEqual({ held: 4, all: 6 })
  expect(holds.orphans()).toEqual([{ id: stray, bytes: 4 }])
  expect(await holds.release('one', [c])).toBe(2)
  expect([a, b, c, stray].map(holds.pinned)).toEqual([false, false, true, false])
  expect(store.list().map(one => one.id)).toEqual([a, c, stray])
  expect(await holds.discard(a)).toBe(false)
  expect(await holds.discard(stray)).toBe(true)
  expect(await holds.release('one')).toBe(3)
  expect(await holds.release('one')).toBe(0)
  expect(await holds.release('two')).toBe(1)
  expect(store.list()).toEqual([])
})

test('pins are counted as a simple list of wishes counts them', async () => {
  const random = prng(9)
  const store = createMemoryStore()
  const holds = createBlockHolds(store)
  const blocks = await Promise.all(Array.from({ length: 6 }, (_, i) => store.put(Uint8Array.of(i))))
  let wishes: { job: string; block: string; held: boolean }[] = []
  for (let step = 0; step < 500; step++) {
    const job = `job${random.int(4)}`
    const block = blocks[random.int(blocks.length)]
    const act = random.int(5)
    if (act === 0) {
      await holds.release(job)
      wishes = wishes.filter(wish => wish.job !== job)
    } else if (act === 1) {
      await holds.release(job, [block])
      wishes = [...wishes.filter(wish => wish.job !== job), { job, block, held: true }]
    } else {
      await (act === 2 ? holds.hold(job, block) : holds.use(job, block))
      wishes.push({ job, block, held: act === 2 })
    }
    for (const one of blocks) {
      await store.put(Uint8Array.of(blocks.indexOf(one)))
      expect(holds.pinned(one)).toBe(wishes.some(wish => wish.block === one && wish.held))
    }
    const orphans = blocks.filter(one => !wishes.some(wish => wish.block === one))
    expect(
      holds
        .orphans()
        .map(one => one.id)
        .sort(),
    ).toEqual([...orphans].sort())
  }
})
