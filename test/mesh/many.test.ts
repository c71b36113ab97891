/** A crowd that starts at once with one address: all know all, within their degree, and nobody is called lost meanwhile. */
import { expect, test } from 'vitest'
import { createSecret } from '../../src/mesh/admission.ts'
import { mesh, namesUp, until } from './meshes.ts'

const count = 16

test(`${count} peers that start at once know each other`, { timeout: 90_000 }, async () => {
  const secret = createSecret()
  const first = await mesh({ secret, name: 'peer0' })
  const rest = Array.from({ length: count - 1 }, (_, i) =>
    mesh({ secret, name: `peer${i + 1}`, dial: first.addresses() }),
  )
  const all = [first, ...(await Promise.all(rest))]
  // Not all over connections of their own: most are told of.
  await until(() => all.every(each => namesUp(each).length === count - 1))
  await until(() => all.every(each => each.peers().filter(peer => peer.neighbour).length <= 12))
  expect(new Set(all.flatMap(namesUp)).size).toBe(count)
  for (const each of all) for (const { offences } of each.peers()) expect(offences).toBe(0)
})
