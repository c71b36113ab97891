/** A job's progress while it runs: one live line on a terminal, a line every few seconds elsewhere. */
import cliProgress from 'cli-progress'
import pc from 'picocolors'
import stringWidth from 'string-width'
import type { JobSummary } from '../peer/control.ts'
import { clock, columns, count, cut, deviceKind, itemWords, rate } from './format.ts'

export interface Live {
  /** @param waits what the job waits for, where it makes no progress */
  update(job: JobSummary, waits?: string): void
  stop(): void
}

const quietMs = 2000
const barWidth = 24

/** As many peers as fit into `width` columns, whole ones: `kiwi(gpu) 291/s  fig(cpu) 77/s  +3`. */
export function shares(job: JobSummary, width: number): string {
  const working = job.shares.filter(share => share.itemsDone > 0 || share.leased > 0)
  let shown = ''
  for (const [i, share] of working.entries()) {
    const next = `${shown && '  '}${share.name}(${deviceKind(share.backend)}) ${rate(share.itemsPerSecond)}/s`
    const rest = working.length - i
    const room = rest > 1 ? `  +${rest - 1}`.length : 0
    if (stringWidth(shown + next) + room > width) return `${shown}${shown && '  '}+${rest}`
    shown += next
  }
  return shown
}

function state(job: JobSummary): string {
  if (job.phase === 'open') return 'looking for a leader'
  if (job.phase === 'merging') return 'merging'
  const pace = `${rate(job.itemsPerSecond)} ${itemWords(job.workload).unit}/s`
  if (job.round > 0 || job.workload === 'train') return `${roundText(job)}${pace}`
  return `${pace}${job.etaMs === undefined ? '' : `  ETA ${clock(job.etaMs)}`}`
}

/** `round 12  loss 0.1234  `; a training ends when it has learnt enough, so that there is no time to tell. */
function roundText({ round, objective }: JobSummary): string {
  const value = objective ? `  ${objective.name} ${Number(objective.value.toPrecision(6))}` : ''
  return `round ${round + 1}${value}  `
}

const total = (job: JobSummary) => `${count(job.itemsTotal)}${job.complete ? '' : '+'}`

function onTerminal(out: NodeJS.WriteStream): Live {
  const bar = new cliProgress.SingleBar({
    stream: out,
    format: `  {bar}  {percentage}%  {done}/{all}  {state}   ${pc.dim('{shares}')}`,
    barsize: barWidth,
    barCompleteChar: '█',
    barIncompleteChar: '░',
    hideCursor: true,
    clearOnComplete: true,
    gracefulExit: false,
  })
  let started = false
  return {
    update(job, waits) {
      const [done, all] = [count(job.itemsDone), total(job)]
      const now = waits === undefined ? state(job) : cut(`waits: ${waits}`, columns(out) - barWidth - 30)
      const left = columns(out) - barWidth - stringWidth(`    100%  ${done}/${all}  ${now}    `)
      const payload = { done, all, state: now, shares: left > 4 ? shares(job, left) : '' }
      if (!started) bar.start(Math.max(1, job.itemsTotal), job.itemsDone, payload)
      started = true
      bar.setTotal(Math.max(1, job.itemsTotal))
      bar.update(job.itemsDone, payload)
    },
    stop() {
      if (started) bar.stop()
    },
  }
}

function onPipe(out: NodeJS.WriteStream): Live {
  let last = 0
  return {
    update(job, waits) {
      if (performance.now() - last < quietMs || job.outcome) return
      last = performance.now()
      const line = `  ${count(job.itemsDone)}/${total(job)}  ${waits === undefined ? state(job) : `waits: ${waits}`}`
      out.write(`${`${line}  ${shares(job, columns(out) - stringWidth(line) - 2)}`.trimEnd()}\n`)
    },
    stop() {},
  }
}

export function live(out: NodeJS.WriteStream = process.stderr): Live {
  return out.isTTY && process.env.TERM !== 'dumb' ? onTerminal(out) : onPipe(out)
}

/** Who did how much, one line a peer. */
export function shareLines(job: JobSummary): string[] {
  // A job in rounds has every item once a round.
  const done = Math.max(
    1,
    job.shares.reduce((sum, share) => sum + share.itemsDone, 0),
  )
  return job.shares
    .filter(share => share.itemsDone > 0)
    .sort((a, b) => b.itemsDone - a.itemsDone)
    .map(
      share =>
        `${share.name.padEnd(12)} ${count(share.itemsDone).padStart(9)}  ${((100 * share.itemsDone) / done).toFixed(0).padStart(3)}%  ${share.device}`,
    )
}
