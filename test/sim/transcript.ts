/** A simulation as text that can be read aloud: one line for what happens to a peer, indented ones for what it does. */
import type { JobId } from '../../src/base/ids.ts'
import type { Ballot, Effect, EndsMessage, Event, Message, RoundHead } from '../../src/jobs/core/types.ts'

const ballot = (one: Ballot) => `(${one.counter} ${one.peer})`

/** Only where there is more than one. */
const inRound = (one: { round?: RoundHead } | object) =>
  'round' in one && one.round ? ` round ${one.round.round}` : ''

/** 0 1 2 5 as `0-2 5`. */
export function shardList(shards: readonly number[]): string {
  const sorted = [...shards].sort((a, b) => a - b)
  const runs: string[] = []
  for (let i = 0; i < sorted.length; ) {
    let end = i
    while (end + 1 < sorted.length && sorted[end + 1] === sorted[end] + 1) end++
    runs.push(end === i ? `${sorted[i]}` : `${sorted[i]}-${sorted[end]}`)
    i = end + 1
  }
  return runs.join(' ') || 'none'
}

export function describeMessage(message: Message): string {
  const under = 'ballot' in message && message.ballot ? ` ${ballot(message.ballot)}` : ''
  const head = `${message.type}${under}${inRound(message)}`
  switch (message.type) {
    case 'offer':
    case 'claim':
      return `${head} manifests ${message.manifest.count}${message.complete ? ' complete' : ''}`
    case 'manifest':
      return `${head} ${message.manifest.count}${message.complete ? ' complete' : ''}`
    case 'offer-reply':
      return `${head} ${message.accepted ? 'accepted' : `refused: ${message.reason}`}`
    case 'grant':
    case 'revoke':
    case 'renew':
    case 'results-ack':
      return `${head} ${shardList(message.shards)}`
    case 'results':
      return `${head} ${shardList(message.results.map(one => one.shard))}`
    case 'inventory':
      return `${head} has ${shardList(message.results.map(one => one.shard))}, at ${shardList(message.working)}`
    case 'shard-failed':
      return `${head} ${message.shard}: ${message.reason}`
    case 'superseded':
      return `${head}${message.outcome ? ` ${message.outcome.phase}` : ''}`
    case 'outcome':
      return `${head} ${message.outcome.phase} ${ballot(message.outcome.ballot)}`
    case 'digest':
      return `${head} ${message.phase} ${message.shardsDone}/${message.shards}${message.complete ? '' : '+'} shards`
    case 'cancel':
      return head
  }
}

function describeEnds(message: EndsMessage): string | undefined {
  switch (message.type) {
    case 'sums':
      return undefined
    case 'list':
      return `ended jobs: ${message.marks.length} in ${message.buckets.length} buckets that differ`
    case 'told':
      return `ended jobs: tells of ${message.ends.length}, wants ${message.want.length}`
  }
}

const endsLine = (way: string, peer: string, message: EndsMessage) => {
  const told = describeEnds(message)
  return told === undefined ? undefined : `${way} ${peer} ${told}`
}

/** What a job is called in a transcript; undefined where there is only one. */
export type JobName = (job: JobId) => string | undefined

const named = (line: string | undefined, name: string | undefined) =>
  line === undefined || name === undefined ? line : `${line} · ${name}`

/** Undefined for what happens too often to be told. */
export function describeEvent(event: Event, name: JobName = () => undefined): string | undefined {
  if (event.type === 'ends') return endsLine('<-', event.from, event.message)
  const job = 'message' in event ? event.message.job : 'job' in event ? event.job : undefined
  return named(eventLine(event), job && name(job))
}

export function describeEffect(effect: Effect, name: JobName = () => undefined): string | undefined {
  if (effect.type === 'send-ends') return endsLine('->', effect.to, effect.message)
  return named(effectLine(effect), name('message' in effect ? effect.message.job : effect.job))
}

function eventLine(event: Event): string | undefined {
  switch (event.type) {
    case 'tick':
      return undefined
    case 'message':
      return `<- ${event.from} ${describeMessage(event.message)}`
    case 'send-failed':
      return `undelivered to ${event.to}: ${describeMessage(event.message)}`
    case 'peer-up':
    case 'peer-down':
      return `${event.type} ${event.peer}`
    case 'restore':
      return `remembers ${ballot(event.kept.ballot)} and ${event.results.length} results`
    case 'manifest':
      return `manifest ${event.index}: ${event.shards.length} shards`
    case 'ran':
      return `ran ${event.result.shard}${inRound(event)}`
    case 'params':
    case 'params-failed':
      return `${event.type}${inRound(event)}`
    case 'round-merged':
      return `merged${inRound(event) || ' round 0'}`
    case 'run-failed':
    case 'result-lost':
      return `${event.type} ${event.shard}`
    default:
      return event.type
  }
}

function effectLine(effect: Effect): string | undefined {
  switch (effect.type) {
    case 'send':
      return `-> ${effect.to} ${describeMessage(effect.message)}`
    case 'gossip':
      return `-> all ${describeMessage(effect.message)}`
    case 'fetch-spec':
    case 'fetch-manifest':
      return `${effect.type} from ${effect.from}`
    case 'fetch-params':
      return `${effect.type}${inRound(effect)} from ${effect.from}`
    case 'run':
    case 'abandon':
      return `${effect.type} ${effect.shard}${inRound(effect)}`
    case 'merge-shard':
      return `merge-shard ${ballot(effect.ballot)}${inRound(effect)} ${effect.result.shard}`
    case 'merge-end':
    case 'merge-drop':
      return `${effect.type} ${ballot(effect.ballot)}${inRound(effect)}`
    case 'ended':
      return `ended ${effect.outcome.phase}${effect.outcome.reason ? `: ${effect.outcome.reason}` : ''}`
    // Storage and views go with almost every step.
    case 'keep':
    case 'keep-results':
    case 'forget':
    case 'forget-results':
    case 'changed':
      return undefined
  }
}
