/** A mesh is closed: who does not hold its secret lists no peers, reads no block and submits nothing. */
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createSecret } from '../../src/mesh/admission.ts'
import { createIdentity } from '../../src/mesh/identity.ts'
import { startMesh } from '../../src/mesh/mesh.ts'
import { decodeToken, encodeToken } from '../../src/mesh/token.ts'
import { blockProtocol } from '../../src/peer/blocks/block-exchange.ts'
import { jobProtocol } from '../../src/peer/driver/outbox.ts'
import { socketPathOf } from '../../src/peer/home.ts'
import { type ProcessMesh, startMeshOfProcesses } from './mesh-of-processes.ts'
import { command } from './peer-command.ts'

describe('a closed mesh', () => {
  let mesh: ProcessMesh
  let scratch: string
  beforeAll(async () => {
    scratch = await mkdtemp(join(tmpdir(), 'shardmesh-admission-'))
    mesh = await startMeshOfProcesses([{}])
  })
  afterAll(async () => {
    await mesh.stop()
    await rm(scratch, { recursive: true, force: true })
  })

  test("another mesh's secret with this mesh's address is refused, and leaves no trace", async () => {
    const { addresses } = decodeToken(mesh.peers[0].token)
    const token = encodeToken({ secret: createSecret(), addresses })
    const data = join(scratch, 'stranger')
    const ran = await command([
      'start',
      '--data',
      data,
      '--join',
      token,
      '--no-mdns',
      '--listen',
      '/ip4/127.0.0.1/tcp/0',
      '--no-gpu',
    ])
    expect(ran.code).toBe(2)
    expect(ran.stderr).toMatch(/another mesh; check the join token/)
    expect(ran.stderr.trim().split('\n')).toHaveLength(1)
    await expect(stat(join(data, 'mesh.json'))).rejects.toThrow()
  })

  test('a stranger in the protocol gets no peers, no block and no job', async () => {
    const { addresses, secret } = decodeToken(mesh.peers[0].token)
    const victim = addresses[0].split('/p2p/')[1]
    const status = {
      name: 'x',
      version: '0',
      device: 'x',
      backend: 'none' as const,
      slots: 0,
      itemsPerSecond: 0,
      load: 0,
    }
    const init = { identity: createIdentity(), status, listen: [], dial: addresses, mdns: false }
    const stranger = await startMesh({ ...init, secret: createSecret() })
    try {
      await expect(stranger.joined()).rejects.toMatchObject({ code: 'OTHER_MESH' })
      expect(stranger.peers()).toEqual([])
      for (const protocol of [blockProtocol, jobProtocol]) {
        await expect(stranger.request(victim, protocol, new Uint8Array(32), { timeoutMs: 2000 })).rejects.toThrow()
      }
    } finally {
      await stranger.stop()
    }
    expect((await mesh.clients[0].peers()).filter(one => !one.self)).toEqual([])
    expect(await mesh.clients[0].jobs()).toEqual([])

    // The same with the right secret: so it was the secret that was refused.
    const member = await startMesh({ ...init, identity: createIdentity(), secret })
    try {
      await member.joined()
      await expect(member.request(victim, blockProtocol, new Uint8Array(32))).rejects.toMatchObject({
        code: 'BLOCK_ABSENT',
      })
    } finally {
      await member.stop()
    }
  })

  test('a peer with no token makes a mesh of its own', async () => {
    const other = await startMeshOfProcesses([{}])
    try {
      expect(other.peers[0].token).not.toBe(mesh.peers[0].token)
      expect((await other.clients[0].peers()).filter(one => !one.self)).toEqual([])
    } finally {
      await other.stop()
    }
  })

  test('what is secret, and the control socket, are the owner’s alone', async () => {
    const { data } = mesh.peers[0]
    const mode = async (path: string) => (await stat(path)).mode & 0o777
    expect(await mode(data)).toBe(0o700)
    expect(await mode(join(data, 'identity'))).toBe(0o600)
    expect(await mode(join(data, 'mesh.json'))).toBe(0o600)
    expect(await mode(socketPathOf(data))).toBe(0o600)
  })

  test('peer token prints the token alone', async () => {
    const ran = await command(['token', '--data', mesh.peers[0].data])
    // What is to know of it goes to standard error.
    expect(ran).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/^! the only address in the token is this machine/),
    })
    expect(ran.stdout).toMatch(/^\S+\n$/)
    expect(decodeToken(ran.stdout.trim()).secret).toEqual(decodeToken(mesh.peers[0].token).secret)
  })
})
