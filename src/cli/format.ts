/** Numbers, durations and tables for people. */
import Table from 'cli-table3'
import pc from 'picocolors'
import type { JobSummary } from '../peer/control.ts'

const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 })

export const count = (value: number): string => whole.format(value)

export function rate(perSecond: number): string {
  return perSecond >= 100 ? whole.format(perSecond) : perSecond.toFixed(perSecond >= 10 || perSecond === 0 ? 0 : 1)
}

/** `0:07`, `12:30`, `1:02:03`. */
export function clock(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000))
  const two = (value: number) => String(value).padStart(2, '0')
  const hours = Math.floor(seconds / 3600)
  const minutes = Math.floor(seconds / 60) % 60
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

export const plural = (value: number, one: string, many = `${one}s`): string =>
  `${count(value)} ${value === 1 ? one : many}`

/** `gpu`, `cpu` or both, from a peer's backend. */
export function deviceKind(backend: string): string {
  return { webgpu: 'gpu', wasm: 'cpu', both: 'gpu+cpu' }[backend] ?? '?'
}

/** A table without borders, as `docker ps` and `kubectl get` print them. */
export function table(head: string[], rows: string[][]): string {
  const none = [
    'top',
    'top-mid',
    'top-left',
    'top-right',
    'bottom',
    'bottom-mid',
    'bottom-left',
    'bottom-right',
    'left',
    'left-mid',
    'mid',
    'mid-mid',
    'right',
    'right-mid',
    'middle',
  ]
  const made = new Table({
    head: head.map(title => pc.dim(title)),
    chars: Object.fromEntries(none.map(name => [name, name === 'middle' ? '  ' : ''])),
    style: { 'padding-left': 0, 'padding-right': 0, head: [], border: [] },
  })
  made.push(...rows)
  return `${made.toString()}\n`
}

export function phaseText(job: JobSummary): string {
  switch (job.phase) {
    case 'final':
      return pc.green('done')
    case 'failed':
      return pc.red(`failed: ${job.outcome?.reason ?? 'unknown reason'}`)
    case 'cancelled':
      return pc.yellow('cancelled')
    default:
      return job.phase
  }
}

/** What the items of a job are called: `1,797 rows`, `412 img/s`, `1,797 scored`. */
export function itemWords(workload: string): { many: string; unit: string; done: string } {
  const words: Record<string, { many: string; unit: string; done: string }> = {
    classify: { many: 'images', unit: 'img', done: 'classified' },
    embed: { many: 'images', unit: 'img', done: 'images embedded' },
    features: { many: 'images', unit: 'img', done: 'images described' },
    probe: { many: 'shards', unit: 'shards', done: 'shards of nothing' },
    score: { many: 'rows', unit: 'rows', done: 'rows scored' },
    train: { many: 'rows', unit: 'rows', done: 'rows learnt from' },
  }
  return words[workload] ?? { many: 'items', unit: 'items', done: 'items' }
}
