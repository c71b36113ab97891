/** The protocol's promises over many seeds. SIM_SEEDS=5000 looks further, SIM_SEED=17 replays one with its transcript. */
import { expect, test } from 'vitest'
import { calm, stormy } from './options.ts'
import { simulate, simulateOrTell } from './simulate.ts'

const seeds = Number(process.env.SIM_SEEDS ?? 200)
const only = process.env.SIM_SEED

test.runIf(only === undefined)(`${seeds} stormy seeds keep every promise`, { timeout: 600_000 }, () => {
  const phases: Record<string, number> = {}
  let successions = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const { phase, ballots } = simulateOrTell(stormy(seed))
    phases[phase ?? 'forgotten'] = (phases[phase ?? 'forgotten'] ?? 0) + 1
    if (ballots > 1) successions++
  }
  // The storm must not have blown past the protocol: most jobs end well, and many under a second leader.
  expect(phases.final).toBeGreaterThan(seeds * 0.6)
  expect(successions).toBeGreaterThan(seeds * 0.1)
})

test.runIf(only !== undefined)('one seed, told aloud', () => {
  const transcript: string[] = []
  try {
    simulate(stormy(Number(only)), transcript)
  } finally {
    console.log(transcript.join('\n'))
  }
})

test('the same seed gives the same run', () => {
  const runs = [0, 1].map(() => simulate(stormy(20), []).transcript)
  expect(runs[0].length).toBeGreaterThan(100)
  expect(runs[0]).toEqual(runs[1])
})

test('without faults a job takes about as long as its work, and one leader', () => {
  const { tookMs, phase, ballots } = simulate(calm(1, 3))
  expect(phase).toBe('final')
  expect(ballots).toBe(1)
  expect(tookMs).toBeLessThan(3000)
})

test('eighty peers, of which one that leads and five others die, share one job', () => {
  const crowd = calm(11, 80)
  const acts = [1, 2, 3, 4, 5].map(n => ({ do: 'crash', atMs: 500 + n * 100, peer: 10 * n, backMs: 5000 }) as const)
  const { phase, ballots } = simulateOrTell({
    ...crowd,
    shards: 2000,
    itemMs: crowd.itemMs.map(() => 20),
    gossipLossRate: 0.2,
    healMs: 10_000,
    acts: [...acts, { do: 'crash-leader', atMs: 1500, backMs: 5000 }],
  })
  expect(phase).toBe('final')
  expect(ballots).toBeGreaterThan(1)
})
