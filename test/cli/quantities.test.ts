import { expect, test } from 'vitest'
import { ageMs, sizeBytes } from '../../src/cli/quantities.ts'

test('sizes and ages as people write them', () => {
  expect(['1b', '500MB', '20GiB', '1.5 k', '2tb'].map(sizeBytes)).toEqual([1, 500e6, 20 * 2 ** 30, 1500, 2e12])
  expect(['90s', '30m', '12h', '7d', '1.5w', '0s'].map(ageMs)).toEqual([
    90e3, 1800e3, 43_200e3, 604_800e3, 907_200e3, 0,
  ])
})

test('anything else is refused with a line that shows how', () => {
  for (const text of ['', 'much', '-1', '5 apples', '1e9', '0', '500', '9999999tb'])
    expect(() => sizeBytes(text), text).toThrow('a size with its unit is expected')
  for (const text of ['', '7', '7 years', '-1d', '99999999w'])
    expect(() => ageMs(text), text).toThrow('an age is expected')
})
