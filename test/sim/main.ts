/**
 * `npm run sim`: the protocol under as many storms as you like, ending in one table. `--seeds N` runs that many (2,000),
 * `--from N` begins at that seed, `--peers N` puts that many peers into each, `--seed N` replays one and prints all of it.
 * `--pairs` runs two peers that die by turns, `--splits` meshes that are in two for long and machines that cannot compute.
 * `--membership` runs who knows whom instead of jobs, under storms of its own; `--peers` and `--seed` do the same there.
 * `--grow` shows instead how cost and recovery grow from 10 to 1,000 peers, or for `--peers N` alone. The exit code is 1 when a promise was broken.
 */
import { parseArgs } from 'node:util'
import { printGrowth } from './growth.ts'
import { replayMembership, runMembership } from './membership/run.ts'
import { stormy, stormyPair, stormySplit } from './options.ts'
import { simulate } from './simulate.ts'
import { simulateOrTell } from './tell.ts'

const { values } = parseArgs({
  options: {
    seeds: { type: 'string' },
    from: { type: 'string' },
    seed: { type: 'string' },
    peers: { type: 'string' },
    grow: { type: 'boolean' },
    membership: { type: 'boolean' },
    pairs: { type: 'boolean' },
    splits: { type: 'boolean' },
  },
})

/** A whole number above 0; ends the process with a line when it is something else. */
function whole(name: string, text: string | undefined, otherwise: number): number {
  const value = text === undefined ? otherwise : Number(text)
  if (Number.isSafeInteger(value) && value > 0) return value
  console.error(`--${name} is a whole number above 0, not ${text}`)
  process.exit(2)
}

const peers = values.peers === undefined ? undefined : whole('peers', values.peers, 0)
const crowd = `${values.pairs ? ' --pairs' : ''}${values.splits ? ' --splits' : ''}${peers === undefined ? '' : ` --peers ${peers}`}`
const world = (seed: number) =>
  values.pairs ? stormyPair(seed) : values.splits ? stormySplit(seed) : stormy(seed, peers)

function replay(seed: number): void {
  const transcript: string[] = []
  try {
    const { phases, tookMs } = simulate(world(seed), transcript)
    transcript.push(
      `seed ${seed} keeps every promise: ${phases.map(phase => phase ?? 'forgotten with its owner').join(', ')} after ${(tookMs / 1000).toFixed(1)} s`,
    )
  } catch (thrown) {
    transcript.push(`seed ${seed}: ${thrown instanceof Error ? thrown.message : thrown}`)
    process.exitCode = 1
  }
  console.log(transcript.join('\n'))
}

function run(first: number, count: number): void {
  const startedMs = performance.now()
  const totals = { jobs: 0, final: 0, cancelled: 0, failed: 0, forgotten: 0, successions: 0, virtualMs: 0 }
  const sent = { streams: 0, gossips: 0, inFlightMax: 0 }
  let broken = 0
  for (let seed = first; seed < first + count; seed++) {
    try {
      const result = simulateOrTell(world(seed), `replay: npm run sim -- --seed ${seed}${crowd}`)
      for (const phase of result.phases) totals[phase ?? 'forgotten']++
      totals.jobs += result.phases.length
      totals.successions += Math.max(0, result.ballots - result.phases.length)
      totals.virtualMs += result.tookMs
      sent.streams += result.traffic.streams
      sent.gossips += result.traffic.gossips
      sent.inFlightMax = Math.max(sent.inFlightMax, result.traffic.inFlightMax)
    } catch (thrown) {
      console.error(thrown instanceof Error ? thrown.message : thrown)
      if (++broken >= 5) break
    }
    if ((seed - first + 1) % 1000 === 0) console.error(`${seed - first + 1} of ${count} seeds, ${broken} broken`)
  }
  console.table({
    seeds: count,
    'promises broken': broken,
    jobs: totals.jobs,
    final: totals.final,
    cancelled: totals.cancelled,
    failed: totals.failed,
    'forgotten with their owner': totals.forgotten,
    'changes of leader': totals.successions,
    'virtual hours': Number((totals.virtualMs / 3_600_000).toFixed(2)),
    'stream messages': sent.streams,
    'gossip messages': sent.gossips,
    'most on their way to one peer': sent.inFlightMax,
    seconds: Number(((performance.now() - startedMs) / 1000).toFixed(1)),
  })
  if (broken > 0) process.exitCode = 1
}

if (values.membership) {
  if (values.seed !== undefined) replayMembership(whole('seed', values.seed, 1), peers)
  else runMembership(whole('from', values.from, 1), whole('seeds', values.seeds, 500), peers)
} else if (values.grow) printGrowth(peers === undefined ? [10, 30, 100, 300, 1000] : [peers])
else if (values.seed !== undefined) replay(whole('seed', values.seed, 1))
else run(whole('from', values.from, 1), whole('seeds', values.seeds, 2000))
