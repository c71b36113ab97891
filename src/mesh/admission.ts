/**
 * Admission: what the mesh's secret is used for. Each use derives bytes of its own under a label, so that the
 * one that is shown (the mDNS tag, the name) says nothing of the one that admits (noise's prologue).
 *
 * The prologue is mixed into the handshake's hash on both sides: whoever does not hold the secret fails at the
 * first authenticated message, before identify, gossip or any stream. Nothing of the secret is on the wire.
 *
 * Source: RFC 5869 (HKDF); the Noise Protocol Framework, section 6 (Prologue).
 */
import { hkdfSync, randomBytes } from 'node:crypto'
import type { ConnectionEncrypter, MessageStream, SecureConnectionOptions, SecuredConnection } from '@libp2p/interface'
import { type NoiseInit, noise } from '@libp2p/noise'
import { assert } from '../base/errors.ts'

/** What admits to a mesh has this many bytes. */
export const secretBytes = 32

/** A fresh mesh secret. */
export function createSecret(): Uint8Array {
  return new Uint8Array(randomBytes(secretBytes))
}

/** `bytes` bytes that only holders of `secret` can derive, other ones for every `label`. */
export function derive(secret: Uint8Array, label: string, bytes: number): Uint8Array {
  assert(secret.byteLength === secretBytes, `a mesh secret has ${secretBytes} bytes`)
  return new Uint8Array(hkdfSync('sha256', secret, '', `shardmesh/${label}/1`, bytes))
}

/** The mDNS service under which peers of this mesh, and no others, answer each other. */
export function serviceTag(secret: Uint8Array): string {
  return `_shardmesh-${Buffer.from(derive(secret, 'mdns', 16)).toString('hex')}._udp.local`
}

/**
 * What a failed handshake says in its message. libp2p wraps a thrown error and keeps its text alone, so the
 * text must be telling.
 */
export const otherMeshMark = 'shardmesh: the other side belongs to another mesh'

export interface AdmissionInit {
  secret: Uint8Array
  /** Someone dialled this peer and did not finish the handshake. `from` is an address without its port. */
  refused: (from: string) => void
  /** The other side proved this peer's own identity. */
  metSelf?: (direction: 'outbound' | 'inbound', address: string) => void
  self?: string
}

type NoiseFactory = ReturnType<typeof noise>

/** Noise with the secret in its prologue; tells a stranger's handshake from a broken connection. */
export function admission(init: AdmissionInit): (components: Parameters<NoiseFactory>[0]) => ConnectionEncrypter {
  const noiseInit: NoiseInit = { prologueBytes: derive(init.secret, 'noise-prologue', 32) }
  function meeting(direction: 'outbound' | 'inbound', connection: MessageStream, met: SecuredConnection) {
    if (met.remotePeer.toString() === init.self) init.metSelf?.(direction, remoteHost(connection))
    return met
  }
  return components => {
    const inner: ConnectionEncrypter = noise(noiseInit)(components)
    return {
      protocol: inner.protocol,
      async secureOutbound(connection: MessageStream, options?: SecureConnectionOptions) {
        try {
          return meeting('outbound', connection, await inner.secureOutbound(connection, options))
        } catch (thrown) {
          if (!isRefusal(thrown)) throw thrown
          throw new Error(otherMeshMark, { cause: thrown })
        }
      },
      async secureInbound(connection: MessageStream, options?: SecureConnectionOptions) {
        try {
          return meeting('inbound', connection, await inner.secureInbound(connection, options))
        } catch (thrown) {
          init.refused(remoteHost(connection))
          throw thrown
        }
      },
    }
  }
}

/** Noise names a message whose authentication failed `InvalidCryptoExchangeError`; a dead connection has other names. */
function isRefusal(thrown: unknown): boolean {
  return thrown instanceof Error && /handshake stage \d validation fail/.test(thrown.message)
}

function remoteHost(connection: MessageStream): string {
  if (!('remoteAddr' in connection)) return 'an unknown address'
  return String(connection.remoteAddr).split('/').slice(0, 3).join('/')
}
