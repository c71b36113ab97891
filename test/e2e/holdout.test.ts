/** A table as people have them, with texts, dates and ids: what is no feature is left out, and the model is judged by rows it has not seen. */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { prng } from '../../src/base/prng.ts'
import { type OnePeer, onePeer } from './one-peer.ts'

describe('a table of texts, dates and ids', () => {
  let one: OnePeer
  beforeAll(async () => {
    one = await onePeer()
    const random = prng(11)
    const rows = Array.from({ length: 300 }, (_, i) => {
      const kind = i % 3
      const [x, y] = [kind * 2 + random.normal(), (kind % 2) * 3 + random.normal()]
      return `${100_000_000 + 7 * i},photos/${i}.jpg,2026-01-${10 + (i % 20)},${x.toFixed(4)},${y.toFixed(4)},${['ash', 'elm', 'oak'][kind]}`
    })
    writeFileSync(join(one.scratch, 'trees.csv'), `id,path,day,x,y,tree\n${rows.join('\n')}\n`)
  })
  afterAll(() => one?.stop())

  const train = (name: string, ...args: string[]) =>
    one.cli('submit', 'train', 'softmax', 'trees.csv', '--label', 'tree', '--exclude', 'id', '--out', name, ...args)

  test('held-out accuracy, recall and matrix in terminal, card and report, however it is cut', async () => {
    const ran = await train('trees.onnx', '--holdout', '0.2')
    expect(ran.code, ran.stderr).toBe(0)
    expect(ran.stderr).toContain('columns of texts are no features and are left out: path, day')
    expect(ran.stderr).toMatch(/\d\d\.\d\d% accuracy on \d+ held-out rows/)
    expect(ran.stderr).toMatch(/recall on held-out rows: ash [\d.]+%, elm [\d.]+%, oak [\d.]+%/)
    expect(ran.stderr).toMatch(/truth \\ model +ash +elm +oak/)
    const card = JSON.parse(readFileSync(join(one.scratch, 'trees.card.json'), 'utf8'))
    expect(card.data.columns).toEqual(['x', 'y'])
    const { heldOut } = card
    expect(heldOut.rows + card.data.rows).toBe(300)
    expect(heldOut.rows).toBeGreaterThan(30)
    expect(heldOut.rows).toBeLessThan(90)
    expect(heldOut.confusion.flat().reduce((sum: number, n: number) => sum + n, 0)).toBe(heldOut.rows)
    expect(heldOut.accuracy).toBeGreaterThan(0.7)
    expect(readFileSync(join(one.scratch, 'trees.html'), 'utf8')).toMatch(/held-out rows are classified right/)

    const cut = await train('cut.onnx', '--holdout', '0.2', '--rows-per-shard', '7')
    expect(cut.code, cut.stderr).toBe(0)
    const other = JSON.parse(readFileSync(join(one.scratch, 'cut.card.json'), 'utf8'))
    expect(other.heldOut.rows).toBe(heldOut.rows)
    const seeded = await train('seeded.onnx', '--holdout', '0.2', '--seed', '5')
    expect(seeded.code, seeded.stderr).toBe(0)
    const again = JSON.parse(readFileSync(join(one.scratch, 'seeded.card.json'), 'utf8'))
    expect(again.heldOut.confusion).not.toEqual(heldOut.confusion)
  })

  test('without it, the accuracy says that it is of the training rows', async () => {
    const ran = await train('all.onnx')
    expect(ran.stderr).toMatch(/% accuracy on the training rows/)
  })

  test('the same through the library', async () => {
    const items = await one.library({
      workload: 'train',
      inputs: ['trees.csv'],
      cwd: one.scratch,
      options: { method: 'softmax' },
      table: { label: 'tree', exclude: ['id', 'y'] },
      holdout: 0.5,
    })
    expect(items[0]).toMatchObject({ type: 'model', heldOut: { share: 0.5 } })
  })

  test.each([
    [['--holdout', '1'], /holdout.*below 1/],
    [['--features', 'x'], /--features and --exclude: give one of them/],
  ])('refuses %j', async (args, message) => {
    const ran = await train('none.onnx', ...args)
    expect([ran.code, ran.stderr]).toEqual([2, expect.stringMatching(message)])
  })

  test('decimal commas are read where they are named, and else refused by name', async () => {
    writeFileSync(join(one.scratch, 'comma.csv'), 'x;y;price\n1,5;a;2,25\n2;b;3,5\n0,5;c;1\n4;d;7,75\n')
    const learn = (...args: string[]) =>
      one.cli(
        'submit',
        'train',
        'linear',
        'comma.csv',
        '--label',
        'price',
        '--delimiter',
        ';',
        '--out',
        'c.onnx',
        ...args,
      )
    const refused = await learn()
    expect([refused.code, refused.stderr]).toEqual([
      2,
      expect.stringContaining('"1,5", which is no number (say --decimal ,'),
    ])
    const ran = await learn('--decimal', ',')
    expect(ran.code, ran.stderr).toBe(0)
    expect(JSON.parse(readFileSync(join(one.scratch, 'c.card.json'), 'utf8')).data.columns).toEqual(['x'])
  })

  test('refuses it where there is no class', async () => {
    const ran = await one.cli(
      'submit',
      'train',
      'kmeans',
      'trees.csv',
      '--k',
      '2',
      '--exclude',
      'id,tree',
      '--holdout',
      '0.2',
      '--out',
      'k.onnx',
    )
    expect([ran.code, ran.stderr]).toEqual([
      2,
      expect.stringMatching(/holdout: has no effect with kmeans, only with softmax and svm/),
    ])
  })
})
