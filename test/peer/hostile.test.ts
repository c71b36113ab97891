/** A peer of the mesh that sends garbage for job messages, and gossips digests that are none: it is dropped, and the job goes on. */
import { afterAll, beforeAll, expect, test } from 'vitest'
import { encodeAnnouncement, heartbeatTopic } from '../../src/mesh/membership/messages.ts'
import { decodeToken } from '../../src/mesh/token.ts'
import { jobTopic } from '../../src/peer/driver/driver.ts'
import { jobProtocol } from '../../src/peer/driver/outbox.ts'
import { version } from '../../src/peer/version.ts'
import { hostile, untilDropped } from '../mesh/hostile-peer.ts'
import { say } from '../mesh/membership/membership-run.ts'
import { until } from '../mesh/meshes.ts'
import { statusOf } from '../mesh/statuses.ts'
import { all, type SomePeers, somePeers } from './some-peers.ts'

const shards = 400
let peers: SomePeers
beforeAll(async () => {
  peers = await somePeers(1)
})
afterAll(() => peers.end())

test('job messages and digests that cannot be read: dropped by both, and every shard is there once', {
  timeout: 60_000,
}, async () => {
  const warnings: string[] = []
  const onWarning = (message: string) => warnings.push(message)
  const kiwi = await peers.start('kiwi', { onWarning })
  const fig = await peers.start('fig', { onWarning })
  const { token } = await kiwi.info()
  const { secret, addresses } = decodeToken(token)
  const enemy = await hostile(secret, addresses)
  const garbage = new Uint8Array(50).fill(0xff)
  const seen = async (by: typeof kiwi) => (await by.peers()).find(({ peer }) => peer === enemy.key)
  const { pubsub } = enemy.node.services
  for (let seq = 0; !(await seen(kiwi)) || !(await seen(fig)); seq++) {
    const announcement = say(seq, { addresses: [], status: statusOf('foe', { version }) })
    await pubsub.publish(heartbeatTopic, encodeAnnouncement(announcement))
    await new Promise(resolve => setTimeout(resolve, 50))
  }

  const { job } = await kiwi.submit({ workload: 'probe', shards, cwd: '/' })
  const home = (await kiwi.info()).peer
  await untilDropped(home, enemy, async () => {
    await enemy.ask(home, jobProtocol, garbage)
    await pubsub.publish(jobTopic, garbage)
  })
  // What it gossiped reached the other one as well, which need not have a connection to it.
  for await (const state of kiwi.watch(job)) if (state.outcome) expect(state.phase).toBe('final')
  const rows = (await all(kiwi.results(job))).flatMap(item => (item.type === 'rows' ? [item.rows.rows] : []))
  expect(rows.reduce((sum, count) => sum + count, 0)).toBe(shards)
  expect(await seen(kiwi)).toMatchObject({ connected: false })
  expect((await seen(kiwi))?.refusedMs).toBeGreaterThan(0)
  expect((await seen(kiwi))?.offences).toBeGreaterThan(10)
  expect(warnings.some(line => line.startsWith('refuses foe'))).toBe(true)
  const others = (await kiwi.peers()).filter(({ peer }) => peer !== enemy.key)
  expect(others.map(({ connected, offences }) => [connected, offences])).toEqual([
    [true, 0],
    [true, 0],
  ])
  await until(() => !enemy.isConnected(home))
})
