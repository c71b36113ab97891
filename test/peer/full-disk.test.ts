/** A peer whose disk is full pauses and says so, its work goes elsewhere or waits, and it goes on once there is room. */
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { until } from '../e2e/mesh-of-processes.ts'
import { onSmallDisk } from '../fixtures/small-disk.ts'
import { end, rowsOf, type SomePeers, somePeers } from './some-peers.ts'

const count = 1600

describe('a full disk', { timeout: 90_000 }, () => {
  let some: SomePeers
  beforeAll(async () => {
    some = await somePeers(count)
  })
  afterEach(() => some.stopAll())
  afterAll(() => some.end())

  const pausedOf = async (asked: Peer, name: string) => (await asked.peers()).find(one => one.name === name)?.paused

  test('pauses that peer alone, whose work another one takes, and only while it is full', async context => {
    await onSmallDisk(context, 64, async disk => {
      const roomy = await some.start('roomy')
      const lines: string[] = []
      const small = await some.start('small', {
        data: join(disk.folder, 'data'),
        onWarning: line => lines.push(line),
      })
      await roomy.waitForPeers(10_000)
      // It submits, so that what it has is pinned and nothing makes room; and it leads as often as not.
      // All networks, so that its inputs are read long before it is over.
      const networks = join(packageRoot, 'demo/models')
      const models = (await readdir(networks)).map(name => join(networks, name))
      const { job } = await small.submit({ ...some.request, models })
      await until(async () => {
        const { complete, shardsDone, shardsTotal } = await small.job(job)
        return complete && shardsDone >= 2 && shardsDone < shardsTotal - 8
      }, 'the job runs')
      await disk.fill()
      await until(async () => (await pausedOf(roomy, 'small')) !== undefined, 'the other peer sees the pause')
      expect(await pausedOf(small, 'small')).toBe('its disk is full')
      expect(lines.join('\n')).toMatch(/^paused: cannot keep [^\n]*the disk is full: free some space/m)
      expect(await end(roomy, job)).toMatchObject({ phase: 'final', itemsDone: count, errors: 0 })
      expect(await rowsOf(roomy, job)).toHaveLength(count)
      await until(async () => (await small.job(job)).phase === 'final', 'the paused peer hears of the end')

      await disk.empty()
      await until(async () => (await pausedOf(roomy, 'small')) === undefined, 'it goes on')
      expect(lines.at(-1)).toMatch(/there is room on the disk again/)
      expect((await roomy.peers()).find(one => one.name === 'small')?.slots).toBe(1)
      await some.stop(small, roomy)
    })
  })

  test('of a peer alone makes its job wait, not fail', async () => {
    let full = false
    let refusals = 0
    const alone = await some.start('alone', {
      async writeBlock(file, bytes) {
        if (full) {
          refusals++
          throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
        }
        await writeFile(file, bytes)
      },
    })
    const { job } = await alone.submit(some.request)
    await until(async () => (await alone.job(job)).shardsDone >= 2, 'the job runs')
    full = true
    await until(async () => (await pausedOf(alone, 'alone')) !== undefined, 'it pauses')
    await until(async () => refusals >= 3, 'the disk refuses again and again')
    expect((await alone.job(job)).outcome).toBeUndefined()
    await expect(alone.submit(some.request)).rejects.toMatchObject({ code: 'STORE_FULL' })
    full = false
    expect(await end(alone, job)).toMatchObject({ phase: 'final', itemsDone: count, errors: 0 })
    expect(await rowsOf(alone, job)).toHaveLength(count)
    await some.stop(alone)
  })

  test('a bound on the cache is kept to while a larger job passes through', async () => {
    const bound = 600_000
    const owner = await some.start('owner', { compute: false })
    const bounded = await some.start('bounded', { diskBytesMax: bound })
    await owner.waitForPeers(10_000)
    const { job } = await owner.submit(some.request)
    const sizes: number[] = []
    await until(async () => {
      const { kept } = await bounded.gc({ dryRun: true })
      sizes.push(kept.bytes)
      return (await owner.job(job)).outcome !== undefined
    }, 'the job ends')
    expect((await owner.job(job)).phase).toBe('final')
    expect((await owner.gc({ dryRun: true })).kept.bytes).toBeGreaterThan(0)
    // Networks, pictures and results are several times the bound; what is pinned (results, spec) is a tenth of it.
    expect(Math.max(...sizes)).toBeGreaterThan(bound / 2)
    expect(Math.max(...sizes)).toBeLessThan(bound * 1.5)
    expect(await rowsOf(owner, job)).toHaveLength(count)
    await some.stop(bounded, owner)
  })
})
