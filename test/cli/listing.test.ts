/** `peer jobs` and the live line on terminals of several widths, with names of all kinds. */
import { stripVTControlCharacters } from 'node:util'
import stringWidth from 'string-width'
import { expect, test } from 'vitest'
import { listing } from '../../src/cli/commands/jobs.ts'
import { ago, cut, wrapped } from '../../src/cli/format.ts'
import { jobId, newestFirst } from '../../src/cli/job-argument.ts'
import { shares } from '../../src/cli/live.ts'
import type { Control, JobSummary } from '../../src/peer/control.ts'

function job(change: Partial<JobSummary> = {}): JobSummary {
  return {
    ...{ job: '7f3a'.repeat(16), workload: 'classify', owner: 'p', ownerName: 'kiwi', phase: 'final' },
    ...{ itemsDone: 1_234_567, itemsTotal: 1_234_567, complete: true, errors: 2, shardsDone: 1, shardsTotal: 1 },
    ...{ itemsPerSecond: 400, elapsedMs: 1000, round: 0, shares: [], keptBytes: 5000 },
    ...{ createdMs: Date.now(), title: { name: 'photos', inputs: 'photos, more +2', models: ['vit', 'resnet50'] } },
    ...change,
  }
}

const reason = `the network cannot run: ${'node Conv_17 wants what no peer has; '.repeat(6)}`
const wide = '写真'.repeat(30)

test('a listing fits 80 columns, with the reason of a failure on lines of its own', () => {
  const jobs = [
    job(),
    job({ title: { name: wide, inputs: wide, models: [wide] }, ownerName: wide }),
    job({ phase: 'failed', outcome: { phase: 'failed', reason, ballot: { counter: 1, peer: 'p' } } }),
    job({ title: undefined, createdMs: undefined, workload: 'unknown', phase: 'running', leaderName: 'fig' }),
  ]
  const lines = stripVTControlCharacters(listing(jobs, 3)).trimEnd().split('\n')
  for (const line of lines) expect(stringWidth(line), line).toBeLessThanOrEqual(80)
  expect(lines[1]).toMatch(/^7f3a7f3a {2}classify +done +photos +1,234,567 +just now +kiwi$/)
  expect(lines[2]).toBe('          photos, more +2 · vit + resnet50 · 2 unreadable · keeps 5 kB')
  const failed = lines.filter(line => /failed/.test(line))
  expect(failed[0]).not.toContain('cannot run')
  expect(failed[1]).toMatch(/^ {10}failed: the network cannot run/)
  expect(lines.at(-1)).toBe('3 older jobs: peer jobs --all')
})

test('texts are cut between characters and wrapped between words', () => {
  expect([cut('kiwi', 4), cut('kiwis', 4), cut('写真写真', 5)]).toEqual(['kiwi', 'kiw…', '写真…'])
  expect(wrapped('one two three', 8)).toEqual(['one two', 'three'])
  expect([0, 90e3, 7200e3, 3 * 86_400e3].map(ago)).toEqual(['just now', '1 min ago', '2 h ago', '3 d ago'])
})

test('the live line ends between peers', () => {
  const working = (name: string) => ({
    ...{ peer: name, name, device: 'cpu', backend: 'wasm', itemsDone: 1, leased: 0, itemsPerSecond: 77 },
  })
  const three = job({ shares: ['kiwi', 'fig', 'plum'].map(working) })
  const full = 'kiwi(cpu) 77/s  fig(cpu) 77/s  plum(cpu) 77/s'
  expect(shares(three, 80)).toBe(full)
  expect(shares(three, full.length)).toBe(full)
  expect(shares(three, full.length - 1)).toBe('kiwi(cpu) 77/s  fig(cpu) 77/s  +1')
  expect(shares(three, 20)).toBe('kiwi(cpu) 77/s  +2')
  expect(shares(three, 5)).toBe('+3')
})

test('the newest job stands for --last', async () => {
  const [old, young] = [job({ job: 'a', createdMs: 1 }), job({ job: 'b', createdMs: 2 })]
  expect(newestFirst([old, young]).map(one => one.job)).toEqual(['b', 'a'])
  const control = { jobs: async () => [old, young] } as unknown as Control
  expect(await jobId(control, undefined, { last: true })).toBe('b')
  expect(await jobId(control, 'abc', {})).toBe('abc')
  await expect(jobId(control, undefined, {})).rejects.toThrow('which job?')
  await expect(jobId(control, 'a', { last: true })).rejects.toThrow('not both')
})
