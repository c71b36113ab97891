/** scikit-learn's results and the data that they are of, from test/fixtures/learning. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { z } from 'zod'
import { packageRoot } from '../../src/base/package-root.ts'

const folder = join(packageRoot, 'test/fixtures/learning')

function rowsOf(text: string): number[][] {
  return text
    .trim()
    .split('\n')
    .map(line => line.split(',').map(Number))
}

export interface LabelledTable {
  features: number[][]
  classes: string[]
}

function labelled(rows: number[][]): LabelledTable {
  return { features: rows.map(row => row.slice(0, -1)), classes: rows.map(row => String(row[row.length - 1])) }
}

export function digits(): LabelledTable {
  return labelled(rowsOf(gunzipSync(readFileSync(join(folder, 'data/digits.csv.gz'))).toString()))
}

/** Their first line is counts and class names. */
export function plain(name: 'iris' | 'wine_data'): LabelledTable {
  return labelled(rowsOf(readFileSync(join(folder, `data/${name}.csv`), 'utf8')).slice(1))
}

/** @returns one of the references, checked */
export function reference<T>(name: string, schema: z.ZodType<T>): T {
  return schema.parse(JSON.parse(readFileSync(join(folder, `reference/${name}.json`), 'utf8')))
}

/** scikit-image's oriented gradients: of crops of the demo's drawn pictures, by `left,top`, and of the first digit. */
export const hogReference = z.object({ descriptors: z.record(z.string(), z.array(z.number())) })

/** The file that the crops are cut from, and where. */
export const drawnPictures = join(packageRoot, 'demo/pictures.jpg')
export const crops = [
  { name: '0,0', left: 0, top: 0 },
  { name: '400,300', left: 400, top: 300 },
] as const

const matrix = z.array(z.array(z.number()))

export const kmeansReference = z.object({ inertia: z.number(), labels: z.array(z.int()), centers: matrix, k: z.int() })

export const gmmReference = z.object({
  k: z.int(),
  covariance: z.enum(['full', 'tied', 'diag', 'spherical']),
  reg_covar: z.number(),
  mean_log_likelihood: z.number(),
  weights: z.array(z.number()),
  means: matrix,
  means_init: matrix,
  covariances: z.array(z.unknown()),
  first_rows_responsibilities: matrix,
  labels: z.array(z.int()),
})

const linearFields = {
  C: z.number(),
  weights: matrix,
  bias: z.array(z.number()),
  train_accuracy: z.number(),
  test_accuracy: z.number(),
}
export const softmaxReference = z.object({ ...linearFields, objective: z.number() })
export const svmReference = z.object(linearFields)

export const pcaReference = z.object({
  components: matrix,
  mean: z.array(z.number()),
  explained_variance: z.array(z.number()),
})

/** Numbers of nested arrays, in order. */
export function flat(nested: unknown): number[] {
  if (Array.isArray(nested)) return nested.flatMap(flat)
  if (typeof nested !== 'number') throw new Error('the reference holds something else than numbers')
  return [nested]
}
