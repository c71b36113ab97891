/**
 * What peers ask and answer by mDNS: a query for the mesh's service, an answer with a name (PTR) and an address in each text
 * (TXT, `dnsaddr=/ip4/…/p2p/…`). Source: libp2p's mDNS specification, as @libp2p/mdns writes it, so that releases understand
 * each other. Invariant: what comes from outside is taken only whole and well formed.
 */
import type { Answer, Packet } from 'dns-packet'
import { addressesMax } from '../membership/messages.ts'

/** A text of DNS has no more, RFC 6763, section 6.1. */
const textBytesMax = 255
const ttlSeconds = 120

export interface Heard {
  /** The sender's name, another one in every life. */
  name: string
  /** Multiaddrs with the peer's id. */
  addresses: string[]
}

export const queryOf = (service: string) => ({ questions: [{ name: service, type: 'PTR' as const }] })

export const asks = ({ questions }: Packet, service: string): boolean =>
  questions?.some(({ name }) => name === service) ?? false

export function answersOf(service: string, name: string, addresses: string[]): Answer[] {
  const full = `${name}.${service}`
  const common = { class: 'IN' as const, ttl: ttlSeconds }
  const texts = addresses.map(address => `dnsaddr=${address}`).filter(text => Buffer.byteLength(text) <= textBytesMax)
  return [
    { name: service, type: 'PTR', data: full, ...common },
    ...texts.map(data => ({ name: full, type: 'TXT' as const, data, ...common })),
  ]
}

/** Who answers for `service`; undefined for whatever is no such answer. */
export function heardIn({ answers = [], additionals = [] }: Packet, service: string): Heard | undefined {
  const pointer = answers.findLast(answer => answer.type === 'PTR')
  if (pointer?.type !== 'PTR' || pointer.name !== service || typeof pointer.data !== 'string') return undefined
  const addresses = [...answers, ...additionals]
    .flatMap(answer => (answer.type === 'TXT' ? [answer.data].flat() : []))
    .map(String)
    .flatMap(text => (text.startsWith('dnsaddr=') ? [text.slice('dnsaddr='.length)] : []))
    .slice(0, addressesMax)
  return addresses.length === 0 ? undefined : { name: pointer.data.split('.')[0], addresses }
}
