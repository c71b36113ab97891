/**
 * `npm run chaos`: the matrix of faults and workloads with real peers, each a process, in network namespaces where root
 * may make them. Ends in one table; the exit code is 1 when a job did not complete, an item was lost or counted twice,
 * or a byte of the result differs from the undisturbed run's.
 *
 *   npm run chaos [-- --only kill-worker,cut] [--work images|tiny] [--items 4000] [--peers 4] [--repeat 1]
 */
import { parseArgs } from 'node:util'
import { printTable } from '../../../bench/report.ts'
import { median } from '../../../src/base/statistics.ts'
import { type Cell, runCell } from './cell.ts'
import { faults } from './faults.ts'
import { drawPictures, workNames } from './workloads.ts'

// An end by signal ends the peers and their network too.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    work: { type: 'string' },
    items: { type: 'string', default: '4000' },
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
const pictures = await drawPictures(Number(values.items))
try {
  for (const name of workNames.filter(each => values.work === undefined || values.work === each)) {
    const work = pictures.work(name)
    const undisturbed: Cell[] = []
    for (const fault of faults) {
      // The undisturbed run is what the others are compared with.
      if (fault.name !== 'nothing' && wanted && !wanted.includes(fault.name)) continue
      for (let turn = 0; turn < Number(values.repeat); turn++) {
        const cell = await runCell({ fault, work, peers: Number(values.peers), limitMs: Number(values.limit) * 1000 })
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
  if (cell.skipped !== undefined) return [cell.fault, cell.work, 'SKIPPED', '', '', '', '', '', cell.skipped]
  const equal = cell.hash !== undefined && cell.hash === undisturbed[0]?.hash
  const usual = undisturbed.flatMap(({ seconds }) => (seconds === undefined ? [] : [seconds]))
  if (!cell.completed || !cell.exact || !equal) failed++
  const lost = cell.seconds !== undefined && usual.length > 0 ? cell.seconds - median(usual) : undefined
  return [
    cell.fault,
    cell.work,
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
