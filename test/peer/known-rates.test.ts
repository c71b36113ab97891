/** What a peer remembers of its devices' speed. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { createThroughput } from '../../src/peer/driver/throughput.ts'
import { knownRate, rememberRate } from '../../src/peer/known-rates.ts'

const scratch = mkdtempSync(join(tmpdir(), 'shardmesh-rates-'))
afterAll(() => rmSync(scratch, { recursive: true, force: true }))

test('rates are kept by device, the newest few', async () => {
  const folder = join(scratch, 'new')
  expect(await knownRate(folder, 'a')).toBe(0)
  await rememberRate(folder, 'a', 10)
  await rememberRate(folder, 'b', 20)
  await rememberRate(folder, 'a', 30)
  expect([await knownRate(folder, 'a'), await knownRate(folder, 'b')]).toEqual([30, 20])
  for (let i = 0; i < 15; i++) await rememberRate(folder, `device ${i}`, 1)
  expect([await knownRate(folder, 'a'), await knownRate(folder, 'b')]).toEqual([30, 0])
  expect(readdirSync(folder)).toEqual(['rates.json'])
})

test('what cannot be read, and what is no rate, is nothing known', async () => {
  for (const text of ['', '{"a":', '{"a":-1}', '[1]', '{"a":"fast"}']) {
    writeFileSync(join(scratch, 'rates.json'), text)
    expect(await knownRate(scratch, 'a')).toBe(0)
  }
  await rememberRate(scratch, 'a', 0)
  await rememberRate(scratch, 'a', Number.NaN)
  expect(await knownRate(scratch, 'a')).toBe(0)
})

test('a known rate holds until two shards are done', () => {
  let nowMs = 0
  const throughput = createThroughput(100, () => nowMs)
  expect(throughput.itemsPerSecond()).toBe(100)
  throughput.begin()
  nowMs = 1000
  throughput.done(10)
  expect(throughput.itemsPerSecond()).toBe(100)
  nowMs = 2000
  throughput.done(10)
  expect(throughput.itemsPerSecond()).toBe(10)
})
