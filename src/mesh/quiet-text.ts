import type { DiscoveryState } from './types.ts'

/** What it means that no peer of the mesh was heard, for people. */
export function quietText({ links, sinceMs, others }: DiscoveryState): string {
  const names = [...new Set(links.filter(({ problem }) => problem === undefined).map(({ name }) => name))]
  const since = sinceMs < 120_000 ? `${Math.round(sinceMs / 1000)} s` : `${Math.round(sinceMs / 60_000)} min`
  const why =
    others === 0
      ? '; nothing of any other machine was heard there: a firewall, or a network that keeps machines apart, may drop UDP 5353'
      : ''
  return `no other peer of this mesh was heard by mDNS for ${since} on ${names.join(', ') || 'any interface'}${why}`
}
