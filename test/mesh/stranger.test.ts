/** A stranger, with another mesh's secret or with none, gets no connection, no peers, no reply and no gossip. */
import { gossipsub } from '@chainsafe/libp2p-gossipsub'
import { identify } from '@libp2p/identify'
import { noise } from '@libp2p/noise'
import { tcp } from '@libp2p/tcp'
import { yamux } from '@libp2p/yamux'
import { multiaddr } from '@multiformats/multiaddr'
import { createLibp2p } from 'libp2p'
import { expect, test } from 'vitest'
import { createSecret } from '../../src/mesh/admission.ts'
import { mesh, namesUp, until } from './meshes.ts'

test('a peer with another mesh’s secret is refused, both sides say so, and it learns nothing', async () => {
  const secret = createSecret()
  const a = await mesh({ secret, name: 'a' })
  const b = await mesh({ secret, name: 'b', dial: a.addresses() })
  await until(() => namesUp(a).length === 1 && namesUp(b).length === 1)
  let served = 0
  a.serve('/secret/1', async () => {
    served++
    return new Uint8Array(1)
  })
  const refusals: string[] = []
  a.on('refused', from => refusals.push(from))
  const stranger = await mesh({ name: 'stranger', dial: [...a.addresses(), ...b.addresses()] })
  const heard: string[] = []
  const warnings: string[] = []
  stranger.on('warning', message => warnings.push(message))
  stranger.subscribe('talk/1', from => heard.push(from))
  b.subscribe('talk/1', from => heard.push(from))

  await expect(stranger.joined()).rejects.toMatchObject({
    code: 'OTHER_MESH',
    kind: 'input',
    message: expect.stringMatching(/refused the connection: it belongs to another mesh; check the join token$/),
  })
  const ask = stranger.request(a.self, '/secret/1', new Uint8Array(0))
  await expect(ask).rejects.toMatchObject({ code: expect.stringMatching(/OTHER_MESH|PEER_UNREACHABLE/) })
  await stranger.publish('talk/1', new Uint8Array(1))
  // The members' own gossip works meanwhile, so that silence at the stranger means something.
  while (!heard.includes(a.self)) {
    await a.publish('talk/1', new Uint8Array(1))
    await new Promise(resolve => setTimeout(resolve, 50))
  }
  expect(new Set(heard)).toEqual(new Set([a.self]))
  expect(stranger.peers()).toEqual([])
  expect(namesUp(a)).toEqual(['b'])
  expect(served).toBe(0)
  expect(warnings.some(message => message.includes('it belongs to another mesh'))).toBe(true)
  await until(() => refusals.length > 0)
  expect(refusals[0]).toContain('/ip4/127.0.0.1')
})

test('plain libp2p, which has noise and no secret, is refused before identify; so is a member who dials it', async () => {
  const a = await mesh()
  const plain = await createLibp2p({
    addresses: { listen: ['/ip4/127.0.0.1/tcp/0'] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
    services: { identify: identify({ protocolPrefix: 'shardmesh' }), pubsub: gossipsub() },
  })
  try {
    const opened: string[] = []
    plain.addEventListener('connection:open', event => opened.push(event.detail.remotePeer.toString()))
    await expect(plain.dial(multiaddr(a.addresses()[0]))).rejects.toThrow()
    const b = await mesh({ dial: plain.getMultiaddrs().map(String) })
    await expect(b.joined()).rejects.toMatchObject({ code: 'OTHER_MESH' })
    expect(opened).toEqual([])
    expect(plain.getPeers()).toEqual([])
    expect(a.peers()).toEqual([])
  } finally {
    await plain.stop()
  }
})

test('what is not a peer at all is told from another mesh', async () => {
  const { createServer } = await import('node:net')
  const server = createServer(socket => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const at = server.address()
  if (at === null || typeof at === 'string') throw new Error('no port')
  const a = await mesh({ dial: [`/ip4/127.0.0.1/tcp/${at.port}`] })
  await expect(a.joined()).rejects.toMatchObject({ code: 'PEER_UNREACHABLE', kind: 'transport' })
  server.close()
})
