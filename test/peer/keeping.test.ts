/** What peers keep for each other: copies of inputs and results, until they are dropped, expire or are swept. */
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { blockId } from '../../src/base/ids.ts'
import { packageRoot } from '../../src/base/package-root.ts'
import type { JobSummary } from '../../src/peer/control.ts'
import type { Peer } from '../../src/peer/peer.ts'
import { until } from '../e2e/mesh-of-processes.ts'
import { end, rowsOf, type SomePeers, somePeers } from './some-peers.ts'

const count = 400

describe('what peers keep', { timeout: 90_000 }, () => {
  let some: SomePeers
  beforeAll(async () => {
    some = await somePeers(count)
  })
  afterEach(() => some.stopAll())
  afterAll(() => some.end())

  const connected = (peer: Peer, others: number) =>
    until(async () => (await peer.peers()).filter(one => one.connected).length > others, `${others} others are there`)
  const known = async (peer: Peer, job: string): Promise<JobSummary | undefined> =>
    (await peer.jobs()).find(one => one.job === job)

  test('a submitter leaves once others hold its inputs, and its job and result live without it', async () => {
    const one = await some.start('one')
    const two = await some.start('two')
    let owner = await some.start('owner', { compute: false })
    await connected(owner, 2)
    const { job } = await owner.submit({ ...some.request, copies: 2 })
    await until(async () => (await owner.job(job)).copies?.safe === true, 'the inputs are safe')
    const copies = (await owner.job(job)).copies
    expect(copies).toMatchObject({ wanted: 2, placed: 2 })
    await some.stop(owner)

    expect(await end(one, job)).toMatchObject({ phase: 'final', itemsDone: count, errors: 0 })
    expect((await end(two, job)).phase).toBe('final')
    const rows = await rowsOf(one, job)
    expect(rows).toHaveLength(count)

    // Its inputs are freed, and both hold the result (the spec alone has some 2 kB): either may be switched off.
    const inputs = 50_000
    await until(async () => {
      const kept = [await known(one, job), await known(two, job)].map(state => state?.keptBytes ?? 0)
      return kept.every(bytes => bytes > 10_000 && bytes < inputs)
    }, 'both keep the result and no more')
    const leader = (await one.job(job)).leader === (await one.info()).peer ? one : two
    const other = leader === one ? two : one
    await some.stop(leader)
    expect(await rowsOf(other, job)).toEqual(rows)

    // The submitter comes back: it hears how its job ended, and gives it up everywhere.
    owner = await some.start('owner', { compute: false })
    await until(async () => (await known(owner, job))?.phase === 'final', 'the owner hears of the end')
    expect(await rowsOf(owner, job)).toEqual(rows)
    await expect(other.drop(job)).rejects.toMatchObject({ code: 'NOT_OWNER' })
    await owner.drop(job)
    await until(async () => (await known(other, job)) === undefined, 'the other gives it up')
    expect(await known(owner, job)).toBeUndefined()
    await expect(owner.job(job)).rejects.toMatchObject({ code: 'JOB_UNKNOWN' })
    // The one that was away hears of it when it is back, and nobody forgets.
    const back = await some.start(leader === one ? 'one' : 'two')
    await until(async () => (await known(back, job)) === undefined, 'the peer that was away gives it up')
    await until(async () => (await back.gc({ dryRun: true })).kept.bytes === 0, 'and frees its blocks')
    await some.stop(back, other, owner)
    const again = await some.start('owner', { compute: false })
    expect(await known(again, job)).toBeUndefined()
    await some.stop(again)
  })

  test('a promised copy outlives a restart of its holder, the submitter being gone', async () => {
    // One peer computes, so that the job is far from over; the other only holds, and needs none of the inputs itself.
    let one = await some.start('worker')
    let two = await some.start('holder', { compute: false })
    const owner = await some.start('leaver', { compute: false })
    await connected(owner, 2)
    const networks = join(packageRoot, 'demo/models')
    const models = (await readdir(networks)).map(name => join(networks, name))
    const { job } = await owner.submit({ ...some.request, models, copies: 2 })
    await until(async () => (await owner.job(job)).copies?.safe === true, 'the inputs are safe')
    const held = (await two.job(job)).keptBytes
    await some.stop(owner, one, two)

    two = await some.start('holder', { compute: false })
    // Not only cached, which the next job might push out: held.
    expect((await two.gc({ dryRun: false })).kept.evictable).toBe(0)
    const after = await two.job(job)
    expect(after.outcome).toBeUndefined()
    expect(after.keptBytes).toBeGreaterThan(0.9 * held)
    // The worker's own copy is lost with its disk: what it computes comes from the holder.
    await rm(join(some.scratch, 'worker', 'blocks'), { recursive: true })
    one = await some.start('worker')
    expect(await end(one, job)).toMatchObject({ phase: 'final', itemsDone: count, errors: 0 })
    expect(await rowsOf(one, job)).toHaveLength(count)
    await some.stop(one, two)
  })

  test('a peer without room is passed over for another one', async () => {
    const small = await some.start('small', { diskBytesMax: 1 })
    const large = await some.start('large')
    const owner = await some.start('owner2', { compute: false })
    await connected(owner, 2)
    const { job } = await owner.submit({ ...some.request, copies: 1 })
    await until(async () => (await owner.job(job)).copies?.safe === true, 'the inputs are safe')
    expect((await owner.job(job)).copies?.placed).toBe(1)
    expect((await end(owner, job)).phase).toBe('final')
    await some.stop(small, large, owner)
  })

  test('a running job is not dropped', async () => {
    const peer = await some.start('busy')
    const { job } = await peer.submit(some.request)
    await expect(peer.drop(job)).rejects.toMatchObject({ code: 'JOB_RUNNING' })
    await peer.cancel(job)
    await peer.drop(job)
    expect(await peer.jobs()).toEqual([])
    await some.stop(peer)
  })

  test('jobs expire with their blocks, and what belongs to no job is swept', async () => {
    let peer = await some.start('keeper')
    const { job } = await peer.submit(some.request)
    await end(peer, job)
    await until(async () => (await peer.job(job)).keptBytes < 50_000, 'the inputs are freed')
    const { keptBytes } = await peer.job(job)
    expect(keptBytes).toBeGreaterThan(1000)
    expect((await peer.gc({ dryRun: true })).jobs).toEqual([])
    expect(await peer.gc({ dryRun: true, olderThanMs: 0 })).toMatchObject({
      jobs: [{ job, bytes: keptBytes }],
      orphans: { blocks: 0 },
      kept: { bytes: keptBytes, evictable: 0 },
    })
    expect(await known(peer, job)).toBeDefined()
    await some.stop(peer)

    const stray = new Uint8Array(3000).fill(5)
    const folder = join(peer.home.blocksFolder, blockId(stray).slice(0, 2))
    await mkdir(folder, { recursive: true })
    await writeFile(join(folder, blockId(stray)), stray)
    peer = await some.start('keeper')
    await until(async () => (await peer.gc({ dryRun: true })).kept.bytes === keptBytes, 'the stray block is swept')
    expect((await peer.job(job)).keptBytes).toBe(keptBytes)
    await some.stop(peer)

    peer = await some.start('keeper', { retentionMs: 1 })
    await until(async () => (await peer.jobs()).length === 0, 'the job expires')
    await until(async () => (await peer.gc({ dryRun: true })).kept.bytes === 0, 'and its blocks go')
    await some.stop(peer)
    peer = await some.start('keeper')
    expect(await peer.jobs()).toEqual([])
    await some.stop(peer)
  })
})
