/** Many peers, none connected to all: they know each other by gossip, and find each other where they must. */
import { expect, test } from 'vitest'
import { createSecret } from '../../src/mesh/admission.ts'
import type { Mesh } from '../../src/mesh/types.ts'
import { mesh, namesUp, recordOf, until } from './meshes.ts'

const degreeMax = 8

const neighbours = (of: Mesh) => of.peers().filter(record => record.neighbour)
const far = (of: Mesh) => of.peers().filter(record => record.connected && !record.neighbour)

test('24 peers of degree 8 know each other, gossip reaches all, and no peer exceeds its degree', async () => {
  const secret = createSecret()
  const all = [await mesh({ secret, name: 'peer0', degreeMax })]
  for (let i = 1; i < 24; i++) {
    all.push(await mesh({ secret, name: `peer${i}`, degreeMax, dial: all[0].addresses() }))
  }
  await until(() => all.every(each => namesUp(each).length === all.length - 1))
  await until(() => all.every(each => neighbours(each).length <= degreeMax))
  for (const each of all) expect(neighbours(each).length).toBeGreaterThanOrEqual(2)

  const heard = new Set<string>()
  for (const each of all.slice(1)) each.subscribe('many/1', () => heard.add(each.self))
  while (heard.size < all.length - 1) {
    await all[0].publish('many/1', new Uint8Array([heard.size]))
    await new Promise(resolve => setTimeout(resolve, 100))
  }

  // Letting go of a connection is no failure: nobody is called lost while nobody is.
  const lost: string[] = []
  for (const each of all) each.on('down', peer => lost.push(`${all.indexOf(each)} lost ${peer}`))
  await new Promise(resolve => setTimeout(resolve, 1_500))
  expect(lost).toEqual([])

  // A request to a peer that is far makes a way to it.
  const [asker] = all.filter(each => far(each).length > 0)
  const [{ peer }] = far(asker)
  const asked = all.find(each => each.self === peer)
  asked?.serve('/test/1', async (_from, body) => body)
  expect(await asker.request(peer, '/test/1', new Uint8Array([7]))).toEqual(new Uint8Array([7]))

  // One that ends is missed by all, also by those that had no connection to it.
  const gone = all[5]
  await gone.stop()
  await until(() => all.every(each => each === gone || !recordOf(each, gone.self)?.connected))
}, 60_000)

test('a peer that may not be dialled comes when it is called', { timeout: 30_000 }, async () => {
  const secret = createSecret()
  const hub = await mesh({ secret, name: 'hub' })
  // A degree of one: they stay with the hub, and hear of each other by gossip.
  const shy = await mesh({ secret, name: 'shy', listen: [], degreeMax: 1, dial: hub.addresses() })
  await until(() => namesUp(shy).includes('hub'))
  const far = await mesh({ secret, name: 'far', degreeMax: 1, dial: hub.addresses() })
  await until(() => namesUp(far).includes('shy') && namesUp(shy).includes('far'))
  expect(recordOf(far, shy.self)).toMatchObject({ neighbour: false, addresses: [] })
  shy.serve('/test/1', async (_from, body) => body)
  expect(await far.request(shy.self, '/test/1', new Uint8Array([9]))).toEqual(new Uint8Array([9]))
})
