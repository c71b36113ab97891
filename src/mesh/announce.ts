/** What a user says others reach this peer by, as a multiaddr. Loads nothing: the command line checks it too. */
import { isIP } from 'node:net'
import { PeerError } from '../base/errors.ts'
import { isLoopback } from './interfaces.ts'

/**
 * `203.0.113.5`, `[2001:db8::5]:4601`, `peer.example.org:443`, or a multiaddr already. Without a port it is `port`.
 * @throws PeerError BAD_ADDRESS
 */
export function announcedAddress(text: string, port: number): string {
  const given = text.trim()
  const address = given.startsWith('/') ? given.replace(/\/p2p\/[^/]+$/, '') : hostAndPort(given, port)
  const [, kind = '', host = '', tcp = '', to = '', ...more] = address?.split('/') ?? []
  if (tcp !== 'tcp' || !/^\d{1,5}$/.test(to) || more.length > 0 || !isHost(kind, host))
    throw wrong(text, 'it is no address with a TCP port')
  if (host === '0.0.0.0' || host === '::') throw wrong(text, 'it means every address, and leads nowhere')
  if (Number(to) < 1 || Number(to) > 65_535) throw wrong(text, 'a port from 1 to 65535 is expected')
  if (isLoopback(`/${kind}/${host}`)) throw wrong(text, 'it leads every machine to itself')
  return `/${kind}/${host}/tcp/${to}`
}

function hostAndPort(text: string, port: number): string | undefined {
  if (isIP(text) === 6) return `/ip6/${text}/tcp/${port}`
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+))(?::(\d{1,9}))?$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  if (!host) return undefined
  return `/${{ 4: 'ip4', 6: 'ip6' }[isIP(host)] ?? 'dns'}/${host}/tcp/${match?.[3] ?? port}`
}

function isHost(kind: string, host: string): boolean {
  if (kind === 'ip4') return isIP(host) === 4
  if (kind === 'ip6') return isIP(host) === 6 && !host.includes('%')
  // `1.2.3` is a mistyped address, not a name.
  const isName = /^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_.])?$/i.test(host) && host.length <= 200 && !/^[\d.]+$/.test(host)
  return /^dns[46]?$/.test(kind) && isName
}

function wrong(text: string, why: string): PeerError {
  return new PeerError({
    code: 'BAD_ADDRESS',
    kind: 'input',
    message: `${JSON.stringify(text.slice(0, 200))} cannot be announced: ${why}; write what others dial, such as 203.0.113.5, peer.example.org:4601 or /ip4/203.0.113.5/tcp/4601`,
    details: { address: text },
  })
}
