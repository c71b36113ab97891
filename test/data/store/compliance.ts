/** What every BlockStore promises; called by the test of each implementation. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { blockId } from '../../../src/base/ids.ts'
import { limits } from '../../../src/base/limits.ts'
import { prng } from '../../../src/base/prng.ts'
import { readBlocks, writeBlocks } from '../../../src/data/store/block-list.ts'
import type { BlockStore } from '../../../src/data/store/types.ts'

export function randomBytes(seed: number, length: number): Uint8Array {
  const random = prng(seed)
  return Uint8Array.from({ length }, () => random.int(256))
}

export function blockStoreCompliance(name: string, open: () => Promise<BlockStore>): void {
  describe(`${name} keeps what a block store promises`, () => {
    let store: BlockStore
    beforeEach(async () => {
      store = await open()
    })
    afterEach(() => store.close())

    test('gives back what was put, under the hash of its bytes', async () => {
      for (const bytes of [new Uint8Array(0), new Uint8Array(1), randomBytes(1, 1000)]) {
        const id = await store.put(bytes)
        expect(id).toBe(blockId(bytes))
        expect(await store.has(id)).toBe(true)
        expect(Buffer.from((await store.get(id))!).equals(bytes)).toBe(true)
      }
    })

    test('knows nothing of what was never put, nor of what is no id', async () => {
      for (const id of [blockId(new Uint8Array(7)), '', '../../etc/passwd', 'A'.repeat(64)]) {
        expect(await store.has(id)).toBe(false)
        expect(await store.get(id)).toBeUndefined()
        await store.delete(id)
      }
    })

    test('counts a block once, however often and however concurrently it is put', async () => {
      const bytes = randomBytes(2, 5000)
      await Promise.all(Array.from({ length: 8 }, () => store.put(bytes)))
      await store.put(bytes)
      expect(await store.size()).toBe(5000)
      expect(store.bytesOf(blockId(bytes))).toBe(5000)
      expect(store.list()).toEqual([{ id: blockId(bytes), bytes: 5000 }])
      await store.delete(blockId(bytes))
      expect(store.bytesOf(blockId(bytes))).toBeUndefined()
      expect(store.list()).toEqual([])
      expect(await store.size()).toBe(0)
      expect(await store.has(blockId(bytes))).toBe(false)
      expect(await store.get(blockId(bytes))).toBeUndefined()
      await store.put(bytes)
      expect(await store.size()).toBe(5000)
    })

    test('does not follow the caller, who writes to the buffer afterwards', async () => {
      const bytes = randomBytes(3, 100)
      const id = await store.put(bytes)
      bytes.fill(0)
      expect(blockId((await store.get(id))!)).toBe(id)
    })

    test('refuses a block larger than any may be', async () => {
      await expect(store.put(new Uint8Array(limits.blockBytesMax + 1))).rejects.toMatchObject({
        code: 'BLOCK_TOO_LARGE',
      })
    })

    test('holds a file cut into blocks', async () => {
      const bytes = new Uint8Array(2 * limits.blockBytes + 3).fill(7)
      bytes[limits.blockBytes] = 1
      const list = await writeBlocks(store, bytes)
      expect(list.blocks).toHaveLength(3)
      expect(Buffer.from(await readBlocks(id => store.get(id), list)).equals(bytes)).toBe(true)
    })
  })
}
