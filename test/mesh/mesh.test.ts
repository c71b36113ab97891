/** Peers find each other, say who they are, gossip, and are missed when they go. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { expect, test } from 'vitest'
import { limits } from '../../src/base/limits.ts'
import { packageRoot } from '../../src/base/package-root.ts'
import { createSecret } from '../../src/mesh/admission.ts'
import { createIdentity, peerKeyOf } from '../../src/mesh/identity.ts'
import { mesh, meshOf, namesUp, recordOf, statusOf, until } from './meshes.ts'

test('three peers know each other through one address, also one that only dials', async () => {
  const secret = createSecret()
  const a = await mesh({ secret, name: 'a' })
  const b = await mesh({ secret, name: 'b', dial: a.addresses() })
  // An address without a peer's id, and none to listen on.
  const [plain] = a.addresses()[0].split('/p2p/')
  const c = await mesh({ secret, name: 'c', dial: [plain], listen: [] })
  await Promise.all([b.joined(), c.joined(), a.joined()])
  await until(() => [a, b, c].every(each => namesUp(each).length === 2))
  expect(namesUp(a)).toEqual(['b', 'c'])
  expect(namesUp(b)).toEqual(['a', 'c'])
  expect(namesUp(c)).toEqual(['a', 'b'])
  expect(recordOf(a, b.self)?.addresses).toEqual(b.addresses())
  expect(recordOf(a, c.self)?.addresses).toEqual([])
  expect(c.addresses()).toEqual([])
  expect(b.addresses()[0]).toMatch(new RegExp(`^/ip4/127.0.0.1/tcp/[1-9]\\d*/p2p/${b.self}$`))
})

test('a changed status arrives, as an event and in the list', async () => {
  const [a, b] = await meshOf(2)
  const seen: number[] = []
  a.on('up', record => seen.push(record.status.slots))
  b.setStatus(statusOf('plum', { slots: 8, itemsPerSecond: 41.5, backend: 'both' }))
  await until(() => seen.includes(8))
  expect(recordOf(a, b.self)?.status).toEqual(statusOf('plum', { slots: 8, itemsPerSecond: 41.5, backend: 'both' }))
  b.setStatus(statusOf('plum', { slots: 8, load: 3 }))
  await until(() => recordOf(a, b.self)?.status.load === 3)
  expect(() => b.setStatus(statusOf('x'.repeat(65)))).toThrowError(/name cannot be announced/)
})

test('gossip reaches all but its sender, names it, and is bounded', async () => {
  const all = await meshOf(4)
  const got: string[] = []
  for (const [i, each] of all.entries()) {
    each.subscribe('test/1', (from, bytes) => got.push(`${i} ${from} ${bytes.byteLength}`))
    // A second handler of a topic, and one that fails, do not disturb the first.
    each.subscribe('test/1', () => {
      throw new Error('a bug')
    })
  }
  const warnings: string[] = []
  all[1].on('warning', message => warnings.push(message))
  // A message is a hint: what is sent before the subscriptions have gone round may be lost.
  while (new Set(got).size < 3) {
    await all[0].publish('test/1', new Uint8Array(limits.gossipBytesMax))
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  const expected = [1, 2, 3].map(i => `${i} ${all[0].self} ${limits.gossipBytesMax}`)
  expect([...new Set(got)].sort()).toEqual(expected)
  expect(warnings).toEqual(['a handler of test/1 failed: a bug'])
  const tooLarge = all[0].publish('test/1', new Uint8Array(limits.gossipBytesMax + 1))
  await expect(tooLarge).rejects.toMatchObject({ code: 'GOSSIP_TOO_LARGE' })
})

test('a lone peer may gossip, and joins nobody', async () => {
  const lone = await mesh()
  await lone.publish('test/1', new Uint8Array(3))
  await lone.joined()
  expect(lone.peers()).toEqual([])
})

test('twelve peers on one address all hear a gossip', { timeout: 60_000 }, async () => {
  const all = await meshOf(12)
  const heard = new Set<string>()
  for (const each of all.slice(1)) each.subscribe('many/1', () => heard.add(each.self))
  while (heard.size < 11) {
    await all[0].publish('many/1', new Uint8Array([heard.size]))
    await new Promise(resolve => setTimeout(resolve, 100))
  }
  expect(heard.size).toBe(11)
})

test('a peer that stops is down at once, and is not looked for', async () => {
  const [a, b, c] = await meshOf(3)
  const down: string[] = []
  const warnings: string[] = []
  for (const each of [a, c]) {
    each.on('down', peer => down.push(peer))
    each.on('warning', message => warnings.push(message))
  }
  await b.stop()
  await until(() => down.length === 2)
  expect(down).toEqual([b.self, b.self])
  expect(namesUp(a)).toEqual(['peer2'])
  expect(recordOf(a, b.self)).toBeUndefined()
  await expect(a.request(b.self, '/x', new Uint8Array(0))).rejects.toMatchObject({ kind: 'transport' })
  await expect(b.request(a.self, '/x', new Uint8Array(0))).rejects.toMatchObject({ code: 'MESH_STOPPED' })
  await b.stop()
  expect(warnings).toEqual([])
})

test('a peer that comes back under its old identity and another port is up again', async () => {
  const secret = createSecret()
  const identity = createIdentity()
  const a = await mesh({ secret, name: 'a' })
  const first = await mesh({ secret, identity, name: 'old', dial: a.addresses() })
  await until(() => namesUp(a).includes('old'))
  await first.stop()
  await until(() => namesUp(a).length === 0)
  await mesh({ secret, identity, name: 'new', dial: a.addresses() })
  await until(() => namesUp(a).includes('new'))
  expect(a.peers()).toHaveLength(1)
})

test('a token’s peer that starts late is joined, and its own address is no failure', { timeout: 20_000 }, async () => {
  const secret = createSecret()
  const identity = createIdentity()
  const first = await mesh({ secret, identity, name: 'first' })
  const [address] = first.addresses()
  await first.stop()
  const late = await mesh({ secret, name: 'late', dial: [address] })
  await expect(late.joined()).rejects.toMatchObject({ code: 'PEER_UNREACHABLE', kind: 'transport' })
  const listen = [address.split('/p2p/')[0]]
  const again = await mesh({ secret, identity, name: 'again', listen, dial: [address, ...listen] })
  await again.joined()
  await until(() => namesUp(late).includes('again'))
})

test('a port in use, an address that is none and one that is elsewhere are clear errors', async () => {
  const server = createServer()
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const at = server.address()
  if (at === null || typeof at === 'string') throw new Error('no port')
  const taken = `/ip4/127.0.0.1/tcp/${at.port}`
  await expect(mesh({ listen: [taken] })).rejects.toMatchObject({
    code: 'PORT_IN_USE',
    kind: 'resource',
    message: expect.stringContaining(taken),
  })
  await expect(mesh({ listen: ['/ip4/127.0.0.1/tcp/0', taken] })).rejects.toMatchObject({ details: { address: taken } })
  server.close()
  for (const bad of ['127.0.0.1:4601', '/ip4/127.0.0.1', '/ip4/1.2.3.4/udp/1', '/unix/tmp%2fx', '']) {
    await expect(mesh({ listen: [bad] })).rejects.toMatchObject({ code: 'BAD_ADDRESS', kind: 'input' })
    await expect(mesh({ dial: [bad] })).rejects.toMatchObject({ code: 'BAD_ADDRESS' })
  }
  await expect(mesh({ listen: ['/ip4/192.0.2.1/tcp/0'] })).rejects.toMatchObject({ code: 'LISTEN_FAILED' })
})

test('a wildcard address expands to real ones', async () => {
  const any = await mesh({ listen: ['/ip4/0.0.0.0/tcp/0'] })
  expect(any.addresses().length).toBeGreaterThan(0)
  for (const address of any.addresses()) expect(address).not.toContain('/ip4/0.0.0.0/')
})

test('another peer at a known address is told from another mesh', async () => {
  const secret = createSecret()
  const a = await mesh({ secret })
  const wrong = a.addresses()[0].replace(a.self, peerKeyOf(createIdentity()))
  await expect((await mesh({ dial: [wrong] })).joined()).rejects.toMatchObject({ code: 'OTHER_MESH' })
  await expect((await mesh({ secret, dial: [wrong] })).joined()).rejects.toMatchObject({ code: 'OTHER_PEER' })
  // One address that works is enough.
  await (await mesh({ secret, dial: [wrong, '/ip4/127.0.0.1/tcp/1', ...a.addresses()] })).joined()
})

/** A peer in a process of its own that joins `dial` and then does `then`. */
function spawnPeer(secret: Uint8Array, dial: string[], then: string) {
  const script = `
    import { createIdentity } from './src/mesh/identity.ts'
    import { startMesh } from './src/mesh/mesh.ts'
    const init = JSON.parse(process.argv[1])
    const mesh = await startMesh({ ...init, secret: Buffer.from(init.secret, 'hex'), identity: createIdentity() })
    await mesh.joined()
    ${then}
  `
  const status = statusOf('child')
  const listen = ['/ip4/127.0.0.1/tcp/0']
  const init = JSON.stringify({ secret: Buffer.from(secret).toString('hex'), status, listen, dial, mdns: true })
  const args = ['--input-type=module', '--eval', script, init]
  return spawn(process.execPath, args, { cwd: packageRoot, stdio: ['ignore', 'pipe', 'pipe'] })
}

test('a process whose mesh stopped ends by itself, and says nothing', { timeout: 20_000 }, async () => {
  const secret = createSecret()
  const a = await mesh({ secret, name: 'a' })
  const child = spawnPeer(secret, a.addresses(), 'await mesh.stop()')
  let said = ''
  for (const output of [child.stdout, child.stderr]) {
    output.on('data', text => {
      said += text
    })
  }
  const [code] = await once(child, 'close')
  expect([said, code]).toEqual(['', 0])
})

test('a peer that is killed is down as soon as its connection breaks', { timeout: 20_000 }, async () => {
  const secret = createSecret()
  const a = await mesh({ secret, name: 'a' })
  const down: string[] = []
  a.on('down', peer => down.push(peer))
  const child = spawnPeer(secret, a.addresses(), '')
  await until(() => namesUp(a).includes('child'))
  const [{ peer }] = a.peers()
  child.kill('SIGKILL')
  await once(child, 'exit')
  await until(() => down.length > 0)
  expect(down).toEqual([peer])
  expect(recordOf(a, peer)?.connected).toBe(false)
})
