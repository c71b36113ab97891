/**
 * `npm run chaos`: the matrix of faults and workloads with real peers, each a process, in network namespaces where root
 * may make them. Ends in one table; the exit code is 1 when a job did not complete, an item was lost or counted twice,
 * a byte of the result differs from the undisturbed run's, or a fault came too late to prove anything.
 *
 *   npm run chaos [-- --only kill-worker,cut] [--work images|tiny] [--seconds 15] [--items N] [--peers 4] [--repeat 1]
 *
 * There are as many pictures as the undisturbed run needs for `--seconds`, unless `--items` says how many.
 */
import { parseArgs } from 'node:util'
import { printTable } from '../../../bench/report.ts'
import { median } from '../../../src/base/statistics.ts'
import { type Cell, runCell } from './cell.ts'
import { type Fault, faults } from './faults.ts'
import { type ChaosWork, openPictures, type WorkName, workNames } from './workloads.ts'

// An end by signal ends the peers and their network too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    work: { type: 'string' },
    items: { type: 'string' },
    seconds: { type: 'string', default: '15' },
    peers: { type: 'string', default: '4' },
    repeat: { type: 'string', default: '1' },
    limit: { type: 'string', default: '180' },
  },
})
const wanted = values.only?.split(',')
const unknown = wanted?.filter(name => !faults.some(fault => fault.name === name)) ?? []
if (unknown.length > 0) {
  console.error(`no such fault: ${unknown.join(', ')}; there are ${faults.map(fault => fault.name).join(', ')}`)
  process.exit(2)
}

const head = [
  'fault',
  'work',
  'fault in time',
  'completed',
  'items exact',
  'bytes equal',
  'leased again s',
  's lost',
  'peak MB',
  'notes',
]
const rows: string[][] = []
let failed = 0
const itemsFirst = { images: 4000, tiny: 1000 }
const itemsMax = 60_000
const pictures = await openPictures()
const limitMs = Number(values.limit) * 1000

const runOne = (fault: Fault, work: ChaosWork) => runCell({ fault, work, peers: Number(values.peers), limitMs })

const triesMax = 3

/** A fault that came too late proves nothing, and gets another chance: how soon a submitter may leave depends on the machine. */
async function runInTime(fault: Fault, work: ChaosWork): Promise<Cell> {
  for (let tries = 1; ; tries++) {
    const cell = await runOne(fault, work)
    const late = cell.completed && !cell.struck && cell.skipped === undefined
    if (late && tries < triesMax) continue
    return tries === 1 ? cell : { ...cell, notes: [...cell.notes, `run ${tries}: too late before`] }
  }
}

/** The undisturbed run, long enough for a fault in its middle. */
async function undisturbedRun(name: WorkName, nothing: Fault): Promise<{ work: ChaosWork; cell: Cell }> {
  let items = Number(values.items ?? itemsFirst[name])
  for (;;) {
    const work = await pictures.work(name, items)
    const cell = await runOne(nothing, work)
    const times = (1.1 * Number(values.seconds)) / (cell.seconds ?? Number.POSITIVE_INFINITY)
    if (values.items !== undefined || times < 1.2 || items >= itemsMax) return { work, cell }
    items = Math.min(itemsMax, Math.ceil(items * times))
  }
}

try {
  for (const name of workNames.filter(each => values.work === undefined || values.work === each)) {
    const first = await undisturbedRun(name, faults[0])
    const { work } = first
    const undisturbed: Cell[] = []
    for (const fault of faults) {
      // The undisturbed run is what the others are compared with.
      if (fault.name !== 'nothing' && wanted && !wanted.includes(fault.name)) continue
      for (let turn = 0; turn < Number(values.repeat); turn++) {
        const cell = fault === faults[0] && turn === 0 ? first.cell : await runInTime(fault, work)
        if (fault.name === 'nothing') undisturbed.push(cell)
        rows.push(row(cell, undisturbed))
        console.log(
          rows
            .at(-1)
            ?.filter(text => text !== '')
            .join('  '),
        )
      }
    }
  }
} finally {
  await pictures.remove()
}
console.log()
printTable(head, rows)
process.exit(failed > 0 ? 1 : 0)

function row(cell: Cell, undisturbed: Cell[]): string[] {
  const notes = cell.notes.join('; ')
  if (cell.skipped !== undefined) return [cell.fault, cell.work, 'SKIPPED', '', '', '', '', '', '', cell.skipped]
  const equal = cell.hash !== undefined && cell.hash === undisturbed[0]?.hash
  const usual = undisturbed.flatMap(({ seconds }) => (seconds === undefined ? [] : [seconds]))
  if (!cell.struck || !cell.completed || !cell.exact || !equal) failed++
  const lost = cell.seconds !== undefined && usual.length > 0 ? cell.seconds - median(usual) : undefined
  return [
    cell.fault,
    cell.work,
    yes(cell.struck),
    yes(cell.completed),
    yes(cell.exact),
    yes(equal),
    cell.leasedSeconds?.toFixed(2) ?? '-',
    undisturbed.includes(cell) ? `(${cell.seconds?.toFixed(1)})` : (lost?.toFixed(1) ?? '-'),
    (cell.peakBytes / 1e6).toFixed(0),
    notes,
  ]
}

function yes(holds: boolean): string {
  return holds ? 'yes' : 'NO'
}
