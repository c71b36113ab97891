/** Two running peers with one identity are told, whoever notices. */
import { expect, test } from 'vitest'
import { createSecret } from '../../src/mesh/admission.ts'
import { createIdentity } from '../../src/mesh/identity.ts'
import type { MeshInit } from '../../src/mesh/types.ts'
import { mesh, namesUp, until } from './meshes.ts'

async function warned(init: Partial<MeshInit> & { name?: string }) {
  const started = await mesh(init)
  const warnings: string[] = []
  started.on('warning', message => warnings.push(message))
  const told = (text: string) => warnings.some(line => line.includes(text))
  return { started, warnings, told }
}

const own = 'another peer runs with the identity of this one'

test('a third that both dial tells them, and says so itself', async () => {
  const [secret, identity] = [createSecret(), createIdentity()]
  const third = await warned({ secret, name: 'third' })
  const dial = third.started.addresses()
  const one = await warned({ secret, identity, name: 'fig', dial })
  await until(() => namesUp(third.started).includes('fig'))
  const two = await warned({ secret, identity, name: 'fig', dial })
  await until(() => one.told(own) && two.told(own) && third.told('two peers run with the identity of fig'))
  // What both say is nobody's offence.
  expect(third.started.peers()[0].offences).toBe(0)
})

test('a token of the original leads its copy to it', async () => {
  const [secret, identity] = [createSecret(), createIdentity()]
  const one = await warned({ secret, identity })
  const two = await warned({ secret, identity, dial: one.started.addresses() })
  await until(() => one.told(own) && two.told(own))
})

test('a peer that starts again with its own token, or is dialled at a forwarded port of its own, meets itself alone', async () => {
  const [secret, identity] = [createSecret(), createIdentity()]
  const before = await mesh({ secret, identity })
  const addresses = before.addresses()
  await before.stop()
  const listen = [addresses[0].replace(/\/p2p\/.*$/, '')]
  const again = await warned({ secret, identity, listen, dial: [...addresses, ...listen] })
  await until(() => again.started.listening().length > 0)
  // The address without its name is dialled, and leads to itself.
  await new Promise(resolve => setTimeout(resolve, 4_000))
  expect(again.warnings).toEqual([])
})

test('connections from both sides at once are one peer', async () => {
  const secret = createSecret()
  const a = await warned({ secret, name: 'a' })
  const b = await warned({ secret, name: 'b', dial: a.started.addresses() })
  await until(() => namesUp(a.started).length === 1)
  // A second connection of the same process.
  await b.started.reachability()
  await new Promise(resolve => setTimeout(resolve, 2_000))
  expect([...a.warnings, ...b.warnings]).toEqual([])
})
