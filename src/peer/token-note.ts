/** What a join token cannot do, by the addresses in it: said wherever one is shown, for it looks like any other. */
import { isLoopback } from '../mesh/interfaces.ts'

/** Undefined where another machine may reach one of `addresses`. */
export function tokenNote(addresses: readonly string[]): string | undefined {
  if (addresses.length === 0)
    return 'the token holds no address: peers on the same local network find each other by mDNS, others cannot join with it; --announce ADDRESS adds one'
  if (!addresses.every(isLoopback)) return undefined
  return (
    `the only address in the token is this machine itself (${addresses.map(host).join(', ')}): peers on this machine can join with it, ` +
    'and peers on the same local network where mDNS finds them; others need --announce ADDRESS, or a peer that listens on the network'
  )
}

function host(address: string): string {
  const [, , name, , port] = address.split('/')
  return name?.includes(':') ? `[${name}]:${port}` : `${name}:${port}`
}
