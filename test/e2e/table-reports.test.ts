/** Tables of `../shared/reports/tables`: each row's command gives what its README says is right. `npm run reports` prints the verdicts. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { missing, shared } from '../fixtures/shared.ts'
import { type OnePeer, onePeer } from './one-peer.ts'
import type { Ran } from './peer-command.ts'

const folder = join(shared ?? '', 'reports/tables')

interface Card {
  data: { rows: number; classes?: string[] }
  objective: { value: number }
  notes?: string[]
}

/** A row: its command's words after `submit`, and what is right. `FOLDER` stands for the tables. */
type Row = readonly [name: string, words: string, right: (ran: Ran, card: () => Card) => void]

const refused =
  (...texts: RegExp[]) =>
  ({ code, stderr }: Ran) => {
    expect(code, stderr).not.toBe(0)
    for (const text of texts) expect(stderr).toMatch(text)
  }
const learnt = (ran: Ran) => expect(ran.code, ran.stderr).toBe(0)
const near = (got: number, want: number, share: number) =>
  expect(Math.abs(got / want - 1), `${got} for ${want}`).toBeLessThan(share)
const objective = (want: number, share: number) => (ran: Ran, card: () => Card) => {
  learnt(ran)
  near(card().objective.value, want, share)
}
const rows = (count: number, classes?: number) => (ran: Ran, card: () => Card) => {
  learnt(ran)
  expect([card().data.rows, card().data.classes?.length]).toEqual([count, classes])
}

const table: readonly Row[] = [
  ['houses.csv', 'train linear houses.csv --label price --standardise --alpha 0.1', learnt],
  [
    'colours_mixed.csv',
    'score colours_mixed.csv --model one_hot.onnx',
    ran =>
      expect(
        ran.stdout
          .trim()
          .split(/\r?\n/)
          .slice(1)
          .map(line => line.split(',').slice(-2).map(Number)),
      ).toEqual([
        [1, 0],
        [0, 1],
        [1, 0],
      ]),
  ],
  ['mixed_eol.csv', 'train kmeans mixed_eol.csv --k 2 --features 0', rows(40)],
  ['latin1_three.csv', 'train softmax latin1_three.csv --label -1', refused(/byte \d+/, /--encoding/)],
  [
    'latin1_three.csv with --encoding',
    'train softmax latin1_three.csv --label -1 --encoding latin1',
    (ran, card) => {
      learnt(ran)
      expect(card().data.classes?.length).toBe(3)
    },
  ],
  ['utf16be.csv', 'train softmax utf16be.csv --label -1', learnt],
  ['semicolon.csv', 'train softmax semicolon.csv --label -1', refused(/--delimiter ';'/)],
  ['semicolon.csv with --delimiter', 'train softmax semicolon.csv --label -1 --delimiter ;', learnt],
  ['numeric_header.csv', 'train softmax numeric_header.csv --label -1', refused(/--header yes/)],
  ['numeric_header.csv with --header', 'train softmax numeric_header.csv --label -1 --header yes', rows(40, 2)],
  [
    'stray_quote.csv',
    'train kmeans stray_quote.csv --k 2 --features 0 --skip-bad-rows',
    (ran, card) => {
      learnt(ran)
      expect([19, 20]).toContain(card().data.rows)
    },
  ],
  [
    'label_na.csv',
    'train softmax label_na.csv --label -1',
    (ran, card) => {
      learnt(ran)
      expect(card().data.classes).toContain('NA')
    },
  ],
  ['timestamp.parquet', 'score timestamp.parquet --model same2.onnx', refused(/column ".*" holds a date or time/)],
  ['list.parquet', 'score list.parquet --model same2.onnx', refused(/column ".*" holds a list/)],
  [
    'one_id.csv',
    'score one_id.csv --model id_name.onnx',
    ran => {
      if (ran.code === 0) expect(ran.stdout).toContain('n1')
      else expect(ran.stderr).toMatch(/16777217, a whole number beyond/)
    },
  ],
  ['epoch.csv', 'train linear epoch.csv --label y', refused(/column "time" holds 17\d+, a whole number beyond/)],
  [
    'total_column.csv, tied',
    'train gmm total_column.csv --k 2 --covariance tied --tolerance 1e-6',
    objective(-4.9997, 1e-4),
  ],
  ['total_column.csv, full', 'train gmm total_column.csv --k 2 --tolerance 1e-6', objective(-4.9937, 1e-4)],
  ['total_column.csv, k = 1', 'train gmm total_column.csv --k 1', objective(-6.233, 1e-4)],
  ['three_points.csv', 'train kmeans three_points.csv --k 5', refused(/only 3 different rows for k = 5/)],
  ['close_pairs.csv', 'train kmeans close_pairs.csv --k 2', objective(4.0e-8, 1e-2)],
  [
    'many_classes.csv',
    'train softmax many_classes.csv --label -1 --rounds 20',
    ran => {
      learnt(ran)
      expect(ran.stderr).toMatch(/did not converge in 20 rounds/)
    },
  ],
]

describe.skipIf(missing('the reports on tables', table.length))('reports on tables', () => {
  let one: OnePeer
  beforeAll(async () => {
    one = await onePeer()
  })
  afterAll(() => one?.stop())

  test.each(table)('%s', async (_, words, right) => {
    const args = words.split(' ').map(word => (/\.(csv|parquet|onnx)$/.test(word) ? join(folder, word) : word))
    const trains = args[0] === 'train'
    const ran = await one.cli('submit', ...args, ...(trains ? ['--out', 'model.onnx'] : []))
    right(ran, () => JSON.parse(readFileSync(join(one.scratch, 'model.card.json'), 'utf8')) as Card)
  })
})
