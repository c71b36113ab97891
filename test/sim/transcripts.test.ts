/**
 * Scenarios that can be read aloud, as text files beside this one. After a change of the protocol, rewrite them with
 * `UPDATE_TRANSCRIPTS=1 npx vitest run test/sim/transcripts.test.ts` and review the difference.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageRoot } from '../../src/base/package-root.ts'
import { calm, type SimOptions } from './options.ts'
import { simulate } from './simulate.ts'

interface Scenario {
  told: string
  options: SimOptions
}

const scenarios: Record<string, Scenario> = {
  'quiet-job': {
    told: 'Three peers, nothing fails: offer, grants, results, merge in shard order, the end.',
    options: calm(1, 3, { shards: 6, manifests: 2 }),
  },
  'worker-dies': {
    told: 'A worker dies in the middle and does not come back soon: its shards go to the others at once.',
    options: {
      ...calm(2, 3, { shards: 12 }, { itemMs: 40 }),
      acts: [{ do: 'crash', atMs: 600, peer: 1, backMs: 2000, keeps: false }],
    },
  },
  'leader-dies': {
    told: 'The leader dies: the next in rank claims, gathers what the others hold and goes on; nothing is computed twice.',
    options: {
      ...calm(1, 4, { shards: 16 }, { itemMs: 40 }),
      acts: [{ do: 'crash-leader', atMs: 900, backMs: 2000, keeps: false }],
    },
  },
  'split-and-heal': {
    told: 'The mesh splits in two while a job runs: both halves go on. Healed, the higher ballot leads and unites by shard.',
    options: {
      ...calm(3, 4, { shards: 20, itemsPerShard: 12 }, { itemMs: 60 }),
      acts: [{ do: 'part', atMs: 1200, group: [0, 2], forMs: 3200 }],
    },
  },
  'late-result': {
    told: 'A worker stands still past its lease: others take its shards. Awake again it sends what it has, which counts once.',
    options: {
      ...calm(2, 3, { shards: 36 }, { itemMs: 60 }),
      silentMs: { min: 60_000, max: 60_000 },
      config: { speculateMs: 1e9 },
      acts: [{ do: 'pause', atMs: 500, peer: 2, forMs: 3300 }],
    },
  },
  'submitter-leaves': {
    told: 'The submitter leaves for good once its inputs are read: the others finish the job and know its result.',
    options: {
      ...calm(5, 4, { shards: 12 }, { itemMs: 40 }),
      acts: [{ do: 'crash', atMs: 700, peer: 0, keeps: true }],
    },
  },
  'all-restart': {
    told: 'A power cut takes every peer. Back again, they remember; what was computed is not computed again.',
    options: {
      ...calm(1, 3, { shards: 12 }, { itemMs: 40 }),
      acts: [{ do: 'crash-all', atMs: 900, backMs: 1000, keeps: true }],
    },
  },
  'rounds-leader-dies': {
    told: 'A job in three rounds: shards stay where they are. The leader dies in the second; the next goes on in it.',
    options: {
      ...calm(1, 4, { shards: 6, manifests: 1, rounds: 3 }, { itemMs: 40 }),
      acts: [{ do: 'crash-leader', atMs: 480, backMs: 5000, keeps: false }],
    },
  },
  'owner-cancels': {
    told: 'The owner cancels: everyone stops. Another peer that tries to cancel before is not heard.',
    options: {
      ...calm(4, 3, {}, { itemMs: 40 }),
      acts: [
        { do: 'cancel', atMs: 500, peer: 2, job: 0 },
        { do: 'cancel', atMs: 900, peer: 0, job: 0 },
      ],
    },
  },
}

/** Digests are every peer's heartbeat: only the one that tells the end is worth a line. */
const untold = /digest .* running|digest .* merging/

for (const [name, { told, options }] of Object.entries(scenarios)) {
  test(name, () => {
    const { transcript } = simulate(options, [])
    const lines = transcript.filter((line, index) => {
      if (/peer-(up|down) /.test(line) && /^ *0\.0/.test(line)) return false
      const lonely = /^ *[\d.]+ \w+ +tick$/.test(line) && untold.test(transcript[index + 1] ?? '')
      return !untold.test(line) && !lonely
    })
    const text = `${told}\n\n${lines.join('\n')}\n`
    const file = join(packageRoot, 'test/sim/transcripts', `${name}.txt`)
    if (process.env.UPDATE_TRANSCRIPTS) writeFileSync(file, text)
    expect(text).toBe(readFileSync(file, 'utf8'))
  })
}
