/**
 * What trials from both sides mean: which addresses, ports and firewalls keep peers apart, and what to do on which
 * machine. Invariant: every finding that is not fine says where the cause is, as far as a connection can tell.
 */
import type { AddressTrial, Reachability, TrialOutcome } from '../../mesh/types.ts'

export interface Finding {
  topic: string
  ok: boolean
  says: string
  /** What to do, where something is to be done. */
  advice?: string
}

/** `nameOf`: for people, of a peer's key; `up`: whether the peer is heard, if not over a connection then by gossip. */
export interface ReachNames {
  nameOf: (peer: string) => string
  up: (peer: string) => boolean
}

/** One finding for this machine's own addresses, one for each neighbour that cannot reach it, one for each peer apart. */
export function reachFindings(reach: Reachability, { nameOf, up }: ReachNames): Finding[] {
  const inward = reach.inward.map(({ peer, trials }) => inwardFinding(nameOf(peer), trials))
  const outward = reach.outward.map(({ peer, neighbour, trials }) =>
    neighbour ? neighbourFinding(nameOf(peer), trials) : outwardFinding(nameOf(peer), up(peer), trials),
  )
  const clocks = reach.inward.flatMap(({ peer, aheadMs = 0 }) => clockFinding(nameOf(peer), aheadMs))
  return [listeningFinding(reach.listening), ...inward, ...outward, ...clocks]
}

/** Beyond it the ages and times in lists mislead. */
const clockMsMax = 30_000

function clockFinding(name: string, aheadMs: number): Finding[] {
  if (Math.abs(aheadMs) < clockMsMax) return []
  return [
    {
      topic: 'clock',
      ok: false,
      says: `the clock of ${name} is ${duration(Math.abs(aheadMs))} ${aheadMs > 0 ? 'ahead of' : 'behind'} the one of this machine`,
      advice: 'times and ages in lists mislead until both are set right, by NTP such as systemd-timesyncd or chrony',
    },
  ]
}

function duration(ms: number): string {
  const [value, unit] = ms < 120_000 ? [ms / 1000, 's'] : ms < 7_200_000 ? [ms / 60_000, 'min'] : [ms / 3_600_000, 'h']
  return `${Math.round(value)} ${unit}`
}

/** What this machine sees of a peer that it has a connection to. */
function neighbourFinding(name: string, trials: AddressTrial[]): Finding {
  const topic = 'reaches'
  const open = trials.filter(trial => trial.outcome === 'open')
  if (open.length === 0) {
    const why = trials.length === 0 ? 'it tells no address' : told(trials)
    return { topic, ok: true, says: `${name} over the connection that it made; this machine could not dial it: ${why}` }
  }
  return { topic, ok: true, says: `${name} at ${places(open)}${besides(trials)}` }
}

/** Which of the addresses do not work, and why. */
function besides(trials: AddressTrial[]): string {
  const rest = trials.filter(trial => trial.outcome !== 'open')
  return rest.length === 0 ? '' : `; ${told(rest)}`
}

function listeningFinding(addresses: string[]): Finding {
  const topic = 'listening'
  if (addresses.length === 0) {
    return {
      topic,
      ok: false,
      says: 'this peer listens nowhere: it reaches others, and none reaches it',
      advice: 'start it without --listen, or with an address that others can dial',
    }
  }
  const says = addresses.map(place).join(', ')
  if (addresses.every(isLoopback)) {
    return {
      topic,
      ok: false,
      says: `${says}: on this machine alone`,
      advice:
        'peers on other machines cannot dial it: start it without --listen, or with --announce ADDRESS where a port is forwarded to it',
    }
  }
  return { topic, ok: true, says }
}

/** What a neighbour saw of this machine. */
function inwardFinding(name: string, trials: AddressTrial[]): Finding {
  const topic = 'reached'
  const open = trials.filter(trial => trial.outcome === 'open')
  if (open.length > 0)
    return { topic, ok: true, says: `${name} reaches this machine at ${places(open)}${besides(trials)}` }
  if (trials.length === 0) return { topic, ok: false, says: `${name} knows no address of this machine` }
  const ports = [...new Set(trials.map(({ address }) => portOf(address)))].join(', ')
  return {
    topic,
    ok: false,
    says: `${name} does not reach this machine: ${told(trials)}`,
    advice: some(trials, 'silent')
      ? `a firewall on this machine drops TCP port ${ports}: open it (${openPort(ports)}); until then this machine must dial the others`
      : some(trials, 'other')
        ? `another program or peer answers there (a forwarded port, or an address that several machines have): tell the right one with peer start --announce ADDRESS`
        : some(trials, 'refused')
          ? `something between refuses TCP port ${ports} (a firewall that rejects, or a router that maps it elsewhere): open it (${openPort(ports)})`
          : 'the addresses are of a network that the others are not in: connect both to one network, or use a VPN',
  }
}

/** What this machine sees of a peer that it has no connection to. */
function outwardFinding(name: string, isUp: boolean, trials: AddressTrial[]): Finding {
  const topic = 'apart'
  const open = trials.filter(trial => trial.outcome === 'open')
  if (isUp && (open.length > 0 || trials.length === 0)) {
    const how = open.length > 0 ? `could be dialled at ${places(open)}` : 'dials when it is called'
    return { topic, ok: true, says: `${name} is heard through others, and ${how}` }
  }
  const others = trials.filter(trial => trial.outcome === 'open' || trial.outcome === 'other')
  if (others.length > 0) {
    return {
      topic,
      ok: false,
      says: `something listens at ${places(others)}, where ${name} was, but no connection came about`,
      advice: `check on ${name} that its peer runs, that no other program has its port, and that it belongs to this mesh`,
    }
  }
  const ports = [...new Set(trials.map(({ address }) => portOf(address)))].join(', ')
  const advice = some(trials, 'silent')
    ? `if its peer runs, a firewall on ${name} drops TCP port ${ports}: open it there (${openPort(ports)})`
    : some(trials, 'refused')
      ? `${name} is on, but no peer listens there: start it with peer start, or join it again with a new token if its port changed`
      : 'the two machines are in different networks: connect both to one, or use a VPN'
  return {
    topic,
    ok: false,
    says: `${name} is not reached: ${trials.length > 0 ? told(trials) : 'no address of it is known'}`,
    advice: trials.length > 0 ? advice : `run peer doctor on ${name}, which must dial this machine`,
  }
}

/** What this machine sees at an address of a join token. */
export function tokenFinding({ address, outcome }: AddressTrial): Finding {
  const topic = 'token'
  const at = place(address)
  if (outcome === 'open') return { topic, ok: true, says: `${at} answers, and is the peer that the token names` }
  if (outcome === 'other') {
    const advice =
      'ask for a new token with peer token on a machine of the mesh: the address is of another machine by now'
    return { topic, ok: false, says: `${at} answers, but it is not the peer that the token names`, advice }
  }
  const advice = isLoopback(address)
    ? 'that address is of the machine that made the token alone: start its peer without --listen, and ask for a new token'
    : outcome === 'silent'
      ? `if its peer runs, a firewall there drops TCP port ${portOf(address)}: open it on that machine (${openPort(portOf(address))})`
      : outcome === 'refused'
        ? 'that machine is on, but no peer listens there: start it with peer start, and ask for a new token with peer token'
        : 'the two machines are in different networks: connect both to one, or use a VPN'
  return { topic, ok: false, says: `${at} ${meanings[outcome]}`, advice }
}

const meanings: Record<TrialOutcome, string> = {
  open: 'answers',
  other: 'answers, but is another peer or program',
  own: 'is an address of its own as well, and leads nowhere else',
  refused: 'refuses the connection',
  silent: 'gives no answer',
  'no-route': 'cannot be reached from there',
  'unknown-name': 'is a name that nobody knows',
}

function told(trials: AddressTrial[]): string {
  return trials.map(({ address, outcome }) => `${place(address)} ${meanings[outcome]}`).join(', ')
}

const some = (trials: AddressTrial[], outcome: TrialOutcome) => trials.some(trial => trial.outcome === outcome)
const places = (trials: AddressTrial[]) => trials.map(({ address }) => place(address)).join(', ')
const isLoopback = (address: string) => /^\/(ip4\/127\.|ip6\/::1\/)/.test(address)
const portOf = (address: string) => /\/tcp\/(\d+)/.exec(address)?.[1] ?? '?'

/** `192.168.1.20:4601`, as people write it. */
function place(address: string): string {
  const [, host, port] = /^(?:\/ip6zone\/[^/]+)?\/[a-z0-9]+\/([^/]+)\/tcp\/(\d+)/.exec(address) ?? []
  if (!host || !port) return address
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function openPort(ports: string): string {
  if (process.platform === 'win32') return 'Windows Defender Firewall: allow node.exe on private networks'
  if (process.platform === 'darwin') return 'System Settings, Network, Firewall: allow incoming connections for node'
  return `such as: sudo ufw allow ${ports.split(', ')[0]}/tcp`
}
