import { expect, test } from 'vitest'
import { limits } from '../../../src/base/limits.ts'
import { prng } from '../../../src/base/prng.ts'
import { checkBlockList, readBlocks, writeBlocks } from '../../../src/data/store/block-list.ts'
import { createMemoryStore } from '../../../src/data/store/memory-store.ts'

const size = limits.blockBytes

async function* pieces(bytes: Uint8Array, seed: number): AsyncIterable<Uint8Array> {
  const random = prng(seed)
  for (let at = 0; at < bytes.length; ) {
    const length = random.int(3) === 0 ? random.int(size * 2) : random.int(200_000)
    yield bytes.slice(at, at + length)
    at += length
  }
}

test('the list depends on the bytes alone, not on how they came', async () => {
  for (const length of [0, 1, size - 1, size, size + 1, 3 * size + 17]) {
    const bytes = new Uint8Array(length).map((_, i) => (i * 2654435761) >>> 24)
    const store = createMemoryStore()
    const list = await writeBlocks(store, bytes)
    expect(list).toMatchObject({ bytes: length, blocks: { length: Math.ceil(length / size) } })
    for (const seed of [1, 2, 3]) expect(await writeBlocks(store, pieces(bytes, seed))).toEqual(list)
    expect(Buffer.from(await readBlocks(id => store.get(id), list)).equals(bytes)).toBe(true)
  }
})

test('a list from outside is checked before anything is allocated for it', async () => {
  const store = createMemoryStore()
  const list = await writeBlocks(store, new Uint8Array(size + 5))
  const wrong = [
    { ...list, bytes: -1 },
    { ...list, bytes: 1.5 },
    { ...list, bytes: Number.MAX_SAFE_INTEGER },
    { ...list, bytes: 2 * size + 1 },
    { ...list, blocks: list.blocks.slice(1) },
    { ...list, blocks: ['../x', list.blocks[1]] },
  ]
  for (const one of wrong) expect(() => checkBlockList(one)).toThrow('not valid')
  expect(() => checkBlockList(list, size)).toThrow('at most')
  await expect(readBlocks(id => store.get(id), { ...list, bytes: size + 4 })).rejects.toMatchObject({
    kind: 'integrity',
  })
})

test('a block that is nowhere is named, and can be looked for elsewhere', async () => {
  const store = createMemoryStore()
  const list = await writeBlocks(store, new Uint8Array(size + 5))
  await store.delete(list.blocks[1])
  await expect(readBlocks(id => store.get(id), list)).rejects.toMatchObject({
    code: 'BLOCK_MISSING',
    retry: 'elsewhere',
  })
})
