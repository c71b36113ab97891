import { expect, test } from 'vitest'
import { blockId } from '../../src/base/ids.ts'
import { createMemoryStore } from '../../src/data/store/memory-store.ts'
import { createBlockHolds } from '../../src/peer/block-holds.ts'

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
