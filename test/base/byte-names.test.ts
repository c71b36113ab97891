/** Names of files as bytes. */
import { expect, test } from 'vitest'
import { nameFromBytes, shownName, systemPath } from '../../src/base/byte-names.ts'
import { prng } from '../../src/base/prng.ts'

test('any bytes come back, by themselves and through JSON, and no two have one name', () => {
  const { int, pick } = prng(7)
  const seen = new Map<string, string>()
  const parts = ['a', 'é', '€', '😀', '/'].map(text => Buffer.from(text))
  for (let n = 0; n < 2000; n++) {
    const pieces = Array.from({ length: int(6) }, () => (int(2) ? pick(parts) : Buffer.from([1 + int(255)])))
    const bytes = Buffer.concat(pieces)
    const name = nameFromBytes(bytes)
    expect(Buffer.from(systemPath(name)).equals(bytes)).toBe(true)
    expect(JSON.parse(JSON.stringify(name))).toBe(name)
    expect(seen.get(name) ?? bytes.toString('hex')).toBe(bytes.toString('hex'))
    seen.set(name, bytes.toString('hex'))
    expect(shownName(name).isWellFormed()).toBe(true)
  }
})

test('UTF-8 stays what it is, and other bytes are shown as hexadecimal', () => {
  expect(nameFromBytes(Buffer.from('café 😀.jpg'))).toBe('café 😀.jpg')
  expect(systemPath('café.jpg')).toBe('café.jpg')
  expect(shownName(nameFromBytes(Buffer.from('caf\xe9 \xff.jpg', 'latin1')))).toBe('caf\\xe9 \\xff.jpg')
})
