/** Membership's storms from the command line: many seeds and one table, or one seed and all of its transcript. */
import { memberWorld } from './options.ts'
import { simulateMembership } from './simulate.ts'

/** Prints what happened; the exit code is 1 when a promise was broken. */
export function replayMembership(seed: number, peers: number | undefined): void {
  const transcript: string[] = []
  try {
    const { knownMs } = simulateMembership(memberWorld(seed, peers), transcript)
    transcript.push(`seed ${seed} keeps every promise: all knew all ${(knownMs / 1000).toFixed(1)} s after the healing`)
  } catch (thrown) {
    transcript.push(`seed ${seed}: ${thrown instanceof Error ? thrown.message : thrown}`)
    process.exitCode = 1
  }
  console.log(transcript.join('\n'))
}

/** Prints one table; the exit code is 1 when a promise was broken. */
export function runMembership(first: number, count: number, peers: number | undefined): void {
  const startedMs = performance.now()
  const knownMs: number[] = []
  let [broken, downs, gossip, stream] = [0, 0, 0, 0]
  for (let seed = first; seed < first + count; seed++) {
    try {
      const result = simulateMembership(memberWorld(seed, peers))
      knownMs.push(result.knownMs)
      downs += result.downs
      gossip = Math.max(gossip, result.largest.gossip)
      stream = Math.max(stream, result.largest.stream)
    } catch (thrown) {
      console.error(`seed ${seed}: ${thrown instanceof Error ? thrown.message : thrown}`)
      if (++broken >= 5) break
    }
  }
  knownMs.sort((a, b) => a - b)
  const at = (share: number) => Number(((knownMs[Math.floor(knownMs.length * share)] ?? Number.NaN) / 1000).toFixed(2))
  console.table({
    seeds: count,
    'promises broken': broken,
    'called down': downs,
    'all knew all after the healing, s, median': at(0.5),
    'of a hundred the slowest': at(0.99),
    'largest gossip, bytes': gossip,
    'largest greeting or news, bytes': stream,
    seconds: Number(((performance.now() - startedMs) / 1000).toFixed(1)),
  })
  if (broken > 0) process.exitCode = 1
}
