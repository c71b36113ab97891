/** The protocol's promises over many seeds. `npm run sim` looks further, and replays one with its transcript. */
import { expect, test } from 'vitest'
import { calm, stormy, stormyPair } from './options.ts'
import { simulate } from './simulate.ts'
import { simulateOrTell } from './tell.ts'

const seeds = Number(process.env.SIM_SEEDS ?? 500)

test(`${seeds} stormy seeds keep every promise`, { timeout: 600_000 }, () => {
  const phases: Record<string, number> = {}
  let jobs = 0
  let successions = 0
  for (let seed = 1; seed <= seeds; seed++) {
    const result = simulateOrTell(stormy(seed), `replay: npm run sim -- --seed ${seed}`)
    for (const phase of result.phases) phases[phase ?? 'forgotten'] = (phases[phase ?? 'forgotten'] ?? 0) + 1
    jobs += result.phases.length
    if (result.ballots > result.phases.length) successions++
  }
  // The storm must not have blown past the protocol: most jobs end well, and many under a second leader.
  expect(phases.final).toBeGreaterThan(jobs * 0.8)
  expect(successions).toBeGreaterThan(seeds * 0.1)
})

test('300 pairs that die by turns keep every promise', { timeout: 300_000 }, () => {
  const phases: Record<string, number> = {}
  for (let seed = 1; seed <= 300; seed++) {
    const result = simulateOrTell(stormyPair(seed), `replay: npm run sim -- --pairs --seed ${seed}`)
    for (const phase of result.phases) phases[phase ?? 'forgotten'] = (phases[phase ?? 'forgotten'] ?? 0) + 1
  }
  // Many lose their submitter's disk, and with it the right to an end.
  expect(phases.final).toBeGreaterThan(200)
})

test('the same seed gives the same run', () => {
  const runs = [0, 1].map(() => simulate(stormy(20), []).transcript)
  expect(runs[0].length).toBeGreaterThan(100)
  expect(runs[0]).toEqual(runs[1])
})

test('without faults a job takes about as long as its work, and one leader', () => {
  const { tookMs, phases, ballots } = simulate(calm(1, 3))
  expect(phases).toEqual(['final'])
  expect(ballots).toBe(1)
  expect(tookMs).toBeLessThan(3000)
})

test('eighty peers, of which one that leads and five others die, share one job', () => {
  const deaths = [1, 2, 3, 4, 5].map(
    n => ({ do: 'crash', atMs: 500 + n * 100, peer: 10 * n, backMs: 5000, keeps: n % 2 === 0 }) as const,
  )
  const { phases, ballots } = simulateOrTell({
    ...calm(11, 80, { shards: 2000 }, { itemMs: 20 }),
    gossipLossRate: 0.2,
    healMs: 10_000,
    acts: [...deaths, { do: 'crash-leader', atMs: 1500, backMs: 5000, keeps: false }],
  })
  expect(phases).toEqual(['final'])
  expect(ballots).toBeGreaterThan(1)
})
