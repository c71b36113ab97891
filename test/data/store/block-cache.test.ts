import { expect, test } from 'vitest'
import { createBlockCache } from '../../../src/data/store/block-cache.ts'

test('the longest unused block goes first, and the bound holds', () => {
  const cache = createBlockCache(100)
  cache.set('a', new Uint8Array(40))
  cache.set('b', new Uint8Array(40))
  cache.get('a')
  cache.set('c', new Uint8Array(40))
  expect(['a', 'b', 'c'].filter(id => cache.get(id))).toEqual(['a', 'c'])
  cache.set('d', new Uint8Array(101))
  expect(cache.get('d')).toBeUndefined()
  expect(cache.get('a')).toBeDefined()
  cache.set('a', new Uint8Array(60))
  expect(['a', 'c'].filter(id => cache.get(id))).toEqual(['a', 'c'])
})
