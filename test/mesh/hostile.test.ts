/** An admitted peer that sends garbage, over the real transport: dropped by whom it annoys, and the others do not notice. */
import { expect, test } from 'vitest'
import { PeerError } from '../../src/base/errors.ts'
import { limits } from '../../src/base/limits.ts'
import { asMultiaddrs } from '../../src/mesh/addresses.ts'
import { createSecret } from '../../src/mesh/admission.ts'
import {
  encodeAnnouncement,
  heartbeatTopic,
  helloProtocol,
  newsProtocol,
  reportTopic,
} from '../../src/mesh/membership/messages.ts'
import type { Mesh, MeshInit } from '../../src/mesh/types.ts'
import { type Hostile, header, hostile, request, untilDropped } from './hostile-peer.ts'
import { say } from './membership/membership-run.ts'
import { mesh, recordOf, until } from './meshes.ts'

const garbage = new Uint8Array(100).fill(0xff)

interface Scene {
  victim: Mesh
  friend: Mesh
  enemy: Hostile
  warnings: string[]
  /** Gossips as the hostile one, signed. */
  gossip(topic: string, bytes: Uint8Array): Promise<unknown>
}

/** Two honest peers and a hostile one, which has said who it is: it claims the release of the others. */
async function scene(more: Partial<MeshInit> = {}): Promise<Scene> {
  const secret = createSecret()
  const victim = await mesh({ secret, name: 'victim', ...more })
  const friend = await mesh({ secret, name: 'friend', dial: victim.addresses() })
  await until(() => recordOf(victim, friend.self)?.connected === true)
  victim.serve('/test/1', async (_from, body) => {
    if (body[0] === 0xff) throw new PeerError({ code: 'MESSAGE_INVALID', kind: 'protocol', message: 'no' })
    return body
  })
  const warnings: string[] = []
  victim.on('warning', message => warnings.push(message))
  const enemy = await hostile(secret, victim.addresses())
  const gossip = (topic: string, bytes: Uint8Array) => enemy.node.services.pubsub.publish(topic, bytes)
  for (let seq = 0; !recordOf(victim, enemy.key); seq++) {
    await gossip(heartbeatTopic, encodeAnnouncement(say(seq, { addresses: [] })))
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  return { victim, friend, enemy, warnings, gossip }
}

let number = 1_000
const evils: [string, (scene: Scene) => Promise<unknown>][] = [
  ['frames of no known type', ({ enemy, victim }) => enemy.write(victim.self, header(77, 10))],
  ['frames above the limit', ({ enemy, victim }) => enemy.write(victim.self, header(1, 1 << 30))],
  ['bodies above the limit', ({ enemy, victim }) => enemy.write(victim.self, request(2 ** 31))],
  ['greetings that cannot be read', ({ enemy, victim }) => enemy.ask(victim.self, helloProtocol, garbage)],
  ['news that cannot be read', ({ enemy, victim }) => enemy.ask(victim.self, newsProtocol, garbage)],
  ['requests that their handler refuses', ({ enemy, victim }) => enemy.ask(victim.self, '/test/1', garbage)],
  ['heartbeats that cannot be read', ({ gossip }) => gossip(heartbeatTopic, garbage)],
  ['reports that cannot be read', ({ gossip }) => gossip(reportTopic, garbage)],
  ['gossip above the limit', ({ gossip }) => gossip(heartbeatTopic, new Uint8Array(limits.gossipBytesMax + 1))],
  [
    'two heartbeats of one number',
    ({ gossip }) => gossip(heartbeatTopic, encodeAnnouncement(say(1_000, { degree: number++, addresses: [] }))),
  ],
  [
    'heartbeats in the name of another',
    ({ enemy, victim, friend }) =>
      enemy.forge(victim.self, friend.self, heartbeatTopic, encodeAnnouncement(say(number++))),
  ],
]

test.each(evils)('%s: dropped and refused, and the others go on', { timeout: 120_000 }, async (_name, evil) => {
  const all = await scene()
  const { victim, friend, enemy, warnings } = all
  await untilDropped(victim.self, enemy, () => evil(all))
  expect(warnings.filter(line => line.startsWith('refuses '))).toHaveLength(1)
  const record = recordOf(victim, enemy.key)
  expect(record).toMatchObject({ connected: false, neighbour: false })
  expect(record?.offences).toBeGreaterThan(4)
  expect(record?.refusedMs).toBeGreaterThan(50_000)
  // It does not come in again.
  await enemy.node.dial(asMultiaddrs(victim.addresses())).catch(() => {})
  await until(() => !enemy.isConnected(victim.self))
  expect(await friend.request(victim.self, '/test/1', new Uint8Array([1, 2]))).toEqual(new Uint8Array([1, 2]))
  expect(recordOf(victim, friend.self)).toMatchObject({ connected: true, offences: 0, refusedMs: 0 })
})

test('after the time it may come back, and is known again', { timeout: 120_000 }, async () => {
  const all = await scene({ refuseMs: 1_500 })
  const { victim, enemy, gossip } = all
  await untilDropped(victim.self, enemy, () => enemy.write(victim.self, header(77, 10)))
  expect(recordOf(victim, enemy.key)?.connected).toBe(false)
  for (let seq = 5_000; !recordOf(victim, enemy.key)?.connected; seq++) {
    if (!enemy.isConnected(victim.self)) await enemy.node.dial(asMultiaddrs(victim.addresses())).catch(() => {})
    await gossip(heartbeatTopic, encodeAnnouncement(say(seq, { addresses: [] }))).catch(() => {})
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  expect(recordOf(victim, enemy.key)?.refusedMs).toBe(0)
})

test('a bad request is answered with a typed error, and an unknown one is no offence', async () => {
  const { victim, enemy } = await scene()
  expect(await enemy.ask(victim.self, helloProtocol, garbage)).toBe('BAD_HELLO')
  expect(recordOf(victim, enemy.key)?.offences).toBe(1)
  for (let i = 0; i < 300; i++) {
    expect(await enemy.ask(victim.self, '/shardmesh/unheard-of/9', garbage)).toBe('UNKNOWN_PROTOCOL')
  }
  expect(recordOf(victim, enemy.key)?.offences).toBe(1)
  expect(enemy.isConnected(victim.self)).toBe(true)
})
