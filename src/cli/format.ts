/** Numbers, durations and tables for people. */
import Table from 'cli-table3'
import pc from 'picocolors'
import stringWidth from 'string-width'
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

/** One word: what failed is told apart. */
export function stateText({ phase }: JobSummary): string {
  const words: Partial<Record<JobSummary['phase'], string>> = {
    final: pc.green('done'),
    failed: pc.red('failed'),
    cancelled: pc.yellow('cancelled'),
  }
  return words[phase] ?? phase
}

/** How wide the terminal is; 80 where nobody knows. */
export function columns(out: NodeJS.WriteStream = process.stdout): number {
  const told = out.columns ?? Number(process.env.COLUMNS)
  return Number.isInteger(told) && told >= 20 ? told : 80
}

const graphemes = new Intl.Segmenter()

/** At most so many columns of a terminal, in which some characters are two wide. */
export function cut(text: string, width: number): string {
  if (stringWidth(text) <= width) return text
  let kept = ''
  for (const { segment } of graphemes.segment(text)) {
    if (stringWidth(kept + segment) >= width) break
    kept += segment
  }
  return `${kept}…`
}

/** The text in lines of at most so many columns, broken between words. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = []
  for (const word of text.split(/\s+/)) {
    const longer = lines.length > 0 ? `${lines[lines.length - 1]} ${word}` : word
    if (lines.length > 0 && stringWidth(longer) <= width) lines[lines.length - 1] = longer
    else lines.push(cut(word, width))
  }
  return lines
}

/** `just now`, `5 min ago`, `3 h ago`, `2 d ago`. */
export function ago(ms: number): string {
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return `${minutes} min ago`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ago` : `${Math.floor(hours / 24)} d ago`
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
